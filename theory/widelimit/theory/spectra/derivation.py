"""`derive`: the bulk of a sample covariance matrix, what stands out of it, and how all of it fluctuates."""

from __future__ import annotations

from functools import partial

from sympy import Eq, Expr, Integer, Rational, Symbol, airyai, airyaiprime, sqrt

from widelimit.theory import kernel as k
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.freeprob import m
from widelimit.theory.spectra import bulk as b
from widelimit.theory.spectra import checks
from widelimit.theory.spectra import curvature as cu
from widelimit.theory.spectra import shrinkage as sh
from widelimit.theory.spectra import tracywidom as t

MARCHENKO, BAIK, PAUL = "marchenko1967distribution", "baik2006eigenvalues", "paul2007asymptotics"
JOHNSTONE, MA = "johnstone2001distribution", "ma2012accuracy"
BORNEMANN, FERRARI, GAVISH = "bornemann2010numerical", "ferrari2005determinantal", "gavish2014optimal"
LEDOIT, WOLF, ANALYTICAL = "ledoit2011eigenvectors", "ledoit2004well", "ledoit2020analytical"

_UNIT = {b.RATIO: (0.2, 0.9), b.NOISE: (0.5, 2.0)}
_BULK = {**_UNIT, b.SPREAD: (0.05, 0.4)}
_ABOVE = {**_BULK, b.VALUE: (16.0, 30.0)}
_BELOW = {b.RATIO: (0.05, 0.1), b.NOISE: (1.0, 2.0), b.SPREAD: (0.01, 0.05), b.VALUE: (0.05, 0.2)}
_SPIKED = {**_UNIT, b.SPIKE: (5.0, 9.0)}
_MANY = {b.SAMPLES: (50, 90), b.DIMENSIONS: (10, 40)}
_PLACE = {t.PLACE: (-1.0, 1.0)}


def derive() -> Derivation:
    """Return the derivation of bulk, outliers, largest eigenvalue and fluctuations of sample covariance matrices.

    >>> print(derive()["outlier"].equation)
    Eq(x_l, l*(c*v/(l - v) + 1))
    """
    return Derivation(
        "Spectra of sample covariance matrices",
        (*_bulk(), *_outliers(), *_edge(), *_fluctuations(), *_shrinkage(), *_determinants()),
        ("n samples in p dimensions, p/n = c, both large", "independent samples; entries with four moments"),
    )


def derive_curvature() -> Derivation:
    """Return the derivation of the trace of a random network's Hessian.

    >>> print(derive_curvature()["gain"].equation)
    Eq(dq/dq_below, R*dV*sigma_w**2)
    """
    weights = {k.SIGMA_W: (0.8, 1.5), cu.LENGTH: (0.5, 1.5)}
    counts = {cu.OUTPUTS: (1, 4), cu.FAN_IN: (1, 9), cu.ACTIVITY: (0.5, 1.5), cu.BIASES: (0, 1)}
    steps = (
        _step("kinks", "E phi phi''", cu.kink_share("hard_tanh"),
              "dV/dq = E phi'^2 + E phi phi'' (Price), and between kinks hard tanh has no second derivative",
              domain={cu.LENGTH: (0.5, 1.5)}, left=checks.beside_slopes),
        _step("gain", "dq/dq_below", cu.gain_below(), "the chain rule, through a layer; here of sin into a line",
              domain=weights, left=checks.gain_through, right=partial(checks.sine_layer, cu.gain_below)),
        _step("trace", "tr", cu.layer_trace(),
              "derivatives of |f|^2/2 in the mean over the readout; here of sin between two layers",
              domain={**weights, **counts}, left=checks.sine_trace, right=partial(checks.sine_layer, cu.layer_trace)),
    )  # fmt: skip
    return Derivation(
        "The trace of a random network's Hessian", steps, ("independent Gaussian weights", "the loss |f|^2/2")
    )


def _step(name: str, what: str, formula: Expr, because: str, **named: object) -> Step:
    return Step(name, Eq(Symbol(what, real=True), formula, evaluate=False), because, **named)  # type: ignore[arg-type]


def _bulk() -> tuple[Step, ...]:
    return (
        _step("bulk", "S(m)", b.bulk_s(),
              "S-transforms multiply: inverse Wishart of relative variance q, and Wishart", source=MARCHENKO,
              domain={**_BULK, m: (0.1, 0.9)}, left=checks.inverse_wishart_s),
        _step("upper-edge", "x_+", b.bulk_edge(), "x = (1 + m)/(m S(m)) turns back at an edge", source=MARCHENKO,
              domain=_BULK, left=partial(checks.edge_of, 1)),
        _step("lower-edge", "x_-", b.bulk_edge(-1), "the other root of dx/dm = 0", domain=_BULK,
              left=partial(checks.edge_of, -1)),
        _step("density", "rho", b.bulk_density(), "the imaginary part of the complex root, over pi x",
              source=MARCHENKO, domain={**_BULK, b.NOISE: (1.0, 1.5), b.VALUE: (0.9, 2.0)}, left=checks.density_of),
        _step("outside", "M(x)", b.outside_transform(), "the root that vanishes far away, rationalised",
              domain=_ABOVE, left=partial(checks.transform_outside, 1)),
        _step("outside-below", "M_-(x)", b.outside_transform(-1), "the other sign of the root below the bulk",
              domain=_BELOW, left=partial(checks.transform_outside, -1)),
    )  # fmt: skip


def _outliers() -> tuple[Step, ...]:
    at = {b.SPREAD: 0, b.VALUE: b.spiked_eigenvalue()}
    forward = b.spiked_eigenvalue().diff(b.SPIKE)
    return (
        _step("outlier", "x_l", b.spiked_eigenvalue(),
              "det(S - x) = 0 for noise and one direction: 1/(l/v - 1) = M(x)", source=f"{BAIK}, theorem 1.1",
              domain=_SPIKED, left=checks.outlier),
        _step("threshold", "l_c", b.threshold(), "the outlier's equation at the upper edge", source=BAIK,
              domain=_UNIT, left=partial(checks.lost, 1)),
        _step("lower-threshold", "l_c-", b.threshold(-1), "and at the lower one", source=BAIK,
              domain=_UNIT, left=partial(checks.lost, -1)),
        _step("overlap", "cos2", b.spiked_overlap(), "d log x/d log l, by first-order perturbation of S",
              source=f"{PAUL}, theorem 4", domain=_SPIKED, left=checks.outlier_overlap),
        _step("outlier-deviation", "sd(x_l)", b.spiked_deviation(),
              "1/l is a quadratic form of n Gaussians; its variance over its slope in x", source=f"{PAUL}, theorem 3",
              domain={**_SPIKED, b.SAMPLES: (50, 90)}, left=checks.outlier_deviation),
        _step("behind", "l(x)", b.spike_behind().subs(at), "solved for l; at the outlier of l it is l", domain=_SPIKED,
              left=checks.behind),
        Step("slope", Eq(b.spike_slope() * forward.subs(b.SPIKE, b.spike_behind()), Integer(1), evaluate=False),
             "the slopes of a function and of its inverse; in white noise",
             domain={**_UNIT, b.VALUE: (16.0, 30.0), b.SPREAD: (0.0, 0.0)}),
        Step("slope-outside", Eq(b.spike_slope(), b.spike_behind().diff(b.VALUE), evaluate=False),
             "dM/dy from the law's quadratic equation", domain=_ABOVE),
        Step("overlap-behind", Eq(b.overlap_behind().subs(at), b.spiked_overlap(), evaluate=False),
             "the same overlap as a function of the sample eigenvalue", domain=_SPIKED),
        Step("error-behind",
             Eq(b.deviation_behind().subs(at), b.spiked_deviation() / forward, evaluate=False),
             "the outlier's deviation over dx/dl", domain={**_SPIKED, b.SAMPLES: (50, 90)}),
        _step("hard-threshold", "tau", b.hard_threshold(),
              "a singular value is kept where that costs less than dropping it", source=f"{GAVISH}, theorem 1",
              domain={b.RATIO: (0.2, 2.0)}, left=checks.kept_or_dropped),
    )  # fmt: skip


def _edge() -> tuple[Step, ...]:
    n, p = b.SAMPLES - b.HALF, b.DIMENSIONS - b.HALF
    centre = b.NOISE * (sqrt(n) + sqrt(p)) ** 2 / b.SAMPLES
    width = b.NOISE * (sqrt(n) + sqrt(p)) * (1 / sqrt(n) + 1 / sqrt(p)) ** Rational(1, 3) / b.SAMPLES
    return (
        _step("edge-height", "A", b.edge_height(), "the curvature of x(m) where it turns", domain=_BULK,
              left=checks.height_of),
        Step("largest-centre", Eq(centre, b.largest_centre().subs(b.SPREAD, 0), evaluate=False),
             "the edge, with half a sample and half a dimension less",
             source=f"{JOHNSTONE}, theorem 1.1; {MA}, eq. (4)", domain={**_MANY, b.NOISE: (0.5, 2.0)}),
        Step("largest-width", Eq(width, b.largest_scale().subs(b.SPREAD, 0), evaluate=False),
             "A x^(3/2) p is of order one where single eigenvalues are: (A p)^(-2/3)",
             source=f"{JOHNSTONE}, theorem 1.1; {MA}, eq. (4)", domain={**_MANY, b.NOISE: (0.5, 2.0)}),
    )  # fmt: skip


def _fluctuations() -> tuple[Step, ...]:
    errors = {**_MANY, b.NOISE: (0.5, 2.0), b.SPREAD: (0.05, 0.4)}
    solved = {**_MANY, b.NOISE: (0.5, 2.0), b.SPIKES: (4.0, 9.0), b.SQUARES: (200.0, 300.0)}
    return (
        _step("second-trace", "E T", b.second_trace(), "E tr S^2 = tau_2 (1 + 1/n) + tau_1^2/n, entry by entry",
              domain={**errors, b.SPIKES: (4.0, 9.0), b.DIMENSIONS: (6.0, 6.0)},
              left=checks.sum_of_squares),
        Step("spread", Eq(b.SQUARES, b.second_trace().subs(b.SPREAD, b.spread_from()), evaluate=False),
             "solved for q", domain=solved),
        Step("samples", Eq(b.SQUARES, b.second_trace().subs({b.SPREAD: 0, b.SAMPLES: b.samples_from()}),
                           evaluate=False),
             "solved for n, q = 0", domain=solved),
        _step("noise-error", "sd(v)", b.noise_error(), "n p squares of Gaussians", domain=errors,
              left=checks.mean_deviation),
        _step("trace", "Var_tr(x)", b.trace_variance(),
              "all eigenvalues scale with the trace, whose relative error is that of v",
              domain={**errors, b.VALUE: (1.0, 3.0)}, left=checks.trace_part),
        _step("ratio-error", "sd(c)", b.ratio_error(), "m_2/m_1^2 - 1 is 2c T_2/p to first order: T_1 drops out",
              domain={b.RATIO: (0.2, 2.0), b.DIMENSIONS: (10, 40)}, left=checks.ratio_deviation),
    )  # fmt: skip


def _shrinkage() -> tuple[Step, ...]:
    outside = {sh.IMAGINARY: 0, sh.REAL: b.NOISE / (b.SPIKE - b.NOISE), b.VALUE: b.spiked_eigenvalue()}
    x, c = b.VALUE / b.NOISE, b.RATIO
    inside = {sh.REAL: (x - 1 - c) / (2 * c), sh.IMAGINARY: sqrt(4 * c - (x - 1 - c) ** 2) / (2 * c)}
    population = {sh.MEAN: (1.0, 2.0), sh.SQUARE: (5.0, 9.0), b.SAMPLES: (30, 50), b.DIMENSIONS: (6.0, 6.0)}
    mixture = {sh.DISPERSION: (1.0, 3.0), sh.SCATTER: (0.5, 2.0)}
    return (
        _step("shrunk", "delta(x)", sh.shrunk().subs(outside), "outside the bulk: M = v/(l - v), and l cos^2 + v sin^2",
              source=f"{LEDOIT}, theorem 4", domain=_SPIKED, left=checks.outlier_mean),
        _step("shrunk-inside", "delta_v(x)", sh.shrunk().subs(inside),
              "inside: the complex root of the law's equation; all vectors see the same noise", source=LEDOIT,
              domain={b.RATIO: (0.4, 0.9), b.NOISE: (1.0, 1.2), b.VALUE: (0.5, 2.4)}, left=checks.bulk_mean),
        _step("shrunk-zero", "delta(0)", sh.shrunk_zero(), "p > n: delta x |G|^2 = 1 for the n eigenvalues, at x = 0",
              source=LEDOIT, domain={b.RATIO: (2.0, 4.0), b.NOISE: (0.5, 2.0)}, left=checks.bulk_mean,
              right=checks.zero_shown),
        _step("scatter", "beta**2", sh.sample_scatter(), "variances of all entries", source=WOLF, domain=population,
              left=checks.scatter_of),
        Step("mean-square", Eq(sh.SQUARE, sh.second_from().subs(sh.SAMPLE_SQUARE, _sample_second()), evaluate=False),
             "E s_2 = m_2 + (m_2 + p m_1^2)/n, and the square of the mean eigenvalue has 2 m_2/(n p) too much",
             domain=population),
        _step("intensity", "w", sh.intensity(), "the risk (1 - w)^2 b + w^2 a of a mixture is least",
              source=f"{WOLF}, theorem 2.1", domain=mixture, left=checks.mixture_share),
        _step("linear-risk", "E_l", sh.linear_risk(), "there", source=f"{WOLF}, theorem 2.1", domain=mixture,
              left=checks.mixture_risk),
        _step("kernel", "k(u)", sh.kernel_density(), "a parabola of mass and variance one", source=ANALYTICAL,
              domain={sh.ARGUMENT: (-2.0, 2.0)}, left=checks.kernel_square),
        _step("kernel-hilbert", "H(u)", sh.kernel_hilbert(), "its principal value", source=ANALYTICAL,
              domain={sh.ARGUMENT: (-2.0, 2.0)}, left=checks.transformed_kernel),
    )  # fmt: skip


def _sample_second() -> Expr:
    """E s_2 with m_1^2 its own mean square: what `second_from` sees on average, (tr S)^2 included."""
    return sh.SQUARE + sh.sample_scatter() - 2 * sh.SQUARE / (b.SAMPLES * b.SAMPLES)


def _airy_kernel() -> Expr:
    first, second = airyai(t.FIRST) * airyaiprime(t.SECOND), airyaiprime(t.FIRST) * airyai(t.SECOND)
    return (first - second) / (t.FIRST - t.SECOND)


def _determinants() -> tuple[Step, ...]:
    return (
        _step("airy-kernel", "K(x,y)", _airy_kernel(), "K = B^2: Ai'' = x Ai makes the integrand a derivative",
              source=f"{FERRARI}, eq. (2)", domain={t.FIRST: (0.0, 1.0), t.SECOND: (1.1, 2.0)},
              left=checks.product_of_kernels),
        _step("edge-kernel", "B(x,y)", t.edge_kernel(), "the kernel of B, whose square it is", source=FERRARI,
              domain={**_PLACE, t.FIRST: (0.0, 1.0), t.SECOND: (0.0, 1.0)}, left=checks.airy_integral),
        _step("first", "F_1", t.distribution(1), "det(1 - B)", source=f"{FERRARI}, eq. (4)",
              domain=_PLACE, left=partial(checks.by_painleve, 1), right=partial(checks.from_sides, 1)),
        _step("second", "F_2", t.distribution(2), "det(1 - B^2) = det(1 - B) det(1 + B)",
              source=f"{BORNEMANN}, eq. (6.15)", domain=_PLACE, left=checks.airy_determinant,
              right=partial(checks.from_sides, 2)),
        _step("fourth", "F_4", t.distribution(4), "(F_1 + F_2/F_1)/2 at sqrt(2) s", source=f"{BORNEMANN}, eq. (6.16)",
              domain=_PLACE, left=partial(checks.by_painleve, 4), right=partial(checks.from_sides, 4)),
        *(Step(f"right-of-{beta}", Eq(1 - Symbol(f"F_{beta}", real=True), t.survival(beta), evaluate=False),
               "1 - F by elementary symmetric functions of the kernel's eigenvalues", domain=_PLACE,
               left=partial(checks.beyond, beta), right=partial(checks.from_orders, beta)) for beta in t.BETAS),
    )  # fmt: skip
