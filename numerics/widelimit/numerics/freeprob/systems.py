"""The equations that a branch of a user's transform is followed through (`continuation.System`).

The first row of a state is the unknown, the others are the logarithms of the bases of its roots (see `curves`).
"""

from __future__ import annotations

import numpy as np

from widelimit.numerics.compile import Compiled
from widelimit.numerics.freeprob.curves import Curve


class SSystem:
    """The equation log z = log t - log S, one unknown log t."""

    coordinate = "log"
    noise = 1e-13
    proven, tail = False, None

    def __init__(self, curve: Curve, mean: float) -> None:
        self.curve = curve  # (log z, d log z / d log t) of t
        self.mean = mean

    def start(self, target: np.ndarray) -> np.ndarray:
        """t = 1 + 1/m with m = mean/z."""
        t = 1.0 + np.exp(target) / self.mean
        return np.concatenate((np.log(t)[None, :], self.curve.logarithms(t)))

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One Newton step; the imaginary part of log z is taken modulo 2 pi, next to the target."""
        value, slope = self.curve.at(np.exp(state[0]), state[1:])
        residual = target - value
        residual = residual - 2j * np.pi * np.round(residual.imag / (2 * np.pi))
        move = residual / slope
        if not self.curve.roots:
            return (state[0] + move)[None, :], np.abs(move)
        logarithms = self.curve.logarithms(np.exp(state[0] + move), state[1:])
        return np.concatenate(((state[0] + move)[None, :], logarithms)), _size(move, logarithms, state)

    def transform(self, state: np.ndarray) -> np.ndarray:
        """M = 1/(t - 1)."""
        with np.errstate(all="ignore"):
            return 1.0 / np.expm1(state[0])

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """T in the closed upper half plane."""
        return np.isfinite(state[0]) & (state[0].imag > -1e-9) & (state[0].imag < np.pi + 1e-9)


class RSystem:
    """The equation z = omega + R(1/omega), in units of the standard deviation around the mean."""

    coordinate = "linear"
    noise = 1e-13
    proven, tail = False, None

    def __init__(self, curve: Curve, mean: float, deviation: float) -> None:
        self.curve = curve  # (z, dz/domega) of omega
        self.mean, self.deviation = mean, deviation

    def start(self, target: np.ndarray) -> np.ndarray:
        """Omega = z - mean - variance/z."""
        centred = target - self.mean
        omega = centred - self.deviation**2 / centred
        return np.concatenate((omega[None, :], self.curve.logarithms(omega)))

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One Newton step."""
        value, slope = self.curve.at(state[0], state[1:])
        move = (target - value) / slope
        logarithms = self.curve.logarithms(state[0] + move, state[1:])
        scale = self.deviation + 0.5 * np.abs(state[0] - self.mean)
        return np.concatenate(((state[0] + move)[None, :], logarithms)), _size(
            move / scale, logarithms, state
        )

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G = 1/omega."""
        with np.errstate(all="ignore"):  # NaN where the branch was lost
            return 1.0 / state[0]

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Im omega at least Im z: G is a Cauchy transform of a law of this mean."""
        return np.isfinite(state[0]) & (state[0].imag >= target.imag * (1 - 1e-9) - 1e-9 * self.deviation)


class ExplicitSystem:
    """A Cauchy transform in closed form, analytic off the real axis: there is nothing to solve."""

    coordinate = "linear"
    noise = 1e-14
    proven, tail = False, None

    def __init__(self, compiled: Compiled) -> None:
        self.cauchy = compiled

    def start(self, target: np.ndarray) -> np.ndarray:
        """The state is z itself."""
        return target[None, :]

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nothing to correct."""
        return target[None, :], np.zeros(target.size)

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G, from above where z is real."""
        return np.asarray(self.cauchy(state[0].real + 1j * np.maximum(state[0].imag, 0.0)))

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Always."""
        return np.ones(target.size, dtype=bool)


def _size(move: np.ndarray, logarithms: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Size of a step: a root that turns far would leave its branch in doubt."""
    return np.maximum(np.abs(move), np.abs(logarithms - state[1:]).max(axis=0, initial=0.0))
