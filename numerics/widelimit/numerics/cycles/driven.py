"""What a weak rhythm or noise does to the phase of a cycle; and the normal form, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import compile
from widelimit.numerics.cycles.finding import Cycle
from widelimit.numerics.results import by_value
from widelimit.theory import cycles as t
from widelimit.theory.errors import ArgumentError

Array = np.ndarray
_WIDTH = compile(t.half_width(), (t.STRENGTH, t.COUPLING), name="half_width")
_LOCKED = compile(
    t.locked_multiplier(), (t.STRENGTH, t.COUPLING, t.DETUNING, t.PERIOD), name="locked_multiplier"
)
_DIFFUSION = compile(t.phase_diffusion(), (t.STRENGTH, t.SQUARE), name="phase_diffusion")
_LANDAU = compile(
    (t.landau_radius(), t.landau_frequency(), t.landau_multiplier(), *t.landau_response()),
    (t.GROWTH, t.FREQUENCY, t.SHEAR),
    name="stuart_landau",
)


@by_value
@dataclass(frozen=True)
class Entrainment:
    """`coupling`: K, radians per unit of time and of forcing; `period` of the cycle."""

    coupling: float
    period: float

    def half_width(self, strength: Any) -> Any:
        """Return epsilon K, the largest |Omega - omega| at which a forcing of this strength locks the cycle."""
        return arguments.scalar(
            np.asarray(_WIDTH(arguments.non_negative("strength", strength), self.coupling))
        )

    def multiplier(self, strength: Any, detuning: Any = 0.0) -> Any:
        """Return what becomes of the multiplier 1, exp(-T sqrt(epsilon^2 K^2 - detuning^2)); 1 where not locked."""
        size, off = arguments.broadcast(
            strength=arguments.non_negative("strength", strength),
            detuning=arguments.real("detuning", detuning),
        )
        inside = np.abs(off) < np.asarray(_WIDTH(size, self.coupling))
        found = _LOCKED(np.where(inside, size, 1.0), self.coupling, np.where(inside, off, 0.0), self.period)
        return arguments.scalar(np.where(inside, found, 1.0))


def entrainment(cycle: Cycle, direction: Any) -> Entrainment:
    """Return how a forcing epsilon v cos(Omega t) locks a cycle: dpsi/dt = omega - Omega + epsilon K cos(psi).

    K = |mean over the cycle of v.Z(t) exp(-i omega t)|. A locked cycle forgets its phase: the neutral gradient is that
    of cycles that are not driven, or not locked.

    Args:
        cycle: what `find` returned, not locked already.
        direction: v, as many numbers as a state has.

    Raises `ArgumentError` for other arguments.

    >>> from widelimit.numerics.cycles import find
    >>> found = find({"weight_hh": [[1.5, -1.5], [1.5, 1.5]]}, start=[0.5, 0.0], time="continuous")
    >>> driven = entrainment(found, [1.0, 0.0])
    >>> round(driven.coupling, 6), round(driven.half_width(0.1), 7)
    (1.041293, 0.1041293)
    """
    known = _cycle(cycle)
    way = arguments.vector("direction", direction)
    if way.size != known.orbit.shape[1]:
        raise ArgumentError("direction", f"must have {known.orbit.shape[1]} numbers", but=f"has {way.size}")
    turns = np.exp(-2j * np.pi * np.arange(len(known.responses)) / len(known.responses))
    return Entrainment(float(np.abs(np.mean((known.responses @ way) * turns))), known.period)


def diffusion(cycle: Cycle, noise: Any) -> Any:
    """Return noise^2 <|Z|^2>/2, radians^2 per unit of time: the variance of the phase grows by twice that.

    Args:
        cycle: what `find` returned, not locked.
        noise: standard deviation per component and root of time, of isotropic white noise; arrays broadcast.

    >>> from widelimit.numerics.cycles import find
    >>> found = find({"weight_hh": [[1.5, -1.5], [1.5, 1.5]]}, start=[0.5, 0.0], time="continuous")
    >>> round(diffusion(found, 0.02), 9)
    0.000886195
    """
    square = float((_cycle(cycle).responses ** 2).sum(1).mean())
    return arguments.scalar(np.asarray(_DIFFUSION(arguments.non_negative("noise", noise), square)))


def _cycle(cycle: Any) -> Cycle:
    if not isinstance(cycle, Cycle):
        raise ArgumentError("cycle", "must be what numerics.cycles.find returned", cycle)
    if cycle.kind == "locked":
        raise ArgumentError("cycle", "must keep its phase", but="is locked: every perturbation of it dies")
    return cycle


@by_value
@dataclass(frozen=True)
class StuartLandau:
    """`radius`, `frequency`, `multiplier` of the normal form's cycle; `response_radial`, `response_angular` of Z."""

    radius: Any
    frequency: Any
    multiplier: Any
    response_radial: Any
    response_angular: Any


def stuart_landau(growth: Any, frequency: Any, shear: Any = 0.0) -> StuartLandau:
    """Return the cycle of w' = (mu + i omega) w - (1 + i beta)|w|^2 w, every weakly nonlinear oscillation.

    Args:
        growth: mu, positive. Arrays broadcast.
        frequency: omega; omega - beta mu must not vanish.
        shear: beta.

    Raises `ArgumentError` where nothing turns.

    >>> found = stuart_landau(1.0, 2.0, 0.5)
    >>> found.radius, found.frequency, round(found.multiplier, 9), found.response_radial
    (1.0, 1.5, 0.000229966, -0.5)
    """
    mu, omega, beta = arguments.broadcast(
        growth=arguments.positive("growth", growth),
        frequency=arguments.real("frequency", frequency),
        shear=arguments.real("shear", shear),
    )
    for name, array in (("growth", mu), ("frequency", omega), ("shear", beta)):
        if (np.abs(array) > 1e30).any() or ((array != 0) & (np.abs(array) < 1e-30)).any():
            raise ArgumentError(name, "must have a size between 1e-30 and 1e30", float(np.abs(array).max()))
    if (np.abs(omega - beta * mu) < 1e-12 * (np.abs(omega) + np.abs(beta) * mu)).any() or (
        (omega == 0) & (beta == 0)
    ).any():
        raise ArgumentError(
            "frequency", "must differ from shear times growth", but="equals it: nothing turns"
        )
    return StuartLandau(*(arguments.scalar(np.asarray(one)) for one in _LANDAU(mu, omega, beta)))


def predict(
    growth: float = 1.0,
    frequency: float = 2.0,
    shear: float = 0.5,
    strength: float = 0.1,
    detuning: float = 0.0,
) -> dict[str, float]:
    """Return the normal form's cycle, how a forcing of its first coordinate locks it, and what noise does.

    Args:
        growth: mu of w' = (mu + i omega) w - (1 + i beta)|w|^2 w.
        frequency: omega.
        shear: beta.
        strength: of the forcing, and of the noise.
        detuning: of the forcing.

    >>> found = predict()
    >>> round(found["coupling"], 9), round(found["locked_multiplier"], 6), round(found["diffusion"], 9)
    (0.559016994, 0.791235, 0.00625)
    """
    form = stuart_landau(growth, frequency, shear)
    period = 2 * np.pi / abs(form.frequency)
    coupling = float(np.hypot(form.response_radial, form.response_angular)) / 2
    square = (2 * coupling) ** 2
    driven = Entrainment(coupling, period)
    return {
        "radius": form.radius,
        "frequency": form.frequency,
        "multiplier": form.multiplier,
        "response_radial": form.response_radial,
        "response_angular": form.response_angular,
        "coupling": coupling,
        "half_width": driven.half_width(strength),
        "locked_multiplier": driven.multiplier(strength, detuning),
        "diffusion": float(_DIFFUSION(arguments.non_negative_number("strength", strength), square)),
    }
