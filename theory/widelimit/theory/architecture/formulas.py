"""What layers without weights do to the kernels, entry by entry: every formula of this room, which solvers compile.

Sums over positions, units or inputs are names here (`TOTAL`); what is summed is said where a layer uses the formula.
Layers of weights are the kernels' own (``theory.kernel.next_kernel`` and ``next_tangent``).
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, sqrt, symbols

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.kernel import Q1, THETA

K, BRANCH = symbols("K K_branch", real=True)  # a kernel, and that of the end of a residual branch
M1, M2 = symbols("m m'", real=True)  # means of the units of two inputs, each at its position
CENTRE1, CENTRE2 = symbols("m_mean m'_mean", real=True)  # the same, averaged over positions
SQUARE = Symbol("q_mean", positive=True)  # mean squares of units, averaged over positions
D1, D2 = symbols("d d'", positive=True)  # standard deviations that a normalisation divides by
ROW, COLUMN, ALL = symbols(
    "K_row K_column K_all", real=True
)  # means of a kernel over one input, the other, both
KEEP, SAME = Symbol("p", positive=True), Symbol("same", integer=True)  # 1 for one unit of one input, else 0
TOTAL, COUNT = Symbol("S", real=True), Symbol("n", integer=True, positive=True)
COUNT2 = Symbol("n'", integer=True, positive=True)
SIZE, DIMENSIONS = symbols("k dimensions", integer=True, positive=True)  # of a filter
SQUARES, TRACE = symbols("S_2 trace", positive=True)


def unit_mean(activation: str | Activation) -> Expr:
    """E phi(u) over u ~ N(0, q_1), the mean of the units behind an activation; 0 for odd ones.

    >>> unit_mean("relu"), unit_mean("tanh")
    (sqrt(2)*sqrt(q_1)/(2*sqrt(pi)), 0)
    """
    phi = Activation.of(activation)
    return S.Zero if phi.is_odd else Expectation(phi.expr, X, Q1).doit()


def dropped() -> Expr:
    """K' = K (1 + (1/p - 1) same): units are kept with probability p and divided by it (schoenholz2017deep, section 4).

    The mean square of a unit grows by 1/p; masks of different units or inputs are independent, whose products average
    to those without masks. Both kernels.

    >>> dropped().subs(SAME, 1), dropped().subs(SAME, 0)
    (K/p, K)
    """
    return K * (1 + (1 / KEEP - 1) * SAME)


def added() -> Expr:
    """K' = K + K_branch: a branch whose last weights are fresh is uncorrelated with the shortcut. Both kernels."""
    return K + BRANCH


def averaged() -> Expr:
    """S / n, S a sum over n terms of equal weight: over positions of K(a, a), or over inputs or units."""
    return TOTAL / COUNT


def pooled() -> Expr:
    """S / n^2, S the sum of a kernel over all pairs of n positions: the kernel of averages over positions."""
    return TOTAL / COUNT**2


def windowed() -> Expr:
    """S / (n n'), S the sum of a kernel over all pairs of n and n' positions: the kernel of averages over windows."""
    return TOTAL / COUNT / COUNT2


def filtered() -> Expr:
    """S / k^dimensions, S the sum of a kernel over a filter's points: what its weights, of equal variance, read.

    novak2019bayesian, section 2.2: the filter has k points along each dimension.
    """
    return TOTAL / SIZE**DIMENSIONS


def deviation() -> Expr:
    """Return d = sqrt(q_mean - m_mean^2), the standard deviation over all units and positions of an input."""
    return sqrt(SQUARE - CENTRE1**2)


def about_means() -> Expr:
    """K - m m'_mean - m_mean m' + m_mean m'_mean: products of units about the means that a normalisation subtracts."""
    return K - M1 * CENTRE2 - CENTRE1 * M2 + CENTRE1 * CENTRE2


def about_batch() -> Expr:
    """K - K_row - K_column + K_all: products of units about their means over a batch (yang2019mean, section 3)."""
    return K - ROW - COLUMN + ALL


def rescaled() -> Expr:
    """K / (d d'): products of units that are divided by d and d'. Both kernels, each about its means or as it is.

    In wide layers, and large batches, d and d' do not move with one parameter.
    """
    return K / D1 / D2


def centred_mean() -> Expr:
    """(m - m_mean) / d: the mean of units behind a normalisation, at a position."""
    return (M1 - CENTRE1) / D1


def shifted() -> Expr:
    """Theta + 1: the derivative by a trained shift is 1."""
    return THETA + 1


def gained() -> Expr:
    """Theta + K: the derivative by a unit's trained gain is the unit itself, whose products average to K.

    In front of an activation the unit's own slope multiplies it: K is E u phi'(u) v phi'(v) there.
    """
    return THETA + K


def batch_fluctuation() -> Expr:
    """Standard deviation over units of a Gaussian unit's variance in a batch, over its mean: sqrt(2 S_2) / trace.

    S_2 is the sum of squares of the kernel about the batch, `about_batch`, and trace its trace: Isserlis' theorem.
    Where it is small, batches are large.
    """
    return sqrt(2 * SQUARES) / TRACE
