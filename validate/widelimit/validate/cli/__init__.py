"""The command line: ``widelimit list | derive | predict | identify | network | validate | falsify | audit | ...``.

cli.theory    list, derive, predict
cli.explain   explain
cli.runs      validate, falsify, report, diff
cli.audits    audit
cli.recordings   identify
cli.networks  network
cli.options   options of a command that come from a topic's own function
cli.output    terminals, pipes and encodings
cli.progress  how far a run is
cli.tables    results as text and as JSON
cli.gpu       a GPU in one command (`make gpu`)

Exit status: 0 done and nothing disagrees, 1 a claim disagrees (`diff`: a verdict flipped; `network`: a layer disagrees,
or it is not trainable), 2 the request is wrong or cannot be carried out (one sentence on stderr), 3 a bug of ours or no
memory, 130 interrupted. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import NoneType

from cyclopts import App, CycloptsError

from widelimit.theory.errors import ArgumentError, InternalError, WidelimitError
from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import audits, explain, networks, output, recordings, runs, theory
from widelimit.validate.harness.text import told

log = logging.getLogger(__name__)
DONE, DISAGREES, WRONG, BUG, INTERRUPTED = 0, 1, 2, 3, 130
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_BEFORE_TOPIC = {
    "--help",
    "--version",
    "--topic",
    "--json",
    "--no-json",
    "--format",
    "--check",
    "--no-check",
    "--plot",
    "--save",
}
# What the machine can refuse to anybody: room, rights, files, memory.
_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP),
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"widelimit {version('widelimit')}"
    except PackageNotFoundError:  # run from its sources
        return "widelimit, not installed"


app = App(
    name="widelimit",
    help="Theory of large random systems: derived symbolically, solved fast, tested against simulation.",
    help_format="plaintext",
    version=_version,
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for command in (
    theory.list_,
    theory.derive,
    theory.predict,
    explain.explain,
    recordings.identify,
    runs.validate,
    runs.falsify,
    audits.audit,
    runs.report,
    runs.diff,
    networks.network,
):
    app.command(command, name=command.__name__.rstrip("_"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; the entry point of ``widelimit``.

    Nothing but the status leaves: whatever else happens, one sentence on stderr says it.

    >>> main(["predict", "meanfeild"])
    2
    """
    output.prepare()
    try:
        _log()
        status = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as stop:
        return _failed(str(stop) or "Interrupted.", INTERRUPTED)
    except CycloptsError as error:
        return _failed(one_sentence(error), WRONG)
    except InternalError as error:
        return _failed(f"This is a bug of widelimit, not your input: {error}", BUG)
    except WidelimitError as error:
        return _failed(str(error), WRONG)
    except BrokenPipeError:  # the reader of our output has gone, as in `widelimit list | head`
        output.abandon()
        return DONE
    except OSError as error:
        if error.errno not in _MACHINE:
            return _failed(unexpected(error), BUG)
        output.abandon()
        return _failed(f"The machine refuses: {_system(error)}.", WRONG)
    except MemoryError as error:
        log.debug("Memory ran out here.", exc_info=error)
        return _failed("Memory ran out. Ask for less at a time: fewer points, jobs, layers or terms.", BUG)
    except (Exception, SystemExit) as error:
        if isinstance(error.__context__, BrokenPipeError):  # what rich makes of it
            return DONE
        return _failed(unexpected(error), BUG)


def _run(words: list[str]) -> int:
    if words[:1] in (["predict"], ["derive"]) and len(words) > 1 and {"--help", "-h"} & set(words[2:]):
        theory.topic_help(words[0], words[1])
        return DONE
    _topic_first(words)
    status = app(words)
    return status if isinstance(status, int) else DONE


def _topic_first(words: list[str]) -> None:
    """Options of a topic mean nothing before the topic: ``predict --activation tanh`` says of what."""
    if words[:1] not in (["predict"], ["derive"]) or len(words) < 2 or not words[1].startswith("--"):
        return
    if words[1].partition("=")[0] not in _BEFORE_TOPIC and not set(TOPICS) & set(words):
        example = f"{words[0]} meanfield {words[1]}"
        help = f"Put it first, as in `widelimit {example} ...`; `widelimit {words[0]}` lists the topics."
        raise ArgumentError("topic", "must be given", but="is missing", help=help)


def _log() -> None:
    """Set how much is told besides results, by the environment variable WIDELIMIT_LOG."""
    level = os.environ.get("WIDELIMIT_LOG", "").upper() or "WARNING"
    if level not in LEVELS:
        but = f"is {os.environ['WIDELIMIT_LOG']!r}"
        raise ArgumentError("WIDELIMIT_LOG", f"must be one of {', '.join(LEVELS)}", but=but)
    logging.basicConfig(level=level, format="widelimit: %(message)s")


def unexpected(error: BaseException) -> str:
    """Say in one sentence what nobody foresaw, and where; the traceback is logged at level DEBUG.

    >>> unexpected(ZeroDivisionError("division by zero")).split(". ")[0]
    'This is a bug of widelimit, not your input: ZeroDivisionError: division by zero'
    """
    log.debug("It happened here.", exc_info=error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return (
        f"This is a bug of widelimit, not your input: {told(error)}{place}. "
        "With WIDELIMIT_LOG=DEBUG the same command shows the traceback, which helps us to mend it."
    )


def _system(error: OSError) -> str:
    what = (error.strerror or str(error)).lower()
    return f"{what}: {error.filename}" if error.filename else what


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
    output.complain(message)
    return status
