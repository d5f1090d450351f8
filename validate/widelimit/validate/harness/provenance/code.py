"""Which code a claim's samples come from: a fingerprint of the files that simulate, and of what is bound to them.

A stored cell is only taken for the one at hand if this code is the same.

widelimit's own files  the simulation's and all that it imports of widelimit, wherever in a file: their code, so that a
                       comment can change without a cell being computed again, and so can other topics and reports;
                       what draws (`validate.report`, `validate.pictures`) is not followed: no simulation calls it
a user's files         the one that simulates and all that it imports outside of Python's library and of installed
                       packages, directly or not: to the byte (`files`)
what is bound          arguments of partials, closures, defaults, objects with a `__call__`, and the constants and
                       functions that the user's functions name: by value (`values`)

What a simulation reads while it runs (a file of data, the environment, a server) cannot be followed, nor can a module
that is imported by a name made at run time, nor an installed package: change the claim's id, the seed or the folder
where such a thing changed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from widelimit.numerics.compile.cache import files
from widelimit.validate.harness.claim import Claim
from widelimit.validate.harness.provenance.files import users
from widelimit.validate.harness.provenance.values import Walk

# Generators and seeds come from these.
_ALWAYS = ("widelimit.validate.harness.backend", "widelimit.validate.harness.seeds")
# What only draws what came out: claims name their figures beside what simulates.
_DRAWS = ("widelimit.validate.report.", "widelimit.validate.pictures.")


def fingerprint(claim: Claim) -> str:
    """Hash what the claim's samples depend on.

    >>> len(fingerprint(Claim("a.b", "", "", "", {}, {}, abs, fingerprint, ())))
    64
    """
    return made_by(claim.simulate)


def made_by(function: Callable[..., Any]) -> str:
    """Hash what the values of a function depend on: its code, all that it rests on, and what is bound to it."""
    walk = Walk(function)
    parts = [file.name + "\0" + _bytes(file) for file in users(walk.files)[0]]
    parts += [file.name + "\0" + _code(file) for file in _followed(walk)]
    hasher = hashlib.sha256()
    for part in (*sorted(parts), *walk.values):
        hasher.update(f"{len(part)}:{part}".encode(errors="surrogateescape"))
    return hasher.hexdigest()


def followed(claim: Claim) -> frozenset[Path]:
    """Return the files of widelimit that a claim's samples depend on."""
    return _followed(Walk(claim.simulate))


def _followed(walk: Walk) -> frozenset[Path]:
    ours = users(walk.files)[1] | {file for name in _ALWAYS if (file := files.file_of(name))}
    return files.closure(ours, outside=_DRAWS)


def _bytes(file: Path) -> str:
    """A hash of a user's file as it is now: it may be edited while this process runs."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _code(file: Path) -> str:
    """A hash of what a file of ours says: without comments, the look of its lines and docstrings."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                first.value.value = None
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
