"""Up to which variance closed forms of Gaussian expectations keep their digits."""

from __future__ import annotations

import math

from sympy import Expr, Symbol, exp

LOST = 1e4  # what closed forms may lose to cancellation


def cancels_from(function: Expr, x: Symbol, kinked: bool) -> float:
    """Return the variance q from which E f(u) g(v) in closed form loses more than four digits; inf if none does.

    A piece exp(k x) that is cut off at a kink gives exp(k^2 q/2) times a normal tail of about the inverse size, which
    `special.bvn` knows to an absolute error of 1e-16: ``q = 2 log(LOST)/k^2`` of the largest k.

    >>> from sympy.abc import x
    >>> round(cancels_from(exp(x / 2), x, kinked=True), 4)
    73.6827
    >>> cancels_from(exp(x / 2), x, kinked=False)
    inf
    """
    if not kinked:
        return math.inf
    rates = [abs(one.args[0].diff(x)) for one in function.atoms(exp) if one.has(x)]
    largest = max((float(rate) for rate in rates if rate.is_number), default=0.0)
    return 2 * math.log(LOST) / largest**2 if largest > 0 else math.inf
