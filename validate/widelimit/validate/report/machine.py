"""``report.json``: a run for machines, and the form in which a committed report can be read back.

The required keys of a point (a predicted number) are ``inputs``, ``predicted``, ``measured``, ``standard_error`` and
``verdict``; the others are the rest of `outcome.RowOutcome`. Infinity is written as the string "inf" or "-inf" and
what is not defined as null, so that every reader of JSON takes it. A field of a point that is not there has its usual
value, the default of `outcome.RowOutcome`; `needed_replicates` is null by default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

from widelimit.theory.errors import ArgumentError, StoreError
from widelimit.validate.harness.claim import Compare
from widelimit.validate.harness.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    CounterfactualRow,
    Fit,
    RowOutcome,
    RunOutcome,
    SizeSummary,
    Verdict,
)
from widelimit.validate.harness.running.manifest import json_of
from widelimit.validate.harness.text import clean

NAME = "report.json"
SCHEMA = 2
_EARLIER = 1  # of three verdicts; read by judging its rows again
JUDGED_AGAIN = (
    "The numbers of this report were written by an earlier version of widelimit; its verdicts are those of today's "
    "rules, by which a number that is within the margin but measurably off differs."
)
# All digits of what is measured and of what it is judged by, ten of its parts; of the others, six carry what they know.
_EXACT = (
    "predicted",
    "measured",
    "standard_error",
    "degrees_of_freedom",
    "margin",
    "scale",
    "lack_of_fit",
    "shift",
    "within",
    "free",
)
_DIGITS, _FINE_DIGITS = 6, 10
_USUAL = {"needed_replicates": None} | {
    one.name: one.default
    for one in fields(RowOutcome)
    if one.default is not MISSING and one.name not in ("within", "counterfactuals")
}
_FITS = ("residuals", "law")


def dump(outcome: RunOutcome) -> str:
    """Print a run as JSON, a point (a predicted number) a line."""
    run = {"preset": outcome.preset, "level": outcome.level, **outcome.manifest}
    claims = ",\n".join(_claim(claim) for claim in outcome.claims)
    return f'{{"schema": {SCHEMA}, "run": {_text(run)},\n"claims": [\n{claims}\n]}}\n'


def read(folder: str | Path) -> RunOutcome:
    """Read the outcome of a run back from ``report.json`` in its folder, or from such a file itself.

    Raises `ArgumentError` where there is none, `StoreError` where it is damaged.
    """
    path = Path(folder) if Path(folder).is_file() else Path(folder) / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArgumentError(
            "folder", f"must hold {NAME}, written by `widelimit validate`", but=f"{path}: {reason}"
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is not text") from error
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        raise _damaged(path, f"it ends or breaks off at line {error.lineno}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__} {error}") from error


def parse(text: str) -> RunOutcome:
    """Undo `dump`; raises ValueError, KeyError, TypeError or AttributeError for anything else."""
    found = json_of(text)
    if found["schema"] not in (SCHEMA, _EARLIER):
        raise ValueError(f"the schema is {found['schema']}, not {SCHEMA}")
    run = dict(found["run"])
    claims = tuple(_read_claim(claim) for claim in found["claims"])
    outcome = _checked(RunOutcome(claims, run, run["preset"], _number(run["level"])))
    return _judged_again(outcome) if found["schema"] == _EARLIER else outcome


def _judged_again(outcome: RunOutcome) -> RunOutcome:
    """A report of an earlier version with today's verdicts: its rows hold all that they are judged by."""
    from widelimit.validate.harness.judging import judged, restored  # SciPy, which `--help` does without
    from widelimit.validate.harness.statistics import check_level

    level = check_level(outcome.level)
    claims = judged([restored(claim) for claim in outcome.claims if claim.rows], level)
    again = {claim.id: claim for claim in claims}
    warnings = [*outcome.manifest.get("warnings", ()), JUDGED_AGAIN]
    return replace(
        outcome,
        claims=tuple(again.get(claim.id, claim) for claim in outcome.claims),
        manifest={**outcome.manifest, "warnings": list(dict.fromkeys(warnings))},
    )


def strict(value: Any) -> Any:
    """Make plain values fit for strict JSON: infinity becomes "inf" or "-inf", what is not a number null.

    >>> strict({"xi_c": float("inf"), "c": (float("nan"), 1.0)})
    {'xi_c': 'inf', 'c': [None, 1.0]}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {str(name): strict(part) for name, part in value.items()}
    return [strict(part) for part in value] if isinstance(value, (list, tuple)) else value


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"File {path} cannot be read: {why}. Run `widelimit validate` into this folder again: stored cells are used."
    )


def _claim(claim: ClaimOutcome) -> str:
    content = {
        field.name: getattr(claim, field.name)
        for field in fields(claim)
        if field.name not in ("rows", "counterfactuals")
    }
    content |= {name: content[name] and asdict(content[name]) for name in _FITS}
    head = _text(content)[:-1]
    points = ",\n".join(_text(_row(row)) for row in claim.rows)
    return f'{head}, "counterfactuals": {_text([asdict(c) for c in claim.counterfactuals])}, "points": [\n{points}\n]}}'


def _row(row: RowOutcome) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name == "sizes":
            value = [_size(one) for one in value]
        elif field.name == "counterfactuals":
            value = [[c.name, _fine(c.predicted), _rounded(c.p_value), c.rejected] for c in value]
        elif field.name == "label":
            value = list(value)
        elif isinstance(value, float) and field.name not in _EXACT:
            value = _rounded(value)
        if field.name not in _USUAL or value != _USUAL[field.name]:
            content[field.name] = value
    return content


def _size(one: SizeSummary) -> list[float]:
    """A size's numbers, the prediction of the size last where there is one."""
    known = [one.size, one.replicates, _fine(one.mean), _rounded(one.standard_error)]
    return known if one.predicted is None else [*known, _fine(one.predicted)]


def _read_claim(found: Mapping[str, Any]) -> ClaimOutcome:
    known = {field.name for field in fields(ClaimOutcome)}
    content = {name: _number(value) for name, value in found.items() if name in known}
    content["rows"] = tuple(_read_row(point) for point in found["points"])
    content["counterfactuals"] = tuple(
        _checked(CounterfactualOutcome(**one)) for one in found["counterfactuals"]
    )
    content |= {name: _read_fit(content.get(name)) for name in _FITS}
    return _checked(ClaimOutcome(**content))


def _read_fit(found: Mapping[str, Any] | None) -> Fit | None:
    return None if found is None else _checked(Fit(**{name: _number(one) for name, one in found.items()}))


def _read_row(found: Mapping[str, Any]) -> RowOutcome:
    known = {field.name for field in fields(RowOutcome)}
    content = {name: _number(value) for name, value in found.items() if name in known and name != "inputs"}
    content |= {name: math.nan for name in content if content[name] is None and name not in _OPTIONAL}
    content.setdefault("needed_replicates", None)
    content["inputs"] = found["inputs"]
    content["label"] = {name: found["inputs"][name] for name in found["label"]}
    content["sizes"] = tuple(_checked(SizeSummary(*map(_read_number, size))) for size in found["sizes"])
    content["counterfactuals"] = tuple(
        _checked(CounterfactualRow(*map(_read_number, one))) for one in found["counterfactuals"]
    )
    return _checked(RowOutcome(**content))


_OPTIONAL = (
    "needed_replicates",
    "free",
    "free_error",
)  # null means that there is none, elsewhere not a number
_KINDS: dict[str, tuple[type, ...]] = {
    "float": (int, float),
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "float | None": (int, float, type(None)),
    "int | None": (int, type(None)),
}
_CHOICES = {"verdict": get_args(Verdict), "compare": get_args(Compare)}


def _checked(record: Any) -> Any:
    """See that the fields of a record are what its class says: a page is made of them, whoever wrote the file."""
    for field in fields(record):
        value, kinds = getattr(record, field.name), _KINDS.get(str(field.type), ())
        wrong = kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds))
        if wrong or (field.name in _CHOICES and value not in _CHOICES[field.name]):
            raise ValueError(f"`{field.name}` is {value!r:.40}")
        if field.name in ("inputs", "label", "manifest") and not isinstance(value, Mapping):
            raise ValueError(f"`{field.name}` is {value!r:.40}")
    return record


def _number(value: Any) -> Any:
    """Undo what `strict` does to a number; names and texts pass."""
    if value in ("inf", "-inf"):
        return float(value)
    return value


def _read_number(value: Any) -> Any:
    return math.nan if value is None else _number(value)


def _rounded(value: float, digits: int = _DIGITS) -> float:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else value


def _fine(value: float) -> float:
    return _rounded(value, _FINE_DIGITS)


def _text(content: Any) -> str:
    return json.dumps(strict(_printable(content)), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _printable(content: Any) -> Any:
    """Clean all text, names too: not everything from outside has an encoding."""
    if isinstance(content, str):
        return clean(content)
    if isinstance(content, Mapping):
        return {clean(str(name)): _printable(part) for name, part in content.items()}
    return [_printable(part) for part in content] if isinstance(content, list | tuple) else content
