"""Jacobian spectra against worked values, exact moments, polynomials solved by mpmath, and direct quadrature."""

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erf, lambertw, wofz

from widelimit.numerics import jacobian, meanfield
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError, NoFixedPointError

TANH = {"sigma_w": 1.3264126276927**0.5, "sigma_b": 0.00477617868801**0.5}  # critical at q* = 0.2


def critical(activation, q):
    line = meanfield.critical_line(activation, q_star=q)
    return {"sigma_w": float(line.sigma_w), "sigma_b": float(line.sigma_b)}


def test_worked_values_of_hard_tanh():
    scales = critical("hard_tanh", 0.3)
    law = jacobian.spectrum("hard_tanh", **scales, depth=8, weights="gaussian")
    expected = [1, 9.58267022825394, 132.637463789762, 2154.53274442266]
    assert [law.moment(k) for k in (1, 2, 3, 4)] == pytest.approx(expected, rel=1e-12)
    assert law.largest == pytest.approx(24.586433079788, rel=1e-12)
    law = jacobian.spectrum("hard_tanh", **scales, depth=8)
    expected = [1, 1.58267022825394, 2.65337831166729, 4.54268441292692]
    assert [law.moment(k) for k in (1, 2, 3, 4)] == pytest.approx(expected, rel=1e-12)
    assert law.atoms[-1] == pytest.approx((1.7549288425393, 0.45688676), rel=1e-8)
    assert law.largest == pytest.approx(1.7549288425393, rel=1e-12)
    assert law.atoms[0] == pytest.approx((0.0, 1 - 0.932110845138171), abs=1e-13)
    assert law.support[0][1] == pytest.approx(
        (1 - 0.932110845138171) / 0.932110845138171 * 8**8 / 7**7, rel=1e-11
    )


@pytest.mark.parametrize(
    ("weights", "depth", "expected"),
    [
        ("gaussian", 2, [1, 5, 33, 249]),
        ("orthogonal", 2, [1, 3, 10, 35]),
        ("gaussian", 8, [1, 17, 417, 12001]),
    ],
)
def test_relu_moments(weights, depth, expected):
    law = jacobian.spectrum("relu", sigma_w=2**0.5, depth=depth, weights=weights)
    assert [law.moment(k) for k in (1, 2, 3, 4)] == pytest.approx(expected, rel=1e-12)
    assert law.error < 1e-10  # rounding at the edges of the two free projections of trace 1/2


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
def test_relu_density_solves_its_polynomial(weights):
    depth, p = 3, 0.5
    law = jacobian.spectrum("relu", sigma_w=2**0.5, depth=depth, weights=weights)
    x = np.linspace(0.05, 0.95, 7) * law.support[-1][1]
    for point in x:
        with mpmath.workdps(
            30
        ):  # gaussian: z m = (1 + m)(m + p)^3/p^3; orthogonal: z m (1 + m)^2 = (m + p)^3/p^3
            z = mpmath.mpf(point)
            cube = [1 / p**3 * c for c in (1, 3 * p, 3 * p**2, p**3)]
            if weights == "gaussian":
                poly = [cube[0], cube[1] + cube[0], cube[2] + cube[1], cube[3] + cube[2] - z, cube[3]]
            else:
                poly = [cube[0] - z, cube[1] - 2 * z, cube[2] - z, cube[3]]
            densities = [
                abs(float(mpmath.im(r))) / np.pi / point
                for r in mpmath.polyroots(poly, maxsteps=200, extraprec=100)
            ]
        assert min(abs(d - law.density(point)) for d in densities) < 1e-11
    assert law.mass == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize(
    ("activation", "q"), [("tanh", 0.2), ("erf_s", 0.05), ("erf_s", 1.0), ("gelu", 0.7), ("elu", 0.5)]
)
def test_densities_have_the_exact_moments(activation, q, weights):
    """No false gap, wherever the density lies: mass and moments of the density, against Gaussian integrals."""
    found = jacobian.slopes(activation, q)
    for k in (1, 2, 3):
        assert found.moment(k) == pytest.approx(_slope_moment(activation, q, k), rel=1e-11)
    sigma = found.moment(1) ** -0.5
    from widelimit.numerics.freeprob.build import product_law
    from widelimit.numerics.freeprob.products import Factor

    law = product_law([Factor(8.0, 2 * float(np.log(sigma)), weights == "gaussian", found)], activation)
    spread = 8 * (found.moment(2) / found.moment(1) ** 2 - (weights == "orthogonal"))
    assert law.moment(2) - 1 == pytest.approx(spread, rel=1e-10)
    assert law.error < 1e-9


def _slope_moment(activation, q, k):
    functions = {
        "tanh": lambda x: 1 / np.cosh(x) ** 2,
        "erf_s": lambda x: np.exp(-np.pi * x**2 / 4),
        "gelu": lambda x: 0.5 * (1 + erf(x / 2**0.5)) + x * np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5,
        "elu": lambda x: 1.0 if x > 0 else np.exp(x),
    }

    def weight(x):
        return functions[activation](x) ** (2 * k) * np.exp(-(x**2) / (2 * q)) / (2 * np.pi * q) ** 0.5

    return sum(
        quad(weight, a * q**0.5, b * q**0.5, epsabs=1e-14, epsrel=1e-13)[0]
        for a, b in ((-12, -3), (-3, 0), (0, 3), (3, 12))
    )


def test_tanh_law_is_accurate_and_cheap_at_any_depth():
    for depth, tolerance in ((1, 1e-10), (32, 1e-12), (1000, 1e-11), (10**5, 1e-9), (10**6, 1e-8)):
        law = jacobian.spectrum("tanh", **TANH, depth=depth)
        assert law.error < tolerance
        assert law._panels[0].coordinate.size < 600  # the cost: nodes at which the equation is solved
        assert law.log_moment(1) == pytest.approx(0.0, abs=1e-9 * depth)
    # the law of one layer is the law of the slopes themselves: d = sech^4, density by change of variables
    law = jacobian.spectrum("tanh", **TANH, depth=1)
    x = np.array([0.2, 0.7, 1.2]) * TANH["sigma_w"] ** 2 / 1.3264126276927
    d = x / TANH["sigma_w"] ** 2
    u = np.arccosh(d**-0.25)
    q = meanfield.solve("tanh", **TANH).q_star
    exact = (
        2 * np.exp(-(u**2) / (2 * q)) / np.sqrt(2 * np.pi * q) / (4 * d * np.tanh(u)) / TANH["sigma_w"] ** 2
    )
    assert np.abs(law.density(x) / exact - 1).max() < 1e-11


def test_the_knee_of_a_deep_law():
    """Next to zeta = 0 log z = log u - u + const, u = L kappa zeta E 1/d: nearly a square-root edge at u = 1.

    The density just above it, by Newton from that approximation (Lambert's W) on sums over Gaussian slopes.
    """
    depth, q = 10**5, meanfield.solve("tanh", **TANH).q_star
    u = np.arange(-14, 14, 0.01)
    weights, d = 0.01 * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi), np.cosh(np.sqrt(q) * u) ** -4
    first, second = (weights / d).sum(), (weights / d**2).sum()
    kappa, log_scale = second / first**2, 2 * np.log(TANH["sigma_w"])
    edge = depth * (log_scale - np.log(first)) - np.log(depth * kappa) - 1

    def curve(zeta):
        one, w = (weights * zeta / (zeta - d)).sum(), (weights * d / (zeta - d)).sum()
        rate = -(weights * d * zeta / (zeta - d) ** 2).sum()
        log_z = (1 - depth) * np.log(one / w) + depth * (log_scale + np.log(zeta))
        return log_z, (1 - depth) * (rate / one - rate / w) + depth, w

    law = jacobian.spectrum("tanh", **TANH, depth=depth)
    for above in (1.0, 3.0, 30.0):
        start = -lambertw(-np.exp(above - 1.0), -1)
        zeta = complex(start.real, abs(start.imag)) / (depth * kappa * first)
        for _ in range(60):
            log_z, slope, w = curve(zeta)
            move = (edge + above - log_z) / slope
            zeta *= np.exp(move / max(1.0, abs(move)))
        assert abs(move) < 1e-9 and zeta.imag > 0
        assert law.log_density(edge + above) == pytest.approx(-w.imag / np.pi, rel=1e-8)
    assert law.log_cdf(edge - 1.0) < 1e-9 < law.log_cdf(edge + 1.0)


@pytest.mark.parametrize(
    ("activation", "depth", "expected"),
    [
        ("tanh", 10, 1.426936851),
        ("tanh", 1000, 1.537190860),
        ("erf_s", 100, 1.501473452),
        ("erf_s", 10000, 1.550286815),
    ],
)
def test_double_scaling(activation, depth, expected):
    def excess(log_q):
        found = jacobian.slopes(activation, float(np.exp(log_q)))
        return depth * (found.moment(2) / found.moment(1) ** 2 - 1) - 0.25

    q = float(np.exp(brentq(excess, np.log(1e-5), np.log(5.0), xtol=1e-13)))
    law = jacobian.spectrum(activation, **critical(activation, q), depth=depth)
    assert law.largest**0.5 == pytest.approx(expected, rel=2e-9)


def test_classes():
    smooth, bernoulli = jacobian.smooth_class(0.25), jacobian.bernoulli_class(0.25)
    assert smooth.largest**0.5 == pytest.approx(1.556843794487817, rel=1e-12)
    assert [smooth.moment(k) for k in (2, 3, 4)] == pytest.approx([1.25, 1.84375, 3.04166666667], rel=1e-10)
    assert bernoulli.support[0][1] == pytest.approx(0.6795704571, rel=1e-9)
    assert bernoulli.largest**0.5 == pytest.approx(1.1331484531, rel=1e-9)
    residual = jacobian.residual(0.5)
    assert residual.moment(1) == pytest.approx(np.exp(0.5), rel=1e-10)


def test_rectangular_layers():
    law = jacobian.spectrum("relu", sigma_w=2**0.5, depth=3, weights="gaussian", widths=[100, 200, 50, 100])
    assert law.moment(1) == pytest.approx(1.0, rel=1e-12)
    assert law.moment(2) == pytest.approx(1 + 2 * (0.5 + 2 + 1), rel=1e-12)
    assert law.atoms[0] == pytest.approx((0.0, 0.75), abs=1e-12)  # rank: half of 50 units out of 100
    # up and down again: twice the corner of a free projection of trace 1/2, the arcsine law on [0, 2]
    up = jacobian.spectrum("linear", sigma_w=1.0, depth=2, widths=[10, 20, 10])
    x = np.linspace(0.1, 1.9, 9)
    assert np.abs(up.density(x) - 1 / (np.pi * np.sqrt(x * (2 - x)))).max() < 1e-8
    wide = jacobian.spectrum("linear", sigma_w=1.0, depth=1, widths=[10, 5])
    assert np.array(wide.atoms) == pytest.approx(np.array([(0.0, 0.5), (1.0, 0.5)]))


def test_layers_away_from_the_fixed_point():
    scales = {"sigma_w": 1.5, "sigma_b": 0.1}
    law = jacobian.spectrum("tanh", **scales, depth=3, q0=3.0)
    lengths = meanfield.propagate("tanh", **scales, q0=3.0, depth=3).q[:3]
    found = [jacobian.slopes("tanh", float(v)) for v in lengths]
    assert law.moment(1) == pytest.approx(np.prod([2.25 * f.moment(1) for f in found]), rel=1e-10)
    spread = sum(f.moment(2) / f.moment(1) ** 2 - 1 for f in found)
    assert law.moment(2) / law.moment(1) ** 2 - 1 == pytest.approx(spread, rel=1e-10)
    assert law.error < 1e-8
    same = jacobian.spectrum("tanh", **scales, depth=3, q0=meanfield.solve("tanh", **scales).q_star)
    reference = jacobian.spectrum("tanh", **scales, depth=3)
    assert same.largest == pytest.approx(reference.largest, rel=1e-9)


def test_far_from_critical_in_logarithms():
    law = jacobian.spectrum("tanh", sigma_w=3.0, sigma_b=0.0, depth=5000)
    chi = meanfield.solve("tanh", sigma_w=3.0, sigma_b=0.0).chi_1
    assert law.log_moment(1) == pytest.approx(5000 * np.log(chi), rel=1e-10)
    assert law.log_largest > 3000 and np.isfinite(law.log_quantile([0.1, 0.5])).all()
    with pytest.raises(DomainError, match="log_largest"):
        _ = law.largest
    dead = jacobian.spectrum("tanh", sigma_w=0.5, sigma_b=0.0, depth=500)  # q* = 0: every slope is one
    assert dead.log_atoms == ((pytest.approx(-1000 * np.log(2)), 1.0),)


def test_isometry():
    for weights, atoms in (("orthogonal", 1), ("gaussian", 0)):
        assert len(jacobian.spectrum("linear", sigma_w=1.0, depth=4, weights=weights).atoms) == atoms
    assert jacobian.spectrum("abs", sigma_w=1.0, depth=7).atoms == ((1.0, 1.0),)


def test_predict_is_flat():
    found = jacobian.predict("tanh", sigma_w=1.15, sigma_b=0.07, depth=10)
    assert (
        found.largest_singular_value == pytest.approx(np.exp(found.log_largest / 2)) and found.error < 1e-10
    )


def test_bad_input():
    for depth in (0, -3, 2.5):
        with pytest.raises(ArgumentError, match="`depth`"):
            jacobian.spectrum("tanh", sigma_w=1.0, depth=depth)
    with pytest.raises(ArgumentError, match="`weights`"):
        jacobian.spectrum("tanh", sigma_w=1.0, depth=2, weights="sparse")
    with pytest.raises(ArgumentError, match="`sigma_w`"):
        jacobian.spectrum("tanh", sigma_w=-1.0, depth=2)
    with pytest.raises(ArgumentError, match="`widths`"):
        jacobian.spectrum("tanh", sigma_w=1.0, depth=2, widths=[10, 10])
    with pytest.raises(ArgumentError, match="`widths`"):
        jacobian.spectrum("tanh", sigma_w=1.0, depth=1, widths=[10, -10])
    with pytest.raises(ArgumentError, match="`q0`"):
        jacobian.spectrum("tanh", sigma_w=1.0, depth=2, q0=0.0)
    with pytest.raises(InfiniteMomentError):
        jacobian.slopes("x*exp(x**2/16)", 8.0)
    with pytest.raises((InfiniteMomentError, NoFixedPointError)):
        jacobian.spectrum("x*exp(x**2/16)", sigma_w=1.0, sigma_b=2.0, depth=2)


@pytest.mark.parametrize(
    ("activation", "depth", "weights"),
    [
        ("tanh", 1000, "gaussian"),  # a tail over 10^4 in log x, where rounding must not add up
        ("erf", 10**5, "orthogonal"),
        ("erf", 8, "gaussian"),
        ("sin", 64, "orthogonal"),  # slopes through zero
        ("gelu", 10**5, "orthogonal"),
        ("gelu", 8, "gaussian"),
        ("leaky_relu(0.1)", 1, "gaussian"),  # two intervals
    ],
)
def test_tails_down_to_zero(activation, depth, weights):
    scales = critical("tanh", 0.1) if activation == "tanh" else {"sigma_w": 1.1, "sigma_b": 0.3}
    law = jacobian.spectrum(activation, **scales, depth=depth, weights=weights)
    assert law.error < max(2e-12, 1e-13 * depth) and abs(law.mass - 1) < max(1e-13, 1e-15 * depth)
    assert len(law.log_support) == (2 if activation.startswith("leaky") else 1)


def test_an_edge_where_an_atom_just_vanishes():
    """ELU, L = 2: an atom of slopes of mass 1/2, so 1 - L/2 = 0; the density at the top has an inverse square root."""
    scales = {"sigma_w": 1.1, "sigma_b": 0.3}
    law = jacobian.spectrum("elu", **scales, depth=2)
    assert law.error < 1e-6 and law.atoms == ()
    assert law.log_largest == pytest.approx(2 * np.log(1.21), rel=1e-13)
    with mpmath.workdps(20):
        q, below = mpmath.mpf(meanfield.solve("elu", **scales).q_star), mpmath.mpf("0.1")

        def curve(zeta):  # 2 log(zeta) - log((1 + w)/w), the slopes being 1 or exp(2x)
            w = mpmath.quad(
                lambda u: mpmath.npdf(u) / (zeta * mpmath.exp(-2 * mpmath.sqrt(q) * u) - 1), [-12, -4, -1, 0]
            )
            w += 1 / (2 * (zeta - 1))
            return 2 * mpmath.log(zeta) - mpmath.log(-1 - w) + mpmath.log(-w), w

        start = mpmath.mpc(0.9, 0.15)
        starts = (start, 1.01 * start, start * mpmath.mpc(1, 0.01))
        root = mpmath.findroot(lambda zeta: curve(zeta)[0] + below, starts, solver="muller", tol=1e-15)
        density = -curve(root)[1].imag / mpmath.pi
    assert law.log_density(law.log_largest - 0.1) == pytest.approx(float(density), rel=1e-11)


SLOPES = {
    "gelu": lambda x: 0.5 * (1 + erf(x / 2**0.5)) + x * np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5,
    "x/(1 + x**2)": lambda x: (1 - x**2) / (1 + x**2) ** 2,
    "monomial(2)": lambda x: 2 * x,
    "tanh(x)**3": lambda x: 3 * np.tanh(x) ** 2 / np.cosh(x) ** 2,
}


@pytest.mark.parametrize("activation", SLOPES)
def test_one_orthogonal_layer_has_the_law_of_its_slopes(activation):
    """P(sigma_w^2 phi'(sqrt(q) u)^2 <= x) counted on a line; slopes with turning points give infinite peaks inside."""
    scales = {"sigma_w": 0.5 if activation == "monomial(2)" else 1.1, "sigma_b": 0.3}
    law = jacobian.spectrum(activation, **scales, depth=1)
    q = meanfield.solve(activation, **scales).q_star
    assert law.error < 1e-10 and len(law.support) == 1 and abs(law.mass - 1) < 1e-11
    grid = np.linspace(-9, 9, 20001)
    for x in law.quantile([0.02, 0.3, 0.7, 0.97]):

        def excess(u, x=x):
            return scales["sigma_w"] ** 2 * SLOPES[activation](np.sqrt(q) * u) ** 2 - x

        signs = excess(grid) <= 0
        cuts = [brentq(excess, grid[k], grid[k + 1], xtol=1e-14) for k in np.flatnonzero(np.diff(signs))]
        ends = np.array([-np.inf] * int(signs[0]) + cuts + [np.inf] * int(signs[-1]))
        exact = float(np.diff(erf(ends.reshape(-1, 2) / 2**0.5)).sum()) / 2
        assert law.cdf(x) == pytest.approx(exact, abs=1e-10)


def test_quadratic_slopes_near_zero_by_the_faddeeva_function():
    """d = 4 q u^2, so that 1 + M(4 q s^2) = E s^2/(s^2 - u^2) = -i s sqrt(pi/2) wofz(s/sqrt(2)) for Im s > 0."""
    q = 0.0969
    found = jacobian.slopes("monomial(2)", q)
    s = np.array([1e-9, 1e-5, 0.1, 1.0]) * np.exp(0.3j)
    zeta = 4 * q * s**2
    value = [(found.weights / (z - found.nodes)).sum() * z for z in zeta]
    exact = -1j * s * np.sqrt(np.pi / 2) * wofz(s / np.sqrt(2))
    assert np.abs(np.array(value) / exact - 1).max() < 1e-12


@pytest.mark.parametrize(
    ("activation", "sigma_w", "depth", "weights"),
    [
        ("monomial(2)", 0.5, 2, "orthogonal"),
        ("monomial(2)", 0.5, 200, "gaussian"),
        ("max(x, 0)*x", 0.7, 3, "orthogonal"),
        ("tanh(x) + 0.1*x", 1.1, 3, "orthogonal"),  # hardly any density next to the lowest slope
        ("tanh(x)**3", 1.0, 50, "orthogonal"),
        ("gelu", 1.1, 3, "orthogonal"),
    ],
)
def test_slopes_through_zero_and_faint_edges(activation, sigma_w, depth, weights):
    """Mass, four moments and the distribution function of the density against exact ones: that is `error`."""
    law = jacobian.spectrum(activation, sigma_w=sigma_w, sigma_b=0.3, depth=depth, weights=weights)
    assert law.error < 1e-8 and abs(law.mass - 1) < 1e-10


def test_an_oscillating_slope_is_bounded():
    law = jacobian.spectrum("sin", sigma_w=1.1, sigma_b=0.3, depth=1)
    assert law.largest == pytest.approx(1.21, rel=1e-12)  # cos^2 <= 1
    q = meanfield.solve("sin", sigma_w=1.1, sigma_b=0.3).q_star
    s = np.arccos(
        np.sqrt(0.3 / 1.21)
    )  # P(1.21 cos(x)^2 <= 0.3): x within pi/2 - s of an odd multiple of pi/2
    edges = np.array([[k * np.pi + s, (k + 1) * np.pi - s] for k in range(-4, 4)]) / np.sqrt(2 * q)
    assert law.cdf(0.3) == pytest.approx(float(np.diff(erf(edges)).sum()) / 2, abs=1e-9)


@pytest.mark.parametrize(("activation", "q"), [("gelu", 0.1426), ("swish", 50.0), ("sin", 3.0)])
def test_slopes_close_to_zero_keep_their_digits(activation, q):
    """1 + M(zeta) of the slopes at zeta far below them, in units of its size, against quadrature in mpmath."""
    functions = {
        "gelu": lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x),
        "swish": lambda x: (1 + mpmath.exp(-x) * (1 + x)) / (1 + mpmath.exp(-x)) ** 2,
        "sin": mpmath.cos,
    }
    found, f = jacobian.slopes(activation, q), functions[activation]
    zeta = mpmath.mpc(
        -1e-9, 1e-10
    )  # off the positive axis the integrand is smooth on the scale of sqrt(|zeta|)
    with mpmath.workdps(25):
        reach = 13 * mpmath.sqrt(q)
        zeros = [
            mpmath.findroot(f, start) for start in {"gelu": [-0.75], "swish": [-1.28]}.get(activation, [])
        ]
        if activation == "sin":
            zeros = [(k + 0.5) * mpmath.pi for k in range(-8, 8) if abs((k + 0.5) * mpmath.pi) < reach]
        cuts = {-reach, reach, *(k * reach / 12 for k in range(-11, 12))}
        for zero in zeros:
            cuts |= {zero, *(zero + sign * mpmath.mpf(10) ** -k for sign in (-1, 1) for k in range(6))}
        exact = mpmath.quad(
            lambda x: zeta / (zeta - f(x) ** 2) * mpmath.exp(-(x**2) / (2 * q)),
            sorted(c for c in cuts if abs(c) <= reach),
        ) / mpmath.sqrt(2 * mpmath.pi * q)
    value = (found.weights / (complex(zeta) - found.nodes)).sum() * complex(zeta)
    assert abs(value / complex(exact) - 1) < 1e-10


@pytest.mark.parametrize("law", [jacobian.residual, jacobian.smooth_class, jacobian.bernoulli_class])
@pytest.mark.parametrize("strength", [5e-324, 1e-320, 1e-9, 400.0, 8.988e307, 1.797e308, [], [0.3]])
def test_strengths_that_no_law_resolves_are_refused(law, strength):
    with pytest.raises(ArgumentError, match=r"s0_squared|strength"):
        law(strength)


@pytest.mark.parametrize("weights", ["orthogonal", "gaussian"])
@pytest.mark.parametrize("name", ["erf_s", "hard_tanh"])
def test_closed_forms_are_those_of_the_law(name, weights):
    """Moments, variance and curve of the closed forms, against the law that products of factors give."""
    q, depth, sigma_w = 0.7, 5, 1.1
    law = jacobian.spectrum(name, sigma_w=sigma_w, depth=depth, weights=weights, q0=q, sigma_b=0.0)
    one = jacobian.spectrum(name, sigma_w=sigma_w, depth=1, weights=weights, q0=q, sigma_b=0.0)
    first, second, third = jacobian.moments(name, sigma_w=sigma_w, q=q, depth=1, weights=weights)
    assert [first, second, third] == pytest.approx([one.moment(k) for k in (1, 2, 3)], rel=1e-9)
    ratio = jacobian.variance_ratio(name, q=q, depth=1, weights=weights)
    assert ratio == pytest.approx(second / first**2 - 1, rel=1e-12)
    assert jacobian.variance_ratio(name, q=q, depth=depth, weights=weights) == pytest.approx(
        depth * ratio, rel=1e-12
    )
    assert law.moment(2) / law.moment(1) ** 2 - 1 > ratio  # lengths differ by layer, more of them spread more
    z, m = jacobian.parametric(4.0, name, sigma_w=sigma_w, q=q, depth=1, weights=weights)
    series = sum(one.moment(k) / z**k for k in range(1, 40))
    assert series == pytest.approx(m, rel=1e-6)  # M(z) = sum of m_k z^-k, off its support


def test_closed_moments_and_edges_at_criticality():
    """hard-tanh at q = 0.3 has p = erf(1/sqrt(0.6)): critical at sigma_w^2 = 1/p."""
    q, depth = 0.3, 8
    p = math.erf(1 / math.sqrt(2 * q))
    for weights in ("orthogonal", "gaussian"):
        found = jacobian.critical_moment("hard_tanh", 2, q=q, depth=depth, weights=weights)
        assert found == pytest.approx(1 + depth * (1 / p - 1 + (weights == "gaussian")), rel=1e-12)
    assert jacobian.critical_largest("hard_tanh", q=q, depth=depth) == pytest.approx(
        p**-depth, rel=1e-12
    )  # an atom
    top = jacobian.critical_largest("hard_tanh", q=q, depth=depth, weights="gaussian")
    assert top == pytest.approx(24.586433079788, rel=1e-11)
    with pytest.raises(ArgumentError, match="slopes 0 and 1"):
        jacobian.critical_largest("tanh", q=q, depth=depth)


def test_density_of_linear_networks_has_its_moments():
    """Squared singular values of n Gaussian matrices have Fuss-Catalan moments: 1, n + 1."""
    value, density = jacobian.linear_density(3, points=20000)
    mass = float(np.trapezoid(density, value))
    second = float(np.trapezoid(density * value**2, value))
    fourth = float(np.trapezoid(density * value**4, value))
    assert mass == pytest.approx(1.0, abs=0.02)  # it diverges at 0
    assert second == pytest.approx(1.0, rel=1e-5) and fourth == pytest.approx(4.0, rel=1e-5)
