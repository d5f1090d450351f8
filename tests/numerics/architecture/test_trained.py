"""Tangent kernels of partly frozen architectures: they add up layer by layer; arguments that make no sense."""

from dataclasses import replace

import numpy as np
import pytest
from sympy import Symbol

from widelimit.numerics.architecture import kernels
from widelimit.numerics.architecture.phase import phase
from widelimit.theory.architecture import (
    Act,
    Architecture,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    Recurrent,
    Residual,
    mlp,
    recursion,
)
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

TANH = Act.of("tanh")
CONV = Convolution(3, 1.5, 0.3)
IMAGES = Architecture((CONV, Residual((TANH, CONV)), TANH, Flatten(), Dense(1.2, 0.1)))
SEQUENCES = Architecture((Recurrent(Activation.of("tanh"), 1.2, 0.9, 0.2), Dense(1.2, 0.1)))


def parts(layers, chosen, kept):
    """The layers with everything frozen but the parameter number `chosen`; `kept` counts parameters."""
    out = []
    for layer in layers:
        if isinstance(layer, Dense | Convolution):
            flags = {name: next(kept) == chosen for name in ("trained_w", "trained_b")}
            out.append(replace(layer, **flags))
        elif isinstance(layer, Recurrent):
            out.append(replace(layer, trained=next(kept) == chosen))
        elif isinstance(layer, Residual):
            out.append(Residual(parts(layer.branch, chosen, kept)))
        else:
            out.append(layer)
    return tuple(out)


@pytest.mark.parametrize(("architecture", "count", "shape"), [(IMAGES, 6, (2, 5)), (SEQUENCES, 3, (4, 5))])
def test_tangent_kernels_of_single_parameters_add_up(architecture, count, shape):
    x = np.random.default_rng(1).standard_normal((3, *shape))
    whole = kernels(architecture, x)
    single = [kernels(Architecture(parts(architecture.layers, n, iter(range(99)))), x) for n in range(count)]
    assert np.allclose(sum(one.ntk for one in single), whole.ntk, rtol=1e-12)
    assert all(np.array_equal(one.nngp, whole.nngp) and np.trace(one.ntk) > 0 for one in single)
    nothing = kernels(Architecture(parts(architecture.layers, -1, iter(range(99)))), x)
    assert not nothing.ntk.any()


def test_the_recursion_says_what_is_trained():
    frozen = Architecture(
        (Dense(2.0, 1.0, trained_w=False), Act.of("relu"), Dense(2.0, 1.0, trained_b=False))
    )
    rules = recursion(frozen)
    assert str(rules[0].ntk.rhs) == "4*Theta_0(a, b) + 1"
    assert str(rules[2].ntk.rhs) == "4*K_2(a, b) + 4*Theta_2(a, b)"


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Architecture("relu"), "layers"),
        (lambda: Architecture((Dense(), "relu")), "layers"),
        (lambda: Architecture(5), "layers"),
        (lambda: Act("relu"), "activation"),
        (lambda: Recurrent("tanh"), "activation"),
        (lambda: Dense("1"), "sigma_w"),
        (lambda: Dense(10**400), "sigma_w"),
        (lambda: Dense(1.0, width=0), "width"),
        (lambda: Dense(1.0, width=2.5), "width"),
        (lambda: Convolution(3.0), "size"),
        (lambda: Dropout("x"), "keep"),
        (lambda: mlp("relu", sigma_w=1.0, depth=-1), "depth"),
        (lambda: mlp("relu", sigma_w=1.0, depth=1.5), "depth"),
        (lambda: kernels("relu", [[1.0]]), "architecture"),
        (lambda: kernels(mlp("relu", sigma_w=Symbol("s"), depth=1), [[1.0]]), "sigma_w"),
        (lambda: kernels(mlp("relu", sigma_w=1.0, depth=1), [[1e200]]), "x1"),
        (lambda: phase("relu"), "architecture"),
    ],
)
def test_arguments_that_make_no_sense_are_named(make, argument):
    with pytest.raises(ArgumentError, match=f"`{argument}`"):
        make()


def test_kernels_that_no_float_holds_are_refused():
    with pytest.raises(DomainError, match=r"Layer \d+ \(Dense\): the kernels grow beyond the largest float"):
        kernels(mlp("relu", sigma_w=10.0, depth=400), [[1.0, 2.0]])
