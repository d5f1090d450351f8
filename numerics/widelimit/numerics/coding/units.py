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
_SETTLED = 1e-9
_NEAR = np.concatenate([np.geomspace(1e-6, 1.0, 40), np.linspace(1.0, 40.0, 1600)])


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
        self._value = Function([phi.expr], X)
        self._increases(Function([slope.expr], X))
        self.bound = self._supremum()
        arguments = (theory.DRIVE, VARIANCE)
        self._rates = Averages((theory.estimate(phi),), *arguments)
        self._line = Averages((theory.estimate(phi), theory.gain(phi)), *arguments)
        self._squares = Averages((theory.slope_square(phi), theory.rate_square(phi)), *arguments)
        self._onset = Averages((residual(theory.onset_condition(phi)),), *arguments)

    def _increases(self, slope: Function) -> None:
        rows = np.zeros(_NEAR.size, int)
        with np.errstate(all="ignore"):
            both = slope(_NEAR, rows)[0] + slope(-_NEAR, rows)[0]
            size = np.abs(slope(_NEAR, rows)[0]) + np.abs(slope(-_NEAR, rows)[0])
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

        Newton's steps for m/b + x_hat(m) = x between bounds. A balance of zero has no drive.
        """
        size = np.abs(signal)
        with np.errstate(divide="ignore"):
            weak = np.where(balance > 0, 1 / np.where(balance > 0, balance, 1.0), math.inf)
        m, low, high = (np.zeros(size.shape) for _ in range(3))
        active = np.flatnonzero((size > 0) & (balance > 0))
        if active.size == 0:
            return m
        high[active] = 1.0
        for _ in range(60):  # bounds from above
            open_ = active[self._excess(high[active], weak[active], size[active], variance[active])[0] < 0]
            if open_.size == 0:
                break
            low[open_], high[open_] = high[open_], 2 * high[open_]
            active_open = open_
        else:
            raise ConvergenceError(f"No drive decodes the signal {size[active_open][0]:.6g} of {self.phi}.")
        m[active] = low[active]
        for _ in range(200):
            value, slope = self._excess(m[active], weak[active], size[active], variance[active])
            low[active] = np.where(value <= 0, m[active], low[active])
            high[active] = np.where(value <= 0, high[active], m[active])
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = m[active] - value / slope
            inside = (newton >= low[active]) & (newton <= high[active])
            after = np.where(inside, newton, 0.5 * (low[active] + high[active]))
            moved = np.abs(after - m[active]) > _SETTLED * np.abs(after)  # the next step would be its square
            m[active] = after
            active = active[moved & (np.abs(value) > 2e-16 * size[active])]
            if active.size == 0:
                break
        return np.sign(signal) * m

    def _excess(self, m: Array, weak: Array, size: Array, variance: Array) -> tuple[Array, Array]:
        """m/b + x_hat - x and its slope: theory's m - b (x - x_hat), over b."""
        found, gain = self.line(m, variance)
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
