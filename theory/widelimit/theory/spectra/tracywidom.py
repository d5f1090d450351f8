"""The laws of the largest eigenvalue: Fredholm determinants of one kernel on the half line.

B_s(x, y) = Ai(x + y + s) on x, y >= 0. With its eigenvalues b_i, D_-+ = prod (1 -+ b_i) = 1 + E -+ O: E and O are the
sums of elementary symmetric functions of even (from 2) and odd order. Far to the right, where 1 - F is small, it is
told by E and O without cancellation.
"""

from __future__ import annotations

from sympy import Expr, Integer, Rational, Symbol, airyai, sqrt

from widelimit.theory.errors import ArgumentError

PLACE = Symbol("s", real=True)
FIRST, SECOND = Symbol("x", real=True), Symbol("y", real=True)
MINUS, PLUS = Symbol("D_m", real=True), Symbol("D_p", real=True)  # det(1 - B), det(1 + B)
EVEN, ODD = Symbol("E", real=True), Symbol("O", real=True)
BETAS = (1, 2, 4)


def edge_kernel() -> Expr:
    """Return Ai(x + y + s), the kernel of B."""
    return airyai(FIRST + SECOND + PLACE)


def distribution(beta: int) -> Expr:
    """Return F_beta by D_- and D_+ at `stretch` times its variable: D_-, D_- D_+ and (D_- + D_+)/2 for beta = 1, 2, 4.

    Raises `ArgumentError` for another beta.

    >>> distribution(4)
    D_m/2 + D_p/2
    """
    return {1: MINUS, 2: MINUS * PLUS, 4: (MINUS + PLUS) * Rational(1, 2)}[_known(beta)]


def stretch(beta: int) -> Expr:
    """Return 1, 1 and sqrt(2), what the variable of F_beta is multiplied by: F_4(s) is told by B at sqrt(2) s.

    This is Tracy and Widom's normalisation, in which F_4 has the mean -2.3069. Without the factor it is -3.2624; the
    largest eigenvalue in units of sigma N^(-2/3) of N quaternion levels has 2^(2/3) in its place, and the mean -2.0552.

    >>> stretch(4)
    sqrt(2)
    """
    return sqrt(2) if _known(beta) == 4 else Integer(1)


def _known(beta: int) -> int:
    if isinstance(beta, bool) or beta not in BETAS:
        raise ArgumentError("beta", "must be 1, 2 or 4", beta, "Real, complex and quaternion matrices.")
    return beta


def survival(beta: int) -> Expr:
    """Return 1 - F_beta(s) by E and O: O - E, O^2 - 2 E - E^2 and -E.

    >>> survival(1), survival(4)
    (-E + O, -E)
    """
    inside = {MINUS: 1 + EVEN - ODD, PLUS: 1 + EVEN + ODD}
    return (1 - distribution(beta).subs(inside, simultaneous=True)).expand()
