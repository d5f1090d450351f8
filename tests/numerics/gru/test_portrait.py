"""Complete lists of fixed points with proof, portraits, and the homoclinic orbit."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from widelimit.numerics import gru
from widelimit.numerics.cells import read
from widelimit.numerics.gru.complete import roots
from widelimit.theory.errors import ArgumentError


def paper(rng, size, units=2):
    cell = {f"U_{k}": size * rng.standard_normal((units, units)) for k in "rzh"}
    return cell | {f"b_{k}": size / 2 * rng.standard_normal(units) for k in "rzh"}


def torch_form(rng, size, units=2):
    return {
        "weight_hh": size * rng.standard_normal((3 * units, units)),
        "bias_hh": size / 2 * rng.standard_normal(3 * units),
        "bias_ih": size / 2 * rng.standard_normal(3 * units),
    }


def indices(cell, found):
    """Signs of det(1 - dn/dh): their sum is the degree of h - n(h) on the box that traps, 1."""
    eye = np.eye(cell.size)
    return sum(int(np.sign(np.linalg.det(eye - cell.rest(h)[1]))) for h in found.states)


@pytest.mark.parametrize("make", [paper, torch_form])
@pytest.mark.parametrize("size", [2.0, 5.0, 10.0])
def test_index_rule(make, size):
    rng = np.random.default_rng(int(size))
    for _ in range(60):
        cell = read(make(rng, size))
        found = roots(cell)
        assert found.undecided == 0 and indices(cell, found) == 1


@pytest.mark.sweep
def test_index_rule_of_ten_thousand():
    rng = np.random.default_rng(0)
    for k in range(10_000):
        cell = read((paper, torch_form)[k % 2](rng, (2.0, 5.0, 10.0)[k % 3]))
        found = roots(cell)
        assert found.undecided == 0 and indices(cell, found) == 1


@pytest.mark.parametrize("make", [paper, torch_form])
def test_nothing_is_missed(make):
    """Newton's method from random starts finds no point outside the certified boxes."""
    rng = np.random.default_rng(9)
    for units in (1, 2, 3):
        for _ in range(4):
            cell = read(make(rng, 4.0, units))
            found = roots(cell)
            for h in rng.uniform(-1, 1, (40, units)):
                for _ in range(30):
                    value, slope, _ = cell.rest(h)
                    move = np.clip(np.linalg.solve(np.eye(units) - slope, value - h), -0.5, 0.5)
                    h = h + move
                    if np.abs(move).max() < 1e-15:
                        break
                if np.abs(cell.rest(h)[0] - h).max() < 1e-13:
                    assert (np.abs(found.states - h) <= found.radii + 1e-11).all(1).any()


@pytest.mark.parametrize("units,count", [(1, 3), (2, 9), (3, 27)])
def test_decoupled_bistable_units(units, count):
    """3^d points, binom(d, j) 2^(d - j) of them with j unstable directions; states solve h = tanh(3 h)."""
    found = gru.portrait({"weight_hh": 3.0 * np.eye(units)})
    assert found.complete and len(found.fixed_points) == count
    unstable = (found.eigenvalues.real > 0).sum(1)
    assert np.bincount(unstable).tolist() == [
        math.comb(units, j) * 2 ** (units - j) for j in range(units + 1)
    ]
    top = 0.5
    for _ in range(200):
        top = math.tanh(3 * top)
    assert np.abs(found.fixed_points).max() == pytest.approx(top, abs=1e-13)
    assert found.radii.max() < 1e-13


@pytest.mark.parametrize("excess", [1e-3, 1e-6, -1e-6])
def test_next_to_a_pitchfork(excess):
    """Near-degenerate: h = tanh((1 + e) h) has three roots or one, however close; h^2 = 3 e + O(e^2)."""
    found = roots(read({"weight_hh": [[1 + excess]]}))
    assert found.undecided == 0 and len(found.states) == (3 if excess > 0 else 1)
    if excess > 0:
        assert np.abs(found.states).max() == pytest.approx(math.sqrt(3 * excess), rel=2 * excess + 1e-9)


def test_exactly_at_a_pitchfork_nothing_is_claimed():
    found = gru.portrait({"weight_hh": [[1.0]]})
    assert not found.complete and found.undecided > 0


def test_inputs_that_cancel_are_part_of_the_proof():
    """What floats make of W_in x is another cell: its root was proved to 1e-14, and lay 1e-9 off."""
    inputs, weights = [0.1, -0.3 + 0.2], [3e8, 3e8]
    found = roots(read({"weight_hh": [[0.5]], "weight_ih": [weights]}, inputs=inputs))
    with mp.workdps(40):
        drive = mp.fsum(mp.mpf(w) * mp.mpf(x) for w, x in zip(weights, inputs, strict=True))
        exact = mp.findroot(lambda h: h - mp.tanh(h / 2 + drive), 0.0)
        assert len(found.states) == 1 and found.undecided == 0
        assert abs(mp.mpf(float(found.states[0, 0])) - exact) <= float(found.radii[0, 0])


def test_lstm():
    rng = np.random.default_rng(2)
    cell = read({"weight_hh": 3 * rng.standard_normal((8, 2)), "bias_hh": rng.standard_normal(8)})
    found = gru.portrait(cell)
    assert found.complete and found.eigenvalues.shape == (len(found.fixed_points), 4)
    for h in found.fixed_points:
        full = cell.full(h)
        assert cell.step(full) == pytest.approx(full, abs=1e-11)


def test_portrait_of_a_cycle_and_of_corners():
    from widelimit.numerics.gru.oscillating import cell

    turning = gru.portrait(cell(1.5, 0.7, 0.5))
    assert turning.signature == (0, 1, 0, 1, 0) and turning.graph == ((0, "cycle 0"),)
    assert turning.limit_cycles[0].period == pytest.approx(gru.oscillation(1.5, 0.7).period, rel=1e-11)
    corners = gru.portrait(cell(1.5, 0.1, 0.5))
    assert corners.signature == (4, 1, 4, 0, 0)
    assert {end for start, end in corners.graph if corners.kinds[start] == "saddle"} == {
        f"fixed point {k}" for k, kind in enumerate(corners.kinds) if kind == "sink"
    }
    assert turning.plot.velocity.shape == (41, 41, 2)
    assert turning.plot.velocity[20, 20] == pytest.approx([0, 0], abs=1e-15)


def test_update_gate_moves_no_fixed_point_but_may_turn_a_sink():
    cell = {"U_r": np.zeros((2, 2)), "U_z": np.zeros((2, 2)), "U_h": [[3.2, -3.0], [3.0, -1.0]]}
    alike = gru.portrait(cell)
    apart = gru.portrait({**cell, "b_z": [-3.0, 3.0]})
    assert alike.fixed_points == pytest.approx(apart.fixed_points, abs=1e-12)
    middle = int(np.abs(alike.fixed_points).max(1).argmin())
    assert (alike.kinds[middle], apart.kinds[middle]) == ("sink", "source")


def test_map_and_equation():
    """h' = tanh(-3 h): the origin rests in continuous time, and doubles its period as a map."""
    assert gru.portrait({"weight_hh": [[-3.0]]}).kinds == ("sink",)
    stepped = gru.portrait({"weight_hh": [[-3.0]]}, time="step")
    assert stepped.kinds == ("source",) and stepped.eigenvalues[0, 0] == pytest.approx(-3)


def test_worked_homoclinic():
    found = gru.homoclinic(2.0, math.pi / 6, bias_2=-0.16, bracket=(-1.0945, -1.0940))
    assert found.bias_1 == pytest.approx(-1.0942366847757135812, abs=max(2e-13, 2 * found.error))
    assert found.error < 1e-12
    assert found.saddle == pytest.approx(np.array([0.30395649656806, -0.88164169797446]), abs=1e-11)
    assert found.lambda_u == pytest.approx(0.36577791343748, abs=1e-11)
    assert found.lambda_s == pytest.approx(-0.408009077245, abs=1e-11)
    assert found.splitting[0] < 0 < found.splitting[1]


@pytest.mark.parametrize(
    "bracket,words",
    [
        ((-1.09, -1.08), "must change the sign|must hold biases"),
        ((-1.0, -1.1), "increasing"),
        ((-1.0,), "increasing"),
        (0.1, "list of numbers"),
    ],
)
def test_bad_brackets(bracket, words):
    with pytest.raises(ArgumentError, match=words):
        gru.homoclinic(2.0, math.pi / 6, bias_2=-0.16, bracket=bracket)


@pytest.mark.parametrize(
    "cell,words",
    [
        ({"weight_hh": np.eye(4)}, "at most three units"),
        ({"weight_hh": [[math.nan]]}, "Argument `cell`"),
        (3.0, "must be a recurrent cell"),
    ],
)
def test_bad_cells(cell, words):
    with pytest.raises(ArgumentError, match=words):
        gru.portrait(cell)
    with pytest.raises(ArgumentError, match="time"):
        gru.portrait({"weight_hh": [[1.5]]}, time="discrete")
