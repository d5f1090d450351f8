"""Fixed points with proofs: against mpmath's roots, torch's steps, scaffolds that are known, and the index rule."""

import itertools
import warnings

import mpmath
import numpy as np
import pytest
import torch

from widelimit.numerics import cells, dynamics
from widelimit.numerics.dynamics.connections import same_graph
from widelimit.theory.errors import ArgumentError, PrecisionWarning, WidelimitError

GRID = {d: np.array(list(itertools.product(np.linspace(-0.98, 0.98, 9), repeat=d))) for d in (1, 2)}


def bistable(units, strength=2.0):
    return {"weight_hh": strength * np.eye(units), "weight_ih": np.eye(units)}


@pytest.mark.parametrize("strength", [1.000001, 1.01, 1.5, 4.0, 30.0])
def test_one_unit_has_the_roots_of_h_equal_tanh(strength):
    """Also next to the pitchfork, where three roots lie within a thousandth of each other."""
    starts = np.concatenate([GRID[1], [[1e-3], [-2e-3]]])
    found = dynamics.fixed_points({"weight_hh": [[strength]]}, starts=starts)
    with mpmath.workdps(40):
        root = mpmath.findroot(
            lambda h: h - mpmath.tanh(mpmath.mpf(strength) * h),
            mpmath.sqrt(3 * (1 - 1 / mpmath.mpf(strength))) + 0.0,
        )
        known = sorted([root, mpmath.mpf(0), -root])
        order = np.argsort(found.states.ravel())
        assert len(found) == 3 and list(found.index[order]) == [0, 1, 0]
        for place, exact in zip(order, known, strict=True):
            assert abs(mpmath.mpf(float(found.states[place, 0])) - exact) <= found.radii[place]
        assert found.radii.max() < 1e-15 / (strength - 1) + 2e-15
        slopes = strength / np.cosh(strength * found.states.ravel()) ** 2
        assert np.allclose(found.eigenvalues.ravel().real, slopes, atol=1e-12)


def test_at_a_pitchfork_nothing_is_claimed():
    found = dynamics.fixed_points({"weight_hh": [[1.0]]}, starts=GRID[1])
    assert len(found) == 0 and len(found.slow) >= 1 and abs(found.slow.states[0, 0]) < 0.15
    assert found.unsettled == len(GRID[1]) and found.eigenvalues.shape == (0, 1)


@pytest.mark.parametrize("units", [1, 2, 3])
def test_uncoupled_units_have_the_whole_scaffold(units):
    """3^d points, C(d, j) 2^(d - j) with j unstable directions; the ways out are the edges of a cube."""
    starts = np.random.default_rng(0).uniform(-1, 1, (40, units))
    found = dynamics.fixed_points(bistable(units), starts=starts)
    counts = [mpmath.binomial(units, j) * 2 ** (units - j) for j in range(units + 1)]
    assert list(np.bincount(found.index)) == counts
    edges = {frozenset(j for i, j in found.graph if i == k) for k in np.flatnonzero(found.index == 1)}
    assert all(len(edge) == 2 for edge in edges) and len(edges) == units * 2 ** (units - 1)
    for one, other in edges:
        assert (np.sign(found.states[one]) != np.sign(found.states[other])).sum() == 1


@pytest.mark.parametrize("kind", ["rnn", "gru", "gru-paper", "lstm"])
def test_the_index_rule_of_complete_lists(kind):
    """signs of det(1 - T') sum to 1 on the square, which T maps into itself: no root is missed, none counted twice."""
    blocks = {"rnn": 1, "lstm": 4}.get(kind, 3)
    generator = np.random.default_rng(5)
    for _ in range(25):
        weights = generator.normal(scale=3.0, size=(blocks * 2, 2))
        biases = np.stack([np.zeros(blocks * 2), generator.normal(size=blocks * 2)])
        cell = cells.Cell(kind, weights, np.zeros((blocks * 2, 0)), biases, np.zeros(0))
        found = dynamics.fixed_points(cell, starts=GRID[2])
        signs = [np.sign(np.linalg.det(np.eye(2) - cell.rest(h)[1])) for h in found.outputs]
        assert sum(signs) == 1
        gaps = [np.abs(a - b).max() for a, b in itertools.combinations(found.outputs, 2)]
        assert not gaps or min(gaps) > 1e-6
        assert found.residuals.max() < 1e-14 * (1 + np.abs(found.states).max())


@pytest.mark.parametrize("kind", [torch.nn.GRU, torch.nn.LSTM, torch.nn.RNN])
def test_torchs_step_stays_at_the_points_of_a_module(kind):
    torch.manual_seed(2)
    module = kind(2, 6)
    with torch.no_grad():
        for name, weights in module.named_parameters():
            weights.mul_(6.0 if "weight_hh" in name else 1.0)
    inputs = torch.tensor([0.5, -0.25])
    with torch.no_grad():
        outputs, _ = module(inputs.repeat(30, 5, 1), None)
    found = dynamics.fixed_points(module, starts=outputs, inputs=inputs)
    assert len(found) > 0 and (found.radii < 1e-11).all()
    double = module.double()
    for state, radius in zip(found.states, found.radii, strict=True):
        parts = torch.tensor(state).reshape(-1, 1, 1, 6)
        begin = (parts[0], parts[1]) if len(parts) == 2 else parts[0]
        with torch.no_grad():
            _, end = double(inputs.double()[None, None], begin)
        after = torch.cat(end) if len(parts) == 2 else end
        assert np.abs(after.numpy().ravel() - state).max() < 1e-13 + 10 * radius


def test_time_constants_and_order():
    found = dynamics.fixed_points(bistable(2), starts=GRID[2])
    assert (np.diff(found.index) >= 0).all()
    moduli = np.abs(found.eigenvalues)
    assert (np.diff(moduli, axis=1) <= 0).all()
    assert np.allclose(found.time_constants, 1 / np.abs(np.log(moduli)))
    assert list(found.sinks) == [0, 1, 2, 3] and found.outputs.shape == (9, 2)


def test_inputs_move_the_points():
    found = dynamics.fixed_points(bistable(1), starts=GRID[1], inputs=[0.8])
    assert len(found) == 1 and found.states[0, 0] == pytest.approx(np.tanh(2 * found.states[0, 0] + 0.8))


def test_slow_points_are_told_apart():
    """Just past a fold no point is left, but a ghost of it, which is slow and no fixed point."""
    fold = 2 * np.sqrt(0.5) - np.arctanh(np.sqrt(0.5))
    found = dynamics.fixed_points(bistable(1), starts=GRID[1], inputs=[fold + 1e-4])
    assert len(found) == 1 and found.states[0, 0] > 0.9
    assert len(found.slow) == 1 and found.slow.states[0, 0] == pytest.approx(-np.sqrt(0.5), abs=0.05)
    assert 3e-5 < found.slow.speeds[0] < 1e-3
    none = dynamics.fixed_points(bistable(1), starts=GRID[1], inputs=[fold + 1e-4], slow_speed=1e-6)
    assert len(none.slow) == 0
    before = dynamics.fixed_points(bistable(1), starts=GRID[1], inputs=[fold - 1e-4])
    assert len(before) == 3 and len(before.slow) == 0


def test_a_gate_that_is_shut_hides_no_point():
    """z = 1 - 1e-9: the step hardly moves anywhere, and yet there are three points and not a continuum."""
    gru = {"weight_hh": [[0.0], [0.0], [2.0]], "bias_hh": [30.0, 21.0, 0.0]}
    found = dynamics.fixed_points(gru, starts=GRID[1])
    assert len(found) == 3
    open_ = dynamics.fixed_points(gru | {"bias_hh": [30.0, 0.0, 0.0]}, starts=GRID[1])
    assert np.allclose(np.sort(found.states.ravel()), np.sort(open_.states.ravel()), atol=1e-12)
    assert found.time_constants.min() > 1e8


def test_graphs_are_compared_up_to_names():
    one = dynamics.fixed_points(bistable(2), starts=GRID[2])
    other = dynamics.fixed_points(bistable(2, 3.0), starts=GRID[2][::-1])
    assert one.same_graph(other) and not one.same_graph(dynamics.fixed_points(bistable(1), starts=GRID[1]))
    ring, two = (
        ([0] * 6, tuple((k, (k + 1) % 6) for k in range(6))),
        ([0] * 6, tuple((k, k // 3 * 3 + (k + 1) % 3) for k in range(6))),
    )
    assert not same_graph(ring, two)  # all vertices look alike; a ring of six is not two of three
    turned = ([0] * 6, tuple(((k + 2) % 6, (k + 3) % 6) for k in range(6)))
    assert same_graph(ring, turned) and not same_graph(ring, ([0] * 5 + [1], ring[1]))
    assert same_graph(([1], ((0, -1),)), ([1], ((0, -1),))) and not same_graph(([1], ((0, -1),)), ([1], ()))


BAD = {
    "no starts": (lambda: dynamics.fixed_points(bistable(2), starts=[]), "`starts` must"),
    "no rows": (lambda: dynamics.fixed_points(bistable(2), starts=np.zeros((0, 2))), "`starts` must"),
    "one state": (lambda: dynamics.fixed_points(bistable(2), starts=[0.0, 1.0]), "`starts` must"),
    "another width": (lambda: dynamics.fixed_points(bistable(2), starts=np.zeros((4, 3))), "2 numbers"),
    "nan": (lambda: dynamics.fixed_points(bistable(1), starts=[[np.nan]]), "NaN"),
    "text": (lambda: dynamics.fixed_points(bistable(1), starts="x"), "`starts`"),
    "inputs": (lambda: dynamics.fixed_points(bistable(1), starts=[[0.0]], inputs=[1.0, 2.0]), "`inputs`"),
    "too much": (
        lambda: dynamics.fixed_points({"weight_hh": np.zeros((2000, 2000))}, starts=np.zeros((100, 2000))),
        "fewer",
    ),
    "speed": (lambda: dynamics.fixed_points(bistable(1), starts=[[0.0]], slow_speed=0), "`slow_speed`"),
    "layers": (lambda: dynamics.fixed_points(torch.nn.GRU(1, 2, 2), starts=[[0.0, 0.0]]), "one layer"),
    "relu": (
        lambda: dynamics.fixed_points(torch.nn.RNN(1, 2, nonlinearity="relu"), starts=[[0.0, 0.0]]),
        "unbounded",
    ),
    "state": (lambda: dynamics.linearize(bistable(2), [0.0]), "`state`"),
    "states": (lambda: dynamics.linearize(bistable(2), [[0.0, 0.0]]), "one state"),
    "readout": (lambda: dynamics.linearize(bistable(2), [0.0, 0.0]).input_effect(1, [1.0]), "`readout`"),
    "lag": (lambda: dynamics.linearize(bistable(2), [0.0, 0.0]).input_effect(-1, [1.0, 1.0]), "`lag`"),
    "lag of an unstable state": (
        lambda: dynamics.linearize(bistable(1), [0.0]).input_effect(10**5, [1.0]),
        "`lag`",
    ),
    "huge lag": (lambda: dynamics.linearize(bistable(1), [0.0]).input_effect(10**400, [1.0]), "`lag`"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, text = BAD[case]
    with pytest.raises(WidelimitError, match=text):
        call()


def test_coarse_weights_are_warned_of():
    with pytest.warns(PrecisionWarning):
        dynamics.fixed_points(torch.nn.RNN(1, 2, dtype=torch.bfloat16, bias=False), starts=[[0.1, 0.1]])


def test_extremes_end_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = dynamics.fixed_points({"weight_hh": [[1e30]]}, starts=[[0.5], [1e300], [-1e300]])
        assert set(np.sign(huge.states.ravel())) <= {-1.0, 0.0, 1.0}
        none = dynamics.fixed_points({"weight_hh": [[1e-300]]}, starts=[[0.5]])
        assert (
            len(none) == 1
            and none.states[0, 0] == 0
            and none.time_constants[0, 0] == pytest.approx(1 / np.log(1e300))
        )
        with pytest.raises(ArgumentError):
            dynamics.fixed_points({"weight_hh": [[2.0]]}, starts=[[10**400]])
        zero = dynamics.fixed_points({"weight_hh": np.zeros((2, 2))}, starts=[[0.5, 0.5]])
        assert np.array_equal(zero.time_constants, np.zeros((1, 2)))
