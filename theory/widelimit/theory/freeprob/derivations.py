"""The transforms of a known law as a derivation that checks itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sympy import Eq, Expr, Integer, Rational, Symbol

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.freeprob import known
from widelimit.theory.freeprob.law import Law, g, m
from widelimit.theory.freeprob.series import noncrossing_partitions

LAWS: Mapping[str, Callable[[], Law]] = {
    "marchenko_pastur": known.marchenko_pastur,
    "semicircle": known.semicircle,
    "arcsine": known.arcsine,
    "free_poisson": lambda: known.free_poisson(Rational(1, 2)),
    "bernoulli": lambda: known.bernoulli(Rational(1, 2)),
    "fuss_catalan": lambda: known.fuss_catalan(2),
    "multiplicative_brownian": lambda: known.multiplicative_brownian(1),
}


def derive(law: str | Law = "marchenko_pastur") -> Derivation:
    """Transforms, free cumulants and moments of a law.

    Args:
        law: a name of `LAWS`, such as semicircle, or a `Law`.

    >>> [step.name for step in derive("semicircle")]
    ['r-transform', 'cauchy-transform', 'moment-3', 'moment-4']
    """
    if isinstance(law, str):
        if law not in LAWS:
            raise ArgumentError("law", f"must be one of {', '.join(LAWS)}", law)
        law = LAWS[law]()
    if not isinstance(law, Law):
        raise ArgumentError("law", f"must be a Law or one of {', '.join(LAWS)}", law)
    steps = []
    if law.S is not None:
        steps.append(
            Step(
                "s-transform",
                Eq(Symbol("S"), law.S, evaluate=False),
                "S(m) = (1 + m)/(m z) where m = M(z) = z G(z) - 1.",
                "nica2006lectures, lecture 18",
                domain={m: (0.05, 0.3)},
                kind="definition",
            )
        )
    if law.R is not None:
        steps.append(
            Step(
                "r-transform",
                Eq(Symbol("R"), law.R, evaluate=False),
                "G(R(g) + 1/g) = g; equivalently g R(g) and m S(m) are inverse functions.",
                "nica2006lectures, lecture 12",
                domain={g: (0.01, 0.05)},
                kind="definition",
            )
        )
    if law.R is not None and law.G is not None:
        steps.append(
            Step(
                "cauchy-transform",
                Eq(law.G.subs(Symbol("z"), law.R + 1 / g), g, evaluate=False),
                "The Cauchy transform in closed form sends R(g) + 1/g back to g.",
                "nica2006lectures, lecture 12",
                domain={g: (0.01, 0.05)},
            )
        )
    elif law.R is not None and law.S is not None:
        steps.append(
            Step(
                "inverse-functions",
                Eq((m * law.S).subs(m, g * law.R), g, evaluate=False),
                "m S(m) undoes g R(g).",
                "nica2006lectures, lecture 18",
                domain={g: (0.01, 0.05)},
            )
        )
    for order in (3, 4):
        steps.append(  # noqa: PERF401 - a step each reads better
            Step(
                f"moment-{order}",
                Eq(_by_partitions(law, order), law.moments(order)[-1], evaluate=False),
                "Sum over non-crossing partitions of products of free cumulants; right: series of the transform.",
                "nica2006lectures, lecture 11",
            )
        )
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
