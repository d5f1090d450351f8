"""Flips, ratios and bounds against mpmath, quadrature and drawn weights; every line of bad input; extremes."""

import math
import time

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats

from widelimit.numerics import meanfield
from widelimit.numerics import robustness as r
from widelimit.theory.errors import InfiniteMomentError, WidelimitError

W = [0.5, -1.0, 2.0, 0.0, 0.25]


def test_worked_values():
    assert r.flip_fraction(W, radius=0.3) == pytest.approx(0.37451640638355, abs=5e-15)
    law = r.weight_law("generalized_gaussian", 0.5)
    assert law.ratio == pytest.approx(0.54772255750517, abs=5e-15)
    assert law.kurtosis == pytest.approx(25.2, rel=1e-15)
    five = r.weight_law("student", 5)
    assert (five.ratio, five.kurtosis) == (pytest.approx(0.73510519389572, abs=5e-15), 9.0)
    found = r.network_flip_fraction("tanh", sigma_w=1.5, sigma_b=0, depth=4, inputs=800, radius=0.01)
    assert found == pytest.approx(0.266382002735, abs=5e-13)


@pytest.mark.parametrize("radius", [1e-200, 1e-9, 3e-3, 0.2, 4.0])
@pytest.mark.parametrize("bias", [0.0, 1e-12, 0.4, -2.0, 15.0])
def test_flips_have_all_digits(radius, bias):
    with mpmath.workdps(60):
        size, length = mpmath.mpf(3.75), mpmath.sqrt(mpmath.mpf(5.3125))
        low, high = ((k * mpmath.mpf(radius) * size - abs(bias)) / (0.7 * length) for k in (-1, 1))
        if radius < 1e-100:  # the density at the bias
            truth = 2 * high.real * 0 + 2 * radius * size / (0.7 * length) * mpmath.npdf(
                bias / (0.7 * length)
            )
        else:
            truth = (mpmath.erfc(-high / mpmath.sqrt(2)) - mpmath.erfc(-low / mpmath.sqrt(2))) / 2
    found = r.flip_fraction(W, radius=radius, input_std=0.7, bias=bias)
    assert found == pytest.approx(float(truth), rel=3e-13)  # (bias/s)^2 times a rounding


@pytest.mark.parametrize(("p", "q"), [(1, math.inf), (1.5, 3), (2, 2), (4, 4 / 3), (math.inf, 1)])
def test_norms_are_dual(p, q):
    reach = np.linalg.norm(W, q) / np.linalg.norm(W)
    assert r.flip_fraction(W, radius=0.2, norm=p) == pytest.approx(
        math.erf(0.2 * reach / math.sqrt(2)), rel=1e-14
    )
    assert r.flip_fraction(W, radius=0.2, norm=f"l{p}") == r.flip_fraction(W, radius=0.2, norm=p)


def test_flips_broadcast_and_do_not_know_scales():
    rows = np.array([W, [1, 1, 1, 1, 1]])
    found = r.flip_fraction(rows, radius=[[0.1], [0.2], [0.4]], bias=[0.0, 0.3])
    assert found.shape == (3, 2)
    assert found[1, 1] == r.flip_fraction(rows[1], radius=0.2, bias=0.3)
    for scale in (1e-300, 1e300):
        assert r.flip_fraction(np.array(W) * scale, radius=0.3) == pytest.approx(0.37451640638355, abs=5e-15)


def test_accuracy_and_best_weights():
    mu = np.array([0.3, -0.7, 0.05, 0.4])
    best = r.best_weights(mu, radius=0.1)
    assert best.tolist() == pytest.approx([0.2, -0.6, 0.0, 0.3])
    most = r.best_accuracy(mu, radius=0.1, input_std=0.5)
    assert most == pytest.approx(stats.norm.cdf(0.7 / 0.5), rel=1e-13)

    def lost(w):
        return -r.adversarial_accuracy(w, mu, radius=0.1, input_std=0.5)

    for seed in range(3):
        start = np.random.default_rng(seed).standard_normal(4)
        assert -optimize.minimize(lost, start, method="Nelder-Mead").fun <= most + 1e-12
    far = r.adversarial_accuracy([1.0, 1.0], [-3.0, -3.0], radius=0.1, input_std=0.5)
    assert far == pytest.approx(stats.norm.sf(6.2 / math.sqrt(0.5)), rel=1e-11)  # digits in the tail


def test_a_radius_above_every_mean_leaves_one_input():
    mu = np.array([0.3, -0.7])
    assert r.best_weights(mu, radius=1.0).tolist() == [0, -1]
    most = r.best_accuracy(mu, radius=1.0, input_std=1.0)
    turns = np.linspace(0, 2 * np.pi, 721)
    others = r.adversarial_accuracy(
        np.stack([np.cos(turns), np.sin(turns)], 1), mu, radius=1.0, input_std=1.0
    )
    assert most == pytest.approx(stats.norm.cdf(-0.3)) and others.max() <= most + 1e-12


def test_linear_flips_are_those_of_sampled_inputs():
    rng = np.random.default_rng(3)
    w, x = rng.laplace(size=50), rng.standard_normal((40000, 50))
    y = x @ w + 2.0
    moved = (x - 0.05 * np.sign(y)[:, None] * np.sign(w)) @ w + 2.0
    share = float((np.sign(y) != np.sign(moved)).mean())
    found = r.flip_fraction(w, radius=0.05, bias=2.0)
    assert abs(share - found) < 4 * math.sqrt(found * (1 - found) / 40000)


@pytest.mark.parametrize(
    ("name", "shape", "draw"),
    [
        ("gaussian", None, stats.norm()), ("laplace", None, stats.laplace()), ("student", 9.0, stats.t(9.0)),
        ("student", 3.0, stats.t(3.0)), ("generalized_gaussian", 1.7, stats.gennorm(1.7)),
    ],
)  # fmt: skip
def test_laws_against_scipy(name, shape, draw):
    law = r.weight_law(name, shape)
    assert law.ratio == pytest.approx(draw.expect(abs, epsabs=1e-12) / draw.std(), rel=1e-8)
    if shape != 3.0:
        assert law.kurtosis == pytest.approx(float(draw.stats("k")) + 3, rel=1e-10)
        assert law.kurtosis**-0.5 <= law.ratio <= 1
        third = draw.expect(lambda w: abs(w) ** 3) / draw.expect(abs) / draw.var()
        spread = 3 * (law.kurtosis - 1) / 8 - (third - 1) / 2
        assert law.finite_ratio([10, 400]) == pytest.approx(
            law.ratio * (1 + spread / np.array([10, 400])), rel=1e-8
        )


def test_kurtosis_does_not_order_ratios():
    assert r.weight_law("student", 5).kurtosis > r.weight_law("laplace").kurtosis
    assert r.weight_law("student", 5).ratio > r.weight_law("laplace").ratio


def test_sparse_weights():
    law = r.weight_law("sparse", 0.2)
    assert law.kurtosis == pytest.approx(15) and law.ratio == pytest.approx(math.sqrt(0.4 / math.pi))
    assert r.weight_law("sparse", 1).ratio == r.weight_law("gaussian").ratio


def test_finite_ratio_is_what_drawn_units_have():
    w = np.random.default_rng(0).laplace(size=(20000, 100))
    ratio = r.weight_statistics(w).ratio
    assert (
        abs(ratio.mean() - r.weight_law("laplace").finite_ratio(100))
        < 4 * ratio.std() / math.sqrt(20000) + 4e-4
    )
    assert r.weight_law("laplace").finite_ratio(100) == pytest.approx(math.sqrt(0.5) * 1.00875, rel=1e-14)


@pytest.mark.parametrize("shape", [2.5, 3, 4])
def test_students_law_of_heavy_tails_has_a_ratio_only(shape):
    law = r.weight_law("student", shape)
    assert 0 < law.ratio < 1
    with pytest.raises(InfiniteMomentError):
        law.kurtosis  # noqa: B018
    with pytest.raises(InfiniteMomentError):
        law.finite_ratio(100)


@pytest.mark.parametrize("activation", ["tanh", "relu", "x*tanh(x)", "hard_tanh"])
def test_networks_by_meanfield(activation):
    for w, b, depth in ((1.5, 0.0, 4), (0.8, 0.3, 9), (2.0, 1.0, 2)):
        path = meanfield.propagate(activation, sigma_w=w, sigma_b=b, q0=w**2 + b**2, depth=depth)
        reach = 0.01 * math.sqrt(500 * 2 / math.pi) * w * math.sqrt(path.chi[:-1].prod() / path.q[-1])
        found = r.network_flip_fraction(
            activation, sigma_w=w, sigma_b=b, depth=depth, inputs=500, radius=0.01
        )
        assert found == pytest.approx(math.erf(reach / math.sqrt(2)), rel=1e-12)


def test_networks_of_any_depth():
    deep = {"sigma_b": 0.0, "inputs": 800, "radius": 0.001}
    relu = r.network_flip_fraction(
        "relu", sigma_w=3.0, depth=[1, 10**6], **deep
    )  # homogeneous: depth drops out
    assert relu == pytest.approx(math.erf(0.001 * math.sqrt(800 / math.pi)), rel=1e-9)
    dead = r.network_flip_fraction(
        "tanh", sigma_w=0.5, depth=[500, 10**9], **deep
    )  # linear where signals die
    assert dead[0] == pytest.approx(dead[1], rel=1e-12) and dead[0] > 0
    assert r.network_flip_fraction("tanh", sigma_w=3.0, depth=10**9, **deep) == 1.0


def test_reach_grows_by_the_root_of_chi():
    given = {"sigma_w": 2.0, "sigma_b": 0.2, "inputs": 100, "radius": 1e-12}
    one, two = r.network_flip_fraction("tanh", depth=[30, 31], **given)
    assert two / one == pytest.approx(
        math.sqrt(meanfield.solve("tanh", sigma_w=2.0, sigma_b=0.2).chi_1), rel=1e-9
    )


def test_saturation_bound_holds_and_is_reached():
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((6, 4)), rng.standard_normal((5, 6)), rng.standard_normal((1, 5))]
    jacobian = layers[0]
    for above in layers[1:]:
        jacobian = above @ ((1 - np.tanh(rng.uniform(1.5, 3, len(jacobian))) ** 2)[:, None] * jacobian)
    bound = r.saturation_bound(layers, margin=1.5)
    norms = [np.linalg.norm(one, 2) for one in layers]
    assert np.linalg.norm(jacobian, 2) <= bound <= math.prod(norms) * (4 * math.exp(-3)) ** 2
    assert bound == pytest.approx(math.prod(norms) / math.cosh(1.5) ** 4, rel=1e-13)
    assert r.saturation_bound(norms, margin=1.5) == pytest.approx(bound, rel=1e-13)
    assert r.saturation_bound([2, 3], margin=[0, 1], activation="sigmoid") == pytest.approx(
        [1.5, 6 / (2 + 2 * math.cosh(1))], rel=1e-13
    )
    assert r.saturation_bound([2, 3], margin=1e9) == 0 == r.saturation_bound([0, 3], margin=1)
    assert r.saturation_bound([2, 3], margin=0.5, activation="erf") == pytest.approx(
        12 / math.sqrt(math.pi) * math.exp(-0.25), rel=1e-13
    )


@pytest.mark.parametrize(("activation", "weight"), [("tanh", 2000.0), ("sigmoid", 20000.0), ("erf", 2000.0)])
def test_random_saturation(activation, weight):
    truth = meanfield.solve(activation, sigma_w=weight, sigma_b=weight / 2).chi_1
    assert r.saturated_gain(weight, sigma_b=weight / 2, activation=activation) == pytest.approx(
        truth, rel=2e-3
    )


def test_worked_gains():
    # chi_1 by scipy's quadrature (the note's 5.565 and 16.564 are simulations)
    for weight, chi, limit in ((10, 5.5448544878, 5.319), (30, 16.1741840506, 15.958)):
        assert meanfield.solve("tanh", sigma_w=weight).chi_1 == pytest.approx(chi, rel=1e-9)
        assert r.saturated_gain(weight) == pytest.approx(limit, abs=1e-3)


def test_divergence_is_that_of_close_probabilities():
    rng = np.random.default_rng(0)
    logits, shift = rng.standard_normal((2, 7, 5))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for size, close in ((1e-2, 2e-2), (1e-4, 2e-4)):
        moved = logits + size * shift
        log_ratio = -size * shift + np.log((p * np.exp(size * shift)).sum(1, keepdims=True))
        assert moved.shape == logits.shape
        assert (p * log_ratio).sum(1) == pytest.approx(r.divergence(p, size * shift), rel=close, abs=1e-17)
    assert r.divergence(p, np.full(5, 3.0)) == pytest.approx(0, abs=1e-30)
    assert r.divergence([0.5, 0.5], [1e100, 1e100 + 1e86]) >= 0


NETWORK = {"sigma_w": 1.5, "depth": 2, "inputs": 10, "radius": 0.1}
BAD = {
    "all zero": lambda: r.flip_fraction([0.0, 0.0], radius=0.1),
    "one unit zero": lambda: r.flip_fraction([[1.0, 0.0], [0.0, 0.0]], radius=0.1),
    "radius": lambda: r.flip_fraction(W, radius=-1e-9),
    "p below 1": lambda: r.flip_fraction(W, radius=0.1, norm=0.5),
    "l0": lambda: r.flip_fraction(W, radius=0.1, norm="l0"),
    "no norm": lambda: r.flip_fraction(W, radius=0.1, norm="nuclear"),
    "nan norm": lambda: r.flip_fraction(W, radius=0.1, norm="lnan"),
    "std": lambda: r.flip_fraction(W, radius=0.1, input_std=0.0),
    "both infinite": lambda: r.flip_fraction([1e-300], radius=1e300, input_std=1e-300, bias=1.0),
    "shapes": lambda: r.flip_fraction([W, W], radius=[0.1, 0.2, 0.3]),
    "scalar weights": lambda: r.flip_fraction(1.0, radius=0.1),
    "no weights": lambda: r.flip_fraction([], radius=0.1),
    "accuracy zero": lambda: r.adversarial_accuracy([0.0], [1.0], radius=0.1, input_std=1),
    "accuracy radius": lambda: r.adversarial_accuracy([1.0], [1.0], radius=-0.1, input_std=1),
    "accuracy std": lambda: r.adversarial_accuracy([1.0], [1.0], radius=0.1, input_std=-1),
    "accuracy shape": lambda: r.adversarial_accuracy([1.0, 2.0], [1.0], radius=0.1, input_std=1),
    "accuracy overflow": lambda: r.adversarial_accuracy([1.0, 1.0], [1e308, 1e308], radius=1e308, input_std=1e-300),
    "no classes": lambda: r.best_weights([0.0, 0.0], radius=0.1),
    "best radius": lambda: r.best_weights([1.0], radius=-0.1),
    "law": lambda: r.weight_law("cauchy"),
    "no shape": lambda: r.weight_law("student"),
    "a shape": lambda: r.weight_law("gaussian", 2),
    "student 2": lambda: r.weight_law("student", 2),
    "student 0": lambda: r.weight_law("student", 0),
    "density": lambda: r.weight_law("sparse", 1.1),
    "density 0": lambda: r.weight_law("sparse", 0),
    "beta": lambda: r.weight_law("generalized_gaussian", -1),
    "small beta": lambda: r.weight_law("generalized_gaussian", 1e-300),
    "size 0": lambda: r.weight_law("laplace").finite_ratio(0),
    "size 1.5": lambda: r.weight_law("laplace").finite_ratio(1.5),
    "depth 0": lambda: r.network_flip_fraction("tanh", **{**NETWORK, "depth": 0}),
    "depth 1.5": lambda: r.network_flip_fraction("tanh", **{**NETWORK, "depth": 1.5}),
    "inputs": lambda: r.network_flip_fraction("tanh", **{**NETWORK, "inputs": 0}),
    "network radius": lambda: r.network_flip_fraction("tanh", **{**NETWORK, "radius": -0.1}),
    "sigma_w": lambda: r.network_flip_fraction("tanh", **{**NETWORK, "sigma_w": 0.0}),
    "activation": lambda: r.network_flip_fraction("tanhh", **NETWORK),
    "one layer": lambda: r.saturation_bound([1.0], margin=1),
    "margin": lambda: r.saturation_bound([1.0, 1.0], margin=-1),
    "relu": lambda: r.saturation_bound([1.0, 1.0], margin=1, activation="relu"),
    "norm": lambda: r.saturation_bound([1.0, -1.0], margin=1),
    "vector": lambda: r.saturation_bound([[1.0, 1.0], [1.0]], margin=1),
    "huge": lambda: r.saturation_bound([1e200, 1e200], margin=0),
    "text": lambda: r.saturation_bound("ab", margin=0),
    "gain": lambda: r.saturated_gain(0.0),
    "gain relu": lambda: r.saturated_gain(1.0, activation="relu"),
    "gain overflow": lambda: r.saturated_gain(1e200),
    "probabilities": lambda: r.divergence([0.5, 0.6], [0, 1]),
    "negative": lambda: r.divergence([1.5, -0.5], [0, 1]),
    "classes": lambda: r.divergence([1.0], [0]),
    "shift": lambda: r.divergence([0.5, 0.5], [1e200, 0]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    with pytest.raises(WidelimitError) as caught:
        BAD[case]()
    assert case == "activation" or str(caught.value).startswith("Argument `")


VALUES = (
    0,
    0.0,
    1e-300,
    1e300,
    10**400,
    math.nan,
    math.inf,
    True,
    "1",
    None,
    [],
    [[1.0], [1.0, 2.0]],
    -1,
    1 + 1j,
)
CALLS = [
    (r.flip_fraction, {"weights": W, "radius": 0.1, "input_std": 1.0, "bias": 0.1, "norm": 2}),
    (
        r.adversarial_accuracy,
        {"weights": [1.0], "mean": [1.0], "radius": 0.1, "input_std": 1.0, "norm": "l1"},
    ),
    (r.best_weights, {"mean": [1.0, 2.0], "radius": 0.1}),
    (r.best_accuracy, {"mean": [1.0, 2.0], "radius": 0.1, "input_std": 1.0}),
    (r.weight_law, {"name": "student", "shape": 5}),
    (r.weight_law("laplace").finite_ratio, {"size": 5}),
    (r.weight_statistics, {"weights": W}),
    (r.network_flip_fraction, {"activation": "tanh", "sigma_b": 0.1, **NETWORK}),
    (r.saturation_bound, {"weights": [1.0, 2.0], "margin": 1.0, "activation": "tanh"}),
    (r.saturated_gain, {"sigma_w": 1.0, "sigma_b": 0.1, "activation": "tanh"}),
    (r.divergence, {"probabilities": [0.5, 0.5], "shift": [0.1, 0.2]}),
]


@pytest.mark.parametrize(("function", "given"), CALLS, ids=[f.__name__ for f, _ in CALLS])
def test_extremes(function, given):
    for name in given:
        for value in VALUES:
            try:
                found = function(**{**given, name: value})
            except WidelimitError:
                continue
            if isinstance(found, r.WeightLaw):
                found = found.ratio
            elif isinstance(found, r.WeightStatistics):
                found = np.array([found.ratio, found.kurtosis])
            assert np.isfinite(found).all(), (name, value, found)
            if function is not r.best_weights:
                assert (np.asarray(found) >= 0).all()


def test_predict_reads_a_file(tmp_path):
    np.save(tmp_path / "w.npy", np.array([W, W]))
    found = r.predict(weights=str(tmp_path / "w.npy"), radius=0.3)
    assert found["flip_fraction"] == pytest.approx(0.37451640638355)
    assert found["least_ratio"] <= found["ratio"] <= 1
    with pytest.raises(WidelimitError):
        r.predict(weights=str(tmp_path / "none.npy"))


def test_speed():
    w = np.random.default_rng(0).standard_normal(784)
    r.flip_fraction(w, radius=0.01)
    r.network_flip_fraction("tanh", sigma_b=0.1, **NETWORK)
    start = time.process_time()
    for _ in range(50):
        r.flip_fraction(w, radius=0.01)
    assert (time.process_time() - start) / 50 < 2e-3  # 0.1 ms alone; sampling 2e5 inputs takes seconds
    start = time.process_time()
    for k in range(50):
        r.network_flip_fraction("tanh", sigma_b=0.1, **{**NETWORK, "sigma_w": 1.5 + 0.001 * k})
    assert (time.process_time() - start) / 50 < 3e-3  # 0.3 ms alone, and cores are shared
