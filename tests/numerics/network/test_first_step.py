"""What the first step changes: powers by hand, ReLU in closed form, and drawn networks of its own."""

import math

import numpy as np
import pytest

from widelimit.numerics.network import first_step
from widelimit.theory import network as theory
from widelimit.theory.errors import ArgumentError, InfiniteMomentError, WidelimitError

WAYS = [(way, kind) for way in ("standard", "mu-p") for kind in ("sgd", "adam")]


def test_the_derivation_checks_itself():
    assert all(step.passed for step in theory.derive_first_step().check(dps=15, points=2))


@pytest.mark.parametrize(
    "way, kind, powers", [("standard", "sgd", (0.5, 1)), ("standard", "adam", (1, 1.5)), ("mu-p", "sgd", (0, 0)),
                          ("mu-p", "adam", (0, 0))]
)  # fmt: skip
def test_powers(way, kind, powers):
    found = first_step("tanh", width=10**12, parametrisation=way, optimiser=kind)
    assert (found.hidden_exponent, found.output_exponent) == powers
    assert (found.hidden_slope, found.output_slope) == pytest.approx(powers, abs=1e-5)


def test_relu_in_closed_form():
    """With sigma_w^2 = 2 every layer has V = q/2, P = 1/2, E |phi| = sqrt(q/2 pi); q = 2, then 2."""
    n = 10**10
    found = first_step("relu", width=n, sigma_w=2**0.5)
    assert found.hidden / math.sqrt(n) == pytest.approx(1.0, rel=1e-8)  # sigma_w sqrt(P_2) V_1
    assert found.output / n == pytest.approx(2.0, rel=1e-8)  # V_2 + sigma_w^2 P_2 V_1
    found = first_step("relu", width=n, sigma_w=2**0.5, optimiser="adam")
    assert found.hidden / n == pytest.approx(1 / math.sqrt(math.pi), rel=1e-8)


def drawn(way, kind, width, d, draws, rng):
    """Changes in drawn tanh networks with d inputs, linear in the rate: sums over weights, without a step."""
    sigma, found = 1.3, []
    rates = {
        "standard": (1, 1, 1),
        "mu-p": (width, 1, 1 / width) if kind == "sgd" else (1, 1 / width, 1 / width),
    }
    r1, r2, r3 = rates[way]
    for _ in range(draws):
        x = rng.choice([-1.0, 1.0], d)
        w1 = sigma / math.sqrt(d) * rng.standard_normal((width, d))
        w2 = sigma / math.sqrt(width) * rng.standard_normal((width, width))
        w3 = sigma / (width if way == "mu-p" else math.sqrt(width)) * rng.standard_normal(width)
        h1 = w1 @ x
        z1, s1 = np.tanh(h1), 1 - np.tanh(h1) ** 2
        h2 = w2 @ z1
        z2, s2 = np.tanh(h2), 1 - np.tanh(h2) ** 2
        a = w3 * s2
        b = s1 * (w2.T @ a)
        g1, g2, g3 = np.outer(b, x), np.outer(a, z1), z2
        if kind == "adam":
            g1, g2, g3 = np.sign(g1), np.sign(g2), np.sign(g3)
        moved = r2 * g2 @ z1 + w2 @ (s1 * (r1 * g1 @ x))
        found.append([np.mean(moved**2), r3 * g3 @ z2 + a @ moved])
    return np.array(found)


@pytest.mark.parametrize("way, kind", WAYS)
def test_drawn_networks(way, kind):
    """Means over 120 draws of 300 units, within four standard errors and what is left of the width, 2/N."""
    width, d = 300, 3
    rows = drawn(way, kind, width, d, 120, np.random.default_rng(5))
    mean, error = rows.mean(0), rows.std(0) / math.sqrt(len(rows))
    found = first_step("tanh", width=width, sigma_w=1.3, parametrisation=way, optimiser=kind, inputs=d)
    want = np.array([found.hidden**2, found.output])
    assert (np.abs(mean - want) < 4 * error + 2 / width * want).all(), (mean / want, error / want)


@pytest.mark.parametrize("given", [
    {"width": 0}, {"width": 2.5}, {"width": 10**400}, {"sigma_w": 0.0}, {"sigma_w": 1e300}, {"sigma_w": math.nan},
    {"inputs": 0}, {"optimiser": "momentum"}, {"parametrisation": "ntk"}, {"activation": "0*x"}, {"width": True},
])  # fmt: skip
def test_bad_arguments(given):
    with pytest.raises(WidelimitError):
        first_step(**given)


def test_refusals_by_name():
    with pytest.raises(ArgumentError, match="optimiser"):
        first_step(optimiser="momentum")
    with pytest.raises(InfiniteMomentError):
        first_step("sign(x)")
