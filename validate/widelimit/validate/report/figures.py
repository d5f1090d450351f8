"""The figures of a claim: theory against simulation, residuals, and the approach to the limit.

Each panel is an SVG of its own, so that the page can set three side by side on a desk and one below the other on a
phone without shrinking the type. `panels` draws the default figures from an outcome alone, or the topic's own.

curves    theory as a line     forests   single numbers     proofs   residuals and convergence
scales    bars, limits and ticks of all of them
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import ClaimOutcome
from widelimit.validate.harness.text import clean
from widelimit.validate.report import curves, forests, labels, proofs
from widelimit.validate.report.curves import curve
from widelimit.validate.report.failures import Failures
from widelimit.validate.report.forests import against, forest
from widelimit.validate.report.look import HEIGHT, ORANGE, PURPLE, SOFT, VERMILLION, blank, style
from widelimit.validate.report.proofs import convergence, residuals
from widelimit.validate.report.scales import tidy
from widelimit.validate.report.svg import fragment
from widelimit.validate.report.words import spoken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.validate.harness.claim import Claim

_MOST_CURVES = 6
_FEWEST_RESIDUALS = 4  # the table has them too
_MOST_ROWS = 10  # in a forest plot
_WRONG = (VERMILLION, ORANGE, PURPLE)  # counterfactuals


@dataclass(frozen=True)
class Panel:
    """One picture: its SVG, and what it shows in a line of text (also for those who cannot see it)."""

    svg: str
    title: str
    alt: str


def panels(
    outcome: ClaimOutcome, claim: Claim | None, prefix: str, failures: Failures | None = None
) -> tuple[Panel, ...]:
    """Draw theory against simulation: the claim's own figure, or curves, or a forest of single numbers.

    What cannot be drawn is left out and told in `failures`.
    """
    failures = Failures() if failures is None else failures
    if claim is not None and claim.figure is not None:
        own = failures.attempt(
            f"The figure of {outcome.id} (a plain one is shown)",
            partial(drawn, partial(claim.figure, outcome), f"{prefix}a", claim.title, outcome.title),
            None,
            claim.figure,
        )
        if own is not None:
            return (own,)
    return _tried(_default(outcome, claim, prefix), outcome, failures)


def _tried(
    panels: Sequence[Callable[[], Panel]], outcome: ClaimOutcome, failures: Failures
) -> tuple[Panel, ...]:
    """Draw panels; one that fails is left out."""
    made = [failures.attempt(f"A figure of {outcome.id}", panel, None) for panel in panels]
    return tuple(panel for panel in made if panel is not None)


def _default(outcome: ClaimOutcome, claim: Claim | None, prefix: str) -> list[Callable[[], Panel]]:
    over = curves.over_labels(outcome, claim)
    lines = over or curves.over_inputs(outcome, claim)
    made: list[Callable[[], Panel]] = [
        partial(_curve, outcome, claim, line, f"{prefix}a{index}")
        for index, line in enumerate(lines[:_MOST_CURVES])
    ]
    if sum(len(line.rows) for line in over) == len(outcome.rows):
        return made
    made.append(partial(_forest, outcome, f"{prefix}a"))
    same = forests.comparable(outcome.rows)
    if same and not lines:
        made.append(
            partial(
                drawn,
                partial(against, rows=same),
                f"{prefix}b",
                "Measured against predicted",
                f"{outcome.title}: measured numbers against predicted ones, with the line of equality",
            )
        )
    return made


def _curve(outcome: ClaimOutcome, claim: Claim | None, line: curves.Line, prefix: str) -> Panel:
    smooth = curves.dense(line)
    quantity = claim.quantity if claim is not None else ""
    draw = partial(curve, line=line, quantity=quantity, colours=colours_of(outcome), smooth=smooth)
    how = "theory as a line" if smooth else "theory as a line through the simulated places"
    alt = f"{outcome.title}, {line.title}: {how}, simulation with intervals, over {labels.symbol(line.axis)}"
    return drawn(draw, prefix, line.title, alt)


def _forest(outcome: ClaimOutcome, prefix: str) -> Panel:
    rows = sorted(outcome.rows, key=lambda row: row.verdict == "agrees")[:_MOST_ROWS]
    rows = [row for row in outcome.rows if row in rows]
    more = f", {len(rows)} of {len(outcome.rows)}" if len(rows) < len(outcome.rows) else ""
    return drawn(
        partial(forest, outcome=outcome, rows=rows),
        prefix,
        f"Measured minus predicted, in margins{more}",
        f"{outcome.title}: each measured number with its interval, in units of the margin",
        height=max(HEIGHT, forests.height(outcome, rows)),
    )


def evidence(outcome: ClaimOutcome, prefix: str, failures: Failures | None = None) -> tuple[Panel, ...]:
    """Draw residuals that could show a trend and, for claims with a limit, the approach to it.

    What fails is told in `failures`.
    """
    out = []
    if len(outcome.rows) >= _FEWEST_RESIDUALS:
        out.append(
            partial(
                drawn,
                partial(residuals, outcome=outcome),
                f"{prefix}r",
                "Residuals",
                f"{outcome.title}: residuals of all {len(outcome.rows)} numbers in standard errors",
            )
        )
    if any(len(row.sizes) > 1 for row in outcome.rows):
        out.append(
            partial(
                drawn,
                partial(convergence, outcome=outcome),
                f"{prefix}n",
                f"Convergence in {labels.symbol(outcome.size_name)}",
                f"{outcome.title}: deviation from theory against {outcome.size_name} to the power "
                f"−{outcome.exponent:g}, extrapolated to the limit",
                height=proofs.height(outcome),
            )
        )
    return _tried(out, outcome, Failures() if failures is None else failures)


def drawn(draw: Callable[[Axes], Any], prefix: str, title: str, alt: str, height: float = HEIGHT) -> Panel:
    """Draw one panel on axes of its own."""
    with style():
        figure, axes = blank(height=height)
        draw(axes)
        for one in figure.axes:
            tidy(one, fixed=len(figure.axes) == 1)
    return Panel(fragment(figure, prefix, spoken(clean(alt))), title, alt)


def colours_of(outcome: ClaimOutcome) -> dict[str, str]:
    """One colour for each counterfactual of a claim, the same in all its panels; grey when colours run out."""
    names = [one.name for one in outcome.counterfactuals]
    return dict(zip(names, [*_WRONG, *[SOFT] * len(names)], strict=False))
