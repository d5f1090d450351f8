"""Signal propagation in convolutional networks: Fourier modes of the covariance between positions.

Weights of the filter have variance sigma_w^2 v_beta / C_in, sum v_beta = 1 (uniform: v_beta = 1 / size). The
covariance of
two positions maps by the dense network's pointwise map, averaged over the filter: Sigma'_(a, a') =
sum_beta v_beta (map Sigma)_(a + beta, a' + beta). Around a fixed point, with periodic boundaries, the mode of wave
number k decays by chi lambda_k per layer. A delta filter (delta-orthogonal initialisation) keeps all modes alike.
"""

from __future__ import annotations

from sympy import Eq, Expr, Rational, Sum, Symbol, cos, log, pi, sin

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.errors import ArgumentError

K = Symbol("k", integer=True)
N = Symbol("n", integer=True, positive=True)
HALF = Symbol("w", integer=True, nonnegative=True)
CHI = Symbol("chi", positive=True)
LAMBDA = Symbol("lambda_k", positive=True)

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
    middle = len(v) // 2
    return sum((weight * cos(2 * pi * k * (i - middle) / n) for i, weight in enumerate(v)), Rational(0))


def uniform_multiplier() -> Expr:
    """lambda_k of a uniform filter of 2 w + 1 points, summed: sin((2 w + 1) pi k / n) / ((2 w + 1) sin(pi k / n))."""
    return sin((2 * HALF + 1) * pi * K / N) / ((2 * HALF + 1) * sin(pi * K / N))


def depth_scale() -> Expr:
    """xi_k = -1 / log(chi lambda_k), the layers over which mode k decays (or grows, where it is negative)."""
    return -1 / log(CHI * LAMBDA)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The decay of Fourier modes; the activation enters by the slope chi of the dense network's correlation map.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive().result.rhs
    -1/log(chi*lambda_k)
    """
    phi = Activation.of(activation)
    beta = Symbol("beta", integer=True)
    point = {K: (1, 4), N: (9, 15), HALF: (1, 3), CHI: (0.3, 0.9), LAMBDA: (0.3, 0.9)}
    cosines = Sum(cos(2 * pi * K * beta / N), (beta, -HALF, HALF)) / (2 * HALF + 1)
    source = "xiao2018dynamical"
    steps = (
        Step(
            "uniform-filter",
            Eq(cosines, uniform_multiplier(), evaluate=False),
            "shifting a Fourier mode multiplies it by a phase; the Dirichlet kernel sums the phases of a "
            "uniform filter",
            source=f"{source}, section 2.3",
            domain=point,
        ),
        Step(
            "depth-scale",
            Eq(Symbol("xi_k", real=True), depth_scale(), evaluate=False),
            "each layer multiplies mode k by chi lambda_k",
            source=f"{source}, eq. (2.11)",
            domain=point,
            kind="definition",
        ),
    )
    return Derivation(f"Fourier modes in convolutional {phi.name} networks", steps, _ASSUMPTIONS)
