"""A derivation: ordered steps from definitions to a result, each with its reason, assumptions and source.

Every step can be checked: both sides of an identity are evaluated independently of each other at random points
of the step's domain in high precision; a limit shows the ratio of its sides approaching one. A derivation prints
as text, LaTeX and MathML.
"""

from __future__ import annotations

import html
import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape

import mpmath
from sympy import Equality, Expr, Rational, Symbol, latex, oo
from sympy.printing.mathml import MathMLPresentationPrinter

from widelimit.theory.errors import DerivationError
from widelimit.theory.precision import evaluate

Values = Mapping[Symbol, Rational]
Kind = Literal["definition", "identity", "limit"]


@dataclass(frozen=True)
class Step:
    """One equation of a derivation.

    `kind`: a *definition* introduces its left side (the right side must be a finite number), an *identity* has
    two sides that are evaluated independently, a *limit* says that left/right tends to 1 as `limit` =
    (symbol, value) is approached, its error falling at least like the distance to the power order/2.
    `source`: keys of references.bib with what is meant in them, separated by ``;``.
    `domain`: the intervals from which `check` draws; `evaluate(values, dps)` returns both sides of a step that
    needs numerics of its own (a distribution identity, a recursion run to some depth).
    """

    name: str
    equation: Equality
    because: str
    source: str = ""
    assumptions: tuple[str, ...] = ()
    domain: Mapping[Symbol, tuple[float, float]] = field(default_factory=dict)
    kind: Kind = "identity"
    limit: tuple[Symbol, Expr] | None = None
    order: float = 1.0
    evaluate: Callable[[Values, int], tuple[mpmath.mpf, mpmath.mpf]] | None = None

    @property
    def lhs(self) -> Expr:
        """The left side."""
        return self.equation.args[0]

    @property
    def rhs(self) -> Expr:
        """The right side."""
        return self.equation.args[1]

    def check(self, dps: int = 30, points: int = 3, seed: int = 0) -> StepCheck:
        """Check this step at `points` random points; the result says how far the two sides are apart."""
        draw = random.Random(f"{seed}:{self.name}:{self.equation}")
        worst = mpmath.mpf(0)
        for _ in range(points if self.domain else 1):
            values = {
                s: _between(draw, *ends)
                for s, ends in sorted(self.domain.items(), key=lambda item: str(item[0]))
            }
            error = self._limit_error(values, dps) if self.kind == "limit" else self._error(values, dps)
            worst = max(worst, error) if mpmath.isfinite(error) else mpmath.inf
        # Ten digits are left to the quadrature and the numerical derivatives behind the sides.
        allowed = mpmath.mpf(1) if self.kind == "limit" else mpmath.mpf(10) ** -(dps - 10)
        return StepCheck(
            self.name, self.kind, points if self.domain else 1, float(worst), bool(worst <= allowed)
        )

    def _sides(self, values: Values, dps: int) -> tuple[mpmath.mpf, mpmath.mpf]:
        if self.evaluate is not None:
            return self.evaluate(values, dps)
        right = evaluate(self.rhs, values, dps)
        return (right if self.kind == "definition" else evaluate(self.lhs, values, dps)), right

    def _error(self, values: Values, dps: int) -> mpmath.mpf:
        left, right = self._sides(values, dps)
        with mpmath.workdps(dps + 10):
            scale = max(abs(left), abs(right))
            return abs(left - right) / scale if scale else mpmath.mpf(0)

    def _limit_error(self, values: Values, dps: int) -> mpmath.mpf:
        """Return at most 1 if |left/right - 1| falls like the distance to the power order/2 or faster, else more."""
        if self.limit is None:
            raise DerivationError(f"Step {self.name!r} is a limit but does not say of what.")
        symbol, target = self.limit
        errors = []
        for power in (2, 4, 6):
            near = Rational(10) ** power if target is oo else target + Rational(1, 10**power)
            left, right = self._sides({**values, symbol: near}, dps)
            errors.append(abs(left / right - 1))
        floor = mpmath.mpf(10) ** -(dps - 10)
        factor = mpmath.mpf(10) ** self.order  # a hundredfold approach, to the power order/2
        pairs = itertools.pairwise(errors)
        return max(
            (after * factor / max(before, floor) for before, after in pairs if after > floor),
            default=mpmath.mpf(0),
        )


@dataclass(frozen=True)
class StepCheck:
    """What checking a step found: the largest relative difference of its sides over the points."""

    name: str
    kind: str
    points: int
    worst_relative_error: float
    passed: bool


@dataclass(frozen=True)
class Derivation:
    """Ordered steps under a title; the last step is the result.

    >>> from sympy import Eq, Symbol, cos, sin
    >>> t = Symbol("t", real=True)
    >>> step = Step("pythagoras", Eq(sin(t) ** 2, 1 - cos(t) ** 2, evaluate=False), "unit circle", domain={t: (0, 1)})
    >>> derivation = Derivation("An example", (step,))
    >>> derivation.check()[0].passed
    True
    >>> print(derivation)
    An example
    1. pythagoras: sin(t)**2 = 1 - cos(t)**2
       because unit circle
    """

    title: str
    steps: tuple[Step, ...]
    assumptions: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"{name!r}; the steps are {', '.join(step.name for step in self.steps)}")

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def result(self) -> Equality:
        """The equation of the last step."""
        return self.steps[-1].equation

    def check(self, dps: int = 30, points: int = 3, seed: int = 0) -> tuple[StepCheck, ...]:
        """Check every step at random points; raise `DerivationError` naming the first that fails."""
        checks = []
        for step in self.steps:
            done = step.check(dps, points, seed)
            if not done.passed:
                raise DerivationError(
                    f"Step {step.name!r} of {self.title!r} fails its check: {step.equation.lhs} and "
                    f"{step.equation.rhs} differ by {done.worst_relative_error:.3g} relatively."
                )
            checks.append(done)
        return tuple(checks)

    def __str__(self) -> str:
        lines = [self.title, *(f"assuming {text}" for text in self.assumptions)]
        for number, step in enumerate(self.steps, 1):
            sign = "~" if step.kind == "limit" else "="
            lines.append(f"{number}. {step.name}: {step.lhs} {sign} {step.rhs}" + _as(step, str))
            lines.append(f"   because {step.because}")
            lines += [f"   assuming {text}" for text in step.assumptions]
            if step.source:
                lines.append(f"   [{step.source}]")
        return "\n".join(lines)

    def latex(self) -> str:
        """Return an `align` environment, a line a step, with names as comments on the right."""
        rows = []
        for step in self.steps:
            sign = r"\sim" if step.kind == "limit" else "="
            rows.append(
                rf"  {latex(step.lhs)} &{sign} {latex(step.rhs)} && \text{{{step.name}{_as(step, latex)}}}"
            )
        return "\\begin{align}\n" + " \\\\\n".join(rows) + "\n\\end{align}"

    def _repr_latex_(self) -> str:
        return self.latex()

    def mathml(self) -> str:
        """Return an ordered list, an item a step, whose equations are presentation MathML."""
        items = []
        for step in self.steps:
            notes = [step.because, *(f"Assuming {text}." for text in step.assumptions)]
            source = f" <cite>{escape(step.source)}</cite>" if step.source else ""
            items.append(f"<li>{step_mathml(step)}<p>{escape(' '.join(notes))}{source}</p></li>")
        return f"<ol>{''.join(items)}</ol>"


def step_mathml(step: Step) -> str:
    """Return the equation of a step as one ``<math>`` element (for a limit, with what is approached)."""
    sign = "∼" if step.kind == "limit" else "="
    body = f"{expression_mathml(step.lhs)}<mo>{sign}</mo>{expression_mathml(step.rhs)}"
    if step.kind == "limit" and step.limit is not None:
        symbol, target = step.limit
        approach = f"{expression_mathml(symbol)}<mo>→</mo>{expression_mathml(target)}"
        body += f"<mspace width='1em'/><mo>(</mo>{approach}<mo>)</mo>"
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mrow>{body}</mrow></math>'


def expression_mathml(expr: Expr) -> str:
    """Return presentation MathML of an expression, without the ``<math>`` element around it."""
    printer = MathMLPresentationPrinter()
    text = printer._print(expr).toxml()
    # SymPy writes HTML's named entities, which plain XML does not know.
    text = re.sub(r"&(?!lt;|gt;|amp;|quot;|apos;|#)\w+;", lambda entity: html.unescape(entity[0]), text)
    return f"<mrow>{text}</mrow>"


def _as(step: Step, show: Callable[[Expr], str]) -> str:
    if step.kind != "limit" or step.limit is None:
        return ""
    arrow = r" $\to$ " if show is latex else " -> "
    dollar = "$" if show is latex else ""
    return f" as {dollar}{show(step.limit[0])}{dollar}{arrow}{dollar}{show(step.limit[1])}{dollar}"


def _between(draw: random.Random, low: float, high: float) -> Rational:
    """Return a random rational strictly inside the interval: exact at every precision."""
    return Rational(low) + (Rational(high) - Rational(low)) * Rational(draw.randrange(1, 9973), 9973)
