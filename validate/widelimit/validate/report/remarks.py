"""What of a claim deserves a look, a sentence each: small deviations, residuals and finite-size laws that are off."""

from __future__ import annotations

from widelimit.validate.harness.outcome import ClaimOutcome, Fit
from widelimit.validate.report.numbers import count, duration, number, p_value, percent

_FINE = 0.01  # what a reader would like to have seen: a formula that is wrong by so much


def of(claim: ClaimOutcome) -> tuple[str, ...]:
    """The sentences on one claim, most of which need none."""
    found = [_differs(claim), _residuals(claim), _law(claim)]
    return tuple(sentence for sentence in found if sentence)


def sharper(claim: ClaimOutcome) -> str:
    """What it would take for a claim that agrees to do so within a per cent; empty where it does, or where noise is
    not what stands against it.

    Noise falls as the root of what is simulated, and so does what looks like a deviation while it is not known to be
    one.
    """
    noisy = claim.verdict in ("agrees", "inconclusive") and all(row.compare == "equal" for row in claim.rows)
    if not noisy or not _FINE < claim.within < float("inf"):
        return ""
    factor = (claim.within / _FINE) ** 2
    taken = f", {duration(factor * claim.seconds)}" if claim.seconds > 0 else ""
    return f"{percent(_FINE)} would take about {number(factor, 2)} times the simulation{taken}"


def _differs(claim: ClaimOutcome) -> str:
    """What `differs` means here: one sentence, where some number does."""
    off = [row for row in claim.rows if row.verdict == "differs"]
    if not off:
        return ""
    far = percent(max(claim.margin * abs(row.measured - row.predicted) / row.margin for row in off))
    head = "1 number differs" if len(off) == 1 else f"{len(off)} numbers differ"
    return (
        f"{head}: inside the margin of {percent(claim.margin)}, but off by more than the noise, up to {far} "
        "of the scale. Such a deviation is really there (a finite size, an approximation, an empirical rule) and is no "
        "failure."
    )


def _residuals(claim: ClaimOutcome) -> str:
    fit = claim.residuals
    if fit is None or not fit.off:
        return ""
    how = "larger" if fit.chi2 > 1 else "smaller"
    return f"Residuals are {how} than their errors account for: {_said(fit, claim.level)}."


def _law(claim: ClaimOutcome) -> str:
    fit = claim.law
    if fit is None or not fit.off:
        return ""
    how = "deviate from" if fit.chi2 > 1 else "scatter less than their errors about"
    if any(row.free is not None for row in claim.rows):
        return f"Sizes {how} what theory predicts of each: {_said(fit, claim.level)}."
    return f"Sizes {how} a bias that falls as N^-{claim.exponent:g}: {_said(fit, claim.level)}."


def _said(fit: Fit, level: float) -> str:
    """The figures behind it.

    >>> _said(Fit(19.8, 12, 4.2, 1e-9, True), 0.05)
    'chi² is 19.8 per degree of freedom over 12 numbers, worth 4.2 independent ones (p < 10⁻⁶, at a level of 5 %)'
    """
    p = p_value(fit.p_value)
    return (
        f"chi² is {number(fit.chi2, 3)} per degree of freedom over {count(fit.numbers, 'number')}, "
        f"worth {number(fit.degrees, 2)} independent ones "
        f"(p {p if p.startswith('<') else f'= {p}'}, at a level of {percent(level)})"
    )
