"""What the derivations share: domains, sides of steps about matrices, and numbers that owe nothing to a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Symbol

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.ssl import formulas as t
from widelimit.theory.ssl import words

TIAN, WANG = "tian2021understanding", "wang2021towards"

ASSUMPTIONS = (
    "linear online and target networks and a linear predictor, without biases; small steps",
    "views of one sample are independent and alike",
)
ISOTROPIC = "signal and augmentation noise commute: here both are isotropic"

DRAWN: Mapping[Symbol, tuple[float, float]] = {
    t.P: (0.1, 0.9),
    t.U: (0.1, 0.9),
    t.S: (0.1, 0.9),
    t.TAU: (0.8, 1.0),
    t.SIGNAL: (0.8, 1.2),
    t.SPREAD: (0.1, 0.5),
    t.RATE: (0.5, 2.0),
    t.DECAY: (0.01, 0.05),  # always below the critical one
    t.EMA: (0.1, 2.0),
    t.EXPONENT: (0.4, 1.2),
    t.TIME: (0.1, 3.0),
    t.EPSILON: (0.1, 1.0),
    t.KAPPA: (0.3, 2.0),
    t.CROSS: (0.3, 1.5),
    t.NORM: (0.5, 2.0),
    t.TOTAL: (0.5, 2.0),
    t.EIGENVALUE: (-2.0, -0.1),
}
"""Where checks draw what stands in the formulas."""


def filled(expression: Expr) -> Rewritten:
    """Put in what the names of distances and logarithms stand for."""
    first, second = t.passage_ratios()
    logs = {t.ELL_1: _ell(first), t.ELL_2: _ell(second)}
    return expression.subs(logs).subs(t.GAP, t.gap())


def _ell(ratio: Expr) -> Expr:
    from sympy import log

    return log(ratio) / (ratio - 1)


def step(
    name: str,
    lhs: Expr,
    rhs: Expr,
    because: str,
    *more: Symbol,
    source: str = TIAN,
    domain: Mapping[Symbol, tuple[float, float]] | None = None,
    **options: Any,
) -> Step:
    """Make a step whose symbols are drawn from `DRAWN`, those that only its own sides look at being given as `more`."""
    drawn = {**DRAWN, **(domain or {})}
    used = set(more)
    for side in (lhs, rhs):
        used |= filled(side).free_symbols & set(drawn)
    return Step(
        name,
        Eq(lhs, rhs, evaluate=False),
        because,
        source=source,
        domain={symbol: drawn[symbol] for symbol in sorted(used, key=str)},
        written=filled,
        **options,
    )


def matrices(
    name: str, label: str, word: Expr, because: str, left: Callable[[words.Matrices], Any],
    *more: Symbol, source: str = TIAN, isotropic: bool = False,
) -> Step:  # fmt: skip
    """Make a step whose right side is a word of matrices; `left` says what its name means at numeric ones."""
    used = set(more) | (word.free_symbols & set(DRAWN))
    return Step(
        name,
        Eq(Symbol(label), word, evaluate=False),
        because,
        source=source,
        domain={symbol: DRAWN[symbol] for symbol in sorted(used, key=str)},
        left=partial(_probed, left, isotropic),
        right=partial(_worded, word, isotropic),
    )


def _probed(left: Callable[[words.Matrices], Any], isotropic: bool, values: Values, dps: int) -> Any:
    return words.probe(left(words.network(values, dps, isotropic=isotropic)))


def _worded(word: Expr, isotropic: bool, values: Values, dps: int) -> Any:
    at = words.network(values, dps, isotropic=isotropic)
    if t.L in word.free_symbols:
        at[t.L] = at[t.F] * at[t.WP] - at[t.WP] * at[t.F]
    return words.probe(words.value(word, at))


# --- one mode by numbers: the flow of a scalar network, written by hand


def velocity(values: Values, dps: int, p: Any, s: Any, tau: Any) -> tuple[Any, Any, Any]:
    """Return p', s' and tau' of a network of one weight w = root(s), from the gradients of its loss."""
    x, spread, rate, decay, ema = (
        evaluate(symbol, values, dps) if symbol in values else mpmath.mpf(1)
        for symbol in (t.SIGNAL, t.SPREAD, t.RATE, t.DECAY, t.EMA)
    )
    w = mpmath.sqrt(s)
    target = tau * w

    def cost(p: Any, w: Any) -> Any:  # half the mean square of p w x_1 - w_a x_2, but for a constant
        return (p * w) ** 2 * (x + spread) / 2 - p * w * target * x

    along_p = (cost(p + 1, w) - cost(p - 1, w)) / 2
    along_w = (cost(p, w + 1) - cost(p, w - 1)) / 2
    motion = -along_w - decay * w
    return (
        -rate * along_p - decay * p,
        2 * w * motion,
        (ema * (w - target) - tau * motion) / w,
    )


def power_rule(values: Values, dps: int, u: Any, tau: Any = None) -> Any:
    """Return u' of u = s^a where the predictor is u: one weight, differentiated by its power."""
    a = evaluate(t.EXPONENT, values, dps) if t.EXPONENT in values else mpmath.mpf(1) / 2
    tau = evaluate(t.TAU, values, dps) if tau is None else tau
    s = u ** (1 / a)
    return a * s ** (a - 1) * velocity(values, dps, u, s, tau)[1]


def roots(values: Values, dps: int) -> list[Any]:
    """Return where the power rule of exponent 1/2 rests, above zero: zeros of its cubic by mpmath, in order."""
    tau, x, spread, decay = (evaluate(symbol, values, dps) for symbol in (t.TAU, t.SIGNAL, t.SPREAD, t.DECAY))
    found = mpmath.polyroots([-(x + spread), tau * x, -decay], maxsteps=200, extraprec=2 * dps)
    return sorted(mpmath.re(root) for root in found)


def at(values: Values, dps: int, *wanted: Symbol) -> tuple[Any, ...]:
    """Return what symbols are at a point."""
    return tuple(evaluate(symbol, values, dps) for symbol in wanted)


def differentiated(function: Callable[[Any], Any], at: Any, dps: int) -> Any:
    """Return a derivative by differences, computed with three times the digits."""
    with mpmath.workdps(3 * dps + 20):  # a third of the digits is lost
        h = mpmath.mpf(10) ** (-dps - 5)
        return (function(at + h) - function(at - h)) / (2 * h)
