"""Ceilings of linear and linear-nonlinear models of cells that are sums of rectified subunits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import costs
from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks, formulas
from widelimit.numerics.retina.noise import standard
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_EDGE = 1e-14  # of 1 - |correlation|: nearer, the filters are the same


@by_value
@dataclass(frozen=True)
class Ceiling:
    """`explained`: share of the response's variance; `filter`: of the model that explains it.

    `variance`: of the response, without its noise.
    """

    explained: float
    filter: Array
    variance: float


@by_value
@dataclass(frozen=True)
class _Cell:
    """Filters, weights, the stimulus' covariance; of each subunit its deviation and threshold in units of it."""

    filters: Array
    weights: Array
    covariance: Array
    deviations: Array
    thresholds: Array

    @property
    def linear(self) -> Array:
        """The filter sum a_j P(u_j > theta_j) k_j."""
        return np.asarray((self.weights * np.asarray(formulas.passing()(self.thresholds))) @ self.filters)

    def variance(self, correlation: Array) -> float:
        """Sum of a_i a_j Cov([u_i - theta_i]_+, [u_j' - theta_j]_+) at the correlations between u_i and u_j'."""
        t = self.thresholds
        means, own, _ = standard(-t)
        cross = products(t[:, None], t[None, :], correlation) - means[:, None] * means[None, :]
        same = correlation >= 1 - _EDGE
        cross = np.where(same & (t[:, None] == t[None, :]), own[:, None], cross)
        scaled = self.weights * self.deviations
        return float(scaled @ cross @ scaled)


def linear_ceiling(filters: Any, weights: Any, covariance: Any, thresholds: Any = 0) -> Ceiling:
    """Return the share of the variance of r = sum_j a_j [k_j x - theta_j]_+ that the best linear filter explains.

    The filter is k_eff = sum_j a_j Phi(-theta_j/sigma_j) k_j, what spike-triggered averages of any length find after
    whitening, and explains k_eff' C k_eff / Var r; the covariances of subunits are closed forms of their angles.

    Args:
        filters: k_j, (subunits, dimensions).
        weights: a_j, one for each subunit (or one for all).
        covariance: C of the Gaussian stimulus: a matrix, its diagonal, or one variance.
        thresholds: theta_j, one for each subunit or one for all.

    Raises `ArgumentError` for shapes that do not fit, a singular covariance, or a cell that never responds.

    >>> found = linear_ceiling([[1, .2, 0, 0], [0, 1, .5, 0], [0, -.3, 0, 1]], [1, .6, .8], 1.0)
    >>> round(found.explained, 12)
    0.710229033414
    >>> on_off = linear_ceiling([[1.0, 0.5], [-1.0, -0.5]], [1.0, 1.0], 1.0)
    >>> on_off.explained, round(on_off.variance, 9)  # 1.25 (1 - 2/pi)
    (0.0, 0.454225285)
    >>> round(linear_ceiling([[1.0, 0.0], [-0.9, 0.5]], [1.0, 1.0], 1.0, 0.2).variance, 9)
    0.355645064
    """
    cell = _cell(filters, weights, covariance, thresholds)
    total = cell.variance(_correlations(cell))
    k = cell.linear
    if total <= 0:
        raise ArgumentError("weights", "must leave a response that varies", but="cancel")
    return Ceiling(float(min(k @ cell.covariance @ k / total, 1.0)), k, total)


def nonlinear_ceiling(
    filters: Any, weights: Any, covariance: Any, thresholds: Any = 0, *, filter: Any = None
) -> Ceiling:
    """Return the share that the best nonlinearity behind one filter explains: Var E[r | k x] / Var r.

    Given k x, subunits of two copies of the cell are independent: the variance of the conditional mean is that of the
    response with the correlations rho_i rho_j, rho_i between u_i and k x. No quadrature is needed.

    Args:
        filters: k_j, (subunits, dimensions).
        weights: a_j.
        covariance: C of the Gaussian stimulus: a matrix, its diagonal, or one variance.
        thresholds: theta_j.
        filter: k; default: that of the best linear model, which must not be 0.

    Raises `ArgumentError` for shapes that do not fit, a filter of 0, or a cell that never responds.

    >>> found = nonlinear_ceiling([[1.0, 0.5], [-1.0, -0.5]], [1.0, 1.0], 1.0, filter=[1.0, 0.5])
    >>> round(found.explained, 12)  # an even nonlinearity on the right filter
    1.0
    """
    cell = _cell(filters, weights, covariance, thresholds)
    total = cell.variance(_correlations(cell))
    if total <= 0:
        raise ArgumentError("weights", "must leave a response that varies", but="cancel")
    k = cell.linear if filter is None else checks.level("filter", filter)
    size = cell.filters.shape[1]
    if k.shape != (size,):
        raise ArgumentError("filter", f"must be {size} numbers", but=f"has shape {k.shape}")
    if not k.any():
        help = "Name one: spike-triggered covariances find it where the average is 0."
        raise ArgumentError("filter", "must not be 0", but="is", help=help)
    unit = k / np.abs(k).max()
    across = cell.filters @ cell.covariance @ unit
    rho = np.clip(across / (cell.deviations * np.sqrt(unit @ cell.covariance @ unit)), -1, 1)
    return Ceiling(float(min(max(cell.variance(np.outer(rho, rho)) / total, 0.0), 1.0)), k, total)


def products(first: Array, second: Array, correlation: Array) -> Array:
    """Return E [y - t_1]_+ [z - t_2]_+ of standard normals; correlations broadcast with thresholds."""
    a, b, rho = (np.array(one) for one in np.broadcast_arrays(first, second, correlation))
    size = np.clip(np.abs(rho), 0.0, 1 - _EDGE)
    back = rho < -0.5
    mirrored = np.where(back, -b, b)
    found = np.asarray(formulas.product()(a, mirrored, np.where(back, size, np.clip(rho, None, 1 - _EDGE))))
    if back.any():
        found = np.where(back, np.asarray(formulas.reflected()(a, b, size, found)), found)
    return np.maximum(found, 0.0)


def _correlations(cell: _Cell) -> Array:
    unit = cell.filters / cell.deviations[:, None]
    rho = np.clip(unit @ cell.covariance @ unit.T, -1.0, 1.0)
    np.fill_diagonal(rho, 1.0)
    return rho


def _cell(filters: Any, weights: Any, covariance: Any, thresholds: Any) -> _Cell:
    k = checks.level("filters", filters)
    if k.ndim != 2 or not k.size:
        raise ArgumentError("filters", "must be of shape (subunits, dimensions)", but=f"has shape {k.shape}")
    costs.affordable("filters", len(k), memory=200.0, seconds=3e-6, power=2, each="subunit")
    c = checks.covariance("covariance", covariance, k.shape[1])
    a, theta = (
        _each(name, value, len(k)) for name, value in (("weights", weights), ("thresholds", thresholds))
    )
    if not a.any():
        raise ArgumentError("weights", "must not all be 0", but="are")
    deviations = np.sqrt(np.einsum("jp,pq,jq->j", k, c, k))
    if (deviations == 0).any():
        raise ArgumentError("filters", "must not be 0", but=f"are for subunit {int(deviations.argmin())}")
    return _Cell(k, a, c, deviations, theta / deviations)


def _each(name: str, value: Any, size: int) -> Array:
    array = checks.level(name, value)
    if array.ndim == 0:
        array = np.full(size, float(array))
    if array.shape != (size,):
        raise ArgumentError(
            name, f"must be {size} numbers, one for each subunit", but=f"has shape {array.shape}"
        )
    return array
