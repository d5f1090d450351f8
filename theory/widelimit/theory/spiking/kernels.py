"""The kernel of a spike, and what a spike costs where another one is wanted.

alpha(t) = ab/(a - b) (exp(-t/a) - exp(-t/b)) is two leaky integrators in a row, decay a and rise b, without
normalisation: its integral is ab. The loss of a spike train S against a target is L = 1/2 int (alpha * (target - S))^2,
in s^3. Formulas are written so that they keep their digits where a and b come together: at a = b, alpha is t exp(-t/a).
"""

from __future__ import annotations

from sympy import Eq, Expr, Piecewise, Symbol, exp, expand

DECAY, RISE = Symbol("a", positive=True), Symbol("b", positive=True)
TIME = Symbol("t", nonnegative=True)
LAG = Symbol("D", nonnegative=True)  # between two spikes, without its sign
EXPONENTIAL, FILTERED = (
    Symbol("E", real=True),
    Symbol("F", real=True),
)  # traces of a signed train, see `energy`
SLOW, FAST = Symbol("X_a", nonnegative=True), Symbol("X_b", nonnegative=True)  # see `overlap_of_sums`
SHRUNK, RISEN = Symbol("X", negative=True), Symbol("Y", positive=True)  # see `time_passed`
GAP = Symbol("d", nonnegative=True)  # 1/b - 1/a
CHANGE_E, CHANGE_F = Symbol("dE", real=True), Symbol("dF", real=True)  # of the traces between two spikes


def response() -> Expr:
    """Return alpha(t) = exp(-t/a) (1 - exp(-d t))/d with d = 1/b - 1/a, and t exp(-t/a) at a = b.

    >>> response().subs({DECAY: 2, RISE: 2, TIME: 2})
    2*exp(-1)
    """
    a, b, t, gap = DECAY, RISE, TIME, _gap()
    return Piecewise((t * exp(-t / a), Eq(a, b)), (exp(-t / a) * (1 - exp(-gap * t)) / gap, True))


def _gap() -> Expr:
    return (DECAY - RISE) / (DECAY * RISE)


def overlap_at_zero() -> Expr:
    """Return C(0) = (ab)^2/(2 (a + b)), the integral of alpha^2; a missing or an extra spike costs half of it.

    >>> overlap_at_zero().subs({DECAY: 2, RISE: 1})
    2/3
    """
    return (DECAY * RISE) ** 2 / (2 * (DECAY + RISE))


def overlap() -> Expr:
    """Return C(D) = int alpha(t) alpha(t + D) dt = C(0) (exp(-D/a) + alpha(D)/a).

    `overlap_of_sums` is the same as a difference of exponentials, which is 0/0 at a = b.
    """
    return overlap_at_zero() * (exp(-LAG / DECAY) + response().subs(TIME, LAG) / DECAY)


def overlap_of_sums() -> Expr:
    """Return (ab)^2 (a X_a - b X_b)/(2 (a^2 - b^2)), C summed over pairs of spikes, a > b.

    X_a and X_b are the sums of exp(-D/a) and exp(-D/b) over the pairs.
    """
    a, b = DECAY, RISE
    return (a * b) ** 2 * (a * SLOW - b * FAST) / (2 * (a**2 - b**2))


def overlap_slope() -> Expr:
    """Return C'(D) = -ab alpha(D)/(2 (a + b)), for D >= 0; C is even."""
    return -DECAY * RISE * response().subs(TIME, LAG) / (2 * (DECAY + RISE))


def energy() -> Expr:
    """Return the integral over all later times of (F exp(-t/b) + E alpha(t))^2.

    The filtered difference of two trains is such a curve behind any spike: F is its value, and E the sum of
    q exp(-t/a) over the spikes before, t ago, of either sign.
    """
    a, b = DECAY, RISE
    e, f = EXPONENTIAL, FILTERED
    return overlap_at_zero() * e**2 + a * b**2 / (a + b) * e * f + b / 2 * f**2


def trace_changes() -> tuple[Expr, Expr]:
    """Return how E and F change in a time t without spikes: E X, and F (X - d Y (1 + X)) + E (1 + X) Y.

    X = exp(-t/a) - 1 and Y = (1 - exp(-d t))/d, which are small where t is (`time_passed`), d = 1/b - 1/a.
    """
    late = (1 + SHRUNK) * RISEN
    return EXPONENTIAL * SHRUNK, FILTERED * (SHRUNK - GAP * late) + EXPONENTIAL * late


def time_passed() -> tuple[Expr, Expr]:
    """Return X = exp(-t/a) - 1 and Y = (1 - exp(-d t))/d, d = 1/b - 1/a; Y is t at a = b."""
    gap = _gap()
    risen = Piecewise((TIME, Eq(DECAY, RISE)), ((1 - exp(-gap * TIME)) / gap, True))
    return exp(-TIME / DECAY) - 1, risen


def energy_lost() -> Expr:
    """Return what `energy` loses where E and F change by dE and dF: the integral of the square over that time."""
    later = {EXPONENTIAL: EXPONENTIAL + CHANGE_E, FILTERED: FILTERED + CHANGE_F}
    whole = energy()
    return expand(whole - whole.subs(later, simultaneous=True))


def window_after() -> Expr:
    """Return K(D) = int alpha(t - D) (alpha * alpha)(t) dt of a target D after the presynaptic spike, D >= 0, a > b.

    A sum of (D m + m^2 -+ 2Am) exp(-D/d), A = ab/(a - b), m = cd/(c + d), over time constants c and d.
    """
    return _amplitude() ** 3 * sum(
        sign * exp(-LAG / own) * (LAG * mean + _weight(mean, other)) for sign, mean, own, other in _pairs()
    )


def window_before() -> Expr:
    """Return the same of a target before the presynaptic spike, D being how long before."""
    return _amplitude() ** 3 * sum(
        sign * exp(-LAG / target) * _weight(mean, other)
        for (sign, mean, _, other), target in zip(_pairs(), _targets(), strict=True)
    )


def _amplitude() -> Expr:
    return DECAY * RISE / (DECAY - RISE)


def _weight(mean: Expr, sign: int) -> Expr:
    return mean**2 - 2 * sign * _amplitude() * mean


def _targets() -> tuple[Expr, ...]:
    """The time constant of the target's kernel in each pair."""
    return DECAY, DECAY, RISE, RISE


def _pairs() -> tuple[tuple[int, Expr, Expr, int], ...]:
    """Sign and c d/(c + d) of a time constant c of the target's kernel and d of the potential's, d, and its sign."""
    signs = {DECAY: 1, RISE: -1}
    return tuple((signs[c], c * d / (c + d), d, signs[d]) for c in (DECAY, RISE) for d in (DECAY, RISE))
