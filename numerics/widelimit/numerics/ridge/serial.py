"""Do rows that stand next to each other resemble each other? A theory of independent rows has to ask.

The rank von Neumann ratio (Bartels 1982) of the errors on left-out rows, in the order of the file:

    R = sum (r_i - r_(i+1))^2 / sum (r_i - mean r)^2,    r_i the rank of error i

Where rows are independent, or merely exchangeable, every order is as likely as any other: R is distributed around 2 the
same way whatever the data, R/4 nearly as a symmetric beta variable. Errors that persist from row to row make it small,
errors that alternate make it large; nine false alarms in ten are spent on the first, which is what files have.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.special import betainc

from widelimit.numerics.ridge.sample import Sample
from widelimit.theory.errors import DependenceWarning

Array = np.ndarray
FALSE_ALARM = 1e-3  # chance of a warning about independent rows
_LABELS, _ROWS_OF_A_LABEL = 20, 10
_PERSISTING = 0.9  # share of false alarms about errors that persist
_FEWEST = 10  # rows that the approximation, and any power, needs


def p_value(errors: Array) -> float:
    """p-value of independence for errors in their order; 1 where they are too few or all the same.

    >>> p_value(np.sin(np.arange(40) / 6)) < 1e-6, p_value(np.random.default_rng(0).standard_normal(40)) > 0.01
    (True, True)
    """
    n = errors.size
    from scipy.stats import rankdata  # half a second of imports that few need

    ranks = rankdata(errors)
    spread = float(((ranks - ranks.mean()) ** 2).sum())
    if n < _FEWEST or spread == 0.0:
        return 1.0
    ratio = float((np.diff(ranks) ** 2).sum()) / spread
    shape = 5 * n * (n + 1) * (n - 1) ** 2 / (2 * (n - 2) * (5 * n**2 - 2 * n - 9)) - 0.5
    below = float(betainc(shape, shape, ratio / 4))
    return min(1.0, below / _PERSISTING, (1 - below) / (1 - _PERSISTING))


def dependence(sample: Sample, penalties: Sequence[float]) -> float:
    """Smallest p-value over targets (times their number) of the errors on left-out rows at each target's penalty.

    1 where the order is that of a design, not of time: a target that grows or falls all along the file is sorted, and
    labels (a few values, each of many rows) come in blocks or in turns.
    """
    least = 1e-2 * float(sample.squares[-1])  # a negative penalty leaves errors of any size
    found = [1.0]
    for k, penalty in enumerate(penalties):
        root = np.ones(1) if sample.weight is None else np.sqrt(sample.weight)
        target = sample.target[:, k] / root
        steps = np.diff(target)
        if (steps >= 0).all() or (steps <= 0).all() or _labels(target):
            continue
        errors = target
        if np.isfinite(penalty):
            errors = sample.errors_left_out(np.array([max(penalty, least)]), target=k)[:, 0] * root
        found.append(len(penalties) * p_value(errors))
    return min(found)


def _labels(target: Array) -> bool:
    return np.unique(target.round(12)).size <= min(_LABELS, target.size / _ROWS_OF_A_LABEL)


def warn(chance: float, stacklevel: int) -> None:
    """Warn where rows are hardly independent."""
    if chance < FALSE_ALARM:
        warnings.warn(
            f"Neighbouring rows have errors that resemble each other, or alternate (p = {chance:.1g} if rows were "
            "independent). Predicted errors and penalties hold for independent rows, and can be far off for time "
            "series, repeated measurements or neighbouring places. Thin out such rows; if the data are only sorted, "
            "shuffle them.",
            DependenceWarning,
            stacklevel=stacklevel + 1,
        )
