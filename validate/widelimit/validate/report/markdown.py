"""``report.md``: the verdicts for a pull request."""

from __future__ import annotations

import re

from widelimit.validate.harness.text import clean
from widelimit.validate.report import audits
from widelimit.validate.report.model import Page

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#|~!$])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"})


def render(page: Page) -> str:
    """Print the summary, the verdict table, and what a reviewer has to look at."""
    lines = [f"# widelimit: {escaped(page.outcome.preset)} report", "", *map(escaped, page.summary), ""]
    lines += [
        "| claim | paper | points | within | verdict | wrong theories rejected |",
        "|---|---|---:|---:|---|---:|",
    ]
    for claim in page.claims:
        one = claim.outcome
        verdict = f"**{one.verdict}**" + (" (too weak to mean anything)" if one.too_weak else "")
        cells = [
            _code(one.id),
            escaped(one.paper),
            str(one.points),
            escaped(claim.figures["within"]),
            verdict,
            f"{claim.rejected}/{len(one.counterfactuals)}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    for claim in page.claims:
        worst = [row for row in claim.rows if row.verdict in ("disagrees", "inconclusive")][:5]
        survivors = [one.name for one in claim.outcome.counterfactuals if not one.rejected]
        if worst or survivors or claim.failures or claim.remarks:
            lines += ["", f"## {escaped(claim.outcome.title)}", ""]
            lines += [
                "- " + escaped(f"{r.verdict}: {r.inputs}: predicted {r.predicted}, measured {r.measured}")
                for r in worst
            ]
            lines += [f"- survives: {escaped(name)}" for name in survivors]
            lines += [f"- {escaped(sentence)}" for sentence in claim.remarks]
            lines += [f"- {escaped(sentence)}" for sentence in claim.failures]
    if planted := audits.table(page.outcome):
        lines += ["", "## Planted errors", "", escaped(audits.EXPLAINED), ""]
        lines += ["| " + " | ".join(map(escaped, audits.heads())) + " |", "|---|---:|---:|---:|---:|"]
        lines += [
            "| " + " | ".join([_code(row.claim), *map(escaped, audits.cells(row)[1:])]) + " |"
            for row in planted
        ]
    if page.warnings:
        lines += ["", *(f"Note: {escaped(warning)}" for warning in page.warnings)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Text from outside as Markdown that says the same letter by letter: no HTML, no markup, no links, nobody called.

    >>> print(escaped("<b>a_1 * b_2</b> | [x](y) @all"))
    &lt;b&gt;a\_1 \* b\_2&lt;/b&gt; \| \[x\]\(y\) &#64;all
    """
    return _SPECIAL.sub(r"\\\1", clean(text)).translate(_ENTITIES)


def _code(name: str) -> str:
    return f"`{name}`" if re.fullmatch(r"[\w.-]+", name) else escaped(name)
