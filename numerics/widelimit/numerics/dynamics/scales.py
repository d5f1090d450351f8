"""Time constants and periods of eigenvalues of a step."""

from __future__ import annotations

import functools

import numpy as np

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory.dynamics import fixed as theory

Array = np.ndarray


def time_constants(eigenvalues: Array) -> Array:
    """1/|log|lambda|| in steps: 0 of an eigenvalue 0, infinite on the unit circle.

    >>> time_constants(np.array([0.5, 0.0, 1.0])).round(6)
    array([1.442695, 0.      ,      inf])
    """
    modulus = np.abs(eigenvalues)
    inside = np.where((modulus > 0) & (modulus != 1), modulus, 0.5)
    found = np.asarray(_time_constant()(inside))
    return np.where(modulus == 0, 0.0, np.where(modulus == 1, np.inf, found))


def periods(eigenvalues: Array) -> Array:
    """2 pi/|arg lambda| in steps: infinite of positive eigenvalues, 2 of negative ones.

    >>> periods(np.array([1j, -1, 1]))
    array([ 4.,  2., inf])
    """
    angle = np.abs(np.angle(eigenvalues))
    turning = angle > 0
    return np.where(turning, np.asarray(_period()(np.where(turning, angle, 1.0))), np.inf)


@functools.cache
def _time_constant() -> Compiled:
    return compile(theory.time_constant(), (theory.MODULUS,), name="time_constant")


@functools.cache
def _period() -> Compiled:
    return compile(theory.period(), (theory.ANGLE,), name="period")
