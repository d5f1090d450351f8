"""Steps about the reciprocal gated cell, and what their names stand for by numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Symbol

from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.layers import over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.kernel import SIGMA_W
from widelimit.theory.recurrence import reciprocal as f
from widelimit.theory.recurrence.gated import MEMORY, R

_SOURCE = "nayebi2018task, section 2.3"
_V = {f.GATE: (0.1, 2.0)}
_AVERAGES = {f.PASSED: (0.26, 0.4), f.INPUT_PASSED: (0.26, 0.4), f.STEEP: (0.02, 0.06)}
_POINT = {**_AVERAGES, SIGMA_W: (0.3, 2.0), R: (0.3, 2.0), MEMORY: (0.3, 2.0)}
_WAVE = Symbol("kappa", positive=True)
_AVERAGE = {f.PASSED: f.passed_share(), f.STEEP: f.gate_steepness()}


def reciprocal_steps() -> tuple[Step, ...]:
    """Gates, fresh weights, tied weights, and spatial modes."""
    return (*_gates(), *_fresh(), *_tied())


def _gates() -> tuple[Step, ...]:
    named = {"s": f.passed_share(), "d": f.gate_steepness(), "E 1/u^2": f.inverse_square()}
    return (
        *(
            Step(
                f"reciprocal-gate-{number}",
                Eq(Symbol(name, positive=True), average, evaluate=False),
                "averages over a gate's pre-activation, Gaussian of variance v",
                source=_SOURCE,
                domain=_V,
                left=partial(_gate, number),
            )
            for number, (name, average) in enumerate(named.items())
        ),
        Step(
            "reciprocal-gate-slope",
            Eq(Symbol("ds/dv", positive=True), f.passed_slope(), evaluate=False),
            "E f(sqrt(v) z) has the slope E x f'(x)/(2 v)",
            domain=_V,
            left=_slope_by_difference,
        ),
    )


def _fresh() -> tuple[Step, ...]:
    chi = (f.kept_growth(), f.crossed_growth())
    profile = f.mode_growth()
    return (
        Step(
            "reciprocal-state",
            Eq(Symbol("Q_{t+1}", positive=True), f.next_state(), evaluate=False),
            "input, state and gates are independent of each other",
            source=_SOURCE,
            domain=_POINT,
            left=_state_of_signs,
        ),
        Step(
            "reciprocal-constant",
            Eq(Symbol("2 E(1-u_c)(1-u_h) E x h", positive=True), f.constant_input_gain(), evaluate=False),
            "E x h' = E x^2/2 + E x h/2 comes to R: what the input has put into the state meets it again",
            source=_SOURCE,
            domain=_POINT,
            left=_met_again,
        ),
        *(
            Step(
                f"reciprocal-growth-{name}",
                Eq(Symbol(f"chi_{name}", positive=True), growth, evaluate=False),
                "dh'/dh = (1 - u_h) - u_h' h W_hh and dh'/dc = -u_c' x W_ch, whose parts are uncorrelated",
                source=_SOURCE,
                domain=_POINT,
                left=partial(_growth_of_signs, name),
            )
            for name, growth in zip(("h", "c"), chi, strict=True)
        ),
        Step(
            "reciprocal-modes",
            Eq(Symbol("chi_kappa", positive=True), profile, evaluate=False),
            "a kernel weights the mean squares of its window by its profile of variances",
            domain={**_POINT, f.PROFILE: (0.2, 0.9)},
            left=_on_a_ring,
        ),
    )


def _tied() -> tuple[Step, ...]:
    strength = f.rest_strength().subs(_AVERAGE)
    return (
        Step(
            "reciprocal-rest",
            Eq(Symbol("sigma_w^2 R", positive=True), strength, evaluate=False),
            "at rest h = x (1 - u_c)/u_h, the two gates independent, and v = sigma_w^2 E h^2",
            source=_SOURCE,
            domain=_V,
            left=_strength_at_rest,
        ),
        Step(
            "reciprocal-fold",
            Eq(
                Symbol("d log(E h^2/R)/d log v", real=True),
                f.rest_elasticity().subs(_AVERAGE),
                evaluate=False,
            ),
            "sigma_w^2 R = v R/E h^2 turns along resting cells where this is 1",
            domain={f.GATE: (0.1, 0.6)},
            left=_log_slope,
        ),
        Step(
            "reciprocal-spectral",
            Eq(Symbol("rho", positive=True), f.rest_spectral().subs(_AVERAGE), evaluate=False),
            "a diagonal 1 - u_h beside weights of row variances g^2 has its edge at 1 where E g^2/u_h^2 = 1",
            domain={**_V, SIGMA_W: (0.3, 2.0), R: (0.3, 2.0)},
            left=_row_variances,
        ),
        Step(
            "reciprocal-rest-growth",
            Eq(Symbol("chi_1", positive=True), f.rest_growth().subs(_AVERAGE), evaluate=False),
            "(dh'/dh)^2 + (dh'/dc)^2 of a step at rest",
            source=_SOURCE,
            domain={**_V, SIGMA_W: (0.3, 2.0), R: (0.3, 2.0)},
            left=_step_at_rest,
        ),
    )


# --- evidence: gates by quadrature of their own; cells of one or two units over signs; a ring


def _gate(number: int, values: Values, dps: int) -> Any:
    """E (1 - u)^2, E u'^2 or E 1/u^2, u = (1 + tanh(z/2))/2."""
    (v,) = numbers(values, dps, f.GATE)

    def integrand(z: Any) -> Any:
        turn = mpmath.tanh(z / 2)
        return (((1 - turn) / 2) ** 2, ((1 - turn**2) / 4) ** 2, (1 + mpmath.exp(-z)) ** 2)[number]

    with mpmath.workdps(dps + 5):
        return over_unit(integrand, v)


def _slope_by_difference(values: Values, dps: int) -> Any:
    """The central difference of E (1 - u)^2, with a step that leaves the digits asked for."""
    (v,) = numbers(values, dps, f.GATE)
    with mpmath.workdps(2 * dps):
        h = mpmath.mpf(10) ** (-dps // 2)
        above, below = (_gate(0, {f.GATE: v + s * h}, 2 * dps) for s in (1, -1))
        return (above - below) / (2 * h)


def _state_of_signs(values: Values, dps: int) -> Any:
    """E (a x + b h)^2 over signs of x, h: the factors' mean squares are s_x and s, what they share averages out."""
    a, b, r, q = (mpmath.sqrt(one) for one in numbers(values, dps, f.INPUT_PASSED, f.PASSED, R, MEMORY))
    return over_signs(lambda s: (a * s[0] * r + b * s[1] * q) ** 2, 2)


def _met_again(values: Values, dps: int) -> Any:
    """2 E(1 - u_c) E(1 - u_h) E x h, E x h by steps from h = 0; gates shut as often as they open."""
    (r,) = numbers(values, dps, R)
    half = over_signs(lambda s: 1 / (1 + mpmath.exp(s[0])), 1)
    together = mpmath.mpf(0)
    for _ in range(4 * dps + 20):
        together = half * r + half * together
    return 2 * half * half * together


def _growth_of_signs(which: str, values: Values, dps: int) -> Any:
    """Sum over i of E (dh'_i/dh_0)^2, or of E (dh'_i/dc_0)^2, in a cell of two units, over signs of weights and states.

    1 - u takes the value sqrt(s), u' the value sqrt(d).
    """
    s, d, w, r, q = numbers(values, dps, f.PASSED, f.STEEP, SIGMA_W, R, MEMORY)
    kept, steep = mpmath.sqrt(s), mpmath.sqrt(d) * w / mpmath.sqrt(2)
    own = which == "h"
    size = mpmath.sqrt(q if own else r)

    def squares(sign: tuple[int, ...]) -> Any:
        gated = [steep * sign[i] * size * sign[2 + i] for i in (0, 1)]
        return ((kept if own else 0) - gated[0]) ** 2 + gated[1] ** 2

    return over_signs(squares, 4)


def _on_a_ring(values: Values, dps: int) -> Any:
    """The factor of a cosine of mean squares on a ring of twelve sites; a kernel of three."""
    s, d, w, r, q, hat = numbers(values, dps, f.PASSED, f.STEEP, SIGMA_W, R, MEMORY, f.PROFILE)
    sites, wave = 12, 2 * mpmath.pi / 12
    beside = (1 - hat) / (2 * (1 - mpmath.cos(wave)))  # a profile (b, 1 - 2 b, b) of this transform
    squares = [mpmath.cos(wave * k) for k in range(sites)]
    window = [
        beside * squares[k - 1] + (1 - 2 * beside) * squares[k] + beside * squares[(k + 1) % sites]
        for k in range(sites)
    ]
    after = [s * own + w**2 * d * (q + r) * seen for own, seen in zip(squares, window, strict=True)]
    return mpmath.fsum(a * b for a, b in zip(after, squares, strict=True)) / mpmath.fsum(
        a * a for a in squares
    )


def _strength_at_rest(values: Values, dps: int) -> Any:
    """v R/E h^2, where E h^2/R = E (1 - u_c)^2 E 1/u_h^2 is by quadrature."""
    (v,) = numbers(values, dps, f.GATE)
    return v / (_gate(0, values, dps) * _gate(2, values, dps))


def _log_slope(values: Values, dps: int) -> Any:
    """1 less v times the central difference of the logarithm of `_strength_at_rest`."""
    (v,) = numbers(values, dps, f.GATE)
    with mpmath.workdps(2 * dps):
        h = mpmath.mpf(10) ** (-dps // 2)
        above, below = (mpmath.log(_strength_at_rest({f.GATE: v + s * h}, 2 * dps)) for s in (1, -1))
        return 1 - v * (above - below) / (2 * h)


def _row_variances(values: Values, dps: int) -> Any:
    """sigma_w^2 R E ((u' (1 - u_c)/u)^2 + u_c'^2)/u^2, u of h's own gate, each average by quadrature."""
    v, w, r = numbers(values, dps, f.GATE, SIGMA_W, R)

    def own(z: Any) -> Any:
        u = 1 / (1 + mpmath.exp(-z))
        return (u * (1 - u) / u**2) ** 2

    with mpmath.workdps(dps + 5):
        amplified = over_unit(own, v)
    shut, steep, back = (_gate(k, values, dps) for k in (0, 1, 2))
    return w**2 * r * (amplified * shut + steep * back)


def _step_at_rest(values: Values, dps: int) -> Any:
    """E (1 - u)^2 + sigma_w^2 R E ((u' (1 - u_c)/u)^2 + u_c'^2), each average by quadrature."""
    v, w, r = numbers(values, dps, f.GATE, SIGMA_W, R)

    def own(z: Any) -> Any:
        u = 1 / (1 + mpmath.exp(-z))
        return (u * (1 - u) / u) ** 2

    with mpmath.workdps(dps + 5):
        amplified = over_unit(own, v)
    shut, steep = _gate(0, values, dps), _gate(1, values, dps)
    return shut + w**2 * r * (amplified * shut + steep)
