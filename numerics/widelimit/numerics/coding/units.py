"""One unit of a balanced network: averages about its drive, and the drive that the error sets."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from sympy import Expr

from widelimit.numerics import threads
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.dynamics.averages import Averages, Function
from widelimit.numerics.dynamics.modes import Modes
from widelimit.theory import coding as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.equations import residual
from widelimit.theory.dynamics import VARIANCE
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
Kind = str | Activation | Expr | Callable[..., Any]
_NEWTON = 200  # steps at most
_ROUGH, _SETTLED = (
    1e-5,
    1e-8,
)  # the last step to where to start from, and of all: the next would be its square
_FAR = 2.0**60  # drives above which no signal is decoded
_FEW = np.polynomial.hermite_e.hermegauss(24)
_FEW = _FEW[0], _FEW[1] / _FEW[1].sum()
_ROOTS = np.sqrt([math.factorial(k) for k in range(12)])
_HERMITE = (
    _FEW[1][:, None] * np.polynomial.hermite_e.hermevander(_FEW[0], 11) / _ROOTS
)  # normalised, by weights
_PLACES = np.concatenate([np.geomspace(1e-6, 1.0, 40), np.linspace(1.0, 40.0, 1600)])


class Given(NamedTuple):
    """Checked arguments, flat arrays of one length, and the shape that they broadcast to."""

    balance: Array
    noise: Array
    disorder: Array
    delay: Array
    signal: Array
    shape: tuple[int, ...]


class Unit:
    """phi, checked: it increases, or at least its odd part, which is all that is decoded, and it has no jumps."""

    def __init__(self, phi: Activation) -> None:
        self.phi = phi
        slope = phi.derivative()
        if slope.deltas or slope.higher:
            raise ArgumentError(
                "activation",
                "must be continuous",
                but=f"{phi.name} jumps",
                help="A jump passes noise of infinite bandwidth. Use a steep activation, such as tanh(10*x).",
            )
        self._value, self._local = Function([phi.expr], X), Function([phi.expr, slope.expr], X)
        self._increases()
        self.bound = self._supremum()
        arguments = (theory.DRIVE, VARIANCE)
        self._rates = Averages((theory.estimate(phi),), *arguments)
        self._line = Averages((theory.estimate(phi), theory.gain(phi)), *arguments)
        self._squares = Averages((theory.slope_square(phi), theory.rate_square(phi)), *arguments)
        self._onset = Averages((residual(theory.onset_condition(phi)),), *arguments)

    def _increases(self) -> None:
        rows = np.zeros(_PLACES.size, int)
        with np.errstate(all="ignore"):
            there, back = (self._local(sign * _PLACES, rows)[1] for sign in (1, -1))
            both, size = there + back, np.abs(there) + np.abs(back)
        known = np.isfinite(both)
        if (both[known] < -1e-12 * size[known]).any() or not (both[known] > 0).any():
            raise ArgumentError(
                "activation",
                "must increase",
                but=f"{self.phi.name} does not everywhere",
                help="A code of rates that fall has several drives for one signal. Use tanh or another sigmoid.",
            )

    def _supremum(self) -> float:
        far = np.array([1e5, 1e15])
        rows = np.zeros(2, int)
        with np.errstate(all="ignore"):
            odd = (self._value(far, rows)[0] - self._value(-far, rows)[0]) / 2
        return math.inf if not np.isfinite(odd).all() or odd[1] > 1.5 * odd[0] else float(odd[1])

    def spots(self) -> list[tuple[float, float]]:
        """Where phi varies: centres, and on what scale, 0 at kinks."""
        features = self._value.features
        return [*features.spots, *((kink, 0.0) for kink in (*features.kinks, *features.sharp))]

    def rates(self, drive: Array, variance: Array) -> Array:
        """x_hat by itself: far out it has digits where the digits of A, which is next to nothing, takes many panels."""
        return self._rates(drive, variance)[0]

    def line(self, drive: Array, variance: Array) -> Array:
        """x_hat and A, in two rows."""
        return self._line(drive, variance)

    def squares(self, drive: Array, variance: Array) -> Array:
        """B and E phi^2, in two rows."""
        return self._squares(drive, variance)

    def onset(self, drive: Array, variance: Array) -> Array:
        """Delta_0 B - E phi^2."""
        return self._onset(drive, variance)[0]

    def drive(self, balance: Array, signal: Array, variance: Array) -> Array:
        """m = b (x - x_hat), its one root, at arrays of one length; b may be infinite.

        Newton's steps for m/b + x_hat(m) = x between bounds, from the root that sums over few nodes have. A balance of
        zero has no drive.
        """
        out = np.zeros(signal.shape)
        rows = np.flatnonzero((signal != 0) & (balance > 0))
        if rows.size == 0:
            return out
        weak, size, q = 1 / balance[rows], np.abs(signal[rows]), variance[rows]
        m = self.near(balance[rows], size, q)
        low, high = np.zeros(rows.size), np.full(rows.size, math.inf)
        active = np.arange(rows.size)
        for _ in range(_NEWTON):
            here = m[active]
            value, slope = self._excess(here, weak[active], size[active], q[active])
            below = value <= 0
            low[active], high[active] = (
                np.where(below, here, low[active]),
                np.where(below, high[active], here),
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = here - value / slope
            # without a bound from above, no further than eight times as far
            most = np.minimum(high[active], 8 * np.maximum(here, 1.0))
            inside = (newton >= low[active]) & (newton <= most)
            after = np.where(inside, newton, 0.5 * (low[active] + most))
            moved = np.abs(after - here) > _SETTLED * np.abs(after)  # the next step would be its square
            m[active] = after
            active = active[moved & (np.abs(value) > 2e-16 * size[active])]
            if active.size == 0:
                break
            if (m[active] > _FAR).any():
                raise ConvergenceError(f"No drive decodes the signal {size[active][0]:.6g} of {self.phi}.")
        out[rows] = np.sign(signal[rows]) * m
        return out

    def near(self, balance: Array, signal: Array, variance: Array) -> Array:
        """Nearly the drive: the root that sums over few nodes have. Balances have to be positive."""
        out, weak, size, spread = np.empty(signal.shape), 1 / balance, np.abs(signal), np.sqrt(variance)
        local, odd = self._local.compiled.njit, self.phi.is_odd

        def work(part: slice) -> None:
            _roots(local, odd, weak[part], size[part], spread[part], *_FEW, out[part])

        threads.each(work, threads.chunks(size.size, 512))
        return np.sign(signal) * out

    def nearly(self, drive: Array, variance: Array) -> tuple[Array, Array, Modes]:
        """Nearly x_hat, A and the modes of rates, by sums over few nodes."""
        estimate, gain, squares, moment = np.zeros((4, 1))
        signs = (1,) if self.phi.is_odd else (1, -1)
        for sign in signs:
            h = sign * drive[:, None] + np.sqrt(variance)[:, None] * _FEW[0]
            rates, slopes = self._local(h, np.zeros(drive.size, int))
            with np.errstate(all="ignore"):
                estimate = estimate + sign * (rates @ _FEW[1]) / len(signs)
                gain = gain + slopes @ _FEW[1] / len(signs)
                squares = squares + (rates @ _HERMITE) ** 2 / len(signs)
                moment = moment + rates**2 @ _FEW[1] / len(signs)
        return estimate, gain, Modes(squares, moment)

    def _excess(self, m: Array, weak: Array, size: Array, variance: Array) -> tuple[Array, Array]:
        """m/b + x_hat - x and its slope: theory's m - b (x - x_hat), over b."""
        found, gain = self.line(m, variance)
        balance = np.where(weak > 0, 1 / np.where(weak > 0, weak, 1.0), 1.0)
        target = _drive()(balance, size, found) / balance  # x - x_hat
        return m * weak - target, weak + gain


_F, _B = types.float64, types.boolean
_C1 = types.Array(_F, 1, "C")


@njit(
    types.void(types.FunctionType(types.UniTuple(_F, 2)(_F)), _B, _C1, _C1, _C1, _C1, _C1, _C1),
    cache=True,
    nogil=True,
    error_model="numpy",
)
def _roots(
    local: Any,
    odd: bool,
    weak: Array,
    size: Array,
    spread: Array,
    nodes: Array,
    weights: Array,
    out: Array,
) -> None:
    """Fill `out` with the m of m/b + x_hat = x by sums of `local`, phi and phi', over Gauss and Hermite's nodes."""
    for k in range(size.size):
        m, low, high = 0.0, 0.0, np.inf
        for _ in range(_NEWTON):
            found, gain = 0.0, 0.0
            for j in range(nodes.size):
                there, slope = local(m + spread[k] * nodes[j])
                if not odd:
                    back, slope_back = local(spread[k] * nodes[j] - m)
                    there, slope = (there - back) / 2, (slope + slope_back) / 2
                found += weights[j] * there
                gain += weights[j] * slope
            value = m * weak[k] + found - size[k]
            if value <= 0:
                low = m
            else:
                high = m
            after, most = m - value / (weak[k] + gain), min(high, 8 * max(m, 1.0))
            if not low <= after <= most:
                after = 0.5 * (low + most)
            moved, m = abs(after - m), after
            if moved <= _ROUGH * m or m > _FAR:
                break
        out[k] = m


@functools.cache
def _drive() -> Compiled:
    return compile(theory.drive(), (theory.BALANCE, theory.SIGNAL, theory.ESTIMATE), name="drive")


@functools.lru_cache(maxsize=64)
def unit(activation: Activation) -> Unit:
    """The unit of an activation, made once."""
    return Unit(activation)
