"""Cosines between the feedback at rest and W^T, for Gaussian weights and for inputs behind a ReLU."""

from __future__ import annotations

from sympy import Expr, Piecewise, Symbol, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation

RATIO = Symbol("zeta", positive=True)  # gamma / beta
ASPECT = Symbol("r", positive=True)  # m / n, rows over columns of W; at most 1
SIGMA_W = Symbol("sigma_w", positive=True)
MEAN = Symbol("lambda_1", positive=True)
MEAN_SQUARE = Symbol("lambda_2", positive=True)
FAN_IN = Symbol("n", integer=True, positive=True)
SHRUNK = Symbol("T", positive=True)
SHRUNK_TWICE = Symbol("U", positive=True)


def mirror_cosine() -> Expr:
    """cos(C W^T, W^T) = mean(l) / sqrt(mean(l^2)), l the eigenvalues of C, for W without preferred directions.

    >>> mirror_cosine()
    lambda_1/sqrt(lambda_2)
    """
    return MEAN / sqrt(MEAN_SQUARE)


def relu_spread() -> Expr:
    """Variance of relu(u) at u ~ N(0, 1): the eigenvalue a of C = a I + b J in all directions but one.

    >>> relu_spread()
    1/2 - 1/(2*pi)
    """
    phi = Activation.of("relu").expr
    return Expectation(phi**2, X, 1).doit() - relu_overlap()


def relu_overlap() -> Expr:
    """Squared mean of relu(u) at u ~ N(0, 1): the b of C = a I + b J, J being all ones.

    >>> relu_overlap()
    1/(2*pi)
    """
    return Expectation(Activation.of("relu").expr, X, 1).doit() ** 2


def relu_moments() -> tuple[Expr, Expr]:
    """Mean and mean square of the eigenvalues of C = a I + b J of n inputs behind a ReLU."""
    a, b = relu_spread(), relu_overlap()
    return a + b, ((FAN_IN - 1) * a**2 + (a + FAN_IN * b) ** 2) / FAN_IN


def relu_cosine() -> Expr:
    """The cosine of the weight mirror on inputs behind a ReLU: pi/sqrt(n) of large fan-ins n.

    >>> relu_cosine().subs(FAN_IN, 100).evalf(13)
    0.3010901515538
    """
    mean, square = relu_moments()
    return mirror_cosine().subs({MEAN: mean, MEAN_SQUARE: square})


def _scaled() -> tuple[Expr, Expr]:
    """l = zeta/sigma_w^2, and the root of (l + 1 - r)^2 + 4 r l."""
    scaled = RATIO / SIGMA_W**2
    return scaled, sqrt((scaled + 1 - ASPECT) ** 2 + 4 * ASPECT * scaled)


def resolvent() -> Expr:
    """G = E 1/(s^2 + zeta) over the squared singular values s^2 of W, of mean sigma_w^2, for r = m/n <= 1.

    Marchenko and Pastur's law with the root on the other side of the fraction, where nothing cancels.
    """
    scaled, root = _scaled()
    return 2 / (SIGMA_W**2 * (scaled + 1 - ASPECT + root))


def shrunk() -> Expr:
    """T = E s^2/(s^2 + zeta) = 1 - zeta G, in a form that keeps its digits on either side of l = 1 - r."""
    scaled, root = _scaled()
    whole, turn = scaled + 1 - ASPECT + root, scaled - 1 + ASPECT
    return Piecewise((4 * scaled / ((root + turn) * whole), turn > 0), ((root - turn) / whole, True))


def shrunk_twice() -> Expr:
    """U = E s^2/(s^2 + zeta)^2 = G + zeta G' = -dT/dzeta, a sum of positive terms."""
    scaled, root = _scaled()
    rest = 1 - ASPECT
    return SIGMA_W**2 * resolvent() ** 2 / 2 * (rest + (scaled * (1 + ASPECT) + rest**2) / root)


def overlap() -> Expr:
    """cos = T / sqrt(sigma_w^2 U), from E b s over the roots of E b^2 and E s^2 at b = s/(s^2 + zeta).

    >>> overlap()
    T/(sqrt(U)*sigma_w)
    """
    return SHRUNK / (SIGMA_W * sqrt(SHRUNK_TWICE))


def information_cosine() -> Expr:
    """The cosine of information alignment for Gaussian weights of variance sigma_w^2/n and white inputs, r <= 1.

    >>> from sympy import Rational
    >>> information_cosine().subs({ASPECT: 1, SIGMA_W: 1, RATIO: Rational(1, 2)}).evalf(12)
    0.866025403784
    """
    return overlap().subs({SHRUNK: shrunk(), SHRUNK_TWICE: shrunk_twice()})


def edge() -> Expr:
    """The largest eigenvalue sigma_w^2 (1 + sqrt(m/n))^2 of W W^T for Gaussian W of variance sigma_w^2/n.

    >>> edge().subs({ASPECT: 1, SIGMA_W: 1})
    4
    """
    return SIGMA_W**2 * (1 + sqrt(ASPECT)) ** 2


__all__ = [
    "ASPECT", "FAN_IN", "MEAN", "MEAN_SQUARE", "RATIO", "SHRUNK", "SHRUNK_TWICE", "SIGMA_W", "edge",
    "information_cosine", "mirror_cosine", "overlap", "relu_cosine", "relu_moments", "relu_overlap", "relu_spread",
    "resolvent", "shrunk", "shrunk_twice",
]  # fmt: skip
