"""Kernel spectra against quadrature, resummation and the kernels of topic `kernel`."""

import math

import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, special

from widelimit.numerics import kernel, representation
from widelimit.theory.errors import ArgumentError, DomainError


def legendre(k, d, t):
    if d == 2:
        return np.cos(k * np.arccos(t))
    return special.eval_gegenbauer(k, (d - 2) / 2, t) / special.eval_gegenbauer(k, (d - 2) / 2, 1.0)


def arc(u, power):
    angle = np.arccos(u)
    return ((np.pi - angle) if power == 0 else u * (np.pi - angle) + np.sqrt(1 - u * u)) / np.pi


def projected(function, k, d):
    def integrand(angle):
        return function(np.cos(angle)) * legendre(k, d, np.cos(angle)) * np.sin(angle) ** (d - 2)

    total = integrate.quad(lambda angle: np.sin(angle) ** (d - 2), 0, np.pi)[0]
    return integrate.quad(integrand, 0, np.pi, epsabs=1e-11, limit=400)[0] / total


def test_values_on_the_sphere():
    nngp = representation.kernel_spectrum([0, 1, 2, 4], dimension=3)
    ntk = representation.kernel_spectrum([0, 1, 2, 4], dimension=3, kernel="ntk")
    assert nngp.eigenvalues == pytest.approx([0.375, 1 / 6, 0.0234375, 0.000651041666667], rel=1e-12)
    assert ntk.eigenvalues == pytest.approx([0.5, 1 / 3, 0.078125, 0.00520833333333], rel=1e-11)
    assert nngp.multiplicities.tolist() == [1, 3, 5, 9]
    assert (nngp.exponent, ntk.exponent, nngp.bound, nngp.smooth, ntk.smooth) == (2.5, 1.5, 2.0, True, False)


@pytest.mark.parametrize("d", [2, 3, 5, 10])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 6])
def test_against_quadrature(d, k):
    step = representation.kernel_spectrum([k], dimension=d, power=0).eigenvalues[0]
    relu = representation.kernel_spectrum([k], dimension=d).eigenvalues[0]
    tangent = representation.kernel_spectrum([k], dimension=d, kernel="ntk").eigenvalues[0]
    assert step == pytest.approx(projected(lambda u: arc(u, 0), k, d), abs=1e-10)
    assert relu == pytest.approx(projected(lambda u: arc(u, 1), k, d), abs=1e-10)
    assert tangent == pytest.approx(projected(lambda u: arc(u, 1) + u * arc(u, 0), k, d), abs=1e-10)


@pytest.mark.parametrize("d", [170, 171, 784])
@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_many_inputs(which, d):
    """SymPy's log Gamma of halves of whole numbers overflows from 171 inputs on, and was a silent nan."""

    def against(k):
        def part(angle, kernel):
            u = mp.cos(angle)
            step = (mp.pi - angle) / mp.pi
            relu = u * step + mp.sin(angle) / mp.pi
            polynomial = (1, u, (d * u * u - 1) / (d - 1))[k]
            return ((relu + (which == "ntk") * u * step) * polynomial if kernel else 1) * mp.sin(angle) ** (
                d - 2
            )

        cuts = [0, mp.pi / 3, mp.pi / 2, 2 * mp.pi / 3, mp.pi]
        return mp.quad(lambda t: part(t, True), cuts) / mp.quad(lambda t: part(t, False), cuts)

    found = representation.kernel_spectrum([0, 1, 2], dimension=d, kernel=which).eigenvalues
    assert found == pytest.approx([float(against(k)) for k in range(3)], rel=1e-11)


@pytest.mark.parametrize("which", ["nngp", "ntk"])
@pytest.mark.parametrize("d", [3, 6])
def test_modes_add_up_to_the_kernels_of_networks(which, d):
    u = 0.3
    degrees = np.arange(600)
    found = representation.kernel_spectrum(degrees, dimension=d, kernel=which)
    total = sum(
        value * count * legendre(k, d, u)
        for k, value, count in zip(degrees, found.eigenvalues, found.multiplicities, strict=True)
        if value
    )
    x = np.zeros((2, d))
    x[0, 0], x[1, :2] = 1.0, (u, math.sqrt(1 - u * u))
    # inputs of length one: the first layer's weights have unit variance, the readout a gain of two
    got = kernel.nngp_ntk(x * math.sqrt(d), activation="relu", sigma_w=math.sqrt(2), sigma_b=0.0, depth=1)
    own = getattr(got, which)
    assert total == pytest.approx(own[0, 1] / own[0, 0] * (1 if which == "nngp" else 2), abs=1e-6)


@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_spectra_of_networks_are_those_in_closed_form(which):
    degrees = [0, 1, 2, 3, 4, 10, 40]
    found = representation.network_spectrum(degrees, dimension=4, kernel_of=which)
    exact = representation.kernel_spectrum(degrees, dimension=4, kernel=which)
    assert np.abs(found.eigenvalues - 2 * exact.eigenvalues).max() <= found.error < 1e-11
    assert (found.exponent, found.bound) == (exact.exponent, exact.bound)
    assert found.multiplicities.tolist() == exact.multiplicities.tolist()


@pytest.mark.parametrize(
    "activation, depth, exponent", [("relu", 2, 2.5), ("hard_tanh", 1, 2.5), ("x*abs(x)", 1, 3.5)]
)
def test_kinks_set_the_exponent_at_any_depth(activation, depth, exponent):
    degrees = np.arange(0, 121)
    found = representation.network_spectrum(
        degrees, dimension=3, activation=activation, depth=depth, sigma_w=1.2, sigma_b=0.3
    )
    assert found.exponent == exponent
    last = np.cumsum(found.multiplicities)
    filled = found.eigenvalues > 100 * found.error
    keep = filled & (degrees >= 16)
    slope = np.polyfit(np.log(last[keep]), np.log(found.eigenvalues[keep]), 1)[0]
    assert -slope == pytest.approx(exponent, abs=0.35)  # degrees of both parities fall alike, slowly so


def test_smooth_activations_fall_faster_than_any_power():
    found = representation.network_spectrum(np.arange(16), dimension=3, activation="tanh", sigma_w=1.5)
    odd = found.eigenvalues[1::2]
    assert found.exponent == math.inf and found.smooth
    assert (np.diff(np.log(odd[:5])) < -1.0).all()
    assert (found.eigenvalues[::2] <= found.error).all()  # tanh is odd


def test_squares_of_relu_are_one_at_equal_inputs():
    found = representation.kernel_spectrum(np.arange(400), dimension=4, power=2)
    assert found.eigenvalues @ found.multiplicities == pytest.approx(1.0, abs=1e-6)
    assert found.exponent == pytest.approx(1 + 5 / 3)


@pytest.mark.parametrize(
    "D, which, exponent", [(2, "nngp", 2.5), (2, "ntk", 1.5), (3, "nngp", 2.0), (3, "ntk", 4 / 3)]
)
def test_eigenvalues_fall_by_rank_as_stated(D, which, exponent):
    degrees = np.arange(0, 801, 2)  # ReLU's other degrees are empty
    found = representation.kernel_spectrum(degrees, dimension=D + 1, kernel=which)
    last = np.cumsum(found.multiplicities)
    slope = np.polyfit(np.log(last[200:]), np.log(found.eigenvalues[200:]), 1)[0]
    assert -slope == pytest.approx(exponent, abs=0.01)
    assert found.exponent == pytest.approx(exponent)


def test_degree_a_thousand_keeps_its_digits():
    found = representation.kernel_spectrum([1000], dimension=3).eigenvalues[0]
    # mpmath at 40 digits: 2 d [Gamma(d/2) Gamma(2) / (4 Gamma((3 - k)/2) Gamma((k + d + 1)/2))]^2
    import mpmath

    with mpmath.workdps(40):
        below = 4 * mpmath.gamma(mpmath.mpf(3 - 1000) / 2) * mpmath.gamma(mpmath.mpf(1004) / 2)
        expected = 6 * (mpmath.gamma(1.5) / below) ** 2
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_bound_and_growth():
    assert representation.smoothness_bound(2) == 2.0
    assert representation.smoothness_bound([1, 4]).tolist() == [3.0, 1.5]
    assert representation.gradient_growth(1.0, dimension=8) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda r: r.kernel_spectrum([0.5], dimension=3), "`degrees` must be whole numbers, but is 0.5"),
        (lambda r: r.kernel_spectrum([-1], dimension=3), "`degrees` must not be negative"),
        (lambda r: r.kernel_spectrum([], dimension=3), "`degrees` must not be empty"),
        (lambda r: r.kernel_spectrum([1], dimension=1), "`dimension` must be an integer of at least 2"),
        (lambda r: r.kernel_spectrum([1], dimension=2.5), "`dimension` must be an integer"),
        (
            lambda r: r.kernel_spectrum([1], dimension=3, kernel="rbf"),
            "`kernel` must be one of 'nngp', 'ntk'",
        ),
        (lambda r: r.kernel_spectrum([1], dimension=3, power=-1), "`power` must be an integer of at least 0"),
        (lambda r: r.kernel_spectrum([10**12], dimension=3), "`degrees` must be at most"),
        (lambda r: r.smoothness_bound(0.5), "`dimension` must be at least 1, but is 0.5"),
        (lambda r: r.gradient_growth(-1.0, dimension=2), "`exponent` must be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ArgumentError) as caught:
        call(representation)
    assert message in str(caught.value)


def test_steps_have_no_tangent_kernel():
    with pytest.raises(DomainError):
        representation.kernel_spectrum([1], dimension=3, kernel="ntk", power=0)
