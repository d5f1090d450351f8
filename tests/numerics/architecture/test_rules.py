"""Rules of layers on arrays: against sums over units and positions by NumPy, and kinds of layers of one's own."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from sympy import Function

from widelimit.numerics.architecture import compiled, kernels
from widelimit.numerics.architecture.rules import apply_all, rule
from widelimit.numerics.architecture.state import State, start
from widelimit.theory.architecture import (
    Act,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    Residual,
    recursion,
)
from widelimit.theory.architecture.names import POSITIONS, A, B, shown
from widelimit.theory.errors import ArgumentError, DomainError


def state_of(units, other=None):
    """The state of drawn units (inputs, channels, positions), each a unit of its own, in the layout of `pools`."""
    other = units if other is None else other
    rows, columns = (z.transpose(0, 2, 1).reshape(-1, z.shape[1]) for z in (units, other))
    k = (rows @ columns.T / units.shape[1])[None]
    (q1, m1), (q2, m2) = (((z**2).mean(axis=1), z.mean(axis=1)) for z in (units, other))
    return State(k, np.ones_like(k), q1, q2, m1, m2, units.shape[2:], True, other is units, gaussian=False)


def test_layer_norm_is_that_of_the_units_themselves():
    """K, q and m behind it, of three and two inputs with 40 units at five positions, by NumPy."""
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((3, 40, 5)) + 0.4, 2 * rng.standard_normal((2, 40, 5)) - 0.1
    before = state_of(a, b)
    after = apply_all((LayerNorm(),), before)
    done = [(z - z.mean(axis=(1, 2), keepdims=True)) / z.std(axis=(1, 2), keepdims=True) for z in (a, b)]
    expected = state_of(*done)
    for name in ("k", "q1", "q2", "m1", "m2"):
        assert np.allclose(getattr(after, name), getattr(expected, name), atol=1e-12), name
    widths = [z.std(axis=(1, 2)).repeat(5) for z in (a, b)]
    assert np.allclose(after.theta[0], 1 / np.outer(*widths))


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_is_double_centring(affine):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((30, 200))
    before = start(Architecture((Dense(),)), x, None)
    theta = rng.standard_normal((1, 30, 30))
    after = apply_all((BatchNorm(affine),), replace(before, theta=theta, gaussian=True))
    h = np.eye(30) - 1 / 30
    centred = h @ before.k[0] @ h
    variance = np.trace(centred) / 30
    assert np.allclose(after.k[0], centred / variance, atol=1e-13) and after.gain == affine
    assert np.allclose(after.theta[0], h @ theta[0] @ h / variance + affine, atol=1e-13)
    assert np.allclose(after.q1[:, 0], np.diag(centred) / variance)


def test_pools_and_flattening_are_means_of_units():
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((3, 40, 5)), rng.standard_normal((2, 40, 5))
    before = state_of(a, b)
    pooled, flat = (apply_all((layer,), before) for layer in (GlobalAveragePool(), Flatten()))
    assert np.allclose(pooled.k[0], a.mean(axis=2) @ b.mean(axis=2).T / 40)
    assert np.allclose(flat.k[0], np.einsum("icp,jcp->ij", a, b) / 200)
    assert np.allclose(flat.q1[:, 0], (a**2).mean(axis=(1, 2))) and np.allclose(
        flat.m2[:, 0], b.mean(axis=(1, 2))
    )


def test_blocks_of_entries_are_the_whole(monkeypatch):
    rng = np.random.default_rng(6)
    k, rows, columns = rng.random((2, 7, 5)), rng.random((2, 7)) + 1, rng.random(5) + 1
    whole = k / rows[:, :, None] / columns
    for block in (2**20, 10, 1):
        monkeypatch.setattr(compiled, "_BLOCK", block)
        assert np.allclose(compiled.over_entries(compiled.rescaled, k, [rows], [columns]), whole, rtol=1e-15)


@dataclass(frozen=True)
class Scaled(Layer):
    """A kind of layer of one's own: units times a number."""

    by: float = 2.0

    def kernels(self, below):
        k, theta = below.both()
        return k * shown(self.by) ** 2, theta * shown(self.by) ** 2


def test_a_kind_of_layer_is_a_class_and_a_function():
    """What theory writes for it is what is computed; without a function it is refused by its name."""
    network = Architecture((Dense(1.5), Scaled(), Act.of("relu"), Dense()))
    with pytest.raises(
        DomainError, match=r"Layer 1 \(Scaled\) has no rule in widelimit.numerics.architecture"
    ):
        kernels(network, [[1.0]])

    @rule(Scaled)
    def scaled(layer, s, place):
        grown = {name: getattr(s, name) * layer.by**2 for name in ("k", "theta", "q1", "q2")}
        return replace(s, **grown)

    direct = Architecture((Dense(3.0), Act.of("relu"), Dense()))
    x = [[1.0, 2.0], [0.5, -1.0]]
    assert np.allclose(kernels(network, x).nngp, kernels(direct, x).nngp, rtol=1e-12)
    (_, written, *_) = recursion(network)
    assert written.nngp.rhs == 4 * Function("K_1")(A, B)
    with pytest.raises(ArgumentError, match="`by` must"):
        kernels(Architecture((Dense(), Scaled("2"))), x)


LINEAR = {
    "dropout": (Dense(1.5, 0.5), Dropout(0.5), Dense(2.0, 0.5)),
    "branches": (Dense(1.5, 0.5), Residual((Dense(2.0), Dropout(0.25), Residual((Dense(0.5, 1.0),)), Dense(3.0, 0.5)))),
    "frozen": (Dense(1.5, 0.5, trained_b=False), Residual((Dense(2.0, 1.0, trained_w=False),)), Dense(0.5)),
    "convolutions": (Convolution(3, 1.5, 0.5), Residual((Convolution(1, 0.5, 1.0),)), Flatten(), Dense(2.0, 0.5)),
    "pooled": (Convolution(3, 1.5, 0.5), GlobalAveragePool(), Dense(2.0, 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_what_is_written_is_what_is_computed(name):
    """The recursion of linear networks, rule put into rule at all positions, on two inputs; `same` is i = j."""
    layers = LINEAR[name]
    positions = 4 if isinstance(layers[0], Convolution) else 1
    x = np.random.default_rng(7).standard_normal((2, 3, positions))
    data = np.einsum("icp,jcr->ijpr", x, x) / 3
    written = recursion(Architecture(layers))

    def value(kind, number, i, j, a, b):
        """K_l or Theta_l of the inputs i and j at positions a and b, counted around."""
        if number == 0:
            return data[i, j, a % positions, b % positions] if kind == "K" else 0.0
        side = getattr(written[number - 1], {"K": "nngp", "Theta": "ntk"}[kind]).rhs
        side = side.subs({Function("same")(A, B): int(i == j), POSITIONS: positions}).doit()
        calls = {
            call: value(*call.func.__name__.split("_")[:1], int(call.func.__name__.split("_")[1]), i, j,
                        *(int(arg.subs({A: a, B: b})) for arg in call.args))
            for call in side.atoms(Function)
        }  # fmt: skip
        return float(side.subs(calls))

    found = kernels(Architecture(layers), x if positions > 1 else x[:, :, 0])
    for i, j in ((0, 0), (0, 1)):
        assert found.nngp[i, j] == pytest.approx(value("K", len(written), i, j, 0, 0), rel=1e-12)
        assert found.ntk[i, j] == pytest.approx(value("Theta", len(written), i, j, 0, 0), rel=1e-12)
