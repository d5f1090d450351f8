"""Modules of claims: those of widelimit, and a user's own, by name or by file, whatever they do when they are imported.

A user's module can have a typing error, raise, end the program, or hold no claims: each is one sentence that names
file and line (`ArgumentError` for `claims_from`). What it prints goes to stderr, so that ``--json`` stays JSON.
A file can import the modules beside it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.harness.claim import Claim
from widelimit.validate.harness.faults import line_in
from widelimit.validate.harness.text import clean, told

_MUST = "must be a module that can be imported or a .py file"
_OURS = "widelimit."
_HELP = "A module of claims has a line CLAIMS = (claim, another) at its end."


def resolved(place: str | Path) -> str:
    """Make a path absolute (workers may run elsewhere), leave a module's name as it is."""
    place = str(place) if isinstance(place, Path) else place
    if not isinstance(place, str) or not place:
        raise ArgumentError("claims_from", _MUST, place)
    return str(Path(place).resolve()) if place.endswith(".py") else place


def claims_of(place: str) -> tuple[Claim, ...]:
    """Import a module or a file and return its claims; `ArgumentError` where there are none to return."""
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    claims = getattr(module, "CLAIMS", None)
    if claims is None:
        raise ArgumentError("claims_from", "must expose CLAIMS, a tuple of claims", place, _HELP)
    if isinstance(claims, Claim):
        but = f"that of {place} is one Claim"
        raise ArgumentError("CLAIMS", "must be a tuple of claims", but=but, help="Write CLAIMS = (claim,).")
    if not isinstance(claims, tuple | list):
        but = f"that of {place} is of type {type(claims).__name__}"
        raise ArgumentError("CLAIMS", "must be a tuple of claims", but=but, help=_HELP)
    for one in claims:
        if not isinstance(one, Claim):
            but = f"that of {place} holds {clean(repr(one), 80)}"
            raise ArgumentError("CLAIMS", "must be a tuple of claims", but=but, help=_HELP)
    _differ(place, [claim.id for claim in claims])
    return tuple(claims)


def _differ(place: str, ids: list[str]) -> None:
    for index, one in enumerate(ids):
        if one in ids[:index]:
            raise ArgumentError("CLAIMS", "must have ids that differ", but=f"{one} is twice in {place}")


def _from_name(name: str) -> ModuleType:
    path = Path(name)
    if path.exists() and not name.isidentifier():
        but = f"{name} is {'a folder' if path.is_dir() else 'a file of another kind'}"
        raise ArgumentError("claims_from", _MUST, but=but)
    if not all(part.isidentifier() for part in name.split(".")):
        raise ArgumentError("claims_from", _MUST, name)
    try:
        with redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if name.startswith(_OURS):
            raise
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (name + ".").startswith(missing + "."):
            but = f"{name} is a folder" if path.is_dir() else ""
            raise ArgumentError("claims_from", _MUST, name, but=but) from error
        raise _failed(name, _origin(name), error) from error


def _origin(name: str) -> str:
    """The file of a module that failed, if it can be found."""
    try:
        spec = importlib.util.find_spec(name)
    except (Exception, SystemExit):  # its parent fails, too
        return ""
    return spec.origin if spec is not None and spec.origin else ""


def _from_file(path: Path) -> ModuleType:
    name = f"widelimit_claims_{hashlib.sha256(str(path).encode(errors='surrogateescape')).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        but = f"{path} is {'a folder' if path.is_dir() else 'not there'}"
        raise ArgumentError("claims_from", _MUST, but=but)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ArgumentError("claims_from", _MUST, str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:  # as for a script, but behind what is installed: nothing is shadowed
        sys.path.append(str(path.parent))
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise _failed(str(path), str(path), error) from error
        raise
    return module


def _failed(place: str, file: str, error: BaseException) -> ArgumentError:
    """Say what an import did, and in which line."""
    line = line_in(file, error) if file else None
    if isinstance(error, SyntaxError) and error.filename:
        line, place = error.lineno, error.filename
    what = f"raises {told(error)}"
    if isinstance(error, SyntaxError):
        what = f"is no Python: {clean(str(error.msg), 200)}"
    elif isinstance(error, SystemExit):
        what = f"ends the program (sys.exit({error.code!r:.40})) when it is imported"
    elif isinstance(error, WidelimitError):
        what = f"is refused: {str(error).rstrip('.')}"
    at = f"{clean(place)}, line {line}," if line else clean(place)
    return ArgumentError("claims_from", "must be a module or file that can be imported", but=f"{at} {what}")
