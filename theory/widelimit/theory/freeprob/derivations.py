"""The transforms of a known law as a derivation that checks itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Expr, Integer, Rational, Symbol

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.precision import Values, evaluate
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.freeprob import known, meaning
from widelimit.theory.freeprob.law import Law, g, m
from widelimit.theory.freeprob.series import noncrossing_partitions

_HALF = Rational(1, 2)

LAWS: Mapping[str, Callable[[], Law]] = {
    "marchenko_pastur": known.marchenko_pastur,
    "semicircle": known.semicircle,
    "arcsine": known.arcsine,
    "free_poisson": lambda: known.free_poisson(_HALF),
    "bernoulli": lambda: known.bernoulli(_HALF),
    "fuss_catalan": lambda: known.fuss_catalan(2),
    "multiplicative_brownian": lambda: known.multiplicative_brownian(1),
    "point_mass": lambda: known.point_mass(2),
    "mixture": lambda: known.mixture([(1, _HALF), (3, _HALF)]),
    "haar_orthogonal": lambda: known.haar_orthogonal(2),
    "wishart_product": lambda: known.wishart_product([_HALF, 2]),
}

_MEANINGS: Mapping[
    str, Callable[[int], Any]
] = {  # the moments of the matrices that the laws of `LAWS` are named after
    "marchenko_pastur": partial(meaning.wishart, ratios=(1,)),
    "semicircle": meaning.wigner,
    "arcsine": meaning.unitary,
    "free_poisson": partial(meaning.rank_ones, rate=0.5),
    "bernoulli": partial(meaning.points, points=((1, 0.5),)),
    "fuss_catalan": partial(meaning.wishart, ratios=(1, 1)),
    "multiplicative_brownian": partial(meaning.brownian, time=1),
    "point_mass": partial(meaning.points, points=((2, 1),)),
    "mixture": partial(meaning.points, points=((1, 0.5), (3, 0.5))),
    "haar_orthogonal": partial(meaning.points, points=((4, 1),)),
    "wishart_product": partial(meaning.wishart, ratios=(0.5, 2)),
}


def derive(law: str | Law = "marchenko_pastur") -> Derivation:
    """Transforms, free cumulants and moments of a law.

    Args:
        law: a name of `LAWS`, such as semicircle, or a `Law`.

    >>> [step.name for step in derive("semicircle")]
    ['r-transform', 'cauchy-transform', 'moment-2', 'moment-3', 'moment-4']
    """
    told: Callable[[int], Any] | None = None
    if isinstance(law, str):
        if law not in LAWS:
            raise ArgumentError("law", f"must be one of {', '.join(LAWS)}", law)
        told = _MEANINGS[law]
        law = LAWS[law]()
    if not isinstance(law, Law):
        raise ArgumentError("law", f"must be a Law or one of {', '.join(LAWS)}", law)
    moments = partial(_told, told) if told else partial(_computed, law)
    steps = []
    if law.S is not None:
        steps.append(
            Step(
                "s-transform",
                Eq(Symbol("S"), law.S, evaluate=False),
                "S(m) = (1 + m)/(m z) where m = M(z) = z G(z) - 1.",
                "nica2006lectures, lecture 18",
                domain={m: (0.05, 0.3)},
                kind="limit",
                limit=(m, Integer(0), 3),
                left=partial(_s_of_moments, moments),
            )
        )
    if law.R is not None and law.R != 0:
        steps.append(
            Step(
                "r-transform",
                Eq(Symbol("R"), law.R, evaluate=False),
                "G(R(g) + 1/g) = g; equivalently g R(g) and m S(m) are inverse functions.",
                "nica2006lectures, lecture 12",
                domain={g: (0.01, 0.05)},
                kind="limit",
                limit=(g, Integer(0), 3),
                left=partial(_r_of_moments, moments),
            )
        )
    undone = None if law.R is None or law.G is None else law.G.subs(Symbol("z"), law.R + 1 / g)
    if undone is not None and undone != g:
        steps.append(
            Step(
                "cauchy-transform",
                Eq(undone, g, evaluate=False),
                "The Cauchy transform in closed form sends R(g) + 1/g back to g.",
                "nica2006lectures, lecture 12",
                domain={g: (0.01, 0.05)},
            )
        )
    elif undone is None and law.R is not None and law.S is not None:
        steps.append(
            Step(
                "inverse-functions",
                Eq((m * law.S).subs(m, g * law.R), g, evaluate=False),
                "m S(m) undoes g R(g).",
                "nica2006lectures, lecture 18",
                domain={g: (0.01, 0.05)},
            )
        )
    why = (
        "What the trace of a power of the matrix is; right: series of the transform."
        if told
        else "Sum over non-crossing partitions of products of free cumulants; right: series of the transform."
    )
    steps += [
        Step(
            f"moment-{order}",
            Eq(Symbol(f"m_{order}"), law.moments(order)[-1], evaluate=False),
            why,
            "nica2006lectures, lecture 11",
            left=partial(_moment, told, order) if told else partial(_value_of, _by_partitions(law, order)),
        )
        for order in (2, 3, 4)
    ]
    if not steps:
        raise DomainError(f"The law {law.name} has no transform to derive anything from.")
    return Derivation(f"The law {law.name}", tuple(steps), ("all moments are finite",))


def _by_partitions(law: Law, order: int) -> Expr:
    cumulants = law.cumulants(order)
    total: Expr = Integer(0)
    for partition in noncrossing_partitions(order):
        term: Expr = Integer(1)
        for block in partition:
            term *= cumulants[len(block) - 1]
        total += term
    return total


_KNOWN = 4  # moments that a transform is compared with near zero


def _told(moment: Callable[[int], Any], dps: int) -> list[Any]:
    return [moment(order) for order in range(1, _KNOWN + 1)]


def _computed(law: Law, dps: int) -> list[Any]:
    return [evaluate(moment, {}, dps) for moment in law.moments(_KNOWN)]


def _moment(moment: Callable[[int], Any], order: int, values: Values, dps: int) -> Any:
    return moment(order)


def _value_of(expression: Expr, values: Values, dps: int) -> Any:
    return evaluate(expression, {}, dps)


def _s_of_moments(moments: Callable[[int], list[Any]], values: Values, dps: int) -> Any:
    """S = (1 + m) w/m at the w = 1/z where ``sum m_k w^k = m``."""
    ((_, at),) = values.items()
    point = mpmath.mpf(at.p) / at.q
    found = moments(dps)
    w = mpmath.findroot(lambda w: mpmath.polyval([*found[::-1], -point], w), point / found[0])
    return (1 + point) * w / point


def _r_of_moments(moments: Callable[[int], list[Any]], values: Values, dps: int) -> Any:
    """R = 1/w - 1/g at the w = 1/z where ``G = w (1 + sum m_k w^k)`` is g."""
    ((_, at),) = values.items()
    point = mpmath.mpf(at.p) / at.q
    found = moments(dps)
    w = mpmath.findroot(lambda w: w * mpmath.polyval([*found[::-1], 1], w) - point, point)
    return 1 / w - 1 / point
