"""Derivatives of a Jacobian's moments against mpmath's, whose fixed points and averages are its own."""

import numpy as np
import pytest
from mpmath import diff, erf, exp, findroot, fsum, mpf, npdf, pi, sqrt, tanh, workdps

from widelimit.numerics.jacobian import gradient
from widelimit.theory import jacobian as theory
from widelimit.theory.errors import DomainError, WidelimitError

WHOLE = {"sigma_w": 1.2, "sigma_b": 0.3, "depth": 6, "keep": 0.8}


def average(f, q):
    """E f(u), u ~ N(0, q), by the trapezoidal rule."""
    h = mpf(1) / 8
    return fsum(h * npdf(k * h) * f(sqrt(q) * k * h) for k in range(-96, 97))


def clipped(q):
    """E phi^2 of hard tanh."""
    inside = erf(1 / sqrt(2 * q))
    return q * inside - sqrt(2 * q / pi) * exp(-1 / (2 * q)) + 1 - inside


@pytest.mark.parametrize("weights", ["orthogonal", "gaussian"])
def test_slopes_of_0_and_1(weights):
    """m_1 = (sigma_w^2 p)^L, var/m_1^2 = L (1/p - 1 - s_1) (Pennington et al. 2017), at the fixed point.

    With dropout squared slopes are 1/rho^2 with the probability rho p.
    """
    found = gradient("hard_tanh", **WHOLE, weights=weights)

    def both(w, b, layers, rho):
        q = findroot(lambda q: w**2 / rho * clipped(q) + b**2 - q, 0.9)
        p = rho * erf(1 / sqrt(2 * q))
        mean, ratio = (w**2 * p / rho**2) ** layers, layers * (1 / p - (0 if weights == "gaussian" else 1))
        return {"mean": mean, "variance_ratio": ratio, "variance": ratio * mean**2}

    with workdps(30):
        point = [mpf(one) for one in WHOLE.values()]
        for index, name in enumerate(WHOLE):
            for field in ("mean", "variance_ratio", "variance"):

                def along(x, field=field, index=index):
                    return both(*point[:index], x, *point[index + 1 :])[field]

                want = float(diff(along, point[index]))
                assert getattr(getattr(found, name), field) == pytest.approx(want, rel=1e-11), (name, field)


def test_one_smooth_layer():
    """m_k = sigma_w^2k E phi'^2k of one layer with orthogonal weights."""
    found = gradient("tanh", sigma_w=1.2, sigma_b=0.3, depth=1)

    def moment(w, b, k):
        q = findroot(lambda q: w**2 * average(lambda u: tanh(u) ** 2, q) + b**2 - q, 0.4)
        return w ** (2 * k) * average(lambda u: (1 - tanh(u) ** 2) ** (2 * k), q)

    with workdps(25):
        w, b, step = mpf(1.2), mpf(0.3), mpf(10) ** -8
        for k, field in enumerate(("mean", "second_moment", "third_moment"), 1):
            assert getattr(found.value, field) == pytest.approx(float(moment(w, b, k)), rel=1e-11)
            by_w = (moment(w + step, b, k) - moment(w - step, b, k)) / (2 * step)
            by_b = (moment(w, b + step, k) - moment(w, b - step, k)) / (2 * step)
            assert getattr(found.sigma_w, field) == pytest.approx(float(by_w), rel=1e-10)
            assert getattr(found.sigma_b, field) == pytest.approx(float(by_b), rel=1e-10)


@pytest.mark.parametrize("activation", ["erf_s", "hard_tanh"])
@pytest.mark.parametrize("weights", ["orthogonal", "gaussian"])
def test_derivation(activation, weights):
    assert all(one.passed for one in theory.derive_gradients(activation, weights).check(dps=15, points=1))


def test_relu_at_criticality_and_refusals():
    found = gradient("relu", sigma_w=2**0.5, depth=8)  # no fixed point is needed
    assert (found.value.variance_ratio, found.depth.variance_ratio) == pytest.approx((8, 1))
    with pytest.raises(DomainError, match="slope 1"):
        gradient("tanh", sigma_w=1.0, depth=3)
    for wrong in ({"sigma_w": 0.0}, {"depth": -1.0}, {"weights": "sparse"}, {"activation": "sign(x)"}):
        with pytest.raises(WidelimitError):
            gradient(**{"activation": "tanh", "sigma_w": 1.2, "depth": 3, **wrong})


def test_moments_that_no_float_holds_are_refused():
    with pytest.raises(DomainError, match="leave the range of floats"):
        gradient("tanh", sigma_w=1.5, sigma_b=0.1, depth=1e300)


def test_dropout_of_relu_by_hand_and_in_a_drawn_network():
    """Squared slopes are 1/rho^2 with probability rho/2: m_1 = (sigma_w^2/2 rho)^L, var/m_1^2 = 2 L/rho."""
    found = gradient("relu", sigma_w=1.3, depth=4, keep=0.7, weights="gaussian")
    mean = (1.3**2 / 1.4) ** 4
    assert (found.value.mean, found.value.variance_ratio) == pytest.approx((mean, 8 / 0.7), rel=1e-12)
    assert found.keep.mean == pytest.approx(-4 * mean / 0.7, rel=1e-12)
    assert found.keep.variance_ratio == pytest.approx(-8 / 0.49, rel=1e-12)
    random, size, moments = np.random.default_rng(0), 400, []
    for _ in range(12):
        jacobian = np.eye(size)
        for _ in range(2):
            slopes = (random.random(size) < 0.35) / 0.7  # half of the units are on, seven tenths kept
            jacobian = slopes[:, None] * (1.3 / size**0.5 * random.standard_normal((size, size)) @ jacobian)
        squares = np.linalg.svd(jacobian, compute_uv=False) ** 2
        moments.append([squares.mean(), (squares**2).mean()])
    two = gradient("relu", sigma_w=1.3, depth=2, keep=0.7, weights="gaussian").value
    error = np.std(moments, axis=0) / 12**0.5
    assert (np.abs(np.mean(moments, axis=0) - [two.mean, two.second_moment]) < 4 * error).all()
    for wrong in (0.0, 1.1, -0.5):
        with pytest.raises(WidelimitError):
            gradient("tanh", sigma_w=1.2, depth=3, keep=wrong)
