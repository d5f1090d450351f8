"""Causal masks: what rows of different lengths share, token by token; row i sees i tokens, row k at least as many.

S = E sum_j A_ij A_kj and R = E tr J_i J_k are those of `overlaps`. Tokens that both rows see are alike, and so are
those that only the longer one sees.
"""

from __future__ import annotations

from sympy import Expr

from widelimit.theory.attention.maps import OVERLAP
from widelimit.theory.attention.overlaps import ROW_I, ROW_K, SLOPES


def same_token() -> Expr:
    """Return E A_im A_km = S/i, m one of the tokens of row i.

    >>> same_token()
    S/i
    """
    return OVERLAP / ROW_I


def other_token() -> Expr:
    """Return E A_im A_kn = (1/k - S/i)/(i - 1), m and n different tokens of row i."""
    return (1 / ROW_K - OVERLAP / ROW_I) / (ROW_I - 1)


def later_token() -> Expr:
    """Return E A_im A_kn = 1/(i k), n a token that row k alone sees."""
    return 1 / (ROW_I * ROW_K)


def same_slope() -> Expr:
    """Return E (J_i J_k)_mm = R/i."""
    return SLOPES / ROW_I


def other_slope() -> Expr:
    """Return E (J_i J_k)_mn = -R/(i (i - 1)), since slopes of a row sum to 0; with a later n it is 0."""
    return -SLOPES / (ROW_I * (ROW_I - 1))
