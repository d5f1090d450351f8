"""Spectra off the fixed point with few lengths for many layers, and networks that have no Jacobian law."""

import math

import numpy as np
import pytest

from widelimit.numerics import jacobian
from widelimit.numerics.jacobian import spectra
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError, WidelimitError

POINTS = (0.01, 0.5, 0.99)


def figures(law):
    return [
        law.log_largest,
        law.log_moment(1),
        law.log_moment(2),
        *(float(law.log_quantile(p)) for p in POINTS),
    ]


@pytest.mark.parametrize(
    "point",
    [
        {
            "activation": "erf_s",
            "sigma_w": 1.0,
            "sigma_b": 0.05,
            "depth": 60,
            "q0": 3.0,
            "weights": "gaussian",
        },
        {"activation": "hard_tanh", "sigma_w": 1.2, "sigma_b": 0.1, "depth": 80, "q0": 5.0},
        pytest.param({"activation": "tanh", "sigma_w": 1.0, "depth": 60, "q0": 20.0}, marks=pytest.mark.slow),
        pytest.param({"activation": "gelu", "sigma_w": 1.2, "depth": 60, "q0": 1.0}, marks=pytest.mark.slow),
    ],
)
def test_few_lengths_stand_for_all(point, monkeypatch):
    """With every layer at its own length; gelu's run down to 1e-26, where 64 nodes in log q were off by .5 %."""
    fast = jacobian.spectrum(**point)
    monkeypatch.setattr(spectra, "_compressed", lambda lengths, counts: (lengths, counts))
    exact = jacobian.spectrum(**point)
    assert np.allclose(figures(fast), figures(exact), rtol=1e-9, atol=1e-9)
    assert math.isclose(sum(a for _, a in fast.atoms), sum(a for _, a in exact.atoms), abs_tol=1e-12)


def test_mean_is_the_product_over_the_layers():
    """E d of erf_s is (1 + pi q)^(-1/2), q' = (2/pi) sigma_w^2 asin(pi q / (2 + pi q)) + sigma_b^2."""
    q, total = 2.0, 0.0
    for _ in range(200):
        total += math.log(1.1**2 / math.sqrt(1 + math.pi * q))
        q = 1.1**2 * 2 / math.pi * math.asin(math.pi * q / (2 + math.pi * q)) + 0.01
    law = jacobian.spectrum("erf_s", sigma_w=1.1, sigma_b=0.1, depth=200, q0=2.0)
    assert math.isclose(law.log_moment(1), total, rel_tol=1e-9)


@pytest.mark.parametrize("activation", ["sign(x)", "heaviside(x)", "x+sign(x)", "floor(x)"])
def test_a_jump_has_no_jacobian_law(activation):
    for options in ({}, {"q0": 1.0, "weights": "gaussian"}, {"widths": [2.0, 1.0]}):
        with pytest.raises(WidelimitError):
            jacobian.spectrum(activation, sigma_w=0.3, sigma_b=1.0, depth=1, **options)
    if activation != "floor(x)":
        with pytest.raises(InfiniteMomentError, match="jumps"):
            jacobian.slopes(activation, 1.0)


def test_what_no_float_holds_is_refused():
    with pytest.raises(DomainError, match="mean square 0"):
        jacobian.spectrum("max(x-100,0)", sigma_w=0.3, sigma_b=1.0, depth=1)
    with pytest.raises(DomainError, match="mean square"):
        jacobian.spectrum("x**3", sigma_w=1.0, depth=2)
    with pytest.raises(DomainError, match="fall below any float"):
        jacobian.spectrum("tanh(100*x)", sigma_w=0.3, sigma_b=1.0, depth=1)
    for scale in (1e-160, 1e160):
        with pytest.raises(ArgumentError, match="`sigma_w` must have a square that a float holds"):
            jacobian.spectrum("x", sigma_w=scale, depth=2)
    with pytest.raises(ArgumentError, match="`depth` must be at most 1000000000"):
        jacobian.spectrum("relu", sigma_w=1.0, depth=10**15)
    with pytest.raises(ArgumentError, match="`depth` must be at most 10000,"):
        jacobian.spectrum("erf_s", sigma_w=1.0, depth=10**9, q0=1e-3)
    with pytest.raises(DomainError, match="no float resolves"):
        jacobian.spectrum("tanh", sigma_w=1.1, sigma_b=0.1, depth=10**9, q0=2.0)
