"""Dynamic mean field in continuous time: the autocovariance Delta(tau) of a large random network.

    solve     Delta_0 and Delta_inf: the largest root of pace(Delta_0) = kick, found from the side of large Delta_0
    Path      Delta(tau), C(tau) and integrals over tau, by quadrature along the fall from Delta_0 to Delta_inf

With s = (Delta - Delta_inf)/(Delta_0 - Delta_inf) and l = -log s the correlation falls at the pace r(s) = dl/dtau,
whose square is a kick plus a sum of positive terms. l = r_0 u + R u^2/4 makes dtau/du smooth with noise and without.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics.modes import ENOUGH, TERMS, Modes, function, modes, polynomial
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.dynamics import random as theory
from widelimit.theory.errors import ArgumentError, ConvergenceError, NoFixedPointError

Array = np.ndarray
Drive = Callable[[Array], Array]  # from variances to what is common to all units
_COARSE, _GRID, _NODES = 1e-4, 48, 10
_LOWEST, _HIGHEST = 1e-9, 1e8  # of variances looked at where noise or a bound of phi do not say
_FADED = 50.0  # l at which a correlation is gone
_RULE = np.polynomial.legendre.leggauss(12)


@by_value
@dataclass(frozen=True)
class Balance:
    """Delta_0, Delta_inf, the drive m, and the modes of C there."""

    variance: float
    frozen: float
    drive: float
    modes: Modes

    @property
    def rest(self) -> float:
        """Delta_inf / Delta_0."""
        return self.frozen / self.variance if self.variance > 0 else 1.0


@functools.cache
def _formulas() -> Compiled:
    arguments = (theory.DISORDER, theory.NOISE, theory.VARIANCE, theory.FROZEN, theory.SHARE)
    return compile((theory.pace(), theory.kick()), arguments, name="pace")


def _no_drive(variance: Array) -> Array:
    return np.zeros_like(variance)


def moderate(name: str, value: float, least: float = 1e-6, most: float = 1e4) -> float:
    """Return a scale if averages over it keep their digits; `ArgumentError` otherwise.

    >>> moderate("noise", 0.5)
    0.5
    """
    if not least <= value <= most:
        raise ArgumentError(name, f"must lie between {least:g} and {most:g}", value, "Choose other units.")
    return value


def bound(phi: Activation) -> float:
    """Return the supremum of |phi|, inf where it keeps growing.

    >>> bound(Activation.of("tanh")), bound(Activation.of("relu"))
    (1.0, inf)
    """
    far = np.array([-1e15, -1e5, 1e5, 1e15])
    with np.errstate(all="ignore"):
        ends = np.abs(function(phi)(far, np.zeros(4, int))[0])
        middle = np.abs(function(phi)(np.linspace(-50.0, 50.0, 2001), np.zeros(1, int))[0]).max()
    if not np.isfinite(ends).all() or ends[0] > 1.5 * ends[1] or ends[3] > 1.5 * ends[2]:
        return math.inf
    return float(max(ends.max(), middle))


def solve(activation: Activation, disorder: float, noise: float, drive: Drive = _no_drive) -> Balance:
    """Return the stationary state with the largest variance.

    `drive` gives m at any variances. Raises `NoFixedPointError` where the variance grows without bound.

    >>> found = solve(Activation.of("tanh"), 2.0, 0.0)
    >>> round(found.variance, 11)
    1.92480541374
    """
    scan = _Scan(activation, disorder, noise, drive)
    low, high = scan.bracket()
    if high == 0.0:
        return scan.at(0.0, 1.0)
    if noise == 0.0 and not scan.resting(low):  # between them what is static, or what moves, or both
        static = scan.static(low, high)
        if static is not None:
            if scan.stable(static):
                return scan.at(static, 1.0)
            high = (
                static  # what moves varies less: there Delta = g^2 C(Delta) has its second root below Delta_0
            )
    root = scan.refine(*scan.narrow(low, high))
    return scan.at(root)


class _Scan:
    """h(Delta_0) = pace - kick: negative where Delta_0 is too small to be kept."""

    def __init__(self, phi: Activation, disorder: float, noise: float, drive: Drive) -> None:
        self.phi, self.g, self.sigma, self.drive = phi, disorder, noise, drive

    def bracket(self) -> tuple[float, float]:
        """The last grid points between which h changes its sign, from the top; (0, 0) for a variance of zero."""
        top = bound(self.phi)
        low = max(self.sigma**2 / 2, _LOWEST * min(1.0, self.g**2))
        high = (
            _HIGHEST * max(1.0, self.sigma**2) if math.isinf(top) else 4 * self.g**2 * top**2 + self.sigma**2
        )
        grid = np.geomspace(low, max(high, 2 * low), _GRID)
        h = self.excess(grid, _COARSE, TERMS[0])
        if not h[-1] > 0:
            raise NoFixedPointError(
                f"Unit variances of this network grow without bound: {self.phi} is unbounded, and the disorder "
                f"g = {self.g:.6g} is above what it keeps in check. Use less disorder, or a bounded activation."
            )
        below = np.flatnonzero(h <= 0)
        if below.size:
            return float(grid[below[-1]]), float(grid[below[-1] + 1])
        return (0.0, 0.0) if self.sigma == 0 else (low * (1 - 1e-9), float(grid[1]))

    def resting(self, variance: float) -> bool:
        """Whether the correlation has a place to rest at below this variance."""
        found = modes(self.phi, self.drive(np.array([variance])), np.array([variance]))
        return bool(rests(found, self.g, np.array([variance]))[0] < 1.0)

    def static(self, low: float, high: float) -> float | None:
        """The variance of a state without motion, Delta_0 = g^2 C(Delta_0); None where there is none in between."""

        def excess(variance: float) -> float:
            at = np.array([variance])
            return float(self.g**2 * modes(self.phi, self.drive(at), at, 1.0, TERMS[0]).moment[0] - variance)

        first, last = excess(low), excess(high)
        if first == 0:
            return low
        if not first > 0 > last:
            return None
        return float(optimize.brentq(excess, low, high, xtol=1e-300, rtol=1e-14))

    def stable(self, variance: float) -> bool:
        """Whether small differences fade there, g^2 E phi'^2 <= 1."""
        found = modes(self.phi, self.drive(np.array([variance])), np.array([variance]))
        return bool(self.g**2 * found.slope(np.ones(1))[0] / variance <= 1.0)

    def excess(self, variance: Array, enough: float = ENOUGH, most: int = TERMS[-1]) -> Array:
        """h at many variances, -1 where there is no rest below them."""
        found = modes(self.phi, self.drive(variance), variance, enough, most)
        rest = rests(found, self.g, variance)
        share = np.zeros_like(variance)
        for k in np.flatnonzero(rest < 1.0):
            row = found.row(int(k))
            share[k] = (
                row.deflated(rest[k]).sum() + row.tail[0] / (row.squares.shape[1] + 1) / (1 - rest[k]) ** 2
            )
        pace, kick = _formulas()(self.g, self.sigma, variance, np.minimum(rest, 0.999999) * variance, share)
        return np.where(rest < 1.0, pace - kick, -1.0)

    def narrow(self, low: float, high: float) -> tuple[float, float]:
        """A part of the interval that has the root and no variances without a rest below, where h only says so."""
        while high > (1 + 1e-9) * low and not self.resting(low):
            grid = np.geomspace(low, high, _NODES)
            inside = self.excess(grid[1:-1])
            last = int(np.flatnonzero(np.concatenate([[-1.0], inside]) <= 0)[-1])
            low, high = float(grid[last]), float(grid[last + 1])
        return low, high

    def refine(self, low: float, high: float) -> float:
        """The root between two variances: by interpolation at Chebyshev's nodes, twice, then checked by its sign."""
        for _ in range(8):
            middle, half = 0.5 * (math.log(high) + math.log(low)), 0.5 * (math.log(high) - math.log(low))
            nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
            places = np.exp(middle + half * nodes)
            h = self.excess(places)
            slope = np.abs(
                np.polynomial.chebyshev.chebval(0.0, np.polynomial.chebyshev.chebder(fit(nodes, h)))
            )
            order = np.argsort(places)
            signs = np.flatnonzero((h[order][:-1] <= 0) & (h[order][1:] > 0))
            if signs.size:
                a, b = places[order][signs[-1]], places[order][signs[-1] + 1]
            elif h[order][0] > 0:
                a, b = low, places[order][0]
            else:
                a, b = places[order][-1], high
            ends = (np.log([a, b]) - middle) / half
            series = fit(nodes, h)

            def at(u: float, series: Array = series) -> float:
                return float(np.polynomial.chebyshev.chebval(u, series))

            u = (
                optimize.brentq(at, *ends, xtol=1e-15)
                if at(ends[0]) * at(ends[1]) < 0
                else float(ends.mean())
            )
            error = float(np.abs(series[-2:]).max()) / max(float(slope), 1e-300)
            root = math.exp(middle + half * u)
            if half * max(error, 1e-16) < 1e-13 or half < 1e-9:
                return root
            width = max(half * 0.02, 1e-9)
            low, high = max(low, root * math.exp(-width)), min(high, root * math.exp(width))
            if self.excess(np.array([low]))[0] > 0 or self.excess(np.array([high]))[0] <= 0:
                low, high = a, b
        raise ConvergenceError(
            f"The variance of the network was found to {half:.1g} of itself only, which is less than promised. "
            "Move `disorder` away from where its state changes."
        )

    def at(self, variance: float, rest: float | None = None) -> Balance:
        """All of a state."""
        where = np.array([variance])
        m = self.drive(where)
        found = modes(self.phi, m, where)
        if rest is None:
            rest = float(rests(found, self.g, where)[0])
        return Balance(variance, rest * variance, float(m[0]), found)


def fit(nodes: Array, values: Array) -> Array:
    """Coefficients of Chebyshev's series through values at its nodes."""
    return np.polynomial.chebyshev.chebfit(nodes, values, nodes.size - 1)


def rests(found: Modes, disorder: float, variance: Array) -> Array:
    """Return the smallest rho with rho Delta_0 = g^2 C(rho), 1 for none; Newton's steps from zero never pass it."""
    k = np.arange(found.squares.shape[1])
    scale = disorder**2 / np.maximum(variance, 1e-300)
    rho = np.zeros_like(variance)
    tiny = found.squares[:, 0] <= 1e-28 * found.moment
    active = ~tiny
    for _ in range(200):
        if not active.any():
            break
        power = rho[active, None] ** np.maximum(k - 1, 0)
        s = found.squares[active]
        value = (s[:, 1:] * power[:, 1:]).sum(axis=1) * rho[active] + s[:, 0]
        slope = (s * k * power).sum(axis=1)
        excess, fall = scale[active] * value - rho[active], 1 - scale[active] * slope
        step = np.where(fall > 0, excess / np.where(fall > 0, fall, 1.0), math.inf)
        rho[active] = np.minimum(rho[active] + np.maximum(step, 0.0), 1.0)
        moving = (step > 1e-15 * rho[active]) & (rho[active] < 1.0)
        active[np.flatnonzero(active)[~moving]] = False
    return rho


class Path:
    """The fall of the correlation from Delta_0 to Delta_inf: quadrature nodes in tau, and Delta at any tau.

    `tau`, `weights` and `rho` (Delta/Delta_0) at the nodes: the integral over tau >= 0 of a function of tau and rho is
    the sum of weights times its values, for what fades at least like Delta - Delta_inf; `steps` are -d rho there.
    """

    def __init__(self, found: Balance, disorder: float, noise: float) -> None:
        self.balance, self.g = found, disorder
        width = found.variance - found.frozen
        self.width = width
        self.start = noise**2 / (2 * width)  # r at tau = 0
        self.unit = 2 * disorder**2 / found.variance
        q = found.modes.deflated(found.rest)
        self._gain = _suffix_sums(q)  # (Q(1) - Q(rho))/(1 - rho)
        self.bend = self.unit * (1 - found.rest) * float(self._gain.sum())
        last = _positive_root(self.bend / 4, self.start, _FADED)
        graded = last * 4.0 ** -np.arange(1, 18)
        self.edges = np.unique(np.concatenate([[0.0, last], graded, np.linspace(0, last, 33)]))
        x, w = _RULE
        half = 0.5 * np.diff(self.edges)[:, None]
        self.u = self.edges[:-1, None] + half * (1 + x)
        speed = self.rate(self.u)
        self.weights = (half * w * speed).ravel()
        left = (1 - found.rest) * np.exp(-self.fall(self.u))
        self.steps = (half * w * (self.start + self.bend * self.u / 2) * left).ravel()
        self.rho = self.rho_of(self.u).ravel()
        totals = (half * w * speed).sum(axis=1)
        self.starts = np.concatenate([[0.0], np.cumsum(totals)])
        self.tau = (self.starts[:-1, None] + half * (speed @ _running(x).T)).ravel()

    def fall(self, u: Array) -> Array:
        """l = -log s."""
        return u * (self.start + self.bend * u / 4)

    def rho_of(self, u: Array) -> Array:
        """Delta / Delta_0."""
        rest = self.balance.rest
        return rest + (1 - rest) * np.exp(-self.fall(u))

    def rate(self, u: Array) -> Array:
        """dtau/du."""
        left = -np.expm1(-self.fall(u))  # 1 - s
        rho = self.rho_of(u)
        gain = polynomial(self._gain, rho)
        r = np.sqrt(self.start**2 + self.unit * (1 - self.balance.rest) * left * gain)
        here = self.start + self.bend * u / 2
        return np.where(r > 0, here / np.where(r > 0, r, 1.0), 1.0)

    def time_of(self, share: float) -> float:
        """The time at which Delta has fallen to a share of Delta_0."""

        def excess(tau: float) -> float:
            return float(self.rho_at(np.array([tau]))[0]) - share

        return float(optimize.brentq(excess, 0.0, float(self.starts[-1]), xtol=1e-13, rtol=1e-13))

    def rho_at(self, tau: Array) -> Array:
        """Delta/Delta_0 at any times, by Newton's steps in u; at rest where it has faded."""
        flat = np.abs(np.asarray(tau, float)).ravel()
        out = np.full(flat.shape, self.balance.rest)
        live = np.flatnonzero(flat < self.starts[-1])
        t = flat[live]
        panel = np.clip(np.searchsorted(self.starts, t, side="right") - 1, 0, self.edges.size - 2)
        low, high = self.edges[panel], self.edges[panel + 1]
        part = (t - self.starts[panel]) / (self.starts[panel + 1] - self.starts[panel])
        u = low + (high - low) * part
        x, w = _RULE
        for _ in range(6):
            inner = low[:, None] + 0.5 * (u - low)[:, None] * (1 + x)
            here = self.starts[panel] + 0.5 * (u - low) * (self.rate(inner) @ w)
            step = (t - here) / self.rate(u)
            u = np.clip(u + step, low, high)
            if np.abs(step).max(initial=0.0) <= 1e-13 * max(1.0, float(u.max(initial=0.0))):
                break
        out[live] = self.rho_of(u)
        return out.reshape(np.shape(tau))


def _suffix_sums(q: Array) -> Array:
    """b_j = sum_{i > j} q_i, the coefficients of (Q(1) - Q(rho))/(1 - rho)."""
    return np.cumsum(q[::-1])[::-1][1:]


def _positive_root(a: float, b: float, c: float) -> float:
    """u > 0 with a u^2 + b u = c."""
    return 2 * c / (b + math.sqrt(b * b + 4 * a * c))


@functools.cache
def _running_matrix(count: int) -> Any:
    x = np.polynomial.legendre.leggauss(count)[0]
    vander = np.polynomial.legendre.legvander(x, count - 1)
    integral = np.stack(
        [
            np.polynomial.legendre.legval(x, np.polynomial.legendre.legint(row, lbnd=-1))
            for row in np.eye(count)
        ],
        1,
    )
    return integral @ np.linalg.inv(vander)


def _running(x: Array) -> Array:
    """The matrix that integrates from -1 to each node a function given at the nodes."""
    return np.asarray(_running_matrix(x.size))
