"""One unit of a balanced network: averages about its drive, and the drive that the error sets."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sympy import Expr

from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.dynamics.averages import Averages, Function
from widelimit.theory import coding as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.equations import residual
from widelimit.theory.dynamics import VARIANCE
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
Kind = str | Activation | Expr | Callable[..., Any]
_SETTLED, _NEAR = 1e-9, 1e-3  # steps after which Newton's next is rounding, and after which it starts from
_FAR = 2.0**60  # drives above which no signal is decoded
_FEW = np.polynomial.hermite_e.hermegauss(12)
_FEW = _FEW[0], _FEW[1] / _FEW[1].sum()
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
        m = np.zeros(signal.shape)
        active = np.flatnonzero((signal != 0) & (balance > 0))
        if active.size == 0:
            return m
        known = 1 / balance[active], np.abs(signal[active]), variance[active]
        near = self._root(self._few, *known, np.zeros(active.size), _NEAR)
        m[active] = self._root(self.line, *known, near, _SETTLED)
        if (lost := m > _FAR).any():
            raise ConvergenceError(f"No drive decodes the signal {np.abs(signal[lost][0]):.6g} of {self.phi}.")
        return np.sign(signal) * m

    def _few(self, drive: Array, variance: Array) -> Array:
        """x_hat and A by few nodes."""
        spread = np.sqrt(variance)[:, None] * _FEW[0]
        rows = np.zeros(drive.size, int)
        with np.errstate(all="ignore"):
            found = self._local(drive[:, None] + spread, rows) @ _FEW[1]
            if not self.phi.is_odd:
                found = (found + [[-1], [1]] * (self._local(spread - drive[:, None], rows) @ _FEW[1])) / 2
        return found

    def _root(
        self,
        line: Callable[[Array, Array], Array],
        weak: Array,
        size: Array,
        variance: Array,
        start: Array,
        enough: float,
    ) -> Array:
        """Where m/b + x_hat = x, `weak` 1/b and `size` x, until the last step is at most `enough` of m."""
        m, low, high = start.copy(), np.zeros(start.shape), np.full(start.shape, math.inf)
        active = np.arange(m.size)
        for _ in range(200):
            here = m[active]
            value, slope = self._excess(line, here, weak[active], size[active], variance[active])
            low[active] = np.where(value <= 0, here, low[active])
            high[active] = np.where(value <= 0, high[active], here)
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = here - value / slope
                between = 0.5 * (low[active] + high[active])
            between = np.minimum(between, 8 * np.maximum(low[active], 1.0))  # without a bound from above
            inside = (newton >= low[active]) & (newton <= np.minimum(high[active], 16 * np.maximum(here, 1.0)))
            after = np.where(inside, newton, between)
            moved = np.abs(after - here) > enough * np.abs(after)
            m[active] = after
            active = active[moved & (np.abs(value) > 2e-16 * size[active]) & (after <= _FAR)]
            if active.size == 0:
                break
        return m

    @staticmethod
    def _excess(
        line: Callable[[Array, Array], Array], m: Array, weak: Array, size: Array, variance: Array
    ) -> tuple[Array, Array]:
        """m/b + x_hat - x and its slope: theory's m - b (x - x_hat), over b."""
        found, gain = line(m, variance)
        balance = np.where(weak > 0, 1 / np.where(weak > 0, weak, 1.0), 1.0)
        target = _drive()(balance, size, found) / balance  # x - x_hat
        return m * weak - target, weak + gain


@functools.cache
def _drive() -> Compiled:
    return compile(theory.drive(), (theory.BALANCE, theory.SIGNAL, theory.ESTIMATE), name="drive")


@functools.lru_cache(maxsize=64)
def unit(activation: Activation) -> Unit:
    """The unit of an activation, made once."""
    return Unit(activation)
