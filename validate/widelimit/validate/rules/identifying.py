"""`identify`: which rule trained the network that a table of statistics was recorded of, if one of the bank's did."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.files.door import opened
from widelimit.numerics.files.table import Table, frame
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.rules import observables
from widelimit.validate.rules.banks import Bank
from widelimit.validate.rules.banks import bank as simulated
from widelimit.validate.rules.telling import Scale

Array = np.ndarray
_TIMES = ("time", "t", "step", "steps", "epoch")
_FOLDS, _BINS = 5, 5
_LEVEL = 0.02  # of a false alarm on a network of the bank
_NEAREST, _TREES = 3, 200
CLASSIFIERS = ("logistic", "forest", "svm")


@by_value
@dataclass(frozen=True)
class Calibration:
    """Of networks that were left out, in bins of the probability that was given to a rule.

    `predicted`: mean probability in a bin; `observed`: how often it was that rule; `counts`: of both; `error`: mean
    distance between them, weighted by counts.
    """

    predicted: Array
    observed: Array
    counts: Array
    error: float


@by_value
@dataclass(frozen=True)
class Identified:
    """`rule`: the most probable one, None where the recording lies outside the bank (`abstains`).

    `probabilities` by rule, as if it came from the bank; `inside`: the share of the bank's own networks that are as far
    from their neighbours; it abstains at 0.02 or less, or where none of a small bank is. `calibration` and `accuracy`:
    on networks that were left out. `networks`: size of the bank; `columns`, `snapshots`: that were compared; `about`:
    the bank in words; `classifier`: that told the rules apart.
    """

    rule: str | None
    probabilities: Mapping[str, float]
    abstains: bool
    inside: float
    calibration: Calibration
    accuracy: float
    networks: int
    columns: tuple[str, ...]
    snapshots: int
    about: str
    classifier: str = "logistic"

    def __str__(self) -> str:
        said = ", ".join(f"{rule} {share:.3f}" for rule, share in self.probabilities.items())
        found = (
            f"outside the bank (as far from it as {self.inside:.1%} of its own networks): no rule is named"
            if self.abstains
            else f"{self.rule} ({said})"
        )
        return (
            f"{found}\n{len(self.columns)} columns at {self.snapshots} times, {self.about}\n"
            f"networks left out ({self.classifier}): accuracy {self.accuracy:.3f}, "
            f"calibration error {self.calibration.error:.3f}"
        )


def identify(table: Any, *, bank: Bank | None = None, classifier: str = "logistic") -> Identified:
    """Return probabilities of the rules that could have trained a network, from statistics recorded while it learned.

    The recording and the bank are compared at the same shares of the time recorded, by a classifier on columns that
    the table has, whose probabilities are calibrated on networks that are left out (nayebi2020identifying).

    Args:
        table: a file (.csv, .parquet, .npz ... with names of columns), a frame of pandas or a mapping of names to
            numbers; a row for each snapshot, a column for each statistic of a layer, named like ``act.var.1`` or
            ``weight_abs_mean_2`` (measure weight, act or change; function raw, abs or sq; statistic norm, mean,
            median, q3, var, skew or kurtosis; layer). A column ``time``, ``step`` or ``epoch`` says when; else
            times are equally far apart.
        bank: of simulated networks, default `bank()`, which takes a minute at the first time and is cached. It should
            see as many units, and as much noise, as the recording. Its networks are fully connected.
        classifier: "logistic" regression; the paper's "forest" of 200 random trees, or linear "svm".

    Raises `ArgumentError` for unknown statistics or layers, columns that are constant or occur twice, NaN, fewer
    snapshots than 2, or times that do not rise.

    >>> from widelimit.validate.rules import bank
    >>> small = bank(10, widths=(20,), steps=60, snapshots=3)
    >>> names = [name for name in small.columns if ".raw." in name]
    >>> row = dict(zip(small.columns, small.values[0].T, strict=True))
    >>> found = identify({name: row[name] for name in names}, bank=small)
    >>> found.networks, found.abstains, len(found.columns), round(sum(found.probabilities.values()), 6)
    (40, False, 49, 1.0)
    """
    if bank is not None and not isinstance(bank, Bank):
        raise ArgumentError("bank", "must be a Bank", bank, "Make one by `validate.rules.bank`.")
    arguments.choice("classifier", classifier, CLASSIFIERS)
    names, rows, times = _read(table)
    known = simulated() if bank is None else bank
    _enough(known)
    places = [known.columns.index(name) if name in known.columns else -1 for name in names]
    if -1 in places:
        raise ArgumentError("table", "must have columns of the bank", names[places.index(-1)])
    count = min(len(rows), known.values.shape[1])
    recorded = _at(times, rows[None], count)
    learnt = _at(np.linspace(0, 1, known.values.shape[1]), known.values[:, :, places], count)
    x, one, labels = learnt.reshape(len(learnt), -1), recorded.reshape(1, -1), np.array(known.rules)
    scale = Scale.of(x)
    kinds, given, curve, right = _probabilities(scale(x), labels, scale(one), classifier)
    inside = _inside(scale(x), scale(one)[0])
    abstains = inside <= max(_LEVEL, 1 / (len(x) + 1))
    best = str(kinds[int(given.argmax())])
    shares = {str(kind): float(share) for kind, share in zip(kinds, given, strict=True)}
    return Identified(
        None if abstains else best, shares, abstains, inside, curve, right, len(x), names, count, str(known),
        classifier,
    )  # fmt: skip


def _enough(known: Bank) -> None:
    counts = {rule: known.rules.count(rule) for rule in dict.fromkeys(known.rules)}
    if len(counts) < 2 or min(counts.values()) < _FOLDS:
        must = f"must have {_FOLDS} networks or more of two rules or more"
        raise ArgumentError("bank", must, but=f"has {counts or 'none'}")
    if not np.isfinite(known.values).all():
        raise ArgumentError(
            "bank", "must have finite values", but="does not", help="Drop networks that diverged."
        )


def _at(times: Array, values: Array, count: int) -> Array:
    """Values (networks, times, columns) between their times, at so many shares of the time recorded."""
    wanted = np.linspace(0, 1, count)
    right = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    share = ((wanted - times[right - 1]) / (times[right] - times[right - 1]))[None, :, None]
    return np.asarray(values[:, right - 1] * (1 - share) + values[:, right] * share)


def _read(table: Any) -> tuple[tuple[str, ...], Array, Array]:
    """Names and numbers of the columns of statistics, and when they were recorded, from 0 to 1."""
    names, values = _columns(table)
    if len(values) < 2:
        raise ArgumentError("table", "must have two snapshots or more", but=f"has {len(values)}")
    if np.isnan(values).any():
        where = names[int(np.isnan(values).any(0).argmax())]
        raise ArgumentError(
            "table", "must hold no NaN", but=f"does in column {where}", help="Drop the column or row."
        )
    if not (np.abs(values) <= 1e100).all():
        where = names[int((~(np.abs(values) <= 1e100)).any(0).argmax())]
        help = "A network that diverged tells nothing of its rule."
        raise ArgumentError("table", "must hold numbers within 1e100", but=f"does not in {where}", help=help)
    when = [k for k, name in enumerate(names) if name.strip().lower() in _TIMES]
    if len(when) > 1:
        raise ArgumentError("table", "must have one column of times", but=f"has {len(when)}")
    times = values[:, when[0]] if when else np.arange(len(values), dtype=float)
    if not (np.diff(times) > 0).all():
        raise ArgumentError("table", "must have times that rise", but=f"does not in {names[when[0]]}")
    rest = [k for k in range(len(names)) if k not in when]
    if not rest:
        raise ArgumentError("table", "must have columns of statistics", but="has none")
    for k in rest:
        if (values[:, k] == values[0, k]).all():
            help = "A statistic that does not change while a network learns was not recorded of it; drop it."
            raise ArgumentError("table", "must have no constant columns", but=f"has {names[k]}", help=help)
    full = tuple(observables.column(names[k]) for k in rest)
    if len(set(full)) < len(full):
        twice = next(name for name in full if full.count(name) > 1)
        raise ArgumentError("table", "must have each column once", but=f"has {twice} twice")
    return full, values[:, rest], (times - times[0]) / (times[-1] - times[0])


def _columns(table: Any) -> tuple[list[str], Array]:
    """Names and numbers of a file, a frame or a mapping."""
    if isinstance(table, str | Path):
        table = opened("table", table)
    if isinstance(table, Mapping):
        if not table or not all(isinstance(name, str) for name in table):
            raise ArgumentError("table", "must map names of columns to numbers", table)
        parts = [_numbers(name, part) for name, part in table.items()]
        lengths = {len(part) for part in parts}
        if len(lengths) > 1:
            raise ArgumentError(
                "table", "must have columns of one length", but=f"has lengths {sorted(lengths)}"
            )
        return list(table), np.stack(parts, axis=1)
    if hasattr(table, "columns") and hasattr(table, "iloc"):
        table = frame(table)
    if not isinstance(table, Table):
        help = "Pass a file, a frame or a mapping of names to columns."
        raise ArgumentError("table", "must have named columns", table, help)
    if table.names is None:
        raise ArgumentError("table", "must have a first line with the names of its columns", but="has none")
    if table.texts:
        raise ArgumentError(
            "table", "must be numeric", but=f"holds text in column {table.name(min(table.texts))}"
        )
    return [str(name) for name in table.names], np.asarray(table.values, float)


def _numbers(name: str, part: Any) -> Array:
    array = np.asarray(part) if isinstance(part, list | tuple) else part
    try:
        holes = np.isnan(np.asarray(array, float))
    except (TypeError, ValueError, OverflowError):
        holes = np.zeros(0, bool)
    if holes.any():
        raise ArgumentError(
            "table", "must hold no NaN", but=f"does in column {name}", help="Drop the column or row."
        )
    found = arguments.real("table", part, infinite=True)
    if found.ndim != 1:
        raise ArgumentError("table", "must have columns of numbers", but=f"has shape {found.shape} in {name}")
    return found


def _scores(kind: str, train: Array, said: Array, test: Array) -> Array:
    """What a classifier gives each rule, whose soft maximum is to be sharpened: of a forest, logarithms of shares."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if kind == "forest":
        forest = RandomForestClassifier(_TREES, random_state=0).fit(train, said)
        return np.asarray(np.log(forest.predict_proba(test) + 1 / _TREES))
    strength = 1.0 / train.shape[1] ** 0.5
    model = (
        LogisticRegression(C=strength, max_iter=300, tol=1e-4)
        if kind == "logistic"
        else LinearSVC(C=strength, random_state=0)
    )
    found = model.fit(train, said).decision_function(test)
    return np.stack([-found, found], axis=1) / 2 if found.ndim == 1 else np.asarray(found)


def _probabilities(
    x: Array, labels: Array, one: Array, classifier: str
) -> tuple[Array, Array, Calibration, float]:
    """Rules, their probabilities, the calibration of networks that were left out, and accuracy on those."""
    from sklearn.model_selection import StratifiedKFold

    scores = functools.partial(_scores, classifier)
    kinds = np.unique(labels)
    held = np.zeros((len(x), len(kinds)))
    fold = np.zeros(len(x), int)
    for k, (train, test) in enumerate(StratifiedKFold(_FOLDS, shuffle=True, random_state=0).split(x, labels)):
        held[test], fold[test] = scores(x[train], labels[train], x[test]), k
    truth = labels[:, None] == kinds
    folds = [fold == k for k in range(_FOLDS)]
    told = np.concatenate([_soft(held[one] * _sharpness(held[~one], truth[~one])) for one in folds])
    true = np.concatenate([truth[one] for one in folds])
    right = float((told.argmax(1) == true.argmax(1)).mean())
    given = _soft(scores(x, labels, one) * _sharpness(held, truth))[0]
    return kinds, given, _curve(told, true), right


def _soft(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def _sharpness(scores: Array, truth: Array) -> float:
    """The factor of the scores under which the truth is most probable, as all were left out: temperature scaling."""
    from scipy.optimize import minimize_scalar

    def loss(log: float) -> float:
        return -float(np.log(np.maximum(_soft(scores * np.exp(log))[truth], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 4.0), method="bounded").x))


def _curve(told: Array, true: Array) -> Calibration:
    flat, was = told.ravel(), true.ravel()
    place = np.minimum((flat * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(place, minlength=_BINS)
    some = counts > 0
    predicted, observed = (
        np.bincount(place, weights=one, minlength=_BINS)[some] / counts[some] for one in (flat, was)
    )
    error = float((np.abs(predicted - observed) * counts[some]).sum() / counts.sum())
    return Calibration(predicted, observed, counts[some], error)


def _inside(x: Array, one: Array) -> float:
    """The share of networks (this one among them) at least as far from their nearest others: a conformal p-value.

    Where networks of the bank and this one are exchangeable, it is below a level with no larger probability than that.
    """
    own = _far(np.array([np.sort(((x - row) ** 2).sum(1))[1 : _NEAREST + 1] for row in x]))
    this = _far(np.sort(((x - one) ** 2).sum(1))[:_NEAREST])
    return float((1 + (own >= this * (1 - 1e-12)).sum()) / (1 + len(own)))


def _far(squares: Array) -> Array:
    return np.asarray(np.sqrt(squares.mean(-1)))
