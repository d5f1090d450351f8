"""One page a report, that needs nothing else: three sentences, curves over depth, a row a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from widelimit.validate.harness.text import clean
from widelimit.validate.network.graph.writing import both, number

Report = Any  # of `records`, whose reports write themselves by this file
Layer = Any

_STYLE = """
:root{--ink:#1b1f24;--soft:#5b6570;--line:#dfe3e8;--back:#fff;--card:#f6f7f9;--theory:#1f5fae;--draws:#d97706;
--good:#1a7f4b;--bad:#b42318;--doubt:#8a5a00;--grey:#8a939d}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb5;--line:#343a42;--back:#15181c;--card:#1d2127;
--theory:#6ea8f2;--draws:#f0a544;--good:#58c28b;--bad:#f2837a;--doubt:#e0b04c;--grey:#7b8490}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 24px 64px}h1{font-size:22px;margin:0 0 4px}
.sub{color:var(--soft);margin:0 0 20px}.three{list-style:none;margin:0 0 20px;padding:0;display:grid;gap:10px}
.three li{background:var(--card);border-left:4px solid var(--grey);border-radius:6px;padding:12px 16px;font-size:16px}
.three b{display:block;font-size:12px;font-weight:600;color:var(--soft);letter-spacing:.02em}
.three li.yes{border-color:var(--good)}.three li.no{border-color:var(--bad)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:0 0 20px}
.facts div{border:1px solid var(--line);border-radius:6px;padding:8px 12px}.facts b{display:block;font-size:18px;
font-variant-numeric:tabular-nums}.facts span{color:var(--soft);font-size:12px}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px;margin:0 0 24px}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:10px 12px}
figcaption{font-size:13px;color:var(--soft)}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:11px}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th{position:sticky;top:0;background:var(--back);text-align:left;font-weight:600;padding:6px 8px;
border-bottom:2px solid var(--line);white-space:nowrap}td{padding:5px 8px;border-bottom:1px solid var(--line);
vertical-align:middle}td.name{font-weight:500;white-space:nowrap;max-width:280px;overflow:hidden;text-overflow:ellipsis}
td small{display:block;color:var(--soft);white-space:nowrap}td svg{width:130px;height:14px}
.tag{border-radius:10px;padding:1px 8px;font-size:12px;white-space:nowrap}.agrees{color:var(--good)}
.disagrees{color:var(--bad);font-weight:600}.inconclusive{color:var(--doubt)}.measured{color:var(--grey)}
.notes{color:var(--soft);padding-left:18px}.key{color:var(--soft);font-size:13px}.key i{display:inline-block;width:12px;
height:10px;border-radius:2px;margin:0 4px 0 12px;vertical-align:baseline}h2{font-size:16px;margin:24px 0 8px}
@media(max-width:600px){main{padding:20px 12px 40px}td.name{max-width:130px;white-space:normal;overflow-wrap:anywhere}
td svg{width:70px}}
@media print{main{max-width:none;padding:0}.curves{grid-template-columns:repeat(3,1fr)}.wide{overflow:visible}
table{font-size:10px}th{position:static}th,td{padding:3px 4px}td.name{white-space:normal;overflow-wrap:anywhere}
td svg{width:60px}tr,figure,.three li{break-inside:avoid}}
"""


def page(report: Report) -> str:
    """The whole page as text."""
    yes = "yes" if report.trainable else "no"
    three = (
        f'<li class="{yes}"><b>Is it trainable at this depth?</b>{_e(report.answer)}</li>'
        f"<li><b>What limits it?</b>{_e(report.limits)}</li><li><b>What to change?</b>{_e(report.change)}</li>"
    )
    title = f"{report.title or 'Network'}: theory beside {report.draws} draws"
    notes = "".join(f"<li>{_e(one)}</li>" for one in report.warnings)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_e(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{_e(title)}</h1><p class=sub>{len(report.layers)} operations, {100 * report.graph.coverage:.0f} per cent "
        "of them derived, the others measured. "
        f"{'No layer disagrees with theory.' if report.agrees else _wrong(report)}{_doubtful(report)}</p>"
        f'<ul class="three">{three}</ul>{_facts(report)}{_curves(report)}{_table(report)}'
        f"{f'<h2>Notes</h2><ul class=notes>{notes}</ul>' if notes else ''}"
        f"<p class=sub>{_e(_small(report))}</p></main></body></html>\n"
    )


def _e(text: str) -> str:
    return escape(clean(text))


def _wrong(report: Report) -> str:
    wrong = [one.name for one in report.layers if one.verdict == "disagrees"]
    return f"{len(wrong)} of them disagree with theory, first {_e(wrong[0])}."


def _doubtful(report: Report) -> str:
    held = sum(one.verdict == "inconclusive" for one in report.layers)
    return f" {held} {'is' if held == 1 else 'are'} undecided." if held else ""


def _small(report: Report) -> str:
    return (
        f"Measured numbers are means over {report.draws} draws with standard errors in brackets. A layer disagrees if "
        f"it is further from its prediction than {100 * report.tolerance:.0f} per cent and the errors that belong to "
        f"the level {report.level:g} over all layers, and inconclusive if that is so of a number looked at alone, at "
        f"the level {report.doubt:g}. g: squared gradient of a sum of the outputs with independent "
        "normal weights."
    )


def _facts(report: Report) -> str:
    power = report.xi_c.power
    facts = [
        (str(report.depth), "layers with weights"),
        (_infinite(float(report.xi_c)), "depth scale xi_c, layers"),
        (_infinite(report.trainable_depth), "trainable depth (6 xi_c, empirical)"),
        *([(number(power), "power of depth")] if not math.isnan(power) else []),
        *(
            [(number(report.kernel_condition), "condition of the tangent kernel")]
            if not math.isnan(report.kernel_condition)
            else []
        ),
        (f"{100 * report.graph.coverage:.0f} %", "of the operations derived"),
    ]
    return (
        '<div class="facts">'
        + "".join(f"<div><b>{_e(a)}</b><span>{_e(b)}</span></div>" for a, b in facts)
        + "</div>"
    )


def _infinite(value: float) -> str:
    return "\u221e" if math.isinf(value) else number(value)


def _curves(report: Report) -> str:
    layers = report.layers
    q = [x.q_predicted for x in layers], [x.q_measured for x in layers]
    rho = [x.rho_predicted for x in layers], [x.rho_measured for x in layers]
    g = [x.g_predicted for x in layers], [x.g_measured for x in layers]
    figures = [
        _curve("Mean square q of units, over depth", *q, True),
        _curve("Correlation rho between inputs and positions", *rho, False),
        _curve("Squared gradient g", *g, True),
    ]
    return '<div class="curves">' + "".join(figures) + "</div>"


def _curve(title: str, theory: Sequence[float], draws: Sequence[float], log: bool) -> str:
    live = [v for v in (*theory, *draws) if math.isfinite(v) and (v > 0 or not log)]
    if not live:
        return ""
    width, height, left, low = 340, 150, 52, 18
    ends = [math.log10(v) if log else v for v in (min(live), max(live))]
    if not log:
        ends = [min(0.0, ends[0]), max(1.0, ends[1])]
    if ends[1] - ends[0] < 0.2:
        ends = [ends[0] - 0.1, ends[1] + 0.1]

    def at(i: int, value: float) -> tuple[float, float]:
        y = math.log10(value) if log else value
        x = left + (width - left - 8) * (i + 0.5) / len(theory)
        return x, 8 + (height - low - 8) * (1 - (y - ends[0]) / (ends[1] - ends[0]))

    def good(v: float) -> bool:
        return math.isfinite(v) and (v > 0 or not log)

    points = [at(i, v) if good(v) else None for i, v in enumerate(theory)]
    path, pen = "", "M"
    for point in points:
        if point is not None:
            path += f"{pen}{point[0]:.1f} {point[1]:.1f}"
            pen = "L"
    dots = "".join(
        f'<circle cx="{at(i, v)[0]:.1f}" cy="{at(i, v)[1]:.1f}" r="2.6" fill="var(--draws)"/>'
        for i, v in enumerate(draws)
        if good(v)
    )
    labels = "".join(
        f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{_e(f"{10**end:.3g}" if log else f"{end:.2g}")}</text>'
        f'<line x1="{left}" x2="{width - 8}" y1="{y:.0f}" y2="{y:.0f}" stroke="var(--line)"/>'
        for end, y in ((ends[0], height - low), (ends[1], 8.0))
    )
    return (
        f"<figure><figcaption>{_e(title)}</figcaption>"
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{_e(title)}">'
        f'{labels}<path d="{path}" fill="none" stroke="var(--theory)" stroke-width="1.6"/>{dots}'
        f'<text x="{left}" y="{height - 3}">first layer</text>'
        f'<text x="{width - 8}" y="{height - 3}" text-anchor="end">last</text>'
        "</svg></figure>"
    )


def _table(report: Report) -> str:
    spans = [
        _span([(x.q_predicted, x.q_measured) for x in report.layers]),
        _span([(x.g_predicted, x.g_measured) for x in report.layers]),
    ]
    rows = "".join(_row(one, spans) for one in report.layers)
    head = "".join(f"<th>{one}</th>" for one in ("layer", "q", "", "rho", "", "gradient g", "", "verdict"))
    return (
        '<p class=key>Bars: <i style="background:var(--theory)"></i>predicted <i style="background:var(--draws)"></i>'
        "measured, with its standard error; q and g on logarithmic scales from the smallest to the largest. Numbers: "
        "predicted, measured, and how far the second is from the first, in standard errors and per cent (of 1 for rho)."
        "</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _span(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    live = [math.log10(v) for pair in values for v in pair if math.isfinite(v) and v > 0]
    low, high = (min(live), max(live)) if live else (0.0, 1.0)
    pad = 0.05 * max(high - low, 1.0)
    return low - pad, high + pad


def _row(layer: Layer, spans: Sequence[tuple[float, float]]) -> str:
    why = f' title="{_e(layer.why)}"' if layer.why else ""
    q, g = (
        (layer.q_predicted, layer.q_measured, layer.q_error), (layer.g_predicted, layer.g_measured, layer.g_error)
    )  # fmt: skip
    rho = (layer.rho_predicted, layer.rho_measured, layer.rho_error)
    apart = layer.deviations
    cells = "".join(
        f"<td>{_bar(numbers, span)}</td>"
        f"<td>{_e(number(numbers[0]))}<small>{_e(both(numbers[1], numbers[2]))}</small>"
        f"{f'<small class=apart>{_e(apart[name])}</small>' if name in apart else ''}</td>"
        for name, numbers, span in (("q", q, spans[0]), ("rho", rho, None), ("g", g, spans[1]))
    )
    op = "" if layer.name == layer.op else f"<small>{_e(layer.op)}</small>"
    return (
        f'<tr><td class="name"{why}>{_e(layer.name)}{op}</td>{cells}'
        f'<td><span class="tag {layer.verdict}">{layer.verdict}</span></td></tr>'
    )


def _bar(numbers: tuple[float, float, float], span: tuple[float, float] | None) -> str:
    """Two bars, one above the other: predicted and measured, with the error of the latter."""

    def at(value: float) -> float:
        if span is None:
            return 130 * min(1.0, max(0.0, value))
        return 130 * (math.log10(value) - span[0]) / (span[1] - span[0])

    out = ""
    for value, y, colour in ((numbers[0], 1, "theory"), (numbers[1], 8, "draws")):
        if math.isfinite(value) and (value > 0 or span is None):
            out += f'<rect x="0" y="{y}" width="{max(0.5, at(value)):.1f}" height="5" rx="1" fill="var(--{colour})"/>'
    value, error = numbers[1], numbers[2]
    if math.isfinite(value) and math.isfinite(error) and (value - error > 0 or span is None):
        a, b = at(value - error), at(value + error)
        out += f'<line x1="{a:.1f}" x2="{b:.1f}" y1="10.5" y2="10.5" stroke="var(--ink)" stroke-width="1.2"/>'
    return f'<svg viewBox="0 0 130 14" aria-hidden="true">{out}</svg>'
