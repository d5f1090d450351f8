"""The folder that generated modules are kept in between processes: the user's own, and nobody else's.

What lies in it is run, so only its owner may write there: the folder belongs to the user and has mode 0700. Each file
carries a hash of its name and content (`sealed`), so that what was cut short, changed or swapped is written again.
Files appear whole or not at all; those that killed processes left half-written are swept.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import platformdirs

from widelimit.theory.errors import ArgumentError

VARIABLE = "WIDELIMIT_CACHE"
_MARK = b"# widelimit "
_log = logging.getLogger(__name__)
_SCRATCH = re.compile(r"\.(\d+)-.*\.tmp")
_GRACE = 60.0  # seconds in which a scratch file may belong to a process that is not seen from here


def folder() -> Path:
    """Return the cache folder: ``$WIDELIMIT_CACHE``, else the user's, else one that lives as long as the process.

    It is made if need be, and closed to others. Raises `ArgumentError` where ``$WIDELIMIT_CACHE`` names a folder
    that belongs to another user or that others can write to: its files would be run.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return _own(chosen, True)
    return _own(platformdirs.user_cache_dir("widelimit", appauthor=False), False)


def below(name: str) -> Path:
    """Return a folder inside the cache folder, made and closed to others."""
    return _own(str(folder() / name), bool(os.environ.get(VARIABLE)))


def read(name: str, where: str = "") -> bytes | None:
    """Return the content of a sealed file; None if there is none, or if it is not what was written.

    A file of another user, or one reached through a symbolic link, is not read.
    """
    path = folder() / where / name
    data = content(path)
    if data is None:
        return None
    body = data.partition(b"\n")[2]
    if data != sealed(name, body):
        _log.debug("%s is not what was written: it is written again", path)
        return None
    return body


def write(name: str, body: bytes) -> Path:
    """Seal and write a file of the cache; in a folder of this process alone where the cache takes no files."""
    data = sealed(name, body)
    try:
        return replace(folder() / name, data)
    except OSError as error:
        _log.warning("the cache folder %s takes no files (%s); using a temporary one", folder(), error)
        return replace(_temporary() / name, data)


def sealed(name: str, body: bytes) -> bytes:
    """Return what a file of this name and content holds: a line with their hash first."""
    seal = hashlib.sha256(name.encode() + b"\n" + body).hexdigest()
    return _MARK + seal.encode() + b"\n" + body


def content(path: Path) -> bytes | None:
    """Return the bytes of a regular file of this user's; None for everything else."""
    try:
        with open(path, "rb", opener=_plainly) as file:
            about = os.fstat(file.fileno())
            return file.read() if stat.S_ISREG(about.st_mode) and _ours(about) else None
    except OSError:
        return None


def _plainly(path: str, flags: int) -> int:
    """Open without following a link, and without waiting for whoever writes to a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def replace(path: Path, data: bytes) -> Path:
    """Write a file in one step: other processes see all of it or nothing."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{os.getpid()}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    return path


def _ours(about: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or about.st_uid == os.geteuid()


@functools.lru_cache
def _own(path: str, asked: bool) -> Path:
    """Make a folder of this user's own; a temporary one where that cannot be, or an error if it was `asked` for."""
    try:
        chosen = Path(path).expanduser().resolve()
        chosen.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            chosen.mkdir(mode=0o700)
        fault = _closed(chosen)
        if not fault:
            with tempfile.TemporaryFile(dir=chosen):
                _sweep(chosen)
                return chosen
    except (OSError, RuntimeError) as error:  # RuntimeError: no home, or links that go round
        _log.warning("the cache folder %s is not writable (%s); using a temporary one", path, error)
        return _temporary()
    if asked:
        raise ArgumentError(
            VARIABLE,
            "must be a folder that nobody else can write to, as its files are run",
            but=f"{chosen} {fault}",
            help=f"Name a new folder ({chosen / 'mine'}, say), which is then made for you alone, or unset it.",
        )
    _log.warning("the cache folder %s %s; using a temporary one", chosen, fault)
    return _temporary()


def _closed(path: Path) -> str:
    """Close a folder to others; return what is wrong with it, or nothing."""
    about = path.stat()
    if not stat.S_ISDIR(about.st_mode):
        raise NotADirectoryError(f"{path} is not a folder")
    if not hasattr(os, "geteuid"):  # no owners and modes here: user profiles are closed by their own rules
        return ""
    if not _ours(about):
        return "belongs to another user"
    if about.st_mode & 0o022:  # others may have put files there already, so that closing it now is not enough
        return "can be written to by others"
    if about.st_mode & 0o077:
        path.chmod(0o700)
    return ""


def _sweep(path: Path) -> None:
    """Remove what killed processes left half-written."""
    with os.scandir(path) as entries:
        scratch = [one for one in entries if (match := _SCRATCH.fullmatch(one.name)) and _dead(int(match[1]))]
    for one in scratch:
        with suppress(OSError):
            if time.time() - one.stat(follow_symlinks=False).st_mtime > _GRACE:
                os.unlink(one)


def _dead(process: int) -> bool:
    """Whether no process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@functools.cache
def _temporary() -> Path:
    for old in Path(tempfile.gettempdir()).glob("widelimit-*-*"):
        number = old.name.split("-")[1]
        with suppress(OSError):
            if number.isdecimal() and _dead(int(number)) and _ours(old.lstat()):
                shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"widelimit-{os.getpid()}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
