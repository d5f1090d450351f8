"""`derive`: what a GRU with resting gates does in the plane; what its names stand for by numbers is in `checks`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sympy import (
    Eq,
    Expr,
    I,
    Poly,
    Rational,
    Symbol,
    cos,
    exp,
    im,
    re,
    series,
    simplify,
    sin,
    solve,
    symbols,
    tanh,
)

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.gru import checks
from widelimit.theory.gru import formulas as f

JORDAN, KUZNETSOV = "jordan2021gated", "kuznetsov2004elements"
_PLANE: dict[Symbol, tuple[float, float]] = {f.GAIN: (1.3, 2.0), f.ANGLE: (0.3, 0.6)}
_STATE: dict[Symbol, tuple[float, float]] = {
    f.H1: (-0.8, 0.8),
    f.H2: (-0.8, 0.8),
    f.B1: (-0.5, 0.5),
    f.B2: (-0.5, 0.5),
}
_X, _D, _SLOPE, _GAP = (
    Symbol("X", positive=True),
    f.ONSET,
    Symbol("D", real=True),
    Symbol("epsilon", positive=True),
)
_MAPS: dict[Symbol, tuple[float, float]] = {f.GAIN: (1.3, 1.8), f.SHARE: (0.3, 0.6)}
_BESIDE: dict[Symbol, tuple[float, float]] = {f.GAIN: (1.4, 1.6), f.ANGLE: (1.0, 1.2), f.SHARE: (0.4, 0.6)}


def derive() -> Derivation:
    """Return what a GRU with resting gates does in the plane: rest, cycles, circles of the map, and their borders.

    >>> derive()["weak-frequency"].kind
    'derived'
    """
    steps = (*_gates(), *_weak(), *_band(), *_map(), *_double_zero(), *_saddle_loop())
    assumptions = ("the gates do not depend on the state; U_h is a multiple of a rotation of the plane",)
    return Derivation("A gated recurrent unit in the plane", steps, assumptions)


def _gates() -> tuple[Step, ...]:
    rate = {f.EIGENVALUE: (-1.5, -0.2), f.STEP: (0.2, 1.0)}
    whole = {**_PLANE, **_STATE}
    one, other = f.velocity()
    return (
        Step(
            "map-eigenvalue",
            Eq(Symbol("lambda_map"), f.map_eigenvalue(), evaluate=False),
            "where n(h) = h the update gate's own slope is multiplied by zero; here a unit whose gates move",
            source=f"{JORDAN}, section 2",
            domain=rate,
            left=checks.slope_of_map,
        ),
        Step(
            "doubling",
            Eq(_SLOPE, 1 - 2 / (f.STEP * (1 - f.GATE)), evaluate=False),
            "lambda_map = -1, lambda = (1 - z)(D - 1): a map can double its period, its limit in time cannot",
            domain={f.STEP: (0.2, 1.0), f.GATE: (0.2, 0.8)},
            kind="derived",
            by=_doubling,
        ),
        Step(
            "velocity-1",
            Eq(Symbol("v_1"), one, evaluate=False),
            "one step of a cell with reset gate 1/2 and U_h = 2 g R(theta), over its share",
            source=f"{JORDAN}, eq. (3)",
            domain=whole,
            left=partial(checks.component, 0),
        ),
        Step(
            "velocity-2",
            Eq(Symbol("v_2"), other, evaluate=False),
            "the same",
            domain=whole,
            left=partial(checks.component, 1),
        ),
        Step(
            "trace",
            Eq(Symbol("tr_J"), f.trace(), evaluate=False),
            "the slope of tanh is 1 - n^2",
            domain={**whole, f.GATE: (0.2, 0.8)},
            left=checks.divergence,
        ),
        Step(
            "hopf",
            Eq(Symbol("theta_H"), f.hopf_angle(), evaluate=False),
            "the origin has eigenvalues g exp(+-i theta) - 1",
            source=f"{JORDAN}, section 3",
            domain={f.GAIN: (1.3, 2.5)},
            left=checks.loses_stability,
        ),
    )


def _doubling(earlier: Mapping[str, Eq]) -> Eq:
    rate = (1 - f.GATE) * (_SLOPE - 1)
    (found,) = solve(earlier["map-eigenvalue"].rhs.subs(f.EIGENVALUE, rate) + 1, _SLOPE)
    return Eq(_SLOPE, found, evaluate=False)


def _weak() -> tuple[Step, ...]:
    a, p = f.AMPLITUDE, f.PHASE
    both = tanh(a * cos(p)) + I * tanh(a * sin(p))
    small = {_D: (0.05, 0.2), f.ANGLE: (0.3, 1.2), f.GATE: (0.2, 0.8)}
    return (
        Step(
            "onset",
            Eq(_D, f.onset(), evaluate=False),
            "growth g cos(theta) - 1 of the origin, over the gain g cos(theta) that tanh has to take away",
            domain=_PLANE,
            left=checks.margin,
        ),
        Step(
            "expansion",
            Eq(both, f._expansion(), evaluate=False),  # noqa: SLF001
            "tanh of both parts of u = g exp(i theta) w to fifth order",
            domain={p: (0.1, 0.6)},
            kind="limit",
            limit=(a, 0, 6),
        ),
        Step(
            "averaged",
            Eq(
                Symbol("w'/w"),
                _averaged_form(Rational(1, 4), Rational(1, 12), Rational(1, 12)),
                evaluate=False,
            ),
            "only terms that turn with u stay, X = |u|^2; the one that turns three times backwards comes back squared, "
            "3 i |c|^2/(4 Omega) against the motion, after w -> w + i c conj(w)^3/(4 Omega)",
            source=f"{KUZNETSOV}, section 3.5",
            domain={**_PLANE, _X: (0.1, 0.5)},
            kind="derived",
            by=_averaged,
        ),
        Step(
            "weak-square",
            Eq(_X, f.weak_square(), evaluate=False),
            "the real part vanishes, 1/(g cos(theta)) = 1 - delta",
            domain=small,
            kind="derived",
            by=_square,
        ),
        Step(
            "weak-frequency",
            Eq(Symbol("omega"), f.weak_frequency(), evaluate=False),
            "the imaginary part at this amplitude",
            domain=small,
            kind="derived",
            by=_frequency,
        ),
        Step(
            "weak-exponent",
            Eq(Symbol("kappa"), f.weak_exponent(), evaluate=False),
            "2 X times the derivative of the real part",
            domain=small,
            kind="derived",
            by=_exponent,
        ),
        Step(
            "describing",
            Eq(Symbol("a_1"), f.harmonic(), evaluate=False),
            "the first harmonic of tanh(A cos p), integrated over a turn; the check integrates over the amplitude",
            domain={a: (0.5, 3.0)},
            left=checks.describing,
            right=checks.over_phases,
        ),
    )


def _averaged_form(cubic: Any, mixed: Any, fifth: Any) -> Expr:
    g, t = f.GAIN, f.ANGLE
    return (
        -1 + g * exp(I * t) * (1 - cubic * _X + fifth * _X**2) - 3 * I * mixed**2 * g * _X**2 / (4 * sin(t))
    )


def _averaged(earlier: Mapping[str, Eq]) -> Eq:
    turn = Symbol("E", positive=True)
    terms = earlier["expansion"].rhs.expand().subs(exp(I * f.PHASE), turn)
    terms = simplify(terms.subs({exp(-3 * I * f.PHASE): turn**-3, exp(5 * I * f.PHASE): turn**5}))
    along = Poly((terms * turn**3).expand(), turn, f.AMPLITUDE)
    a = {(turns - 3, order): c for (turns, order), c in along.terms()}
    return Eq(Symbol("w'/w"), _averaged_form(-a[1, 3], -a[-3, 3], a[1, 5]), evaluate=False)


def _parts(earlier: Mapping[str, Eq]) -> tuple[Expr, Expr]:
    real = {f.GAIN: 1 / ((1 - _D) * cos(f.ANGLE))}
    whole = earlier["averaged"].rhs.subs(real)
    return simplify(re(whole.expand(complex=True))), im(whole.expand(complex=True))


def _square(earlier: Mapping[str, Eq]) -> Eq:
    first, second = symbols("k_1 k_2")
    real, _ = _parts(earlier)
    left = series(real.subs(_X, first * _D + second * _D**2), _D, 0, 3).removeO()
    found = solve([left.coeff(_D, 1), left.coeff(_D, 2)], [first, second], dict=True)[0]
    return Eq(_X, found[first] * _D + found[second] * _D**2, evaluate=False)


def _frequency(earlier: Mapping[str, Eq]) -> Eq:
    _, turned = _parts(earlier)
    found = series(turned.subs(_X, earlier["weak-square"].rhs), _D, 0, 3).removeO()
    return Eq(Symbol("omega"), (1 - f.GATE) * found, evaluate=False)


def _exponent(earlier: Mapping[str, Eq]) -> Eq:
    real, _ = _parts(earlier)
    found = series((2 * _X * real.diff(_X)).subs(_X, earlier["weak-square"].rhs), _D, 0, 3).removeO()
    return Eq(Symbol("kappa"), (1 - f.GATE) * found, evaluate=False)


def _band() -> tuple[Step, ...]:
    rest = {f.SIZE: (0.5, 2.0), f.PHASE: (0.1, 0.7)}
    steep = {f.ANGLE: (0.8, 1.5), f.GATE: (0.2, 0.8)}
    return (
        Step(
            "rest-gain",
            Eq(f.GAIN, f.rest_gain(), evaluate=False),
            "a fixed point y = g R(theta) tanh(y): the modulus of y/h",
            domain=rest,
            left=checks.gain_at_rest,
        ),
        Step(
            "rest-angle",
            Eq(f.ANGLE, f.rest_angle(), evaluate=False),
            "its argument",
            domain=rest,
            left=checks.angle_at_rest,
        ),
        Step(
            "saddle-node",
            Eq(Symbol("mu a"), f.saddle_node(), evaluate=False),
            "velocity along the null vectors, by differences; the gain makes the Jacobian singular",
            source=f"{KUZNETSOV}, section 3.2",
            domain={f.ANGLE: (0.1, 0.2), f.H1: (0.7, 0.8), f.H2: (-0.2, 0.1)},
            left=checks.saddle_node,
            written=_at_singular_gain,
        ),
        Step(
            "snic",
            Eq(Symbol("T*sqrt(theta - theta_c)"), f.snic_constant(), evaluate=False),
            "four ghosts of saddle-nodes in a turn",
            source=f"{KUZNETSOV}, section 7.1",
            domain={f.PUSH: (0.2, 2.0)},
            left=checks.ghosts,
        ),
        Step(
            "sign-crossing",
            Eq(Symbol("a"), f.sign_crossing(), evaluate=False),
            "tanh becomes the sign: in a quadrant the flow is linear, and (c + s) a/(a + s - c) comes out of a",
            domain=steep,
            left=checks.crossing,
        ),
        Step(
            "sign-period",
            Eq(Symbol("T"), f.sign_period(), evaluate=False),
            "four times the time in a quadrant",
            domain=steep,
            left=checks.period,
        ),
        Step(
            "sign-exponent",
            Eq(Symbol("kappa"), f.sign_exponent(), evaluate=False),
            "log of the slope of the return map over that time",
            domain=steep,
            left=checks.exponent,
        ),
    )


def _at_singular_gain(shown: Expr) -> Expr:
    d1, d2 = 1 - f.H1**2, 1 - f.H2**2
    half = cos(f.ANGLE) * (d1 + d2) / 2
    return shown.subs(f.GAIN, (half - (half**2 - d1 * d2) ** Rational(1, 2)) / (d1 * d2))


def _map() -> tuple[Step, ...]:
    turning = {**_MAPS, f.ANGLE: (0.3, 1.2)}
    return (
        Step(
            "torus-angle",
            Eq(Symbol("theta_T"), f.torus_angle(), evaluate=False),
            "the multiplier 1 - s + s g exp(i theta) of the map leaves the unit circle",
            source=f"{KUZNETSOV}, section 4.6",
            domain=_MAPS,
            left=checks.torus,
        ),
        Step(
            "torus-modulus",
            Eq(Symbol("|lambda|"), f.torus_modulus(), evaluate=False),
            "in complex numbers",
            domain=turning,
            left=checks.modulus,
        ),
        Step(
            "torus-rotation",
            Eq(Symbol("arg lambda"), f.torus_rotation(), evaluate=False),
            "radians a step",
            domain=turning,
            left=checks.rotation,
        ),
        Step(
            "torus-radius",
            Eq(Symbol("R^2"), f.torus_square(), evaluate=False),
            "|1 - s + s g exp(i theta)(1 - X/4)| = 1 to first order; no resonance",
            domain=_MAPS,
            kind="limit",
            limit=(_GAP, 0, 1),
            left=partial(checks.circle, _GAP),
            written=_below_torus,
        ),
        Step(
            "circle-radius",
            Eq(Symbol("R_2^2"), f.circle_square(), evaluate=False),
            "|w'/w| = 1 to second order in |lambda| - 1, the term conj(w)^3 transformed away",
            source=f"{KUZNETSOV}, section 4.7",
            domain=_BESIDE,
            left=checks.circle_square,
        ),
        Step(
            "circle-rotation",
            Eq(Symbol("omega_2"), f.circle_rotation(), evaluate=False),
            "arg(w'/w) there, radians a step",
            domain=_BESIDE,
            left=checks.circle_rotation,
        ),
        Step(
            "vanilla",
            Eq(Symbol("R^2"), f.vanilla_square(), evaluate=False),
            "s = 1: h' = tanh(g R h)",
            domain={f.GAIN: (1.05, 1.5), f.ANGLE: (0.3, 1.2)},
            kind="derived",
            by=_vanilla,
        ),
        Step(
            "four-cycle",
            Eq(f.GAIN, f.four_cycle_gain(), evaluate=False),
            "theta = pi/2: (A, A), (-A, A), (-A, -A), (A, -A)",
            domain={f.AMPLITUDE: (0.3, 0.9)},
            left=checks.four_cycle,
        ),
    )


def _below_torus(shown: Expr) -> Expr:
    return shown.subs(f.ANGLE, f.torus_angle() - _GAP)


def _vanilla(earlier: Mapping[str, Eq]) -> Eq:
    return Eq(Symbol("R^2"), simplify(earlier["torus-radius"].rhs.subs(f.SHARE, 1)), evaluate=False)


def _double_zero() -> tuple[Step, ...]:
    where = {f.GAIN: (2.2, 3.0), f.ANGLE: (0.2, 0.6)}
    state = {**where, f.H1: (0.2, 0.8), f.H2: (-0.8, -0.2)}
    steps = [
        Step(
            f"bt-slope-{name}",
            Eq(Symbol("d_1"), f.bt_slope().subs(f.SIGN, way), evaluate=False),
            "trace g cos(theta)(d_1 + d_2) - 2 and determinant g^2 d_1 d_2 - 1 vanish",
            domain=where,
            left=partial(checks.slope_at, way),
        )
        for name, way in (("larger", 1), ("smaller", -1))
    ]
    steps.append(
        Step(
            "bt-angle",
            Eq(Symbol("theta_BT"), f.bt_angle(), evaluate=False),
            "the larger slope is 1 at h = 0",
            domain={f.GAIN: (1.5, 3.0)},
            left=checks.last_angle,
        )
    )
    steps += [
        Step(
            f"bias-{k + 1}",
            Eq(Symbol(f"b_{k + 1}"), f.bias()[k], evaluate=False),
            "the velocity vanishes at h",
            domain=state,
            left=partial(checks.bias, k),
        )
        for k in (0, 1)
    ]
    steps += [
        Step(
            f"bt-{name}-{way}",
            Eq(Symbol(name), f.bt_coefficients()[k].subs(f.SIGN, way), evaluate=False),
            "numerical Jordan basis and second differences",
            source=f"{KUZNETSOV}, section 8.4",
            domain={**where, f.SIGN: (way, way)},
            left=partial(checks.bt_coefficient, k),
            written=partial(_at_double_zero, way),
        )
        for way in (1, -1)
        for k, name in enumerate(("a", "b"))
    ]
    return tuple(steps)


def _at_double_zero(way: int, shown: Expr) -> Expr:
    first, second = ((1 - f.bt_slope().subs(f.SIGN, k)) ** Rational(1, 2) for k in (way, -way))
    return shown.subs({f.H1: first, f.H2: -second})


def _saddle_loop() -> tuple[Step, ...]:
    near = {
        f.DISTANCE: (0.01, 0.2),
        f.NU: (1.1, 1.6),
        f.RETURN: (-0.8, 0.8),
        f.GROWTH: (0.2, 0.5),
        f.CONSTANT: (1.0, 5.0),
    }
    return (
        Step(
            "homoclinic-gap",
            Eq(Symbol("mu"), f.homoclinic_gap(), evaluate=False),
            "in at x, out at x^nu past the saddle, back at mu + alpha x^nu = x",
            source=f"{KUZNETSOV}, section 6.2",
            domain=near,
            left=checks.offset,
        ),
        Step(
            "homoclinic-period",
            Eq(Symbol("T"), f.homoclinic_period(), evaluate=False),
            "most of the time is spent on the way out, x' = lambda_u x",
            source=f"{KUZNETSOV}, section 6.2",
            domain=near,
            left=checks.passage,
        ),
    )
