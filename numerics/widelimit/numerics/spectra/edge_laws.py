"""Tracy-Widom laws in numbers: Fredholm determinants at the nodes of panels, Chebyshev series between them.

determinants   eigenvalues of Ai(x + y + s) by Gauss-Legendre quadrature (Bornemann)
orders         D_- and D_+, E and O, without cancellation
panels         left of `_TURN` F itself, right of it log(1 - F), which keeps its relative digits
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from sympy import Expr, Symbol, lambdify

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.theory import spectra as theory
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_NODES = 40
_TURN = -1.0
_LEFT = (-11.0, -8.0, -5.5, -3.5, _TURN)
_RIGHT = (_TURN, 1.5, 5.0, 12.0, 28.0, 62.0)  # beyond, 1 - F is below 1e-280
_DEGREE = 24
_REACH = 60.0  # Ai falls by exp(-40) over what this leads to


@pictured
class TracyWidom:
    """The Tracy-Widom law of one beta; see `tracy_widom`."""

    def __init__(self, beta: int) -> None:
        self.beta = beta
        self._table = _table(beta)

    def cdf(self, s: Any) -> Any:
        """Return F(s), with an absolute error below 1e-13."""
        return self._apply(s, self._cdf)

    def sf(self, s: Any) -> Any:
        """Return 1 - F(s), with a relative error below 1e-11 on the right, where it is a p-value."""
        return self._apply(s, self._sf)

    def pdf(self, s: Any) -> Any:
        """Return the density F'(s)."""
        return arguments.scalar(np.asarray(self._table["stretch"] * np.asarray(self._apply(s, self._pdf))))

    def quantile(self, p: Any) -> Any:
        """Return s with F(s) = p, for p in [1e-12, 1 - 1e-15]; 0 and 1 lead to infinities.

        Raises `ArgumentError` outside [0, 1], and closer to 0 or 1 than a determinant in floats resolves.
        """
        chance = arguments.within("p", p, 0.0, 1.0)
        inner = (chance >= 1e-12) & (chance <= 1 - 1e-15)
        if not (inner | (chance == 0) | (chance == 1)).all():
            lost = float(chance[~(inner | (chance == 0) | (chance == 1))].flat[0])
            raise ArgumentError("p", "must be 0, 1, or lie in [1e-12, 1 - 1e-15]", lost)
        return arguments.scalar(self._quantile(np.where(inner, chance, 0.5), chance))

    ppf = quantile

    @functools.cached_property
    def mean(self) -> float:
        """First moment."""
        return self._moment(1)

    @functools.cached_property
    def variance(self) -> float:
        """Second central moment."""
        mean = self.mean
        return self._moment(2) - mean**2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TracyWidom) and self.beta == other.beta

    def __hash__(self) -> int:
        return hash(("TracyWidom", self.beta))

    def __reduce__(self) -> tuple[Any, ...]:
        return TracyWidom, (self.beta,)

    def __repr__(self) -> str:
        return f"<TracyWidom beta={self.beta}: mean {self.mean:.6g}, variance {self.variance:.6g}>"

    def _apply(self, s: Any, function: Callable[[Array], Array]) -> Any:
        place = arguments.real("s", s, infinite=True)
        stretched = self._table["stretch"] * np.atleast_1d(place).ravel()
        return arguments.scalar(function(stretched).reshape(place.shape))

    def _cdf(self, s: Array) -> Array:
        left = s < _TURN
        found = np.empty(s.shape)
        found[left] = np.clip(_panels(self._table["cdf"], s[left], 0.0), 0.0, 1.0)
        found[~left] = -np.expm1(_panels(self._table["log sf"], s[~left], -np.inf))
        return found

    def _sf(self, s: Array) -> Array:
        left = s < _TURN
        found = np.empty(s.shape)
        found[left] = 1 - np.clip(_panels(self._table["cdf"], s[left], 0.0), 0.0, 1.0)
        found[~left] = np.exp(_panels(self._table["log sf"], s[~left], -np.inf))
        return found

    def _pdf(self, s: Array) -> Array:
        left = s < _TURN
        found = np.empty(s.shape)
        found[left] = np.maximum(_panels(self._table["pdf"], s[left], 0.0), 0.0)
        sf = np.exp(_panels(self._table["log sf"], s[~left], -np.inf))
        found[~left] = -sf * _panels(self._table["hazard"], s[~left], 0.0)
        return found

    def _quantile(self, inner: Array, chance: Array) -> Array:
        grid, values = self._table["grid"], self._table["values"]
        flat = inner.ravel()
        s = np.interp(flat, values, grid)
        low = grid[np.clip(np.searchsorted(values, flat) - 1, 0, grid.size - 1)]
        high = grid[np.clip(np.searchsorted(values, flat), 0, grid.size - 1)]
        for _ in range(8):
            wrong = np.where(flat < 0.5, self._cdf(s) - flat, (1 - flat) - self._sf(s))
            step = wrong / np.maximum(self._pdf(s), 1e-300)
            s = np.clip(s - step, low, high)
            if (np.abs(step) < 1e-14).all():
                break
        found = s.reshape(inner.shape)
        found = found / self._table["stretch"]
        return np.where(chance == 0, -np.inf, np.where(chance == 1, np.inf, found))

    def _moment(self, power: int) -> float:
        x, w = np.polynomial.legendre.leggauss(40)
        total = 0.0
        for ends in (_LEFT, _RIGHT):
            for low, high in pairwise(ends):
                s = (low + high) / 2 + (high - low) / 2 * x
                total += float((high - low) / 2 * (w @ (s**power * self._pdf(s))))
        return total / self._table["stretch"] ** power


def tracy_widom(beta: int) -> TracyWidom:
    """Return the Tracy-Widom law of real (beta 1), complex (2) or quaternion (4) matrices.

    `.cdf(s)`, `.sf(s)` = 1 - cdf with relative digits on the right, `.pdf(s)`, `.quantile(p)` (also `ppf`), `.mean`,
    `.variance`. F_1 = det(1 - B), F_2 = det(1 - B^2), F_4(s/sqrt 2) = (F_1 + F_2/F_1)/2, B = Ai(x + y + s) on the half
    line. beta = 4 is in Tracy and Widom's normalisation, of mean -2.3069 and variance .5177. Another one's variable is
    sqrt(2) times as large (mean -3.2624, variance 1.0354); to units of sigma N^(-2/3) of N levels, as for beta 1 and 2,
    divide that by 2^(2/3) (mean -2.0552).

    Raises `ArgumentError` for another beta.

    >>> law = tracy_widom(1)
    >>> round(law.mean, 10), round(law.variance, 9), round(law.quantile(0.95), 6)
    (-1.2065335746, 1.607781035, 0.979316)
    >>> [round(tracy_widom(beta).sf(2.0) * 1e8) for beta in (1, 2, 4)]
    [1040243, 11245, 8]
    >>> round(tracy_widom(2).cdf(-2.0), 10), round(tracy_widom(4).mean, 8)
    (0.4132241425, -2.30688489)
    """
    if isinstance(beta, bool) or not isinstance(beta, int | float | np.number) or beta not in theory.BETAS:
        raise ArgumentError("beta", "must be 1, 2 or 4", beta, "Real, complex and quaternion matrices.")
    return _law(int(beta))


@functools.cache
def _law(beta: int) -> TracyWidom:
    return TracyWidom(beta)


# panels ----------------------------------------------------------------------------------------------------------


def _panels(panels: tuple[Array, Array], s: Array, outside: float) -> Array:
    """Evaluate Chebyshev series of panels (edges, coefficients x panels); `outside` beyond all of them."""
    edges, coefficients = panels
    which = np.clip(np.searchsorted(edges, s, side="right") - 1, 0, edges.size - 2)
    low, high = edges[which], edges[which + 1]
    inside = (s >= edges[0]) & (s <= edges[-1])
    t = np.where(inside, (2 * np.where(inside, s, low) - low - high) / (high - low), 0.0)
    own = coefficients[:, which]
    first, second = np.zeros_like(t), np.zeros_like(t)
    for row in own[:0:-1]:  # Clenshaw
        first, second = 2 * t * first - second + row, first
    return np.where(inside, t * first - second + own[0], outside)


def _series(edges: tuple[float, ...], values: Array) -> tuple[Array, Array]:
    """Chebyshev coefficients (rows) of panels (columns) from values at their nodes (panels x nodes)."""
    return np.array(edges), chebyshev.chebfit(_angles(), values.T, _DEGREE)


def _angles() -> Array:
    return chebyshev.chebpts1(_DEGREE + 1)


def _places(edges: tuple[float, ...]) -> Array:
    low, high = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    return (low + high) / 2 + (high - low) / 2 * _angles()


@functools.cache
def _table(beta: int) -> dict[str, Any]:
    """Series of F, log(1 - F) and their slopes, and a grid to invert F from."""
    minus, plus = _orders(_LEFT)[:2]
    even, odd = _orders(_RIGHT)[2:]
    sides = _function((theory.MINUS, theory.PLUS), theory.distribution(beta))
    orders = _function((theory.EVEN, theory.ODD), theory.survival(beta))
    cdf = _series(_LEFT, sides(minus, plus))
    sf = _series(_RIGHT, np.log(orders(even, odd)))
    grid = np.concatenate([np.linspace(_LEFT[0], _TURN, 400), np.linspace(_TURN, 20.0, 600)[1:]])
    left = _panels(cdf, grid[:400], 0.0)
    values = np.maximum.accumulate(np.concatenate([left, -np.expm1(_panels(sf, grid[400:], -np.inf))]))
    keep = np.concatenate([[True], np.diff(values) > 0])
    return {"cdf": cdf, "pdf": _slope(cdf), "log sf": sf, "hazard": _slope(sf), "grid": grid[keep],
            "values": values[keep], "stretch": float(theory.stretch(beta))}  # fmt: skip


def _slope(panels: tuple[Array, Array]) -> tuple[Array, Array]:
    edges, coefficients = panels
    return edges, chebyshev.chebder(coefficients) * 2 / np.diff(edges)


def _function(symbols: tuple[Symbol, ...], formula: Expr) -> Callable[..., Array]:
    return lambdify(symbols, formula, modules=["scipy", "numpy"])


# determinants ----------------------------------------------------------------------------------------------------


@functools.cache
def _orders(edges: tuple[float, ...]) -> tuple[Array, Array, Array, Array]:
    """D_-, D_+, E and O at the nodes of all panels."""
    places = _places(edges)
    minus, plus = np.ones(places.shape), np.ones(places.shape)
    even, odd = np.zeros(places.shape), np.zeros(places.shape)
    for b in _eigenvalues(places.ravel()).T.reshape(-1, *places.shape):
        minus, plus = minus * (1 - b), plus * (1 + b)
        even, odd = even + b * odd, odd + b * (1 + even)
    return minus, plus, even, odd


def _eigenvalues(places: Array) -> Array:
    """Eigenvalues of B at each s (rows), the largest first."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    length = (np.maximum(places, 0.0) ** 1.5 + _REACH) ** (2 / 3) - places
    nodes = length[:, None] * (1 + x) / 2
    root = np.sqrt(length[:, None] * w / 2)
    row, column = np.tril_indices(_NODES)
    kernel = _function((theory.FIRST, theory.SECOND, theory.PLACE), theory.edge_kernel())
    matrix = np.zeros((places.size, _NODES, _NODES))
    values = kernel(nodes[:, row], nodes[:, column], places[:, None])
    matrix[:, row, column] = root[:, row] * root[:, column] * values  # eigvalsh reads the lower half
    found = np.linalg.eigvalsh(matrix)
    return np.take_along_axis(found, np.argsort(-np.abs(found), axis=1), 1)
