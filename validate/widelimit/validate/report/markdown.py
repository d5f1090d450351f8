"""``report.md``: the verdicts for a pull request."""

from __future__ import annotations

from widelimit.validate.report.model import Page


def render(page: Page) -> str:
    """Print the summary, the verdict table, and what a reviewer has to look at."""
    lines = [f"# widelimit: {page.outcome.preset} report", "", *page.summary, ""]
    lines += [
        "| claim | paper | points | resolution | verdict | wrong theories rejected |",
        "|---|---|---:|---:|---|---:|",
    ]
    for claim in page.claims:
        one = claim.outcome
        verdict = f"**{one.verdict}**" + (" (too weak to mean anything)" if one.too_weak else "")
        cells = [
            f"`{one.id}`",
            one.paper,
            str(one.points),
            claim.figures["worst"],
            verdict,
            f"{claim.rejected}/{len(one.counterfactuals)}",
        ]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    for claim in page.claims:
        worst = [row for row in claim.rows if row.verdict != "agrees"][:5]
        survivors = [one.name for one in claim.outcome.counterfactuals if not one.rejected]
        if worst or survivors:
            lines += ["", f"## {claim.outcome.title}", ""]
            lines += [
                f"- {r.verdict}: {r.inputs}: predicted {r.predicted}, measured {r.measured}" for r in worst
            ]
            lines += [f"- survives: {name}" for name in survivors]
    if page.warnings:
        lines += ["", *(f"Note: {warning}" for warning in page.warnings)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
