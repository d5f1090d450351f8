"""Compressions at collapse against draws, exact counts and worked values."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from widelimit.numerics import pruning
from widelimit.numerics.pruning import flow_shares
from widelimit.theory.errors import ArgumentError, WidelimitError

NET = [10, 40, 7, 25, 3]


def drawn(widths, rng, draws):
    """Compression at collapse by magnitude of networks drawn by He's rule."""
    sizes = [a * b for a, b in pairwise(widths)]
    scales = [math.sqrt(2 / a) for a in widths[:-1]]
    found = []
    for _ in range(draws):
        weights = [np.abs(rng.standard_normal(n) * s) for n, s in zip(sizes, scales, strict=True)]
        least = min(one.max() for one in weights)
        found.append(sum(sizes) / sum((one >= least).sum() for one in weights))
    return np.array(found)


def test_worked_values():
    found = pruning.critical_compression(NET)
    assert found.maximum == 232.5
    assert found.median == pytest.approx(9.37100741731, rel=1e-11)  # by an independent root and sum
    assert found.geometric_mean == pytest.approx(9.57837852038, rel=1e-11)
    assert pruning.total_flow(NET).mean == pytest.approx(1286.739141409591, rel=1e-14)
    assert pruning.survival(NET, 20) == pytest.approx(0.803661740609851, rel=1e-14)  # in whole numbers
    synflow = pruning.critical_compression(NET, method="synflow")
    assert synflow.median == synflow.geometric_mean == 232.5


def test_geometric_mean_by_nested_quadrature():
    sizes, scales = (np.array(one) for one in ((12.0, 6.0), (1.0, 0.7)))

    def largest(k, t):
        inside = special.erf(t / (scales[k] * 2**0.5))
        bell = math.sqrt(2 / math.pi) / scales[k] * math.exp(-((t / scales[k]) ** 2) / 2)
        return sizes[k] * inside ** (sizes[k] - 1) * bell

    def density(k, t):  # layer k has its largest weight at t, and the other one a larger
        share = special.erfc(t / (scales[1 - k] * 2**0.5))
        alive = -math.expm1(sizes[1 - k] * math.log1p(-share))
        above = sizes[1 - k] * share / alive
        return largest(k, t) * alive * math.log(1 + above)

    log = sum(integrate.quad(lambda t, k=k: density(k, t), 1e-3, 6, epsabs=1e-13)[0] for k in (0, 1))
    from widelimit.numerics.pruning.magnitude import Layers

    assert Layers(sizes, scales).log_kept()[0] == pytest.approx(log, rel=1e-9)


@pytest.mark.parametrize("widths", [NET, [64, 100, 100, 10], [5, 5, 5]])
def test_the_mean_logarithm_is_that_of_draws(widths):
    logs = np.log(drawn(widths, np.random.default_rng(3), 3000 if len(widths) > 4 else 600))
    found = pruning.critical_compression(widths)
    error = logs.std() / math.sqrt(len(logs))
    assert abs(logs.mean() - found.log_mean) < 4 * error + 2e-3  # third order in the spread


def test_random_collapse_is_that_of_permutations():
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(4), [400, 280, 175, 75])
    kept = []
    for _ in range(3000):
        order = rng.permutation(labels)
        kept.append(max(np.argmax(order == k) for k in range(4)) + 1)
    logs = np.log(930 / np.array(kept))
    found = pruning.critical_compression(NET, method="random")
    assert abs(logs.mean() - found.log_mean) < 4 * logs.std() / math.sqrt(len(logs))
    assert math.exp(found.log_mean) == pytest.approx(found.geometric_mean, rel=1e-14)
    assert np.median(930 / np.array(kept)) == pytest.approx(found.median, rel=0.03)


def test_many_equal_layers_cancel_nothing():
    """Of 101 layers sums of signs reach 1e30; the coupon collector's law where layers are large."""
    found = pruning.critical_compression([4096] * 102, method="random")
    coupons = sum(101 / k for k in range(1, 102))  # expected draws until all layers are seen
    assert 101 * 4096**2 / found.median == pytest.approx(coupons, rel=0.1)
    assert pruning.survival([64] * 41, 39) == 0  # fewer weights than layers
    exact = math.factorial(40) * 4096**40 / math.perm(40 * 4096, 40)
    assert pruning.survival([64] * 41, 40) == pytest.approx(exact, rel=1e-12)


def test_flow_of_draws_and_where_it_overflows():
    rng = np.random.default_rng(1)
    flows = []
    for _ in range(4000):
        rows = np.ones(10)
        for below, above in pairwise(NET):
            rows = np.abs(rng.standard_normal((above, below))) @ rows * math.sqrt(2 / below)
        flows.append(rows.sum())
    assert abs(np.mean(flows) - pruning.total_flow(NET).mean) < 4 * np.std(flows) / math.sqrt(4000)
    for width, depth in ((256, 28.7), (512, 25.5), (1024, 22.8)):
        assert round(pruning.total_flow([width] * 3).overflow_depth, 1) == depth
    deep = pruning.total_flow([512] * 101)
    assert deep.log == pytest.approx(math.log(512) + 100 * math.log(2 * math.sqrt(512 / math.pi)), rel=1e-14)
    assert pruning.total_flow([512] * 301).mean == math.inf
    assert pruning.total_flow([3, 1, 1]).overflow_depth == math.inf  # falls by .65, grows by 1.13
    assert pruning.total_flow([512] * 3, format="float64").overflow_depth == pytest.approx(
        math.log(1.7976931348623157e308 / 512) / math.log(2 * math.sqrt(512 / math.pi)), rel=1e-12
    )


def test_schedules():
    assert pruning.schedule(100, iterations=1).tolist() == [0.01]
    assert pruning.schedule(1, iterations=3, kind="linear").tolist() == [1, 1, 1]
    assert pruning.schedule(1e6, iterations=6)[2] == pytest.approx(1e-3, rel=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pruning.critical_compression([10]), "`widths` must have two numbers or more"),
        (lambda: pruning.critical_compression([10, 2.5]), "`widths` must be whole numbers"),
        (lambda: pruning.critical_compression([10, 0, 3]), "`widths` must be whole numbers"),
        (lambda: pruning.critical_compression("784"), "`widths`"),
        (lambda: pruning.critical_compression([4, 4], method="snip"), "`method` must be one of"),
        (lambda: pruning.critical_compression([4, 4], gain=0), "`gain` must be positive"),
        (lambda: pruning.survival([4, 4], 17), "`kept` must be whole numbers up to the 16"),
        (lambda: pruning.survival([4, 4], 1.5), "`kept` must be whole numbers"),
        (lambda: pruning.survival([4, 4], -1), "`kept` must not be negative"),
        (lambda: pruning.schedule(0.5), "`compression` must be at least 1"),
        (lambda: pruning.schedule(2, iterations=0), "`iterations` must be an integer of at least 1"),
        (lambda: pruning.schedule(2, kind="cosine"), "`kind` must be one of"),
        (lambda: pruning.total_flow([2, 2], format="int8"), "`format` must be one of"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


@pytest.mark.parametrize(
    ("activation", "phi"), [("tanh", np.tanh), ("gelu", lambda h: h * stats.norm.cdf(h))]
)
def test_flow_is_lost_as_scores_of_gaussian_units_say(activation, phi):
    """E h phi(h) phi'(h) / E phi(h)^2 by quadrature, with slopes by differences."""
    z, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    q, want = 0.8, [1.0]
    passed = []
    for _ in range(3):
        h, step = np.sqrt(q) * z, 1e-5
        slope = (phi(h + step) - phi(h - step)) / (2 * step)
        passed.append(weights @ (h * phi(h) * slope) / (weights @ phi(h) ** 2))
        q = 1.7**2 * (weights @ phi(h) ** 2)
    for one in reversed(passed):
        want.insert(0, want[0] * one)
    assert flow_shares(activation, depth=4, sigma_w=1.7, q0=0.8) == pytest.approx(want, rel=1e-8)


def test_homogeneous_activations_lose_nothing():
    assert (flow_shares("relu", depth=200, sigma_w=1.2) == 1).all()
    assert flow_shares("x**2", depth=4, sigma_w=0.5) == pytest.approx([8, 4, 2, 1], rel=1e-14)
    assert flow_shares("tanh", depth=3, sigma_w=0.01, q0=1e-8) == pytest.approx(1, abs=1e-7)
    assert flow_shares("tanh", depth=1).tolist() == [1.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 0}, {"depth": 2.5}, {"depth": True}, {"sigma_w": 0.0}, {"sigma_w": math.nan}, {"q0": -1.0},
        {"q0": "1"}, {"sigma_w": 1e300}, {"activation": "0*x"}, {"activation": "exp(x**2)"}, {"activation": "tanhh"},
    ],
)  # fmt: skip
def test_bad_shares(wrong):
    with pytest.raises(WidelimitError):
        flow_shares(**{"activation": "x", "depth": 3, **wrong})
