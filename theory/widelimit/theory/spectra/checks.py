"""What the names in the derivation stand for, by numbers: quadrature, root finding, contours, small determinants."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import mpmath
from sympy import Expr, Float

from widelimit.theory import kernel as k
from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.spectra import bulk as b
from widelimit.theory.spectra import curvature as cu
from widelimit.theory.spectra import shrinkage as sh
from widelimit.theory.spectra import tracywidom as t


def _white(ratio: Any, function: Callable[[Any], Any], power: int = 0) -> Any:
    """Mean of a function over Marchenko-Pastur of unit noise, its continuous part: an angle's quadrature."""
    root = mpmath.sqrt(ratio)

    def inside(angle: Any) -> Any:
        x = 1 + ratio + 2 * root * mpmath.cos(angle)
        return mpmath.sin(angle) ** 2 / x * function(x)

    return 2 / mpmath.pi * mpmath.quad(inside, [0, mpmath.pi / 2, mpmath.pi])


# the bulk --------------------------------------------------------------------------------------------------------


def inverse_wishart_s(values: Values, dps: int) -> Any:
    """Return S(m) of inverse Wishart matrices of mean v and relative variance q, times 1/(1 + c m) of Wishart ones."""
    ratio, spread, noise, m = numbers(values, dps, b.RATIO, b.SPREAD, b.NOISE, b.freeprob.m)
    of = spread / (1 + spread)  # p/n of the Wishart matrices that are inverted

    def transform(z: Any) -> Any:  # M of (1 - of)/t
        return _white(of, lambda t: 1 / (z * t / (1 - of) - 1))

    low = (1 - of) / (1 - mpmath.sqrt(of)) ** 2
    z = mpmath.findroot(lambda u: transform(low + mpmath.exp(u)) - m, mpmath.log(1 / m))
    return (1 + m) / (m * (low + mpmath.exp(z))) / (1 + ratio * m) / noise


def _place(ratio: Any, spread: Any, noise: Any, m: Any) -> Any:
    """Return x = (1 + m)/(m S(m))."""
    return noise * (1 + m) * (1 + ratio * m) / (m * (1 - spread * m))


def edge_of(side: int, values: Values, dps: int) -> Any:
    """Return x where dx/dm = 0 along x = (1 + m)/(m S(m)): at m > 0 for the upper edge, m < -1 for the lower."""
    ratio, spread, noise = numbers(values, dps, b.RATIO, b.SPREAD, b.NOISE)
    return _place(ratio, spread, noise, _turn(side, ratio, spread))


def _turn(side: int, ratio: Any, spread: Any) -> Any:
    """Return m where the derivative of log x changes its sign."""
    ends = (
        (mpmath.mpf("0.001"), 1 / spread - mpmath.mpf("0.001")) if side > 0 else (-1 / ratio, mpmath.mpf(-1))
    )

    def slope(m: Any) -> Any:  # times what it has poles of
        parts = (1 + m), (1 + ratio * m), m, (1 - spread * m)
        one, two, three, four = parts
        return three * four * (two + ratio * one) + one * two * (spread * three - four)

    return mpmath.findroot(slope, ends, solver="ridder", verify=False, maxsteps=300)


def density_of(values: Values, dps: int) -> Any:
    """Return Im M(x)/(pi x) of the complex root of x = (1 + m)/(m S(m))."""
    ratio, spread, noise, x = numbers(values, dps, b.RATIO, b.SPREAD, b.NOISE, b.VALUE)
    m = mpmath.findroot(lambda m: _place(ratio, spread, noise, m) - x, mpmath.mpc(0.3, 0.8), maxsteps=100)
    return abs(m.imag) / (mpmath.pi * x)


def transform_outside(side: int, values: Values, dps: int) -> Any:
    """Return M(x) by root finding on x = (1 + m)/(m S(m)), from where the law is far away."""
    ratio, spread, noise, x = numbers(values, dps, b.RATIO, b.SPREAD, b.NOISE, b.VALUE)
    turn, far = _turn(side, ratio, spread), mpmath.mpf("1e-6")
    ends = (far, turn) if side > 0 else (turn, -1 - far)
    zero = lambda m: _place(ratio, spread, noise, m) - x  # noqa: E731
    return mpmath.findroot(zero, ends, solver="ridder", verify=False, maxsteps=300)


def height_of(values: Values, dps: int) -> Any:
    """Return sqrt(2/x''(m))/x at the upper edge of unit noise: pi density = height sqrt(edge - x)."""
    ratio, spread = numbers(values, dps, b.RATIO, b.SPREAD)
    place = partial(_place, ratio, spread, 1)
    m = _turn(1, ratio, spread)
    return mpmath.sqrt(2 / mpmath.diff(place, m, 2)) / place(m)


# spikes ----------------------------------------------------------------------------------------------------------


def _secular(ratio: Any, spike: Any) -> Any:
    """Return x above white noise with 1/(l - 1) = mean of t/(x - t): the determinant of noise and one direction."""
    top = (1 + mpmath.sqrt(ratio)) ** 2
    zero = lambda u: (spike - 1) * _white(ratio, lambda t: t / (top + mpmath.exp(u) - t)) - 1  # noqa: E731
    return top + mpmath.exp(mpmath.findroot(zero, (-1, 0)))


def outlier(values: Values, dps: int) -> Any:
    """Return the sample eigenvalue of a spike by its secular equation over the quadrature of the law."""
    ratio, spike, noise = numbers(values, dps, b.RATIO, b.SPIKE, b.NOISE)
    return noise * _secular(ratio, spike / noise)


def outlier_overlap(values: Values, dps: int) -> Any:
    """Return d log x/d log l, which first-order perturbation says is the squared cosine, from the secular equation."""
    ratio, spike, noise = numbers(values, dps, b.RATIO, b.SPIKE, b.NOISE)
    one = spike / noise
    x = _secular(ratio, one)
    slope = _white(ratio, lambda t: t / (x - t) ** 2)
    return one / x / slope / (one - 1) ** 2


def outlier_deviation(values: Values, dps: int) -> Any:
    """Return sqrt(2/n / mean of 1/(x - t)^2 over the n eigenvalues of X X'/n): a quadratic form of n Gaussians."""
    ratio, spike, noise, samples = numbers(values, dps, b.RATIO, b.SPIKE, b.NOISE, b.SAMPLES)
    x = _secular(ratio, spike / noise)
    zeros = max(mpmath.mpf(0), 1 - ratio)
    square = ratio * _white(ratio, lambda t: 1 / (x - t) ** 2) + zeros / x**2
    return noise * mpmath.sqrt(2 / samples / square)


def behind(values: Values, dps: int) -> Any:
    """Return the spike whose outlier is where `spiked_eigenvalue` says: the one drawn."""
    (spike,) = numbers(values, dps, b.SPIKE)
    return spike


def lost(side: int, values: Values, dps: int) -> Any:
    """Return the spike at which 1/(l - 1) is the mean of t/(x - t) at the edge x itself, by quadrature."""
    ratio, noise = numbers(values, dps, b.RATIO, b.NOISE)
    whole = mpmath.quad(lambda a: 1 + side * mpmath.cos(a), [0, mpmath.pi])  # sin^2/(1 - side cos)
    return noise * (1 + side * 2 * mpmath.sqrt(ratio) * mpmath.pi / (2 * whole))


def kept_or_dropped(values: Values, dps: int) -> Any:
    """Return where keeping a singular value costs what dropping it does: y^2 + z^2 - 2 y z cos cos = z^2."""
    (ratio,) = numbers(values, dps, b.RATIO)

    def cost(
        z: Any,
    ) -> Any:  # signal z sqrt(n): population eigenvalue 1 + z^2 of rows, and both sides' overlaps
        y = mpmath.sqrt((1 + z**2) * (ratio + z**2)) / z
        left = mpmath.sqrt((z**4 - ratio) / (z**4 + ratio * z**2))
        right = mpmath.sqrt((z**4 - ratio) / (z**4 + z**2))
        return y - 2 * z * left * right

    z = mpmath.findroot(cost, 1 + mpmath.sqrt(ratio))
    return mpmath.sqrt((1 + z**2) * (ratio + z**2)) / z


# fluctuations ----------------------------------------------------------------------------------------------------


def mean_deviation(values: Values, dps: int) -> Any:
    """Return the standard deviation of a mean of n p squares of Gaussians of mean square v, each weighing as its v."""
    spread, noise, samples, size = numbers(values, dps, b.SPREAD, b.NOISE, b.SAMPLES, b.DIMENSIONS)
    fourth = mpmath.quad(lambda u: u**4 * mpmath.npdf(u), [-mpmath.inf, -1, 1, mpmath.inf])
    return noise * mpmath.sqrt((fourth - 1) * (1 + spread) / (samples * size))


def trace_part(values: Values, dps: int) -> Any:
    """Return the variance of x times a relative trace."""
    place, noise = numbers(values, dps, b.VALUE, b.NOISE)
    return (place * mean_deviation(values, dps) / noise) ** 2


def sum_of_squares(values: Values, dps: int) -> Any:
    """Return E tr S^2 of Gaussians less E x^2 of its spike alone, entry by entry, for p + 1 population eigenvalues.

    E S_ij^2 = s_i s_j/n, E S_ii^2 = s_i^2 (1 + 2/n). The bulk is half at v (1 + sqrt q) and half at v (1 - sqrt q).
    """
    size, samples, noise, spread, spike = numbers(
        values, dps, b.DIMENSIONS, b.SAMPLES, b.NOISE, b.SPREAD, b.SPIKES
    )
    root = mpmath.sqrt(spread)
    scales = [noise * (1 + (-1) ** k * root) for k in range(int(size))] + [spike]
    entries = [
        one * two * ((1 + 2 / samples) if i == j else 1 / samples)
        for i, one in enumerate(scales)
        for j, two in enumerate(scales)
    ]
    return mpmath.fsum(entries) - spike**2 * (1 + 2 / samples)


def ratio_deviation(values: Values, dps: int) -> Any:
    """Return the standard deviation of m_2/m_1^2 - 1 by that of the sums of T_1 and T_2, of variances 1/2 and 1."""
    ratio, size = numbers(values, dps, b.RATIO, b.DIMENSIONS)
    root = mpmath.sqrt(ratio)

    def inside(k: int, angle: Any) -> Any:
        x = 1 + ratio + 2 * root * mpmath.cos(angle)
        return (x**2 - 2 * (1 + ratio) * x) * mpmath.cos(k * angle)

    def part(k: int) -> Any:  # Chebyshev coefficient of x^2 - 2 (1 + c) x
        return 2 / mpmath.pi * mpmath.quad(partial(inside, k), [0, mpmath.pi])

    change = [part(k) for k in (1, 2)]
    return mpmath.sqrt(change[0] ** 2 / 2 + change[1] ** 2) / size


# shrinkage -------------------------------------------------------------------------------------------------------


def outlier_mean(values: Values, dps: int) -> Any:
    """Return l cos^2 + v sin^2: the mean of Sigma along an outlier's eigenvector."""
    spike, noise = numbers(values, dps, b.SPIKE, b.NOISE)
    cosine = outlier_overlap(values, dps)
    return spike * cosine + noise * (1 - cosine)


def bulk_mean(values: Values, dps: int) -> Any:
    """Return what all of the bulk's vectors see: the noise, in white noise."""
    (noise,) = numbers(values, dps, b.NOISE)
    return noise


def zero_shown(values: Values, dps: int) -> Any:
    """Return what is shown at the mean of 1/x over the eigenvalues that are not zero, for p > n of white noise."""
    ratio, noise = numbers(values, dps, b.RATIO, b.NOISE)
    inverse = ratio * _white(ratio, lambda t: 1 / t) / noise
    return evaluate(sh.shrunk_zero(), {b.RATIO: _exact(ratio), sh.INVERSE: _exact(inverse)}, dps)


def scatter_of(values: Values, dps: int) -> Any:
    """Return E tr (S - Sigma)^2/p, entry by entry: E (S_ij - Sigma_ij)^2 = s_i s_j/n, twice that for i = j."""
    scales, samples, size = _population(values, dps)
    entries = [
        one * two * (2 if i == j else 1) for i, one in enumerate(scales) for j, two in enumerate(scales)
    ]
    return mpmath.fsum(entries) / samples / size


def _population(values: Values, dps: int) -> tuple[list[Any], Any, int]:
    """Population eigenvalues of the mean and mean square asked for, half and half; their number is even."""
    mean, second, samples, count = numbers(values, dps, sh.MEAN, sh.SQUARE, b.SAMPLES, b.DIMENSIONS)
    root = mpmath.sqrt(second - mean**2)
    return [mean + (-1) ** k * root for k in range(int(count))], samples, int(count)


def mixture_risk(values: Values, dps: int) -> Any:
    """Return the smallest of (1 - w)^2 b + w^2 a over the shares w of the mean."""
    dispersion, scatter = numbers(values, dps, sh.DISPERSION, sh.SCATTER)
    share = mixture_share(values, dps)
    return (1 - share) ** 2 * scatter + share**2 * dispersion


def mixture_share(values: Values, dps: int) -> Any:
    """Return where the risk (1 - w)^2 b + w^2 a of a mixture with the mean turns."""
    dispersion, scatter = numbers(values, dps, sh.DISPERSION, sh.SCATTER)
    return mpmath.findroot(lambda w: 2 * w * dispersion - 2 * (1 - w) * scatter, 0.4)


def transformed_kernel(values: Values, dps: int) -> Any:
    """Return the principal value of the integral of the kernel over t - u, over pi, by taking the pole off."""
    (u,) = numbers(values, dps, sh.ARGUMENT)
    root = mpmath.sqrt(5)
    height = kernel_square(values, dps)
    smooth = mpmath.quad(lambda t: (_parabola(t) - height) / (t - u), [-root, u, root])
    return (smooth + height * mpmath.log((root - u) / (root + u))) / mpmath.pi


def _parabola(t: Any) -> Any:
    return 3 * (1 - t**2 / 5) / (4 * mpmath.sqrt(5))


def kernel_square(values: Values, dps: int) -> Any:
    """Return the kernel by what makes it: mass one and variance one of a parabola that ends at r."""
    (u,) = numbers(values, dps, sh.ARGUMENT)
    end = mpmath.findroot(
        lambda r: 3 / (4 * r) * mpmath.quad(lambda t: t**2 * (1 - t**2 / r**2), [-r, r]) - 1, 2.0
    )
    return 3 / (4 * end) * (1 - u**2 / end**2)


# determinants ----------------------------------------------------------------------------------------------------


@cache
def _nodes(count: int, dps: int) -> list[tuple[Any, Any]]:
    """Gauss-Legendre nodes and weights on (0, 1), by Newton's method on the recurrence."""
    found = []
    for place in range(1, count + 1):
        x = mpmath.cos(mpmath.pi * (4 * place - 1) / (4 * count + 2))
        for _ in range(6):
            value, before = x, mpmath.mpf(1)
            for n in range(2, count + 1):
                value, before = ((2 * n - 1) * x * value - (n - 1) * before) / n, value
            slope = count * (x * value - before) / (x**2 - 1)
            x -= value / slope
        found.append(((1 + x) / 2, 1 / ((1 - x**2) * slope**2)))
    return found


def _determinant(kernel: Callable[[Any, Any], Any], sign: int, dps: int) -> Any:
    length = mpmath.root((3.5 * mpmath.mpf(dps)) ** 2, 3)  # where Ai, exp(-2 x^(3/2)/3), has no digit left
    nodes = [(length * x, mpmath.sqrt(length * w)) for x, w in _nodes(3 * dps // 2 + 10, dps)]
    size = len(nodes)
    matrix = mpmath.matrix(size, size)
    for i, (x, a) in enumerate(nodes):
        for j, (y, w) in enumerate(nodes[: i + 1]):
            matrix[i, j] = matrix[j, i] = sign * a * w * kernel(x, y) + (i == j)
    return mpmath.det(matrix)


@cache
def _side(sign: int, place: Any, dps: int) -> Any:
    """Return det(1 + sign B_s) by Gauss-Legendre quadrature."""
    with mpmath.workdps(dps + 3):
        return _determinant(lambda x, y: mpmath.airyai(x + y + place), sign, dps)


def _sides(beta: int, values: Values, dps: int) -> tuple[Any, Any]:
    (place,) = numbers(values, dps, t.PLACE)
    place *= evaluate(t.stretch(beta), {}, dps)
    return _side(-1, place, dps), _side(1, place, dps)


def from_sides(beta: int, values: Values, dps: int) -> Any:
    """Return what is shown, D_- and D_+ by determinants."""
    minus, plus = _sides(beta, values, dps)
    return evaluate(t.distribution(beta).subs({t.MINUS: _exact(minus), t.PLUS: _exact(plus)}), {}, dps)


def from_orders(beta: int, values: Values, dps: int) -> Any:
    """Return what is shown, E and O as the even and odd parts of det(1 + z B) at z = 1."""
    minus, plus = _sides(beta, values, dps)
    even, odd = (plus + minus) / 2 - 1, (plus - minus) / 2
    return evaluate(t.survival(beta).subs({t.EVEN: _exact(even), t.ODD: _exact(odd)}), {}, dps)


def _exact(value: Any) -> Any:
    return Float(value, mpmath.mp.dps)


@cache
def _painleve(dps: int) -> tuple[Any, Callable[[Any], Any]]:
    """Return a start and, as a function of start - s, q and integrals of q and (x - s) q^2 from s on (third and fifth).

    q'' = x q + 2 q^3, and q ~ Ai on the right.
    """
    start = mpmath.root(
        (1.75 * mpmath.mpf(dps) + 10) ** 2, 3
    )  # where Ai^2, exp(-4 x^(3/2)/3), is small enough
    ends = [start, start + 4, start + 10, start + 20]
    q, slope = mpmath.airyai(start), mpmath.airyai(start, derivative=1)
    first = mpmath.quad(mpmath.airyai, ends)
    square = mpmath.quad(lambda x: mpmath.airyai(x) ** 2, ends)
    moment = mpmath.quad(lambda x: (x - start) * mpmath.airyai(x) ** 2, ends)

    def change(u: Any, y: Any) -> list[Any]:  # u = start - x
        return [-y[1], -((start - u) * y[0] + 2 * y[0] ** 3), y[0], y[0] ** 2, y[3]]

    return start, mpmath.odefun(change, 0, [q, slope, first, square, moment])


def by_painleve(beta: int, values: Values, dps: int) -> Any:
    """Return F_beta by the second Painleve function; F_4 in Tracy and Widom's variable, over sqrt(2)."""
    (place,) = numbers(values, dps, t.PLACE)
    with mpmath.workdps(dps + 3):
        start, solution = _painleve(dps)
        place = mpmath.sqrt(2) * place if beta == 4 else place
        found = solution(start - place)
    first, second = found[2], found[4]
    if beta == 2:
        return mpmath.exp(-second)
    root = mpmath.exp(-second / 2)
    return root * (mpmath.exp(-first / 2) if beta == 1 else mpmath.cosh(first / 2))


def beyond(beta: int, values: Values, dps: int) -> Any:
    """Return 1 - F_beta by the second Painleve function."""
    return 1 - by_painleve(beta, values, dps)


def airy_determinant(values: Values, dps: int) -> Any:
    """Return det(1 - K) of the Airy kernel on (s, oo)."""
    (place,) = numbers(values, dps, t.PLACE)

    def kernel(x: Any, y: Any) -> Any:
        x, y = x + place, y + place
        if x == y:
            return mpmath.airyai(x, derivative=1) ** 2 - x * mpmath.airyai(x) ** 2
        return (_ai(x) * _slope(y) - _slope(x) * _ai(y)) / (x - y)

    return _determinant(kernel, -1, dps)


@cache
def _ai(x: Any) -> Any:
    return mpmath.airyai(x)


@cache
def _slope(x: Any) -> Any:
    return mpmath.airyai(x, derivative=1)


def product_of_kernels(values: Values, dps: int) -> Any:
    """Return the integral of Ai(x + t) Ai(t + y) over t >= 0."""
    x, y = numbers(values, dps, t.FIRST, t.SECOND)
    with mpmath.workdps(dps):
        return mpmath.quad(lambda u: mpmath.airyai(x + u) * mpmath.airyai(u + y), [0, 7, 14])


def airy_integral(values: Values, dps: int) -> Any:
    """Return Ai(x + y + s) as the real part of an integral of exp(i (u^3/3 + z u)) along a ray where it decays."""
    place, x, y = numbers(values, dps, t.PLACE, t.FIRST, t.SECOND)
    ray = mpmath.expjpi(mpmath.mpf(1) / 6)

    def along(u: Any) -> Any:
        return (ray * mpmath.exp(1j * ((ray * u) ** 3 / 3 + (x + y + place) * ray * u))).real

    return mpmath.quad(along, [0, 1, 2, 4, 8]) / mpmath.pi


# curvature -------------------------------------------------------------------------------------------------------


def beside_slopes(values: Values, dps: int) -> Any:
    """Return dV/dq - E phi'^2 of hard tanh, V by quadrature between its kinks."""
    (length,) = numbers(values, dps, cu.LENGTH)

    def second_moment(q: Any) -> Any:
        inside = mpmath.quad(lambda z: z**2 * mpmath.npdf(z, 0, mpmath.sqrt(q)), [-1, 0, 1])
        return inside + mpmath.erfc(1 / mpmath.sqrt(2 * q))

    return mpmath.diff(second_moment, length) - mpmath.erf(1 / mpmath.sqrt(2 * length))


def gain_through(values: Values, dps: int) -> Any:
    """Return the derivative by q of sigma_w^2 times sigma_w^2 E sin^2, of variance q."""
    sigma, length = numbers(values, dps, k.SIGMA_W, cu.LENGTH)
    return mpmath.diff(lambda q: sigma**4 * over_gaussian(lambda z: mpmath.sin(z) ** 2, [[q]]), length)


def sine_layer(formula: Callable[[], Expr], values: Values, dps: int) -> Any:
    """Return a formula of sine's second moment (1 - exp(-2q))/2, with what a linear layer above gives."""
    sigma, length = numbers(values, dps, k.SIGMA_W, cu.LENGTH)
    slope = mpmath.exp(-2 * length)
    gain = sigma**2 if formula is cu.gain_below else sigma**2 * slope
    return evaluate(formula(), {**values, cu.SLOPE: slope, cu.GAIN: gain}, dps)


def sine_trace(values: Values, dps: int) -> Any:
    """Return the trace over a layer's weights and biases of the Hessian of |f|^2/2, f = u sin(w x + b), mean over u, w.

    C sigma_w^2 (E cos^2 - E sin^2), times the sum of squares of what a unit's weights and bias read.
    """
    sigma, length, outputs, count, activity, biases = numbers(
        values, dps, k.SIGMA_W, cu.LENGTH, cu.OUTPUTS, cu.FAN_IN, cu.ACTIVITY, cu.BIASES
    )
    bend = over_gaussian(lambda z: mpmath.cos(z) ** 2 - mpmath.sin(z) ** 2, [[length]])
    return outputs * sigma**2 * bend * (count * activity + biases)
