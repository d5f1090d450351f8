"""Text from outside, made fit for a page, a terminal and a file: what cannot be seen or encoded is replaced.

A claim's words are cleaned when the claim is made, so that nothing a run has simulated is lost to a character. What
never passes that door (names and values of inputs, paths, hosts) is cleaned where it is printed.
"""

from __future__ import annotations

import re

REPLACED = "\ufffd"
LINE, PARAGRAPH = 200, 4000  # characters of a title or a name, and of a statement or a note

_BLANK = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls: ESC starts a terminal's commands, and XML has no place for them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turns of direction: what follows reads backwards
    "\ud800-\udfff"  # halves of characters: no encoding takes them
    "\ufdd0-\ufdef\ufffe\uffff]"  # numbers that are no characters
)


def clean(text: str, most: int = 0) -> str:
    r"""Return text in one line: breaks and tabs become spaces, what cannot be seen "\ufffd"; cut to `most` characters.

    >>> clean("two\nlines, \x1b[31mred"), clean("abcdef", 4), clean("σ² < √2, שלום")
    ('two lines, �[31mred', 'abc…', 'σ² < √2, שלום')
    """
    text = _UNSEEN.sub(REPLACED, _BLANK.sub(" ", text))
    return text if not most or len(text) <= most else text[: most - 1].rstrip() + "…"


def told(error: BaseException, most: int = LINE) -> str:
    """Say in one line what an exception from outside is, whatever its text holds.

    >>> told(ValueError("no\\nsuch thing")), told(KeyError())
    ('ValueError: no such thing', 'KeyError')
    """
    try:
        words = clean(str(error), most).strip().rstrip(".")
    except Exception:  # its own __str__ fails
        words = ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
