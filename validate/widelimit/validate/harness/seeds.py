"""Seeds and keys are hashes of what they stand for: a run repeats exactly, in any order, on any machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from widelimit.validate.harness.claim import Inputs, Scalar

FILE = "file:"  # how an input that names rows of a user's file begins (`inputs.pair`)


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, with sorted keys; numbers that are equal hash alike.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2.0, "a": 1.0})
    True
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seed_of(claim_id: str, inputs: Inputs, size: int, replicate: int, run_seed: int = 0) -> int:
    """The seed of one replicate, between 0 and 2^63.

    >>> seed_of("topic.claim", {"depth": 3}, 100, 0) == seed_of("topic.claim", {"depth": 3}, 100, 1)
    False
    """
    what = [claim_id, identity(inputs), size, replicate, run_seed]
    return int(digest(what)[:16], 16) >> 1


def identity(inputs: Inputs) -> dict[str, Scalar]:
    """Inputs as they enter hashes: a file counts by its content, wherever it lies."""
    return {name: _content(value) for name, value in inputs.items()}


def _content(value: Scalar) -> Scalar:
    if not isinstance(value, str) or not value.startswith(FILE):
        return value
    path, *rows = value.removeprefix(FILE).rsplit(":", 2)
    return ":".join([FILE + hashlib.sha256(Path(path).read_bytes()).hexdigest(), *rows])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return value  # exactly: floats would make neighbours of large numbers the same
    number = float(value)
    return int(number) if number.is_integer() else number
