"""Steps of `derive` for fixed points of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Eq, Symbol

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.dynamics import fixed as f
from widelimit.theory.dynamics import fixed_checks as checks

KANTOROVICH, SUSSILLO, MAHESWARANATHAN = "ortega1968newton", "sussillo2013opening", "maheswaranathan2019line"
_BOUNDS = {f.STEP: (0.05, 0.1), f.DEFECT: (0.0, 0.1), f.BENT: (1.0, 3.0)}


def steps() -> tuple[Step, ...]:
    """Steps of certificates, time scales and integrators."""
    return (*_certificates(), *_scales())


def _certificates() -> tuple[Step, ...]:
    return (
        Step(
            "existence-radius",
            Eq(Symbol("r"), f.existence_radius(), evaluate=False),
            "Newton's theorem compares F with the scalar function that is as bad as its bounds allow",
            source=f"{KANTOROVICH}, theorem",
            domain=_BOUNDS,
            left=partial(checks.worst_root, larger=False),
        ),
        Step(
            "uniqueness-radius",
            Eq(Symbol("R"), f.uniqueness_radius(), evaluate=False),
            "the other root of that function",
            source=f"{KANTOROVICH}, theorem",
            domain=_BOUNDS,
            left=partial(checks.worst_root, larger=True),
        ),
        Step(
            "tanh-bend",
            Eq(f.BENT, f.tanh_bend(), evaluate=False),
            "rows of W diag(tanh') change by at most max |tanh''| times the square of their sums",
            domain={f.INVERSE: (0.5, 2.0), f.ROWS: (0.5, 3.0)},
            left=checks.steepest_change,
        ),
        Step(
            "contraction-radius",
            Eq(Symbol("r"), f.contraction_radius(), evaluate=False),
            "steps of a contraction shrink geometrically",
            domain={f.STEP: (0.05, 0.1), f.CONTRACTION: (0.1, 0.8)},
            left=checks.steps_added,
        ),
    )


def _scales() -> tuple[Step, ...]:
    return (
        Step(
            "time-constant",
            Eq(Symbol("tau"), f.time_constant(), evaluate=False),
            "|lambda|^n changes by e in tau steps",
            source=f"{SUSSILLO}, linearisation",
            domain={f.MODULUS: (0.5, 0.95)},
            left=checks.steps_to_fade,
        ),
        Step(
            "period",
            Eq(Symbol("P"), f.period(), evaluate=False),
            "powers of exp(i theta) return",
            domain={f.ANGLE: (0.2, 1.5)},
            left=checks.steps_to_turn,
        ),
        Step(
            "lasting",
            Eq(Symbol("tau"), f.TASK, evaluate=False),
            "the time constant of exp(-1/T) is T",
            domain={f.TASK: (5.0, 50.0)},
            kind="derived",
            by=_lasting,
        ),
        Step(
            "integrated-noise",
            Eq(Symbol("V"), f.integrated_noise(), evaluate=False),
            "independent inputs, each kept lambda^k",
            source=f"{MAHESWARANATHAN}, section 4",
            domain={f.KEPT: (0.8, 0.99), f.COUNT: (3, 12), f.NOISE: (0.5, 2.0)},
            left=checks.summed,
        ),
    )


def _lasting(earlier: Mapping[str, Eq]) -> Eq:
    return Eq(Symbol("tau"), earlier["time-constant"].rhs.subs(f.MODULUS, f.lasting()), evaluate=False)
