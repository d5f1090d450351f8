"""Post-activation networks, x' = max(0, x + b): units behind batch normalisation are reflected random walks.

Also what other residual networks do to keep their second moments: Fixup's scales, and the growth by one a block that
batch normalisation on the branches leaves.
"""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Eq, Expr, Rational, Symbol, pi, sqrt

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.residual import walks
from widelimit.theory.residual.walks import BLOCK, BRANCHES, LAYERS, STEP

CROSSED = Symbol("s", nonnegative=True)  # products of the means that two earlier steps added
LAST = Symbol("u_k", positive=True)  # zeros behind step k
AFTER = Symbol("u_r", positive=True)  # zeros behind as many steps as are left


def zeros_ratio() -> Expr:
    """Return 1 - 1/(2 n), the share of the zeros behind n - 1 steps that is left behind n: C(2n, n) / 4^n in all.

    For any steps with a symmetric, continuous law (sparre1953sums); the stem, ReLU of a unit of variance 1, is step 1.
    """
    return 1 - 1 / (2 * STEP)


def mean_step() -> Expr:
    """Return (2 pi n)^(-1/2), which step n adds to the mean of a unit: Gaussian steps (spitzer1956combinatorial)."""
    return 1 / sqrt(2 * pi * STEP)


def square_step() -> Expr:
    """Return 1/2 + s, which step n adds to E x^2; s sums `mean_step` at j times that at k over all j + k = n."""
    return Rational(1, 2) + CROSSED


def open_term() -> Expr:
    """Return u_k u_(N - k), the chance that a unit is zero behind step k and in none of the N - k steps after it.

    Summed over k up to n it is the probability that the shortcut is open from behind step n to behind step N.
    """
    return LAST * AFTER


def fixup_scale() -> Expr:
    """Return L^(-1/(2 m - 2)), Fixup's scale of the weights in L branches of m layers whose last one starts at zero.

    The m - 1 other layers then shrink a branch by L^(-1/2), so that the changes of all branches after a step of
    training sum to one of order 1 (zhang2019fixup, section 3).
    """
    return BRANCHES ** (-1 / (2 * LAYERS - 2))


def normalised_growth() -> Expr:
    """Return 1 + 1/(1 + l), the growth of E x^2 in block l of a pre-activation network with batch normalisation.

    Each branch adds its variance 1, so that E x^2 = 1 + l, and mean square gradients grow by the same: a power of depth
    and no exponential (de2020batch).
    """
    return 1 + 1 / (1 + BLOCK)


def steps() -> tuple[Step, ...]:
    """Return the steps of `derive` about these networks."""
    return (*_walks(), *_branches())


def _walks() -> tuple[Step, ...]:
    return (
        Step(
            "zeros",
            Eq(Symbol("P(x_n = 0) / P(x_(n-1) = 0)"), zeros_ratio(), evaluate=False),
            "the unit is zero where no sum of its last steps is positive: counted over all signs and orders of n "
            "different steps, of which the share does not depend",
            source="sparre1953sums; he2016deep, section 3",
            domain={STEP: (1, 5)},
            left=walks.zeros_ratio,
        ),
        Step(
            "mean",
            Eq(Symbol("E x_n - E x_(n-1)"), mean_step(), evaluate=False),
            "E x_n sums E S_k^+ / k over the sums S_k of k steps; here integrated over the plane of two steps",
            source="spitzer1956combinatorial",
            domain={STEP: (1, 2)},
            left=walks.mean_step,
        ),
        Step(
            "square",
            Eq(Symbol("E x_n^2 - E x_(n-1)^2"), square_step(), evaluate=False),
            "the same identity for squares: half of a step's variance, and products of means; over the same plane",
            source="spitzer1956combinatorial",
            domain={STEP: (1, 2)},
            left=walks.square_step,
            right=_square_shown,
        ),
        Step(
            "open",
            Eq(Symbol("P_k"), open_term(), evaluate=False),
            "after its last zero the walk starts anew: counted over all signs and orders of four different steps",
            source="new (renewal at the last zero)",
            domain={STEP: (1, 4)},
            left=walks.last_zero,
            right=_open_shown,
        ),
    )


def _branches() -> tuple[Step, ...]:
    return (
        Step(
            "fixup-scale",
            Eq(Symbol("s_f"), fixup_scale(), evaluate=False),
            "the scale whose (m - 1)-th power, squared and summed over L branches, is 1: by bisection",
            source="zhang2019fixup, section 3",
            domain={BRANCHES: (2, 50), LAYERS: (2, 4)},
            left=walks.fixup,
        ),
        Step(
            "normalised-growth",
            Eq(Symbol("q'/q"), normalised_growth(), evaluate=False),
            "the stream starts at 1, and each branch behind batch normalisation adds 1: summed over signs",
            source="de2020batch, section 2",
            domain={BLOCK: (0, 6)},
            left=walks.normalised,
        ),
    )


def _open_shown(values: Values, dps: int) -> Any:
    """What is shown, with the shares of zeros that are counted."""
    n = int(values[STEP])
    shares = {LAST: walks.zeros(n), AFTER: walks.zeros(walks.TOTAL - n)}
    at = {name: mpmath.mpf(share.numerator) / share.denominator for name, share in shares.items()}
    return evaluate(open_term(), at, dps)


def _square_shown(values: Values, dps: int) -> Any:
    """What is shown, with products of the means that earlier steps add, these by integration."""
    crossed = walks.moment(1, 1) ** 2 if int(values[STEP]) == 2 else 0
    return evaluate(square_step(), {CROSSED: crossed}, dps)
