"""`shape` against the published package's solutions, against maps by an engine of its own, and against bad input."""

import math
import time

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf, ndtr

from widelimit.numerics import shaping
from widelimit.theory.errors import ArgumentError, InfiniteMomentError, WidelimitError

FUNCTIONS = {
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "gelu": lambda x: x * ndtr(x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "erf": erf,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
}
WORKED = {  # of the specification: alpha, beta, gamma, delta
    ("tanh", 100, "dks", 1.5): (0.0904379454, 0.5601066910, 14.9025257296, -0.5050043768),
    ("softplus", 100, "dks", 1.5): (0.2280237627, 0.4075095835, 7.3032530313, -0.9237196076),
    ("tanh", 50, "tat", 0.3): (0.081655236, 0.525848945, 15.941633503, -0.483188955),
}


def numbers(branch):
    return branch.input_scale, branch.input_shift, branch.output_scale, branch.output_shift


def averaged(function):
    total = quad(
        lambda z: function(z) * math.exp(-z * z / 2), -12, 12, epsabs=1e-10, epsrel=1e-10, limit=400
    )[0]
    return total / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("given", WORKED)
def test_worked_values(given):
    activation, depth, method, target = given
    found = shaping.shape(activation, depth=depth, method=method, target=target)
    assert numbers(found) == pytest.approx(WORKED[given], rel=2e-9)
    assert numbers(found) == numbers(found.branches[0])


def test_mirrors_and_further_solutions():
    one, mirror = shaping.shape("tanh", depth=100).branches
    assert mirror.input_shift == pytest.approx(-one.input_shift, rel=1e-11)
    assert mirror.output_shift == pytest.approx(-one.output_shift, rel=1e-11)
    gelu = [numbers(b)[:3] for b in shaping.shape("gelu", depth=100).branches]
    for given in ((0.0854, 0.259, 16.7), (0.0181, -0.918, 909.0)):
        assert any(one == pytest.approx(given, rel=2e-3) for one in gelu)
    assert len(shaping.shape("tanh", depth=50, method="tat").branches) == 4  # two pairs


@pytest.mark.parametrize(("activation", "depth", "method"), [
    ("gelu", 60, "dks"), ("silu", 30, "tat"), ("erf", 3, "dks"), ("elu", 40, "dks"), ("tanh", 1, "tat"),
])  # fmt: skip
def test_all_branches_meet_what_is_asked(activation, depth, method):
    phi = FUNCTIONS[activation]
    found = shaping.shape(activation, depth=depth, method=method)
    scales = [round(one.input_scale, 12) for one in found.branches]  # mirrors have the same one
    assert scales == sorted(scales, reverse=True) and round(found.input_scale, 12) == scales[0]
    for one in found.branches:
        a, b, g, d = numbers(one)

        def f(z, a=a, b=b, g=g, d=d):
            return g * (phi(a * z + b) + d)

        length, mean = averaged(lambda z: f(z) ** 2), averaged(f)
        rate = averaged(lambda z: f(z) ** 2 * (z * z - 1) / 2)  # dQ/dq at 1, by the density
        loose = 1e-8 * max(1.0, g * abs(d))  # what g (phi + d) loses here to rounding
        assert length == pytest.approx(1, abs=loose) and rate == pytest.approx(1, abs=loose)
        if method == "dks":
            assert mean == pytest.approx(0, abs=loose)
            assert one.maps.slope == pytest.approx(1.5 ** (1 / depth), rel=1e-9)
        else:
            assert one.maps.slope == pytest.approx(1, rel=1e-9)
            assert one.maps.curvature == pytest.approx(0.3 / depth, rel=1e-8)
            assert mean**2 == pytest.approx(one.maps.overlap, abs=1e-6)


def test_maps_of_the_shaped_activation_by_another_engine():
    found = shaping.shape("tanh", depth=10)
    maps = shaping.maps(found.activation)
    for name in ("length", "length_slope", "overlap", "slope", "curvature"):
        assert getattr(maps, name) == pytest.approx(getattr(found.maps, name), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("depth", [5, 50, 1000])
def test_tailored_leaky_relu(depth):
    target = {5: 0.6, 50: 0.9, 1000: 0.9}[depth]
    found = shaping.shape("leaky_relu", depth=depth, method="tat", target=target)
    s, kappa = found.negative_slope, 0.0
    kappa = (1 - s) ** 2 / (1 + s * s)
    c = 0.0
    for _ in range(depth):
        c += kappa * (math.sqrt(1 - c * c) - c * math.acos(c)) / math.pi
    assert c == pytest.approx(target, rel=1e-11)
    assert found.output_scale == pytest.approx(math.sqrt(2 / (1 + s * s)), rel=1e-14)
    if depth == 50:
        assert s == pytest.approx(0.430522948502, rel=1e-11)
        assert found.output_scale == pytest.approx(1.298947786319, rel=1e-12)
    if depth == 1000:
        assert kappa * depth == pytest.approx(14.1436, rel=1e-5)


def test_what_a_deep_leaky_network_needs():
    def rate(c):
        return math.pi / (math.sqrt(1 - c * c) - c * math.acos(c))

    assert shaping.leaky_time(0.9) == pytest.approx(14.168388514, rel=1e-10)
    assert shaping.leaky_time(0.3) == pytest.approx(quad(rate, 0, 0.3, epsrel=1e-12)[0], rel=1e-11)
    high = quad(rate, 0, 0.9999, epsrel=1e-11, limit=300)[0]
    assert shaping.leaky_time(0.9999) == pytest.approx(high, rel=1e-8)


def test_the_largest_correlation_of_few_layers_is_said():
    c = 0.0
    for _ in range(10):
        c += (math.sqrt(1 - c * c) - c * math.acos(c)) / math.pi
    assert c < 0.9
    with pytest.raises(ArgumentError, match=f"at most {math.floor(c * 1e6) / 1e6:g} for 10 layers"):
        shaping.shape("leaky_relu", depth=10, method="tat")
    assert shaping.shape("leaky_relu", depth=10, method="tat", target=c - 1e-9).negative_slope < 1e-3


def test_great_depth_is_what_solutions_tend_to():
    for activation, place in (("tanh", math.atanh(0.5)), ("softplus", math.log(1.5))):
        far = shaping.asymptotic(activation, depth=100)[0]
        assert far.input_shift == pytest.approx(place, rel=1e-9)
        errors = [
            abs(shaping.shape(activation, depth=d).input_shift - far.input_shift) for d in (100, 400, 1600)
        ]
        assert errors[1] == pytest.approx(errors[0] / 4, rel=0.1)  # 1/D
        assert errors[2] == pytest.approx(errors[1] / 4, rel=0.1)


def test_the_limit_map_is_that_of_deep_networks():
    from widelimit.numerics import meanfield

    phi, depth = shaping.shape("tanh", depth=25).activation, 25
    c = meanfield.propagate(phi, sigma_w=1.0, q0=1.0, c0=0.5, depth=depth).c[-1]
    assert float(c) == pytest.approx(shaping.limit_map(0.5), abs=6e-4)
    np.testing.assert_allclose(shaping.limit_map([-1.0, 0.0, 1.0], target=2.0), [-1 / 3, 0, 1], rtol=1e-14)
    np.testing.assert_allclose(
        shaping.limit_map([0.0, 1.0], method="tat", target=[[0.3], [2.0]]),
        [[1 - 1 / 1.15, 1], [0.5, 1]], rtol=1e-14,
    )  # fmt: skip


@pytest.mark.parametrize(("activation", "gain", "chi"), [
    ("relu", math.sqrt(2 * math.pi / (math.pi - 1)), math.pi / (math.pi - 1)),
    ("gelu", 1.70092624336, 1.31884497087),
    ("silu", 1.78718722210, 1.21208111476),
    ("softplus", 1.91912598011, 1.08052805251),
])  # fmt: skip
def test_gains_of_standardised_weights(activation, gain, chi):
    found = shaping.variance_gain(activation)
    assert (found.gain, found.chi_1) == pytest.approx((gain, chi), rel=1e-10)


def test_maps_against_quadrature():
    found = shaping.maps("gelu")
    phi = FUNCTIONS["gelu"]
    length = averaged(lambda z: phi(z) ** 2)
    assert found.length == pytest.approx(length, rel=1e-10)
    assert found.overlap == pytest.approx(averaged(phi) ** 2 / length, rel=1e-10)
    assert found.length_slope == pytest.approx(averaged(lambda z: phi(z) ** 2 * (z * z - 1) / 2), rel=1e-9)
    assert shaping.maps("relu").curvature == math.inf


@pytest.mark.parametrize("call", [
    lambda: shaping.shape("relu", depth=50, method="tat"),
    lambda: shaping.shape("relu", depth=50),
    lambda: shaping.shape("x", depth=50),
    lambda: shaping.shape("tanh", depth=0),
    lambda: shaping.shape("tanh", depth=-1),
    lambda: shaping.shape("tanh", depth=1.5),
    lambda: shaping.shape("tanh", depth=True),
    lambda: shaping.shape("tanh", depth=10**400),
    lambda: shaping.shape("tanh", depth=10, method="lsuv"),
    lambda: shaping.shape("tanh", depth=10, target=1.0),
    lambda: shaping.shape("tanh", depth=10, target=math.nan),
    lambda: shaping.shape("tanh", depth=10, target="1.5"),
    lambda: shaping.shape("tanh", depth=10, target=[1.5, 2.0]),
    lambda: shaping.shape("tanh", depth=100, target=1 + 1e-12),
    lambda: shaping.shape("tanh", depth=10, method="tat", target=0.0),
    lambda: shaping.shape("tanh", depth=10, method="tat", target=-0.3),
    lambda: shaping.shape("leaky_relu", depth=50, method="tat", target=1.0),
    lambda: shaping.shape("leaky_relu", depth=50, method="tat", target=0.0),
    lambda: shaping.shape("leaky_relu", depth=50, method="tat", target=10**400),
    lambda: shaping.shape("leaky_relu(-0.5)", depth=50, method="tat"),
    lambda: shaping.limit_map(1.5),
    lambda: shaping.limit_map(0.5, method="tat", target=0),
    lambda: shaping.limit_map(0.5, target=1.0),
    lambda: shaping.limit_map(0.5, target=10**400),
    lambda: shaping.limit_map(math.nan),
    lambda: shaping.limit_map("0.5"),
    lambda: shaping.leaky_time(1.0),
    lambda: shaping.asymptotic("tanh", depth=0),
])  # fmt: skip
def test_bad_arguments(call):
    with pytest.raises(ArgumentError):
        call()


@pytest.mark.parametrize("activation", ["exp(x**2)", "exp(exp(x))", "sign(x)", "sqrt(abs(x))"])
def test_infinite_moments(activation):
    for call in (shaping.maps, lambda a: shaping.shape(a, depth=20), shaping.variance_gain):
        with pytest.raises(InfiniteMomentError):
            call(activation)


def test_kinks_have_no_curvature_to_tailor():
    with pytest.raises(InfiniteMomentError, match="has a kink"):
        shaping.shape("selu", depth=20, method="tat")


def test_targets_out_of_reach_name_the_largest():
    with pytest.raises(WidelimitError, match=r"must be at most about 1\.\d+ for 1 layer of softplus"):
        shaping.shape("softplus", depth=1)


def test_speed():
    shaping.shape("tanh", depth=100)
    start = time.process_time()
    for _ in range(3):
        shaping.shape("tanh", depth=100)
    assert (time.process_time() - start) / 3 < 0.06  # 7 ms alone
