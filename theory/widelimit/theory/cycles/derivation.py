"""`derive`: the normal form of a cycle, its locking and its diffusion."""

from __future__ import annotations

from functools import partial

from sympy import Eq, Symbol

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.cycles import checks
from widelimit.theory.cycles import formulas as f

SOKOL, KUZNETSOV = "sokol2019adjoint", "kuznetsov2004elements"
_LANDAU = {f.GROWTH: (0.5, 1.5), f.FREQUENCY: (2.0, 3.0), f.SHEAR: (-0.8, 0.8)}
_LOCKED = {f.STRENGTH: (0.1, 0.2), f.COUPLING: (1.0, 2.0), f.DETUNING: (-0.08, 0.08), f.PERIOD: (3.0, 8.0)}


def derive() -> Derivation:
    """Return what becomes of the neutral direction of a limit cycle: alone, driven, and in noise.

    >>> derive()["locked"].kind
    'identity'
    """
    assumptions = ("the cycle is stable", "forcing and noise are weak against its transverse exponents")
    return Derivation("Limit cycles and their phase", (*_landau(), *_driven()), assumptions)


def _landau() -> tuple[Step, ...]:
    radial, angular = f.landau_response()
    return (
        Step(
            "radius",
            Eq(Symbol("r"), f.landau_radius(), evaluate=False),
            "w' is orthogonal to w",
            source=f"{KUZNETSOV}, section 3.5",
            domain=_LANDAU,
            left=checks.radius,
        ),
        Step(
            "frequency",
            Eq(Symbol("Omega"), f.landau_frequency(), evaluate=False),
            "Im w'/w on the cycle",
            domain=_LANDAU,
            left=checks.frequency,
        ),
        Step(
            "multiplier",
            Eq(Symbol("mu_2"), f.landau_multiplier(), evaluate=False),
            "exp(T d(Re w')/dr)",
            domain=_LANDAU,
            left=checks.multiplier,
        ),
        Step(
            "response-radial",
            Eq(Symbol("Z_r"), radial, evaluate=False),
            "the covector that the linear flow leaves alone",
            source=f"{SOKOL}, section II",
            domain=_LANDAU,
            left=partial(checks.response, 0),
        ),
        Step(
            "response-angular",
            Eq(Symbol("Z_theta"), angular, evaluate=False),
            "Z.f = omega",
            domain=_LANDAU,
            left=partial(checks.response, 1),
        ),
    )


def _driven() -> tuple[Step, ...]:
    return (
        Step(
            "half-width",
            Eq(Symbol("Delta_max"), f.half_width(), evaluate=False),
            "psi' = -Delta + epsilon K cos(psi) has a rest",
            source=f"{KUZNETSOV}, section 7.3",
            domain=_LOCKED,
            left=checks.edge,
        ),
        Step(
            "locked",
            Eq(Symbol("mu_1"), f.locked_multiplier(), evaluate=False),
            "its slope at the stable rest, over a period",
            domain=_LOCKED,
            left=checks.locked,
        ),
        Step(
            "diffusion",
            Eq(Symbol("D"), f.phase_diffusion(), evaluate=False),
            "kicks of both signs, each moves the phase by Z",
            domain={f.STRENGTH: (0.1, 0.5), f.SQUARE: (0.5, 4.0)},
            left=checks.diffusion,
        ),
    )
