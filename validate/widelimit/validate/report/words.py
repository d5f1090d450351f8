"""Plain words with formulas in them, set as HTML: ``sigma_w^2`` becomes σ with a subscript and a superscript."""

from __future__ import annotations

import re
from html import escape

_LATIN = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega "
    "Gamma Delta Theta Sigma Phi sqrt"
)
_SIGNS = "αβγδεζηθκλμνξπρστφχψωΓΔΘΣΦ√"
_GREEK = dict(zip(_LATIN.split(), _SIGNS, strict=True))
_NAME = re.compile(rf"(?<![A-Za-z])({'|'.join(sorted(_GREEK, key=len, reverse=True))})(?![a-z])")
_SCRIPT = re.compile(
    r"(?<=[\w)\]'*′])(?<![A-Za-z][A-Za-z])(\^|_)(\{[^{}]*\}|\([^()]*\)|-?(?:\d+\.\d+|\w+?)(?=_|\^|\W|$)|\*)"
)
_TAGS = {"^": "sup", "_": "sub"}


def words(text: str) -> str:
    """Set text as HTML: Greek letters, superscripts and subscripts; everything else is escaped.

    >>> words("h_1.h_2")
    'h<sub>1</sub>.h<sub>2</sub>'
    >>> words("q = sigma_w^2 E phi(x)^2, x**2 < 1")
    'q = σ<sub>w</sub><sup>2</sup> E φ(x)<sup>2</sup>, x<sup>2</sup> &lt; 1'
    """
    text = escape(text.replace("**", "^"), quote=False)
    text = re.sub(r"\b(hard_tanh|erf_s|leaky_relu|shifted_relu)\b", lambda m: m[0].replace("_", "\0"), text)
    text = re.sub(r"\bsum_", "Σ_", text)
    text = _NAME.sub(lambda match: _GREEK[match[1]], text)
    for _ in range(2):  # a second pass for scripts that follow scripts
        text = _SCRIPT.sub(_script, text)
        text = re.sub(
            r"(</su[bp]>)(\^|_)(\{[^{}]*\}|\([^()]*\)|-?\w+|\*)", lambda m: m[1] + _tagged(m[2], m[3]), text
        )
    return text.replace("\0", "_")


def _script(match: re.Match[str]) -> str:
    return _tagged(match[1], match[2])


def _tagged(sign: str, content: str) -> str:
    inner = content[1:-1] if content[0] in "{(" else content
    return f"<{_TAGS[sign]}>{inner.replace('-', '−')}</{_TAGS[sign]}>"
