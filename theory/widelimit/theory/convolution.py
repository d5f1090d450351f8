"""Signal propagation in convolutional networks: Fourier modes of the covariance between positions.

Weights of the filter have variance sigma_w^2 v_beta / C_in, sum v_beta = 1 (uniform: v_beta = 1 / size). The
covariance of
two positions maps by the dense network's pointwise map, averaged over the filter: Sigma'_(a, a') =
sum_beta v_beta (map Sigma)_(a + beta, a' + beta). Around a fixed point, with periodic boundaries, the mode of wave
number k decays by chi lambda_k per layer. A delta filter (delta-orthogonal initialisation) keeps all modes alike.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Eq, Expr, Rational, Sum, Symbol, cos, log, pi, sin

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.layers import depth_of_decay
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.errors import ArgumentError

K = Symbol("k", integer=True)
N = Symbol("n", integer=True, positive=True)
HALF = Symbol("w", integer=True, nonnegative=True)
CHI = Symbol("chi", positive=True)  # slope of the dense network's correlation map
LAMBDA = Symbol("lambda_k", real=True)
FACTOR = Symbol("f_k", real=True)  # of mode k in one layer
SPREAD = Symbol("s", nonnegative=True)  # relative variance of a squared input
TAPS = Symbol("t", integer=True, positive=True)  # of a filter

_ASSUMPTIONS = (
    "the number of channels goes to infinity",
    "periodic boundaries (zero padding breaks the diagonalisation)",
    "the covariance is near its fixed point",
)


def filter_weight(size: int, kind: str = "uniform") -> tuple[Expr, ...]:
    """Return v_beta for beta = -(size-1)/2 .. (size-1)/2: `uniform`, or `delta` (all weight in the middle)."""
    size = exact.whole("filter_size", size, 1)
    if size % 2 == 0:
        raise ArgumentError("filter_size", "must be an odd number", size)
    middle = size // 2
    if exact.one_of("kind", kind, ("uniform", "delta")) == "uniform":
        return (Rational(1, size),) * size
    return tuple(Rational(int(i == middle)) for i in range(size))


@exact.takes(k=exact.plain, n=exact.plain)
def mode_multiplier(v: tuple[Expr, ...], k: Expr | int = K, n: Expr | int = N) -> Expr:
    """lambda_k = sum_beta v_beta cos(2 pi k beta / n), for symmetric v (xiao2018dynamical, eq. (2.10)).

    >>> mode_multiplier(filter_weight(3), k=0)
    1
    """
    v = tuple(exact.numbers("v", v, symbols=True))
    k, n = exact.number("k", k, symbols=True), exact.positive("n", n, symbols=True)
    middle = len(v) // 2
    return sum((weight * cos(2 * pi * k * (i - middle) / n) for i, weight in enumerate(v)), Rational(0))


def uniform_multiplier() -> Expr:
    """lambda_k of a uniform filter of 2 w + 1 points, summed: sin((2 w + 1) pi k / n) / ((2 w + 1) sin(pi k / n))."""
    return sin((2 * HALF + 1) * pi * K / N) / ((2 * HALF + 1) * sin(pi * K / N))


def mode_factor() -> Expr:
    """f_k = chi lambda_k, by which a layer multiplies mode k of the covariance (xiao2018dynamical, eq. (2.11))."""
    return CHI * LAMBDA


def depth_scale() -> Expr:
    """xi_k = -1 / log |f_k|, the layers over which mode k decays (or grows, where it is negative)."""
    return -1 / log(abs(FACTOR))


def covered_share() -> Expr:
    """Return 1 - w (w + 1) / ((2 w + 1) n), the mean share of the taps of 2 w + 1 that lie on n positions.

    With padding w by zeros, stride 1 and n of at least w: what zero padding leaves of the mean square of inputs that
    are constant.

    >>> covered_share().subs({HALF: 1, N: 8})
    11/12
    """
    return 1 - HALF * (HALF + 1) / ((2 * HALF + 1) * N)


def depthwise_kurtosis() -> Expr:
    """Return 3 (1 + s / t), the kurtosis of units behind one channel's filter of t taps over independent inputs.

    s is the relative variance of a squared input: weights are drawn once and see the mean square under the filter,
    which is not the same everywhere, so that units are no Gaussians (14/3 behind ReLU, nine taps).
    """
    return 3 * (1 + SPREAD / TAPS)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The decay of Fourier modes; the activation enters by the slope chi of the dense network's correlation map.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive().result.rhs
    -1/log(Abs(f_k))
    """
    phi = Activation.of(activation)
    beta = Symbol("beta", integer=True)
    point = {K: (1, 4), N: (9, 15), HALF: (1, 3)}
    cosines = Sum(cos(2 * pi * K * beta / N), (beta, -HALF, HALF)) / (2 * HALF + 1)
    source = "xiao2018dynamical"
    filters = (("uniform", filter_weight(_POINTS)), ("delta", filter_weight(_POINTS, "delta")))
    steps = (
        *(
            Step(
                f"{kind}-multiplier",
                Eq(LAMBDA, mode_multiplier(weights), evaluate=False),
                f"shifting a Fourier mode multiplies it by a phase; here a {kind} filter of {_POINTS} points",
                source=f"{source}, eq. (2.10)",
                domain={K: (1, 4), N: (9, 15)},
                left={"uniform": _of_mean, "delta": _of_nothing}[kind],
            )
            for kind, weights in filters
        ),
        Step(
            "uniform-filter",
            Eq(cosines, uniform_multiplier(), evaluate=False),
            "the Dirichlet kernel sums the phases of a uniform filter",
            source=f"{source}, section 2.3",
            domain=point,
        ),
        Step(
            "mode-factor",
            Eq(FACTOR, mode_factor(), evaluate=False),
            "a deviation from the fixed point grows by the slope of the pointwise map, and is averaged by the filter",
            source=f"{source}, eq. (2.11)",
            domain={CHI: (0.3, 0.9), LAMBDA: (-0.9, 0.9)},
            left=_of_layer,
        ),
        Step(
            "covered-share",
            Eq(Symbol("E q' / q"), covered_share(), evaluate=False),
            "counted tap by tap, zeros where there are no positions",
            source="new (counting)",
            domain={HALF: (1, 3), N: (9, 15)},
            left=_of_padding,
        ),
        Step(
            "depthwise-kurtosis",
            Eq(Symbol("kappa_4"), depthwise_kurtosis(), evaluate=False),
            "three times the mean square of the variance given the inputs, over the square of its mean; inputs of "
            "squares 1 +- sqrt(s), summed over all signs",
            source="new (mixtures of Gaussians)",
            domain={SPREAD: (0.1, 0.9), TAPS: (2, 6)},
            left=_of_mixture,
        ),
        Step(
            "depth-scale",
            Eq(Symbol("xi_k", real=True), depth_scale(), evaluate=False),
            "the layers in which mode k falls to 1/e of itself",
            source=f"{source}, eq. (2.11)",
            domain={FACTOR: (-0.9, -0.3)},
            left=_of_decay,
        ),
    )
    return Derivation(f"Fourier modes in convolutional {phi.name} networks", steps, _ASSUMPTIONS)


# --- evidence: waves on a ring of positions, filtered point by point

_POINTS = 3  # of the filters shown


def _wave(values: Values) -> list[Any]:
    k, n = int(values[K]), int(values[N])
    return [mpmath.cospi(mpmath.mpf(2 * k * position) / n) for position in range(n)]


def _amplitude(wave: list[Any], values: Values) -> Any:
    """The share of mode k in a wave: its projection on the mode."""
    mode = _wave(values)
    return mpmath.fdot(wave, mode) / mpmath.fdot(mode, mode)


def _of_mean(values: Values, dps: int) -> Any:
    """What is left of a wave where each position becomes the mean of itself and its two neighbours."""
    wave = _wave(values)
    n = len(wave)
    return _amplitude([(wave[a - 1] + wave[a] + wave[(a + 1) % n]) / 3 for a in range(n)], values)


def _of_nothing(values: Values, dps: int) -> Any:
    """What is left of a wave that a delta filter leaves alone."""
    return _amplitude(_wave(values), values)


def _of_layer(values: Values, dps: int) -> Any:
    """The factor of a wave of 1e-40 or less on a ring, by a map of the slope chi and a filter with this multiplier.

    The filter has the points 1, 0 and -1 of a ring of four positions, with the middle one's weight lambda: mode 1 has
    cos(pi / 2) = 0 at its neighbours.
    """
    chi, share = (evaluate(values[symbol], {}, dps) for symbol in (CHI, LAMBDA))
    with mpmath.workdps(3 * dps + 20):
        small = mpmath.mpf(10) ** (-dps - 5)
        wave = [small * e for e in (1, 0, -1, 0)]
        point = mpmath.mpf(1) / 2

        def pointwise(c: Any) -> Any:
            return point + chi * (c - point) + (c - point) ** 2

        mapped = [pointwise(point + e) - point for e in wave]
        side = (1 - share) / 2
        after = [side * mapped[a - 1] + share * mapped[a] + side * mapped[(a + 1) % 4] for a in range(4)]
        return (after[0] - after[2]) / (2 * small)


def _of_decay(values: Values, dps: int) -> Any:
    """The depth at which |f|^depth has fallen to 1/e, by bisection."""
    return depth_of_decay(abs(evaluate(values[FACTOR], {}, dps)), dps)


def _of_padding(values: Values, dps: int) -> Any:
    """The share of taps that meet positions, of all outputs."""
    half, n = int(values[HALF]), int(values[N])
    met = sum(0 <= a + tap < n for a in range(n) for tap in range(-half, half + 1))
    return mpmath.mpf(met) / (n * (2 * half + 1))


def _of_mixture(values: Values, dps: int) -> Any:
    """E y^4 / (E y^2)^2 of y = sum of w x, with Gaussian weights, given the inputs a Gaussian of the variance v."""
    root, taps = mpmath.sqrt(evaluate(values[SPREAD], {}, dps)), int(values[TAPS])

    def moment(power: int) -> Any:
        return over_signs(lambda e: (sum(1 + root * one for one in e) / taps) ** power, taps)

    return 3 * moment(2) / moment(1) ** 2
