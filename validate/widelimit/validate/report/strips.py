"""A claim at a glance: every measured number in units of the margin, on one line of the verdict table."""

from __future__ import annotations

import math

from widelimit.validate.harness.outcome import ClaimOutcome

WIDTH, HEIGHT = 190, 30
_INNER = 0.52  # share of the half width that belongs to the margin
_FAR = 3.0  # decades beyond the margin that the rest covers


def place(margins: float) -> float:
    """Map a deviation in margins to a horizontal position: linear inside the margin, logarithmic beyond.

    >>> place(0.0) == WIDTH / 2, place(1.0) > place(0.5), place(1e9) <= WIDTH
    (True, True, True)
    """
    size = abs(margins)
    share = size * _INNER if size <= 1 else _INNER + (1 - _INNER) * min(1.0, math.log10(size) / _FAR)
    return WIDTH / 2 + math.copysign(share * (WIDTH / 2 - 5), margins)


def strip(claim: ClaimOutcome) -> str:
    """Draw the strip: dots are measurements, crosses the wrong theories, the band the margin."""
    dots: dict[tuple[int, str], None] = {}
    crosses: dict[int, None] = {}
    for row in claim.rows:
        if row.margin <= 0 or not math.isfinite(row.measured):
            continue
        dots[round(place((row.measured - row.predicted) / row.margin)), row.verdict] = None
        for one in row.counterfactuals:
            if one.rejected:
                crosses[round(place((one.predicted - row.predicted) / row.margin))] = None
    edge = place(1.0)
    band = f'<rect x="{WIDTH - edge:.1f}" y="4" width="{2 * edge - WIDTH:.1f}" height="{HEIGHT - 8}" class="band"/>'
    axis = f'<path d="M{WIDTH / 2} 2V{HEIGHT - 2}" class="axis"/>'
    wrong = "".join(f"M{x - 2.5:g} {HEIGHT / 2 - 2.5:g}l5 5m-5 0l5-5" for x in crosses)
    seen = "".join(f'<circle cx="{x}" cy="{HEIGHT / 2:g}" r="2.4" class="{verdict}"/>' for x, verdict in dots)
    alt = f"{len(claim.rows)} numbers, {sum(r.verdict in ('agrees', 'differs') for r in claim.rows)} within the margin"
    return (
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img"><title>{alt}</title>'
        f'{band}{axis}<path d="{wrong}" class="wrong"/>{seen}</svg>'
    )
