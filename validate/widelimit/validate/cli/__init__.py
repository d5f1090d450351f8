"""The command line: ``widelimit list | derive | predict | validate | falsify | report``.

cli.theory    list, derive, predict
cli.runs      validate, falsify, report
cli.options   options of a command that come from a topic's own function
cli.progress  how far a run is
cli.tables    results as text and as JSON

Exit status: 0 done and nothing disagrees, 1 a claim disagrees, 2 the request is wrong or cannot be carried out
(one sentence on stderr), 3 a bug of ours, 130 interrupted. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from types import NoneType

from cyclopts import App, CycloptsError

from widelimit.theory.errors import ArgumentError, InternalError, WidelimitError
from widelimit.validate.cli import runs, theory

DONE, DISAGREES, WRONG, BUG, INTERRUPTED = 0, 1, 2, 3, 130

app = App(
    name="widelimit",
    help="Theory of large random systems: derived symbolically, solved fast, tested against simulation.",
    help_format="plaintext",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for command in (theory.list_, theory.derive, theory.predict, runs.validate, runs.falsify, runs.report):
    app.command(command, name=command.__name__.rstrip("_"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; the entry point of ``widelimit``.

    >>> main(["predict", "meanfeild"])
    2
    """
    logging.basicConfig(
        level=os.environ.get("WIDELIMIT_LOG", "WARNING").upper(), format="widelimit: %(message)s"
    )
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        if words[:1] in (["predict"], ["derive"]) and {"--help", "-h"} & set(words[2:]):
            theory.topic_help(words[0], words[1])
            return DONE
        status = app(words)
        sys.stdout.flush()
        return status if isinstance(status, int) else DONE
    except KeyboardInterrupt as stop:
        told = str(stop)
        return _failed(told or "Interrupted.", INTERRUPTED)
    except CycloptsError as error:
        return _failed(one_sentence(error), WRONG)
    except InternalError as error:
        return _failed(f"This is a bug of widelimit, not your input: {error}", BUG)
    except WidelimitError as error:
        return _failed(str(error), WRONG)
    except BrokenPipeError:  # the reader of our output has gone, as in `widelimit list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def one_sentence(error: CycloptsError) -> str:
    """Return what is wrong with a command line, in the form of our own messages where there is one.

    >>> try:
    ...     app(["validate", "--seed", "x"])
    ... except CycloptsError as error:
    ...     one_sentence(error)
    "Argument `seed` must be a whole number, but is 'x'. See `widelimit --help`."
    """
    token, argument = getattr(error, "token", None), error.argument
    wanted = getattr(error, "target_type", None)
    if token is not None and argument is not None and wanted is not None:
        words = {
            int: "must be a whole number",
            list[int]: "must hold whole numbers",
            float: "must be a number",
            bool: "must be yes or no",
        }
        if NoneType in (given := getattr(wanted, "__args__", ())):
            wanted = next(one for one in given if one is not NoneType)
        choices = getattr(wanted, "__args__", ())
        must = words.get(wanted) or (
            f"must be one of {', '.join(map(str, choices))}" if choices else "must be valid"
        )
        name = argument.name.lstrip("-").replace("-", "_")
        return str(ArgumentError(name, must, token.value, "See `widelimit --help`."))
    text = " ".join(str(error).split())
    return f"{text if text.endswith(('.', '?', '!')) else text + '.'} See `widelimit --help`."


def _failed(message: str, status: int) -> int:
    print(f"widelimit: {message}", file=sys.stderr)
    return status
