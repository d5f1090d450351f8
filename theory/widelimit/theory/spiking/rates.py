"""How fast a leaky integrate-and-fire neuron fires, with and without noise (siegert1951first)."""

from __future__ import annotations

from sympy import Expr, Symbol, erfi, factorial2, log, pi, sqrt

from widelimit.theory.calculus.gaussian.special import erfcx

DRIVE = Symbol("mu", real=True)
THRESHOLD, RESET = Symbol("theta", real=True), Symbol("U_r", real=True)
TAU, REFRACTORY = Symbol("tau", positive=True), Symbol("t_ref", nonnegative=True)
DISTANCE = Symbol("v", real=True)  # of the drive above a potential, over sigma
_TERMS = 14  # of the series far above threshold
PASSAGE = Symbol("S", positive=True)  # the integral of `passage_density` from reset to threshold


def deterministic_rate() -> Expr:
    """Return 1/(t_ref + tau log(1 + (theta - U_r)/(mu - theta))), for a drive above threshold.

    >>> at = {DRIVE: 15.0, THRESHOLD: 10, RESET: 0, TAU: 0.01, REFRACTORY: 0.005}
    >>> deterministic_rate().subs(at).evalf(8)
    62.554255
    """
    return 1 / (REFRACTORY + TAU * log(1 + (THRESHOLD - RESET) / (DRIVE - THRESHOLD)))


def passage_density() -> Expr:
    """Return exp(v^2) erfc(v), v = (mu - u)/sigma: what the passage through a potential u takes."""
    return erfcx(DISTANCE)


def passage_both() -> Expr:
    """Return sqrt(pi) erfi(v), the integral of `passage_density` from -v to v: erfcx(x) + erfcx(-x) is 2 exp(x^2)."""
    return sqrt(pi) * erfi(DISTANCE)


def passage_far() -> Expr:
    """Return an integral of `passage_density` far above threshold: (log v + 1/(4 v^2) - 3/(16 v^4) + ...)/sqrt(pi).

    Integrals between two places are differences of it, to 1e-16 from v = 8 on.
    """
    series = log(DISTANCE) - sum(
        (-1) ** n * factorial2(2 * n - 1) / (2**n * 2 * n * DISTANCE ** (2 * n)) for n in range(1, _TERMS + 1)
    )
    return series / sqrt(pi)


def noisy_rate() -> Expr:
    """Return 1/(t_ref + tau sqrt(pi) S) for tau dV = (mu - V) dt + sigma sqrt(tau) dW, S the whole passage."""
    return 1 / (REFRACTORY + TAU * sqrt(pi) * PASSAGE)
