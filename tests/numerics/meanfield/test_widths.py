"""Lengths at finite width against products known in closed form and small networks."""

import numpy as np
import pytest

from widelimit.numerics import meanfield
from widelimit.theory.errors import ArgumentError, InfiniteMomentError


def lengths(phi, *, sigma_w, sigma_b, keep, width, depth, networks, seed):
    """K_l of layer 1 to `depth` in random networks whose first pre-activations are N(0, 1): weights are drawn."""
    rng = np.random.default_rng(seed)
    h, found = rng.standard_normal((networks, width)), np.empty((networks, depth))
    for layer in range(depth):
        out = phi(h) * (rng.random(h.shape) < keep) / keep
        found[:, layer] = sigma_w**2 * np.mean(out**2, axis=1) + sigma_b**2
        weights = rng.standard_normal((networks, width, width)) * sigma_w / width**0.5
        h = np.einsum("nij,nj->ni", weights, out) + sigma_b * rng.standard_normal(h.shape)
    return found


def test_relu_spreads_by_five_over_the_width_a_layer():
    """Relative variance of the length: prod(1 + 5/N) - 1, the mean unchanged (Hanin)."""
    found = meanfield.propagate("relu", sigma_w=2**0.5, q0=3.0, depth=4, width=[100, 1000]).at_width
    assert found.mean == pytest.approx(np.full((2, 5), 3.0))
    assert found.deviation**2 == pytest.approx(9 * 5 * np.arange(5) / found.width[:, None])
    own = (2 * 9 + 9 * 5 * np.arange(5)) / found.width[:, None]
    assert found.sample_deviation**2 == pytest.approx(own)


def test_the_checked_values_of_tanh():
    """Width 20 measured .71297(23), width 50 .72044(15), N v .4335, with 40,000 and more networks."""
    found = meanfield.propagate("tanh", sigma_w=2**0.5, sigma_b=0.05**0.5, depth=6, width=(20, 50)).at_width
    assert found.mean[:, 6] == pytest.approx([0.71297, 0.72044], abs=6e-4)
    assert 50 * found.deviation[1, 6] ** 2 == pytest.approx(0.4335, rel=0.01)


SMALL = [
    ("tanh", np.tanh, 1.0),
    ("hard_tanh", lambda h: np.clip(h, -1, 1), 0.6),
    ("x**2/20 + x/2", lambda h: h**2 / 20 + h / 2, 1.0),
]


@pytest.mark.parametrize(("name", "phi", "keep"), SMALL)
def test_small_networks(name, phi, keep):
    plan = {"sigma_w": 1.3, "sigma_b": 0.4, "depth": 3}
    found = meanfield.propagate(name, **plan, keep=keep, width=40).at_width
    measured = lengths(phi, **plan, keep=keep, width=40, networks=6000, seed=1)
    error = measured.std(axis=0) / len(measured) ** 0.5
    second = (
        found.correction[0, 1:] ** 2 / found.mean[0, 1:] + found.deviation[0, 1:] ** 2 / 40
    )  # left out, roughly
    assert (np.abs(measured.mean(axis=0) - found.mean[0, 1:]) < 4.5 * error + 3 * second).all()
    assert measured.std(axis=0) == pytest.approx(found.deviation[0, 1:], rel=0.12)


def test_corrections_matter_here_and_are_seen():
    plan = {"sigma_w": 1.3, "sigma_b": 0.4, "depth": 3}
    found = meanfield.propagate("tanh", **plan, width=15).at_width
    measured = lengths(np.tanh, **plan, keep=1.0, width=15, networks=60_000, seed=2)[:, 2]
    error = measured.std() / len(measured) ** 0.5
    assert abs(found.correction[0, 3]) > 8 * error
    assert abs(measured.mean() - found.mean[0, 3]) < 0.15 * abs(found.correction[0, 3]) + 4 * error


@pytest.mark.parametrize("name", ["elu", "hard_tanh", "gelu", "erf"])
@pytest.mark.parametrize("q0", [1e-9, 1e-3, 1e4])
def test_short_and_long_inputs_keep_their_digits(name, q0):
    """phi is linear near 0: the length of tiny inputs spreads as Gaussian numbers do, 2 q^2/N; far out as |x| does."""
    found = meanfield.propagate(name, sigma_w=1.0, q0=q0, depth=1, width=1).at_width
    first = found.deviation[0, 1] / found.mean[0, 1]
    ends = {"elu": (2, 5), "hard_tanh": (2, 0), "gelu": (2, 5), "erf": (2, 0)}[name]
    assert first**2 == pytest.approx(ends[q0 > 1], abs=0.1)


def test_what_is_no_width_is_refused():
    for width in (0, 2.5, "wide", [[3]], float("nan"), []):
        with pytest.raises(ArgumentError, match="width"):
            meanfield.propagate("tanh", sigma_w=1.0, depth=1, width=width)
    with pytest.raises(InfiniteMomentError):
        meanfield.propagate(
            "exp(x**2/12)", sigma_w=0.1, q0=2.0, depth=1, width=10
        )  # E phi^2 is finite, E phi^4 not


def test_networks_of_zeros_have_no_spread():
    """Without weights every length is the bias variance, or zero; cos(0) = 1 has the variance 0 at length zero, too."""
    silent = meanfield.propagate("tanh", sigma_w=0.0, depth=2, width=10).at_width
    assert silent.mean[0].tolist() == [1.0, 0.0, 0.0] and silent.deviation[0].tolist() == [0.0, 0.0, 0.0]
    constant = meanfield.propagate("cos(x)", sigma_w=0.0, sigma_b=0.0, depth=3, width=10).at_width
    assert constant.deviation[0].tolist() == [0.0] * 4
