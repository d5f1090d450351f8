"""What the simulator measures against closed forms written out here, and the rule that reads off a failing depth."""

import math

import numpy as np
import pytest

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.networks import Architecture
from widelimit.validate.harness.inputs import first_moments
from widelimit.validate.simulate import meanfield
from widelimit.validate.simulate.meanfield.training import Training, failing_depth, trained_loss

CPU = Backend()
WIDTH, REPLICATES = 300, 24


def erf_s_moment(q_a, q_b, c):
    """E erf_s(u_a) erf_s(u_b) = (2/pi) arcsin (Williams 1997)."""
    size = math.sqrt((1 + math.pi * q_a / 2) * (1 + math.pi * q_b / 2))
    return 2 / math.pi * math.asin(math.pi / 2 * c * math.sqrt(q_a * q_b) / size)


def recursion(sigma_w, sigma_b, q_a, q_b, c, depth):
    rows = []
    for _ in range(depth):
        covariance = sigma_w**2 * erf_s_moment(q_a, q_b, c) + sigma_b**2
        q_a, q_b = (sigma_w**2 * erf_s_moment(q, q, 1.0) + sigma_b**2 for q in (q_a, q_b))
        c = covariance / math.sqrt(q_a * q_b)
        rows.append(((q_a + q_b) / 2, c))
    return np.array(rows).T


def close(sample, expected, bias=3.0):
    """Within 4.5 standard errors, and the O(1/N) that a finite width may be off by."""
    error = sample.std(axis=0, ddof=1) / len(sample) ** 0.5
    return np.all(np.abs(sample.mean(axis=0) - expected) < 4.5 * error + bias / WIDTH * np.abs(expected))


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
def test_forward_moments_follow_the_arcsine_recursion(weights):
    spec = Architecture("erf_s", 1.6, 0.3, depth=3, weights=weights)
    found = meanfield.forward_statistics(spec, WIDTH, range(REPLICATES), CPU, q0=2.0, one_minus_c0=0.3)
    q, c = recursion(1.6, 0.3, 2.0, 2.0, 0.7, 3)
    assert close(found.q, q) and close(found.c, c)
    assert np.allclose(found.one_minus_c, 1 - found.c, rtol=1e-12)
    assert close(found.post, [erf_s_moment(value, value, 1.0) for value in q])


def test_a_real_pair_starts_from_its_own_moments():
    spec = Architecture("erf_s", 1.6, 0.3, depth=3)
    found = meanfield.forward_statistics(spec, WIDTH, range(REPLICATES), CPU, data="digits:3:17")
    q_a, q_b, c = first_moments("digits:3:17", 1.6, 0.3)
    assert abs(q_a - q_b) > 0.01  # images differ in length, which a theory of equal lengths would miss
    q, later = recursion(1.6, 0.3, q_a, q_b, c, 2)
    assert close(found.q, [(q_a + q_b) / 2, *q]) and close(found.c, [c, *later], bias=6.0)


def test_dropout_parts_equal_inputs_by_the_share_it_takes():
    # ReLU from q = 1: q' = sigma_w^2/(2 keep), covariance sigma_w^2/2, so c' = keep after one layer, exactly
    spec = Architecture("relu", 1.4, 0.0, depth=1, keep=0.7)
    found = meanfield.forward_statistics(spec, WIDTH, range(REPLICATES), CPU, q0=1.0, one_minus_c0=0.0)
    assert close(found.q[:, 0], 1.4**2 / 2 / 0.7) and close(found.c[:, 0], 0.7)


def test_gradients_of_relu_halve_and_lose_the_angle():
    # chi_1 = sigma_w^2/2; for orthogonal inputs E phi' phi' = 1/4, half of what equal inputs have
    spec = Architecture("relu", 1.4, 0.0, depth=2)
    found = meanfield.gradient_statistics(
        spec, WIDTH, range(REPLICATES), CPU, q0=1.0, one_minus_c0=1.0, distances=(1, 2)
    )
    log_chi = math.log(1.4**2 / 2)
    assert close(np.exp(found.log_norm), np.exp([log_chi, 2 * log_chi]))
    # one layer back from h^2 the two inputs have c^1 = 1/pi, angle arccos(1/pi)
    expected = 1.4**2 * (math.pi - math.acos(1 / math.pi)) / (2 * math.pi)
    assert close(found.covariance[:, 0], expected)


def test_rates_of_erf_s():
    # at (sigma_w^2, sigma_b^2) = (2.5, 0.05): q* = 1.17198, c* = 0.385829, xi_c = 10.46345
    spec = Architecture("erf_s", 2.5**0.5, 0.05**0.5, depth=5)
    q = 1.1719802449930
    rates = meanfield.rates_of_return(
        spec,
        WIDTH,
        range(REPLICATES),
        CPU,
        q0=q,
        c0=0.3858291534804,
        delta=0.06,
        stretch=0.02,
        layers_c=5,
        layers_q=2,
    )
    step = 1e-6
    slope = 2.5 * (erf_s_moment(q + step, q + step, 1.0) - erf_s_moment(q - step, q - step, 1.0)) / (2 * step)
    assert close(rates, [1 / 10.46345207342, -math.log(slope)], bias=10.0)


def test_merging_of_relu_is_seen_through_fifteen_digits():
    # ordered ReLU: 1 - c shrinks by chi_1 = sigma_w^2/2 = 0.72 a layer, starting at 1e-12
    spec = Architecture("relu", 1.2, 0.3, depth=8)
    rate = meanfield.rate_of_merging(spec, WIDTH, range(REPLICATES), CPU, q0=0.3, one_minus_c0=1e-12, burn=4)
    # lengths settle at sigma_b^2/(1 - 0.72) = 0.3214, and c - 1 shrinks by chi_1 q/q' a layer there
    assert close(rate, -math.log(0.72), bias=10.0)


def test_settled_values_are_averages_of_the_last_layers():
    spec = Architecture("linear", 0.9, 0.5, depth=40)
    found = meanfield.settled(spec, WIDTH, range(8), CPU, q0=1.0, c0=0.2, window=3)
    assert found.shape == (8, 2) and np.all(found[:, 1] > 0.98)  # a linear ordered network: c* = 1
    assert found[:, 0].mean() == pytest.approx(0.25 / (1 - 0.81), rel=0.2)


@pytest.mark.parametrize(
    ("losses", "depth"),
    [
        ([0.1, 0.3, 0.7], 20 * 2**0.5),
        ([0.6, 0.7, 0.9], 10.0),
        ([0.1, 0.2, 0.3], math.inf),
        ([0.1, 0.9, 0.2], 10 * 2**0.5),
    ],
)
def test_failing_depth_by_hand(losses, depth):
    assert failing_depth([10, 20, 40], np.array(losses)) == pytest.approx(depth)


def test_training_learns_and_depth_beyond_reach_does_not():
    spread = [1.0]
    shallow = trained_loss("tanh", spread, 0.2, 1, 32, [3], Training(60, 64, 0.2), CPU)
    hopeless = trained_loss("tanh", [0.3], 0.2, 12, 32, [3], Training(20, 64, 0.2), CPU)
    assert shallow[0, 0] < 0.3 and hopeless[0, 0] > 0.9
