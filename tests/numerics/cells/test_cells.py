"""Cells of users against torch itself: values, Jacobians, and every module that is refused."""

import warnings

import numpy as np
import pytest
import torch

from widelimit.numerics import cells
from widelimit.numerics.cells import loops
from widelimit.theory.errors import ArgumentError, PrecisionWarning, WidelimitError

KINDS = {"rnn": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}
LAYERS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def drawn(kind, size=5, inputs=3, **options):
    torch.manual_seed(7)
    return KINDS[kind](inputs, size, dtype=torch.float64, **options)


def torch_step(kind, cell, x, state):
    """One step of torch's cell as a function of one flat state."""
    if kind != "lstm":
        return cell(x[None], state[None])[0]
    h, c = state.chunk(2)
    return torch.cat([part[0] for part in cell(x[None], (h[None], c[None]))])


def paper(generator, size=4, inputs=2):
    arrays = {f"{name}_{gate}": None for name in "UbW" for gate in "rzh"}
    shapes = {"U": (size, size), "b": (size,), "W": (size, inputs)}
    return {name: generator.normal(size=shapes[name[0]]) for name in arrays}


def paper_step(weights, x, h):
    """The papers' form, in torch: the reset gate acts before the product."""
    t = {name: torch.as_tensor(array) for name, array in weights.items()}
    r, z = (torch.sigmoid(t[f"U_{g}"] @ h + t[f"W_{g}"] @ x + t[f"b_{g}"]) for g in "rz")
    return z * h + (1 - z) * torch.tanh(t["U_h"] @ (r * h) + t["W_h"] @ x + t["b_h"])


def oracle(kind):
    """A cell, a constant input, and torch's step as a function of state and input."""
    generator = np.random.default_rng(3)
    if kind == "gru-paper":
        weights, x = paper(generator), torch.tensor([0.4, -1.0], dtype=torch.float64)
        return weights, x, lambda state, x: paper_step(weights, x, state)
    cell, x = drawn(kind), torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
    return cell, x, lambda state, x: torch_step(kind, cell, x, state)


@pytest.mark.parametrize("kind", cells.KINDS)
def test_a_step_and_its_jacobians_are_torchs(kind):
    source, x, step = oracle(kind)
    cell = cells.read(source, inputs=x)
    assert cell.kind == kind
    state = torch.tensor(np.random.default_rng(0).normal(size=cell.state_size))
    assert np.allclose(cell.step(state), step(state, x).detach(), rtol=0, atol=3e-16)
    by_state, by_input = torch.autograd.functional.jacobian(step, (state, x))
    assert np.allclose(cell.jacobian(state), by_state, rtol=0, atol=2e-15)
    assert np.allclose(cell.input_jacobian(state), by_input, rtol=0, atol=2e-15)


@pytest.mark.parametrize("kind", cells.KINDS)
def test_what_rests_stays(kind):
    """Where T(h) = h the step of torch stays, and T's slope is its difference quotient; count repeats the step."""
    source, x, step = oracle(kind)
    cell = cells.read(source, inputs=x)
    h = np.zeros(cell.size)
    for _ in range(2000):
        h = 0.5 * h + 0.5 * cell.rest(h)[0]
    state = cell.full(h)
    assert np.allclose(step(torch.tensor(state), x).detach(), state, atol=1e-13)
    assert np.allclose(cell.step(state, 7), state, atol=1e-12)
    direction = np.random.default_rng(1).normal(size=cell.size)
    quotient = (cell.rest(h + 1e-6 * direction)[0] - cell.rest(h - 1e-6 * direction)[0]) / 2e-6
    assert np.allclose(cell.rest(h)[1] @ direction, quotient, atol=1e-8)
    assert np.all((cell.rest(h)[2] > 0) & (cell.rest(h)[2] <= 1))


@pytest.mark.parametrize("kind", LAYERS)
def test_modules_and_their_dictionaries_are_the_same_cell(kind):
    module = LAYERS[kind](2, 3)
    whole = torch.nn.Sequential(torch.nn.Identity(), module)
    one = cells.read(module)
    assert one == cells.read(module.state_dict()) == cells.read(whole) == cells.read(whole.state_dict())
    assert one == cells.read({name: array.numpy() for name, array in module.state_dict().items()})
    assert one.at([1.0, 2.0]) == cells.read(module, inputs=[1.0, 2.0]) == cells.read(one, inputs=[1.0, 2.0])


def test_modules_without_bias_and_without_inputs():
    assert not cells.read(torch.nn.GRU(2, 3, bias=False)).biases.any()
    assert not cells.read(torch.nn.GRUCell(2, 3, bias=False)).biases.any()
    assert cells.read({"weight_hh": np.eye(2)}).inputs.size == 0
    assert cells.read({"weight_hh": [[1.0]], "weight_ih": [[2.0]]}, inputs=0.5).step([0.0]) == pytest.approx(
        np.tanh(1)
    )


def test_gates_that_saturate_keep_digits():
    cell = cells.read({"weight_hh": np.zeros((3, 1)), "bias_ih": [0.0, 80.0, 1.0]})
    assert cell.rest([0.0])[2] == pytest.approx(np.exp(-80), rel=1e-13)
    closed = cells.read({"weight_hh": np.zeros((4, 1)), "bias_ih": [0.0, 1e5, 1.0, 0.0]})
    assert closed.rest([0.2])[0] == pytest.approx(0.5)  # the memory is beyond all bounds, tanh of it 1
    assert np.isfinite(closed.full(np.array([0.2]))).all()


def test_many_steps_are_one_after_another():
    cell = cells.read(drawn("lstm"))
    states = np.random.default_rng(2).normal(size=(4, 10))
    assert np.allclose(cell.step(states, 3), cell.step(cell.step(cell.step(states))), atol=1e-15)
    assert np.array_equal(cell.step(states, 0), states)


REFUSED = {
    "two layers": (lambda: torch.nn.GRU(2, 3, num_layers=2), "must have one layer, but has num_layers=2"),
    "two layers by name": (lambda: torch.nn.GRU(2, 3, num_layers=2).state_dict(), "weight_hh_l1"),
    "both directions": (lambda: torch.nn.RNN(2, 3, bidirectional=True), "must have one direction"),
    "directions by name": (lambda: torch.nn.LSTM(2, 3, bidirectional=True).state_dict(), "_reverse"),
    "projections": (
        lambda: torch.nn.LSTM(2, 3, proj_size=2),
        "must have no projections, but has proj_size=2",
    ),
    "projections by name": (lambda: torch.nn.LSTM(2, 4, proj_size=2).state_dict(), "weight_hr_l0"),
    "relu": (lambda: torch.nn.RNN(2, 3, nonlinearity="relu"), "unbounded"),
    "relu cell": (lambda: torch.nn.RNNCell(2, 3, nonlinearity="relu"), "unbounded"),
    "no cell": (lambda: torch.nn.Linear(2, 2), "must be a recurrent cell"),
    "two cells": (
        lambda: torch.nn.ModuleList([torch.nn.GRUCell(1, 2), torch.nn.GRUCell(2, 2)]),
        "GRUCell, GRUCell",
    ),
    "two by name": (lambda: {"a.weight_hh": [[1.0]], "b.weight_hh": [[1.0]]}, "a.weight_hh, b.weight_hh"),
    "nan": (lambda: {"weight_hh": [[np.nan]]}, "NaN"),
    "infinite": (lambda: {"weight_hh": [[1.0]], "bias_hh": [np.inf]}, "finite"),
    "huge": (lambda: {"weight_hh": [[1e300]]}, "1e+30"),
    "huge integer": (lambda: {"weight_hh": [[10**400]]}, "finite numbers"),
    "text": (lambda: {"weight_hh": "1"}, "finite numbers"),
    "booleans": (lambda: {"weight_hh": [[True]]}, "finite numbers"),
    "complex": (lambda: {"weight_hh": [[1j]]}, "finite numbers"),
    "a vector": (lambda: {"weight_hh": [1.0, 2.0]}, "should be a matrix"),
    "empty": (lambda: {"weight_hh": np.zeros((0, 0))}, "no RNN"),
    "two blocks": (lambda: {"weight_hh": np.zeros((4, 2))}, "no RNN"),
    "input rows": (lambda: {"weight_hh": np.eye(2), "weight_ih": np.zeros((3, 1))}, "3 rows"),
    "a bias": (lambda: {"weight_hh": np.eye(2), "bias_ih": np.zeros(3)}, "(2,)"),
    "half of the papers' form": (lambda: {"U_z": np.eye(2)}, "holds U_z"),
    "papers' shapes": (lambda: dict.fromkeys(("U_z", "U_r"), np.eye(2)) | {"U_h": np.eye(3)}, "shapes"),
    "nothing": (dict, "holds nothing"),
    "none": (lambda: None, "must be a recurrent cell, but is None"),
    "a number": (lambda: 3, "must be a recurrent cell"),
    "meta": (lambda: torch.nn.GRUCell(1, 2, device="meta"), "finite numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_so(case):
    make, text = REFUSED[case]
    with pytest.raises(ArgumentError, match=r"^Argument `cell` must ") as error:
        cells.read(make())
    assert text in str(error.value)


@pytest.mark.parametrize(
    "inputs", [[1.0], [1.0, np.nan, 0.0], "abc", 1.0, [[1.0, 2.0, 3.0]], [True] * 3, [1e300, 0, 0]]
)
def test_inputs_that_do_not_fit(inputs):
    with pytest.raises(WidelimitError, match="Argument `inputs` must"):
        cells.read(drawn("gru"), inputs=inputs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_coarse_weights_are_warned_of(dtype):
    with pytest.warns(PrecisionWarning, match="fixed points move"):
        cells.read(torch.nn.GRU(1, 2, dtype=dtype, bias=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells.read(torch.nn.GRU(1, 2))


def test_states_of_another_length():
    cell = cells.read(drawn("lstm"))
    for call in (cell.step, cell.jacobian, cell.input_jacobian):
        with pytest.raises(ArgumentError, match="10 numbers, h and then c"):
            call(np.zeros(5))
    with pytest.raises(ArgumentError, match="must have 5 numbers"):
        cell.rest(np.zeros(10))


def test_a_gru_whose_reset_gates_agree_is_the_same_in_both_forms():
    """r after the product and before it are one thing if r is one number for all units (the note's only case)."""
    generator = np.random.default_rng(5)
    u_z, u_h = generator.normal(size=(2, 3, 3))
    zero, bias = np.zeros((3, 3)), np.full(3, 0.4)
    one = cells.read({"U_r": zero, "U_z": u_z, "U_h": u_h, "b_r": bias})
    other = cells.read(
        {"weight_hh": np.concatenate([zero, u_z, u_h]), "bias_hh": np.concatenate([bias, np.zeros(6)])}
    )
    h = generator.normal(size=3)
    assert np.allclose(one.step(h), other.step(h), atol=1e-15)
    assert one.code == loops.GRU_PAPER and other.code == loops.GRU
