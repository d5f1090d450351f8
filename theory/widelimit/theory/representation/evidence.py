"""What the names in the derivation mean, by numbers of their own: quadratures, complex maps, small exact ensembles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
from sympy import Expr, Symbol, lambdify, symbols

from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.calculus.precision import Values, evaluate, named
from widelimit.theory.representation import codes, kernels
from widelimit.theory.representation import crossvalidation as cv

ATOMS = 3
SCALES = symbols("s_1:4", positive=True)
SHARES = symbols("w_1:4", positive=True)  # how much of each scale's variance is signal
COUNTS = symbols("m_1:4", positive=True)  # how many directions have it
Atom = tuple[Any, Any, Any]


# kernels on spheres ---------------------------------------------------------------------------------------------------


def harmonics(values: Values, dps: int) -> Any:
    """Homogeneous polynomials of degree k in d variables, less those that are r^2 times another."""
    d, k = int(values[kernels.INPUTS]), int(values[kernels.DEGREE])

    def monomials(degree: int) -> int:
        return int(mpmath.binomial(degree + d - 1, d - 1)) if degree >= 0 else 0

    return monomials(k) - monomials(k - 2)


def next_harmonics(values: Values, dps: int) -> Any:
    """The ratio of the numbers of the next degree and of this one."""
    after = {**values, kernels.DEGREE: values[kernels.DEGREE] + 1}
    return mpmath.mpf(harmonics(after, dps)) / harmonics(values, dps)


def legendre(k: int, d: int, t: Any) -> Any:
    """Legendre's polynomial in d dimensions, one at t = 1, by its recursion."""
    before, now = mpmath.mpf(1), mpmath.mpmathify(t)
    if k == 0:
        return before
    for j in range(1, k):
        before, now = now, ((2 * j + d - 2) * t * now - j * before) / (j + d - 2)
    return now


def projected(function: Callable[[Any], Any], k: int, d: int, breaks: Sequence[Any]) -> Any:
    """Mean of function(t) P_k(t) for t a coordinate of the sphere, by its angle."""
    weight = d - 2

    def integrand(angle: Any) -> Any:
        t = mpmath.cos(angle)
        return function(t) * legendre(k, d, t) * mpmath.sin(angle) ** weight

    total = mpmath.quad(lambda angle: mpmath.sin(angle) ** weight, [0, mpmath.pi / 2, mpmath.pi])
    return mpmath.quad(integrand, breaks) / total


def unit_coefficient(values: Values, dps: int) -> Any:
    """l_k(s) by quadrature of max(0, t)^s."""
    d, k, s = (int(values[one]) for one in (kernels.INPUTS, kernels.DEGREE, kernels.POWER))
    return projected(lambda t: mpmath.mpmathify(t) ** s if s else mpmath.mpf(1), k, d, [0, mpmath.pi / 2])


def gaussian_scale(values: Values, dps: int) -> Any:
    """E |g|^2s over E max(0, g_1)^2s of a Gaussian g in d dimensions, by quadrature over length and a coordinate."""
    d, s = int(values[kernels.INPUTS]), int(values[kernels.POWER])

    def moment(power: int) -> Any:
        return mpmath.quad(lambda r: r**power * mpmath.exp(-(r**2) / 2), [0, 1, 3, 6, 12, 30])

    return moment(d - 1 + 2 * s) / moment(d - 1) / (moment(2 * s) / (2 * moment(0)))


def _arc(u: Any, power: int) -> Any:
    """The kernel of max(0, w.x)^power at the cosine u: a Gaussian integral in closed form (Cho and Saul)."""
    angle = mpmath.acos(u)
    if power == 0:
        return (mpmath.pi - angle) / mpmath.pi
    root = mpmath.sin(angle)
    if power == 1:
        return (u * (mpmath.pi - angle) + root) / mpmath.pi
    return (3 * root * u + (mpmath.pi - angle) * (1 + 2 * u**2)) / (3 * mpmath.pi)


def kernel_mode(values: Values, dps: int) -> Any:
    """mu_k by quadrature of the kernel."""
    d, k, s = (int(values[one]) for one in (kernels.INPUTS, kernels.DEGREE, kernels.POWER))
    return projected(lambda u: _arc(u, s), k, d, [0, mpmath.pi / 2, mpmath.pi])


def tangent_mode(values: Values, dps: int) -> Any:
    """The same of the tangent kernel: kappa_s plus u times the kernel of the slope s max(0, w.x)^(s - 1).

    The eigenvalues of kappa_s and kappa_(s-1) that stand on the right are drawn numbers: both sides are compared after
    what those numbers add to the true ones has been added to the kernel as well.
    """
    d, k, s = (int(values[one]) for one in (kernels.INPUTS, kernels.DEGREE, kernels.POWER))
    own, below, above = (
        mpmath.mpmathify(values[one]) for one in (kernels.KERNEL, kernels.BELOW, kernels.ABOVE)
    )

    def count(degree: int) -> Any:
        return harmonics({kernels.INPUTS: d, kernels.DEGREE: degree}, dps)

    def plain(u: Any) -> Any:
        return own * count(k) * legendre(k, d, u)

    def slope(u: Any) -> Any:
        lower = below * count(k - 1) * legendre(k - 1, d, u) if k else 0
        return lower + above * count(k + 1) * legendre(k + 1, d, u)

    # E (s max(0, g)^(s - 1))^2 over E max(0, g)^2s
    gain = s**2 * mpmath.gamma(s - mpmath.mpf(1) / 2) / (2 * mpmath.gamma(s + mpmath.mpf(1) / 2))
    ends = [0, mpmath.pi / 2, mpmath.pi]
    return projected(lambda u: plain(u) + gain * u * slope(u), k, d, ends)


# codes ----------------------------------------------------------------------------------------------------------------


def doubled(values: Values, dps: int) -> Any:
    """Growth exponent of the sum of n^(2/D - alpha) where N doubles: log2 of its last two octaves' ratio."""
    D, alpha, size = (mpmath.mpmathify(values[one]) for one in (codes.DIMENSION, codes.EXPONENT, codes.RANK))
    power = 2 / D - alpha

    def octave(low: Any) -> Any:  # Euler and Maclaurin: the sum over n from low + 1 to 2 low
        def partial(n: Any) -> Any:
            return n ** (power + 1) / (power + 1) + n**power / 2 + power * n ** (power - 1) / 12

        return partial(2 * low) - partial(low)

    return mpmath.log(octave(2 * size) / octave(size)) / mpmath.log(2)


def second_order(values: Values, dps: int) -> Any:
    """Relative shift of an eigenvalue to second order in E, averaged over all signs that a sample covariance has.

    Two directions of variances lambda_n, lambda_m; E = (1/T) sum of z_n z_m over T stimuli with signs z.
    """
    own, other = (mpmath.mpmathify(values[one]) for one in (codes.OWN, codes.OTHER))
    stimuli = int(values[codes.STIMULI])

    def largest_root(shift: Any) -> Any:
        """The eigenvalue next to `own` of [[own, c], [c, other]], c^2 = own other shift."""
        middle, half = (own + other) / 2, (own - other) / 2
        return middle + mpmath.sign(half) * mpmath.sqrt(half**2 + own * other * shift)

    square = over_signs(lambda z: (sum(z[t] * z[stimuli + t] for t in range(stimuli)) / mpmath.mpf(stimuli)) ** 2,
                        2 * stimuli)  # fmt: skip
    slope = mpmath.diff(largest_root, 0)
    return square * slope / own


def principal_value(values: Values, dps: int) -> Any:
    """(n/T) times the principal value of the integral of 1/(x^alpha - 1) over x > 0."""
    n, stimuli, alpha = (mpmath.mpmathify(values[one]) for one in (codes.RANK, codes.STIMULI, codes.EXPONENT))
    with mpmath.workdps(3 * dps):  # the two sides of the pole cancel

        def beside(t: Any) -> Any:
            return 1 / mpmath.expm1(alpha * mpmath.log1p(t)) + 1 / mpmath.expm1(alpha * mpmath.log1p(-t))

        near = mpmath.quad(beside, [0, mpmath.mpf(1) / 2, 1])
        p = 1 / (alpha - 1)  # in y = x^(1 - alpha) the tail is smooth
        far = mpmath.quad(lambda y: p / (1 - y ** (p * alpha)), [0, mpmath.mpf(2) ** (1 - alpha)])
        return n / stimuli * (near + far)


def through_anchor(values: Values, dps: int) -> Any:
    """A line of slope -alpha in logarithms that passes the anchor."""
    known = named(values)
    logarithm = mpmath.log(known["lambda_tau"]) - known["alpha"] * (
        mpmath.log(known["n"]) - mpmath.log(known["tau"])
    )
    return mpmath.exp(logarithm)


def force(values: Values, dps: int) -> Any:
    """The integral from 1 to r of a force of 2 (t - 1), with one more where t is above 1."""
    r = mpmath.mpmathify(values[codes.EXCESS])
    return mpmath.quad(lambda t: 2 * (t - 1) + (1 if t > 1 else 0), [1, r])


def attacked(values: Values, dps: int) -> Any:
    """Share of a Gaussian's mass on the right side after the worst attack, by quadrature."""
    known = named(values)
    threshold = (known["epsilon"] * known["w_q"] - known["m"]) / (known["s"] * known["w_2"])
    return mpmath.quad(mpmath.npdf, [threshold, threshold + 2, threshold + 6, mpmath.inf])


def circle_bend(values: Values, dps: int) -> Any:
    """Minus the second derivative at zero of the covariance lambda_k cos(k t)."""
    k, power = (mpmath.mpmathify(values[one]) for one in (codes.FREQUENCY, codes.POWER_THERE))
    return -mpmath.diff(lambda t: power * mpmath.cos(k * t), 0, 2)


# cross-validated PCA --------------------------------------------------------------------------------------------------


def atoms(values: Values) -> list[Atom]:
    """The scales, how many directions have each, and the signal's variance there."""
    numbers = {symbol: mpmath.mpmathify(value) for symbol, value in values.items()}
    return [
        (numbers[s], numbers[m], numbers[s] * numbers[w])
        for s, m, w in zip(SCALES, COUNTS, SHARES, strict=True)
    ]


def on_the_curve(expression: Expr) -> Rewritten:
    """Sums written out over three scales, the number of stimuli by the condition that the curve is."""
    terms = {**cv.TERMS, "angles": cv.angle()}
    written = {
        cv.SUMS[name]: sum(
            m * term.subs({cv.SCALE: s, cv.SIGNAL: s * w})
            for s, m, w in zip(SCALES, COUNTS, SHARES, strict=True)
        )
        for name, term in terms.items()
    }
    stimuli = written[cv.SUMS["squares"]]
    return expression.subs(written).subs({codes.STIMULI: stimuli, cv.UNITS: sum(COUNTS)})


def _stimuli(values: Values) -> Any:
    u = point(values)
    return mpmath.fsum(m * s**2 / abs(u - s) ** 2 for s, m, _ in atoms(values))


def point(values: Values) -> Any:
    """u = a + iv."""
    return mpmath.mpc(mpmath.mpmathify(values[cv.PLACE]), mpmath.mpmathify(values[cv.HEIGHT]))


def mapped(u: Any, spectrum: list[Atom], stimuli: Any) -> Any:
    """z = u + (1/T) sum of m s u/(u - s)."""
    return u + mpmath.fsum(m * s * u / (u - s) for s, m, _ in spectrum) / stimuli


def ridge_map(values: Values, dps: int) -> Any:
    """Minus the penalty whose effective ridge is -u, by the formula of `theory.ridge`."""
    from widelimit.theory import ridge

    spectrum, u = atoms(values), mpmath.mpmathify(values[Symbol("u", positive=True)])
    stimuli = mpmath.mpmathify(values[codes.STIMULI])
    total = mpmath.fsum(m for _, m, _ in spectrum)
    fitted = mpmath.fsum(
        evaluate(ridge.TERMS["fitted"], {ridge.p: m / total, ridge.s: s, ridge.kappa: -u}, dps)
        for s, m, _ in spectrum
    )
    ratio = evaluate(
        ridge.effective_ridge_ratio_few_samples(),
        {ridge.SUMS["fitted"]: fitted, ridge.alpha: stimuli / total},
        dps,
    )
    return u * ratio


def imaginary(values: Values, dps: int) -> Any:
    """T (1 - Im z/v): what the sum of squares has to be for a real z, at any number of stimuli."""
    u, stimuli = point(values), mpmath.mpf(7)
    return stimuli * (1 - mpmath.im(mapped(u, atoms(values), stimuli)) / mpmath.im(u))


def real_part(values: Values, dps: int) -> Any:
    """z itself, which is real on the curve."""
    return mpmath.re(mapped(point(values), atoms(values), _stimuli(values)))


def speed(values: Values, dps: int) -> Any:
    """dx/da where u moves so that z stays real."""
    stimuli = _stimuli(values)
    slope = mpmath.diff(lambda u: mapped(u, atoms(values), stimuli), point(values))
    return abs(slope) ** 2 / mpmath.re(slope)


def resolvent(values: Values, dps: int) -> Any:
    """The imaginary part of the trace of 1/(z - sample covariance) = (u/z)/(u - Sigma), over pi."""
    u, spectrum = point(values), atoms(values)
    z = mapped(u, spectrum, _stimuli(values))
    return abs(mpmath.im(mpmath.fsum(m * u / z / (u - s) for s, m, _ in spectrum))) / mpmath.pi


def regressed(values: Values, dps: int) -> Any:
    """E signal x/E x^2 of one direction, x = signal + noise, over all signs of both."""
    signal, noise = (mpmath.mpmathify(values[one]) for one in (cv.SIGNAL, cv.NOISE))
    a, b = mpmath.sqrt(signal), mpmath.sqrt(noise)
    both = over_signs(lambda z: a * z[0] * (a * z[0] + b * z[1]), 2)
    return both / over_signs(lambda z: (a * z[0] + b * z[1]) ** 2, 2)


def published_limit(values: Values, dps: int) -> Any:
    """x Im[kappa tr Lambda/Sigma/(Sigma + kappa)]/Im[kappa tr 1/(Sigma + kappa)] at kappa = -u."""
    kappa, spectrum = -point(values), atoms(values)
    x = mpmath.re(mapped(-kappa, spectrum, _stimuli(values)))
    above = mpmath.im(kappa * mpmath.fsum(m * signal / s / (s + kappa) for s, m, signal in spectrum))
    below = mpmath.im(kappa * mpmath.fsum(m / (s + kappa) for s, m, _ in spectrum))
    return x * above / below


def around(values: Values, dps: int) -> Any:
    """The sum over ranks of x cv(x) by a contour integral of z u tr Lambda/Sigma/(u - Sigma) dz around the spectrum."""
    spectrum, stimuli = atoms(values), mpmath.mpmathify(values[codes.STIMULI])
    radius, nodes = 4 * max(s for s, _, _ in spectrum), 4 * dps
    total = mpmath.mpf(0)
    for j in range(nodes):
        u = radius * mpmath.expjpi(2 * mpmath.mpf(j) / nodes)
        slope = 1 - mpmath.fsum(m * s**2 / (u - s) ** 2 for s, m, _ in spectrum) / stimuli
        found = mpmath.fsum(m * signal / s * u / (u - s) for s, m, signal in spectrum)
        total += mapped(u, spectrum, stimuli) * found * slope * u
    return mpmath.re(total) / nodes


def thinning(values: Values, dps: int) -> Any:
    """Minus d rank/da along the curve at a fixed number of stimuli, from the formula of the rank, by differences."""
    spectrum, stimuli = atoms(values), _stimuli(values)
    names = (cv.SUMS["angles"], cv.UNITS, codes.STIMULI, cv.EIGENVALUE, cv.PLACE, cv.HEIGHT)
    rank = lambdify(names, cv.rank(), "mpmath")
    angle = lambdify((cv.PLACE, cv.HEIGHT, cv.SCALE), cv.angle(), "mpmath")
    start = mpmath.im(point(values)) ** 2

    def height(a: Any) -> Any:
        def excess(w: Any) -> Any:
            return mpmath.fsum(m * s**2 / ((a - s) ** 2 + w) for s, m, _ in spectrum) / stimuli - 1

        return mpmath.sqrt(mpmath.findroot(excess, start))

    def at(a: Any) -> Any:
        v = height(a)
        angles = mpmath.fsum(m * angle(a, v, s) for s, m, _ in spectrum)
        x = mpmath.re(mapped(mpmath.mpc(a, v), spectrum, stimuli))
        return rank(angles, mpmath.fsum(m for _, m, _ in spectrum), stimuli, x, a, v)

    with mpmath.workdps(2 * dps):
        return -mpmath.diff(at, mpmath.re(point(values)))
