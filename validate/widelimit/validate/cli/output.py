"""Where results and messages go: a terminal, a pipe, a file, or nowhere.

On a terminal numbers are set as in a paper. Whatever reads a pipe reads ASCII numbers, ``-1.5e-09`` and ``inf``. No
encoding, and no stream that is closed or full, may change how a command ends.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from contextlib import suppress
from shutil import get_terminal_size
from typing import Any, TextIO

from widelimit.validate.harness.text import clean

_NARROWEST = 40  # columns; in fewer, tables of options are not set in hours
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_POWER = re.compile("(?:([0-9).]) × |\\b)10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SIGNS = str.maketrans({"−": "-", "≥": ">=", "≤": "<=", "∞": "inf", "\u202f": " ", "\xa0": " "})
_SPELLED = {
    **{"−": "-", "–": "-", "—": "-", "…": "...", "×": "x", "·": "*", "∞": "inf", "√": "sqrt", "\ufffd": "?"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "→": "->", "≤": "<=", "≥": ">=", "±": "+-"},
}


def prepare() -> None:
    """Let every character be printed in some way, and a stream that is closed swallow what is written to it."""
    codecs.register_error("widelimit", _spelled)
    if get_terminal_size().columns < _NARROWEST or os.environ.get("COLUMNS") == "0":
        os.environ["COLUMNS"] = str(_NARROWEST)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or getattr(stream, "closed", False):
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            with suppress(ValueError, OSError):
                stream.reconfigure(errors="widelimit")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Spell what an encoding lacks: ``...`` for an ellipsis, a question mark for what has no spelling."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SPELLED.get(one, "?") for one in text), error.end


def say(text: str) -> None:
    """Print results: as they are on a terminal, with ASCII numbers elsewhere."""
    print(text if terminal(sys.stdout) else ascii_numbers(text))


def complain(message: str) -> None:
    """Print one sentence on stderr, in one line."""
    with suppress(OSError, ValueError):  # nobody listens
        print(f"widelimit: {clean(message)}", file=sys.stderr, flush=True)


def terminal(stream: TextIO | Any) -> bool:
    """Whether somebody reads along."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def ascii_numbers(text: str) -> str:
    """Write the numbers in a text as programs read them; words stay as they are.

    >>> ascii_numbers("−8.2 and 1.5 × 10⁻⁹, < 10⁻⁶, −∞, ≥ 10")
    '-8.2 and 1.5e-9, < 1e-6, -inf, >= 10'
    """
    text = _POWER.sub(lambda match: f"{match[1] or 1}e{match[2].translate(_SUPERSCRIPTS)}", text)
    return text.translate(_SIGNS)


def abandon() -> None:
    """Point stdout at nothing, so that what is left in its buffer does not fail once more at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
