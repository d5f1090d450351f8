"""Plain words with formulas in them, set as HTML: ``sigma_w^2`` becomes σ with a subscript and a superscript."""

from __future__ import annotations

import re
from html import escape, unescape

_LATIN = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega "
    "Gamma Delta Theta Sigma Phi sqrt"
)
_SIGNS = "αβγδεζηθκλμνξπρστφχψωΓΔΘΣΦ√"
_GREEK = dict(zip(_LATIN.split(), _SIGNS, strict=True))
_NAME = re.compile(rf"(?<![A-Za-z])(d?)({'|'.join(sorted(_GREEK, key=len, reverse=True))})(?![a-z])")
_SCRIPT = re.compile(
    r"(?<=[\w)\]'*′])(?<![A-Za-ce-z][A-Za-z])(?<![A-Za-z]d[A-Za-z])(\^|_)(\{[^{}]*\}|\([^()]*\)|&[lg]t;\w+|-?(?:\d+\.\d+|\w+?)(?=_|\^|\W|$)|\*)"
)
_CATALOGUE = re.compile(r"\b(hard_tanh|leaky_relu|shifted_relu|marchenko_pastur)\b")
_TAGS = {"^": "sup", "_": "sub"}


def words(text: str) -> str:
    """Set text as HTML: Greek letters, superscripts and subscripts; everything else is escaped.

    >>> words("h_1.h_2")
    'h<sub>1</sub>.h<sub>2</sub>'
    >>> words("q = sigma_w^2 E phi(x)^2, x**2 < 1")
    'q = σ<sub>w</sub><sup>2</sup> E φ(x)<sup>2</sup>, x<sup>2</sup> &lt; 1'
    """
    text = escape(text.replace("**", "^"), quote=False)
    text = re.sub(r"\berf_s\b", "erf\0", text)  # the index is its scale's
    text = greek(_CATALOGUE.sub(lambda match: match[0].replace("_", " "), text))
    for _ in range(2):  # a second pass for scripts that follow scripts
        text = _SCRIPT.sub(_script, text)
        text = re.sub(
            r"(</su[bp]>)(\^|_)(\{[^{}]*\}|\([^()]*\)|-?\w+|\*)", lambda m: m[1] + _tagged(m[2], m[3]), text
        )
    return text.replace("\0", "<sub>s</sub>")


def greek(text: str) -> str:
    """Set the Greek letters of a text, and nothing else.

    >>> greek("sigma_w^2 dkappa_1")
    'σ_w^2 dκ_1'
    """
    text = re.sub(r"\bsum_", "Σ_", text)
    return _NAME.sub(lambda match: match[1] + _GREEK[match[2]], text)


def spoken(text: str) -> str:
    """Set text for where there are no tags, as for those who listen: letters and scripts in one line.

    >>> spoken("q = sigma_w^2 V(q_star)")
    'q = σw2 V(qstar)'
    """
    return unescape(re.sub(r"</?su[bp]>", "", words(text)))


def spans(text: str, size: float = 9.0, drop: float = 2.6, rise: float = 3.6) -> str:
    """Set text as the inside of an SVG ``<text>``: scripts are small letters, moved down or up.

    >>> spans("sigma_w = 1")
    'σ<tspan dy="2.6" font-size="9">w</tspan><tspan dy="-2.6"> = 1</tspan>'
    """
    out: list[str] = []
    moved = 0.0
    for part in re.split(r"(<su[bp]>.*?</su[bp]>)", words(text)):
        script = re.fullmatch(r"<(su[bp])>(.*)</su[bp]>", part)
        inside = script[2] if script else part
        if not inside:
            continue
        target = 0.0 if not script else drop if script[1] == "sub" else -rise
        shift = f' dy="{target - moved:.3g}"' if target != moved else ""
        small = f' font-size="{size:g}"' if script else ""
        out.append(f"<tspan{shift}{small}>{inside}</tspan>" if shift or small else inside)
        moved = target
    return "".join(out)


def _script(match: re.Match[str]) -> str:
    return _tagged(match[1], match[2])


def _tagged(sign: str, content: str) -> str:
    inner = content[1:-1] if content[0] in "{(" else content
    return f"<{_TAGS[sign]}>{inner.replace('-', '−')}</{_TAGS[sign]}>"
