"""Results as ordered equations that carry their reasons and check themselves.

A `Step` is one equation with its justification, source, assumptions and the domain on which it holds; a `Derivation`
is a tuple of them. ``check`` draws points from each domain and evaluates both sides independently in high precision.

Every step can fail. A left side that is a name alone (``q_{l+1}``) is no equation to be checked: `Step.left` says what
the name stands for, by numbers that owe nothing to the right side (a quadrature, a small exact ensemble from
`ensembles`, finite differences), or `Step.by` derives the equation from earlier steps. What only gives a name to an
expression is notation, and says so.
"""

from __future__ import annotations

import random
import textwrap
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from html import escape
from typing import Any

import mpmath
from sympy import Eq, Expr, Integer, Rational, S, Symbol, latex
from sympy.core.function import AppliedUndef

from widelimit.theory.calculus.equations import Equations
from widelimit.theory.calculus.exact import plain
from widelimit.theory.calculus.naming import Shown, shown
from widelimit.theory.calculus.pictured import pictured
from widelimit.theory.calculus.precision import SPARE, evaluate
from widelimit.theory.errors import ArgumentError, DerivationError

KINDS = ("identity", "limit", "derived", "notation")
_LINE = 84  # letters of a line of words
LOST_DIGITS = 5  # what an identity may lose to rounding, out of `dps`

Side = Callable[[Mapping[Symbol, Any], int], Any]


@dataclass(frozen=True)
class Step(Equations):
    """One equation of a derivation.

    `kind`:

    identity   both sides are evaluated as they are shown, and must agree
    limit      `limit` = (symbol, value, order): left/right - 1 falls at least like |symbol - value|**order, at infinity
               like symbol**-order
    derived    `by` computes the equation from the equations of earlier steps, and must come to the one shown
    notation   a name for an expression, which must be a finite number; proves nothing

    `left` evaluates the left side where it is a name, or needs numerics of its own: a function of (values, dps) that
    knows what the name means and nothing of the right side; `right` the same for the right. `written` writes out what
    both sides show in general (a sum over any spectrum becomes one over three scales) before it is evaluated. `domain`
    maps symbols to the interval that points are drawn from. `source`: keys of references.bib, each with a place,
    separated by "; ".
    Functions have to be functions of a module, or a `functools.partial` of one, so that derivations can be pickled;
    steps compare without them, by what they say.
    """

    name: str
    equation: Eq
    because: str
    source: str = ""
    assumptions: tuple[str, ...] = ()
    domain: Mapping[Symbol, tuple[float, float]] = field(default_factory=dict)
    kind: str = "identity"
    limit: tuple[Any, ...] | None = None
    left: Side | None = field(default=None, compare=False)
    right: Side | None = field(default=None, compare=False)
    written: Callable[[Expr], Expr] | None = field(default=None, compare=False)
    by: Callable[[Mapping[str, Eq]], Eq] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError("kind", f"must be one of {', '.join(KINDS)}", self.kind)
        if not isinstance(self.equation, Eq):
            raise ArgumentError("equation", "must be Eq(left, right, evaluate=False)", self.equation)
        if (self.kind == "limit") != (self.limit is not None):
            raise ArgumentError("limit", "must be given for steps of kind 'limit' only", self.limit)
        if (self.kind == "derived") != (self.by is not None):
            raise ArgumentError("by", "must be given for steps of kind 'derived' only", self.by)
        if self.kind == "notation" and not isinstance(self.equation.lhs, Symbol | AppliedUndef):
            raise ArgumentError("equation", "must have a name alone on the left of notation", self.equation)
        own = self.left or self.right
        if self.kind == "identity" and own is None and self.equation.lhs == self.equation.rhs:
            raise ArgumentError("equation", "must have two sides that could differ", self.equation)

    def sides(self, values: Mapping[Symbol, Any], dps: int) -> tuple[Any, Any]:
        """Evaluate left and right, each by itself (notation has no left side of its own: right twice)."""
        write = self.written or _as_shown
        right = _own(self.right, write(self.equation.rhs), values, dps)
        if self.kind == "notation":
            return right, right
        shown = self.equation.lhs if self.left is not None else write(self.equation.lhs)
        return _own(self.left, shown, values, dps), right

    def derived(self, earlier: Mapping[str, Eq]) -> Step:
        """What `by` comes to, as an identity with the right side that is shown; the left sides have to be the same."""
        assert self.by is not None
        try:
            found = self.by(earlier)
        except KeyError as error:
            raise DerivationError(
                f"Step '{self.name}' is derived from step {error}, which does not stand before it."
            ) from None
        if found.lhs != self.equation.lhs:
            raise DerivationError(
                f"Step '{self.name}' shows {self.equation.lhs}, but {found.lhs} was derived."
            )
        return replace(
            self, kind="identity", by=None, left=partial(_value, found.rhs),
            equation=Eq(found.rhs, self.equation.rhs, evaluate=False),
        )  # fmt: skip

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the bibliography that the source names."""
        return tuple(part.split(",")[0].split()[0] for part in self.source.split(";") if part.strip())


@dataclass(frozen=True)
class StepCheck:
    """Outcome of one step's check; `worst_relative_error` is that of the final ratio for limits."""

    name: str
    kind: str
    points: int
    worst_relative_error: float
    passed: bool


@pictured
@dataclass(frozen=True)
class Derivation:
    """Ordered steps from definitions to a result.

    >>> from sympy import sin, cos
    >>> a = Symbol("a", real=True)
    >>> step = Step("half-angle", Eq(sin(2*a), 2*sin(a)*cos(a), evaluate=False), "addition theorem", domain={a: (0, 1)})
    >>> Derivation("An example", (step,)).check(dps=30)[0].passed
    True
    """

    title: str
    steps: tuple[Step, ...]
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) < len(names):
            raise ArgumentError("steps", "must have one or more steps with different names", names)

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def shown(self) -> tuple[Shown, ...]:
        """Both sides of each step as they are shown: with the names that earlier steps give (`naming`)."""
        return shown((step.equation, step.kind) for step in self.steps)

    @property
    def result(self) -> Eq:
        """The equation of the last step."""
        return self.steps[-1].equation

    @property
    def sources(self) -> tuple[str, ...]:
        """Bibliography keys in order of appearance."""
        return tuple(dict.fromkeys(key for step in self.steps for key in step.keys))

    def __str__(self) -> str:
        lines = [self.title, "=" * len(self.title)]
        lines += [f"Assuming {a}." for a in self.assumptions]
        for number, (step, pair) in enumerate(zip(self.steps, self.shown, strict=True), 1):
            lines += ["", f"{number}. {step.name}", f"       {_sides(step, pair, str)}"]
            reason = step.because + (f" [{step.source}]" if step.source else "")
            reason += f" Assuming {'; '.join(step.assumptions)}." if step.assumptions else ""
            lines += textwrap.wrap(reason, 96, initial_indent="   ", subsequent_indent="   ")
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the steps as one LaTeX `align*` environment, the reason under each equation in lines that fit."""
        rows = []
        for step, pair in zip(self.steps, self.shown, strict=True):
            rows.append(_sides(step, pair, latex, " &", r"\sim", r"\coloneqq", r" \\ &\quad\text{where }"))
            rows += [rf"&\quad\text{{{_escaped(line)}}}" for line in textwrap.wrap(step.because, _LINE)]
        return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_html_(self) -> str:
        """Show a table for notebooks, which set its LaTeX: the steps by name, equations, reasons."""
        left = 'style="text-align:left"'
        lines = []
        for step, pair in zip(self.steps, self.shown, strict=True):
            equation = _sides(step, pair, latex, "", r"\sim", r"\coloneqq", r",\quad ")
            reason = step.because + (f" [{step.source}]" if step.source else "")
            cells = (escape(step.name), f"$\\displaystyle {escape(equation)}$", escape(reason))
            lines.append("<tr>" + "".join(f"<td {left}>{cell}</td>" for cell in cells) + "</tr>")
        head = "<thead><tr><th>step</th><th>equation</th><th>because</th></tr></thead>"
        caption = f"<caption>{escape(self.title)}</caption>"
        return f'<table class="widelimit">{caption}{head}<tbody>{"".join(lines)}</tbody></table>'

    def mathml(self) -> str:
        """Return a MathML table, one row an equation; valid XML that browsers render."""
        pairs = zip(self.steps, self.shown, strict=True)
        rows = "".join(f"<mtr><mtd>{_inner_mathml(step, pair)}</mtd></mtr>" for step, pair in pairs)
        return (
            f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mtable>{rows}</mtable></math>'
        )

    def step_mathml(self, name: str) -> str:
        """Return one equation as a ``<math>`` element."""
        pairs = {step.name: (step, pair) for step, pair in zip(self.steps, self.shown, strict=True)}
        inner = _inner_mathml(*pairs[name])
        return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inner}</math>'

    def check(self, dps: int = 30, points: int = 3, seed: int = 0) -> tuple[StepCheck, ...]:
        """Check each step at random points of its domain; `DerivationError` names the first that fails."""
        checks = []
        earlier: dict[str, Eq] = {}
        for step in self.steps:
            told = step.derived(earlier) if step.kind == "derived" else step
            outcome = replace(_check(told, dps, points, seed), kind=step.kind)
            earlier[step.name] = step.equation
            if not outcome.passed:
                raise DerivationError(
                    f"Step '{step.name}' of '{self.title}' fails its check at {dps} digits: "
                    f"relative error {outcome.worst_relative_error:.2g}."
                )
            checks.append(outcome)
        return tuple(checks)


def draw(step: Step, points: int, seed: int) -> list[dict[Symbol, Rational]]:
    """Draw points of a step's domain, as short decimals; the same seed gives a symbol the same values in every step.

    Expectations that several steps have in common are thus evaluated once.
    """
    if not step.domain:
        return [{}]
    drawn = {
        symbol: [_between(generator, low, high, bool(symbol.is_integer)) for _ in range(points)]
        for symbol, (low, high) in step.domain.items()
        for generator in (random.Random(zlib.crc32(symbol.name.encode()) + seed),)
    }
    return [{symbol: values[k] for symbol, values in drawn.items()} for k in range(points)]


def _between(
    generator: random.Random, low: float | Expr, high: float | Expr, whole: bool
) -> Integer | Rational:
    """Return a number of an interval; a generator in the same state gives the same share of any."""
    if whole:
        return Integer(generator.randint(int(low), int(high)))
    share = Rational(generator.randrange(1, 1000), 1000)
    return _decimal(low) + (_decimal(high) - _decimal(low)) * share


def _own(side: Side | None, shown: Expr, values: Mapping[Symbol, Any], dps: int) -> Any:
    if side is None:
        return evaluate(shown, values, dps)
    with mpmath.workdps(dps + SPARE):
        return mpmath.mpmathify(side(values, dps))


def _as_shown(side: Expr) -> Expr:
    return side


def _value(expr: Expr, values: Mapping[Symbol, Any], dps: int) -> Any:
    return evaluate(expr, values, dps)


def _decimal(value: float | Expr) -> Rational:
    return Rational(str(plain("domain", value)))


def _check(step: Step, dps: int, points: int, seed: int) -> StepCheck:
    where = draw(step, points, seed)
    worst, passed = 0.0, True
    for values in where:
        if step.kind == "limit":
            error, good = _approach(step, values, dps)
        else:
            left, right = step.sides(values, dps)
            error = _relative(left, right)
            good = error <= 10.0 ** (LOST_DIGITS - dps)
        worst = max(worst, error) if error == error else float("inf")
        passed = passed and good
    return StepCheck(step.name, step.kind, len(where), worst, passed)


def _relative(left: Any, right: Any) -> float:
    if not (mpmath.isfinite(left) and mpmath.isfinite(right)):
        return float("inf")
    if left == right:
        return 0.0
    return float(abs(left - right) / max(abs(left), abs(right)))


def _approach(step: Step, values: Mapping[Symbol, Any], dps: int) -> tuple[float, bool]:
    """See left/right - 1 shrink at the stated order, or faster, along a geometric sequence."""
    symbol, target, *rest = step.limit or ()
    order = float(rest[0]) if rest else 1.0
    ratio = 4
    errors = []
    for k in (5, 6, 7):
        gap = Rational(1, ratio**k)
        at = 1 / gap if target is S.Infinity else target + gap
        left, right = step.sides({**values, symbol: at}, dps)
        errors.append(_relative(left, right) if right else float("inf"))
    if errors[-1] <= 10.0 ** (LOST_DIGITS - dps):
        return errors[-1], True
    slopes = [mpmath.log(errors[i] / errors[i + 1]) / mpmath.log(ratio) for i in (0, 1)]
    return errors[-1], all(float(slope) > order - 0.3 for slope in slopes)


def _sides(
    step: Step,
    pair: Shown,
    show: Callable[[Expr], str],
    align: str = "",
    near: str = "~",
    named: str = ":=",
    behind: str = ", where ",
) -> str:
    sign = {"limit": near, "notation": named}.get(step.kind, "=")
    where = ", ".join(f"{show(name)} = {show(part)}" for name, part in pair.where)
    return f"{show(pair.left)}{align} {sign} {show(pair.right)}" + (f"{behind}{where}" if where else "")


def _escaped(text: str) -> str:
    marks = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    return "".join(marks.get(ch, "\\" + ch if ch in "#$%&_{}" else ch) for ch in text)


def _inner_mathml(step: Step, pair: Shown) -> str:
    from widelimit.theory.calculus.mathml import mathml  # only reports need this printer

    sign = {"limit": "∼", "notation": "≔"}.get(step.kind, "=")
    equation = f"<mrow>{mathml(pair.left)}<mo>{sign}</mo>{mathml(pair.right)}</mrow>"
    if not pair.where:
        return equation
    parts = [f"<mrow>{mathml(name)}<mo>=</mo>{mathml(part)}</mrow>" for name, part in pair.where]
    rows = [equation, f"<mrow><mtext>where </mtext>{parts[0]}</mrow>", *parts[1:]]
    return f"<mtable>{''.join(f'<mtr><mtd>{row}</mtd></mtr>' for row in rows)}</mtable>"
