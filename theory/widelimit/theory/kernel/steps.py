"""The recursion of both kernels, training with them, and the closed forms of an activation, as a derivation."""

from __future__ import annotations

from functools import partial

from sympy import Derivative, Eq, Function, Integer, Symbol, acos, pi, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.kernel import evidence
from widelimit.theory.kernel.formulas import (
    D1,
    D2,
    DISTANCE,
    DK,
    INPUT,
    MEAN,
    P2,
    Q1,
    Q2,
    RATE,
    READOUT,
    RHO,
    S1,
    S2,
    SIGMA_B,
    SIGMA_V,
    SIGMA_W,
    STEP_SIZE,
    STEPS,
    TDOT,
    THETA,
    TIME,
    TRAINED_B,
    TRAINED_W,
    V2,
    VP,
    K,
    P,
    T,
    V,
    close_kernel,
    descent_rate,
    equal_pair,
    expectation,
    is_closed,
    kernel_change,
    largest_step,
    next_kernel,
    next_recurrent,
    next_recurrent_tangent,
    next_tangent,
    pair,
    remaining,
    remaining_after_steps,
    slope,
    stretch,
    tangent_fluctuation,
)  # fmt: skip

_ASSUMPTIONS = (
    "the widths of all hidden layers go to infinity",
    "weights and biases are independent, centred, with variances sigma_w^2 / fan-in and sigma_b^2",
    "tangent kernel: derivatives with respect to standard-normal parameters, the scales written in front of them",
)


def derive(activation: str | Activation = "relu") -> Derivation:
    """The recursion of both kernels for `activation`, training with them, each equation checkable at random points.

    Args:
        activation: a catalogue name or an expression in x.

    Raises `InfiniteMomentError` for an activation that jumps.

    >>> print(derive("erf").result)  # doctest: +ELLIPSIS
    Eq(...)
    """
    phi = Activation.of(activation)
    steps = (*_recursion(phi), *_at_equal_inputs(phi), *_training(), *_fluctuation(), *_closed_forms(phi))
    return Derivation(f"NNGP and tangent kernel of {phi.name} networks", steps, _ASSUMPTIONS)


_PAIR = {Q1: (0.3, 2.0), Q2: (0.3, 2.0), RHO: (-0.9, 0.9)}
_SCALES = {SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0)}
_TRAINED = {TRAINED_W: (0, 1), TRAINED_B: (0, 1)}


def _recursion(phi: Activation) -> tuple[Step, ...]:
    bare, bare_dot = expectation(phi.expr), expectation(slope(phi))
    s = Symbol("s", real=True)
    k_first, k_next, theta_next = (Symbol(n, real=True) for n in ("K^1", "K^{l+1}", "Theta^{l+1}"))
    h_next, g_next = Symbol("H^{t+1}", real=True), Symbol("G^{t+1}", real=True)
    return (
        Step(
            "input-kernel",
            Eq(k_first, next_kernel().subs(T, s), evaluate=False),
            "the first pre-activations are linear in random weights; s is x . x' / n_0",
            source="lee2018deep, eq. (4)",
            domain={**_SCALES, s: (-0.9, 0.9)},
            left=partial(evidence.of_inputs, s),
        ),
        Step(
            "close-inputs",
            Eq(k_first, close_kernel(), evaluate=False),
            "x . x' is the mean of |x|^2 and |x'|^2 less half of |x - x'|^2; d is that square over n_0",
            source="lee2018deep, eq. (4)",
            domain={**_SCALES, MEAN: (2.0, 4.0), DISTANCE: (0.01, 0.4)},
            left=evidence.of_close_inputs,
        ),
        Step(
            "kernel-recursion",
            Eq(k_next, next_kernel().subs(T, bare), evaluate=False),
            "given layer l, pre-activations of layer l+1 are sums of many independent terms; their covariance averages",
            source="lee2018deep, eq. (5)",
            domain={**_PAIR, **_SCALES},
            left=partial(evidence.of_layer, phi),
        ),
        Step(
            "price",
            Eq(Derivative(bare, RHO) / sqrt(Q1 * Q2), bare_dot, evaluate=False),
            "Price's theorem: the derivative by the covariance differentiates both factors",
            source="poole2016exponential, supplement",
            domain=_PAIR,
        ),
        Step(
            "stretch",
            Eq(Q1 * Derivative(bare, Q1), stretch(phi), evaluate=False),
            "u = sqrt(q_1) z: q_1 d/dq_1 of phi(u) is u phi'(u)/2, at a fixed correlation",
            domain=_PAIR,
        ),
        Step(
            "kernel-change",
            Eq(Symbol("dK^{l+1}", real=True), kernel_change(), evaluate=False),
            "the chain rule: a covariance is a correlation times the root of both variances",
            domain={
                **_SCALES, **dict.fromkeys((K, DK, D1, D2, S1, S2, TDOT), (-0.5, 1.0)), Q1: (1.5, 2.5), Q2: (1.5, 2.5),
            },
            left=evidence.of_change,
        ),
        Step(
            "overlaps",
            Eq(Function("Tdot")(Q1, Q2, RHO), bare_dot, evaluate=False),
            "the name of that mean in what follows; T is the mean of phi phi",
            source="jacot2018neural, theorem 1",
            domain=_PAIR,
            kind="notation",
        ),
        Step(
            "tangent-recursion",
            Eq(theta_next, next_tangent(), evaluate=False),
            "the last layer's own trained parameters give its kernel, those below are carried up by sigma_w phi'",
            source="jacot2018neural, theorem 1",
            domain={**_SCALES, **_TRAINED, THETA: (0.5, 2.0), T: (-0.5, 1.0), TDOT: (-0.5, 1.0)},
            left=evidence.of_gradients,
        ),
        Step(
            "recurrent-kernel",
            Eq(h_next, next_recurrent(), evaluate=False),
            "the next step's units read inputs beside units, through independent weights",
            source="alemohammad2021recurrent",
            domain={**_SCALES, SIGMA_V: (0.5, 1.5), T: (-0.5, 1.0), INPUT: (-0.9, 0.9)},
            left=evidence.of_recurrent,
        ),
        Step(
            "recurrent-tangent",
            Eq(g_next, next_recurrent_tangent(), evaluate=False),
            "all steps share their weights, whose derivatives are those of fresh ones on average",
            source="alemohammad2021recurrent",
            domain={
                **_SCALES, **_TRAINED, SIGMA_V: (0.5, 1.5), THETA: (0.5, 2.0), T: (-0.5, 1.0), TDOT: (-0.5, 1.0),
                INPUT: (-0.9, 0.9),
            },
            left=evidence.of_recurrent_gradients,
        ),
    )  # fmt: skip


def _at_equal_inputs(phi: Activation) -> tuple[Step, ...]:
    said = (
        ("equal-kernel", "T", 1, phi.expr),
        ("equal-slope", "Tdot", 1, slope(phi)),
        ("opposite-kernel", "T", -1, phi.expr),
        ("opposite-slope", "Tdot", -1, slope(phi)),
    )
    return tuple(
        Step(
            name,
            Eq(Function(symbol)(Q1, Q1, Integer(sign)), value, evaluate=False),
            "the pair is one Gaussian variable" + (" and its negative" if sign < 0 else ""),
            source="lee2018deep, eq. (5)",
            domain={Q1: (0.3, 2.0)},
            left=partial(evidence.of_one, phi, f, sign),
        )
        for (name, symbol, sign, f), value in zip(said, equal_pair(phi), strict=True)
    )


def _training() -> tuple[Step, ...]:
    share, after, rate, bound = (Symbol(n, real=True) for n in ("e(t)", "e_k", "lambda_k", "eta_max"))
    flow = {TIME: (0.1, 2.0), RATE: (0.1, 2.0)}
    return (
        Step(
            "gradient-flow",
            Eq(Derivative(remaining(), TIME), -RATE * remaining(), evaluate=False),
            "under half the summed squares each eigenmode of Theta relaxes at the rate of its eigenvalue",
            source="lee2019wide, eq. (8)",
            domain=flow,
        ),
        Step(
            "flow-of-errors",
            Eq(share, remaining(), evaluate=False),
            "the whole error is there at the start",
            source="lee2019wide, eq. (8)",
            domain=flow,
            left=evidence.flowed,
        ),
        Step(
            "gradient-descent",
            Eq(after, remaining_after_steps(), evaluate=False),
            "each step takes the share eta lambda of what is left",
            source="lee2019wide, eq. (9)",
            domain={STEP_SIZE: (0.1, 1.5), RATE: (0.1, 1.9), STEPS: (1, 12)},
            left=evidence.descended,
        ),
        Step(
            "descent-as-flow",
            Eq(rate, descent_rate(), evaluate=False),
            "the flow that leaves after the time k what k steps leave",
            source="lee2019wide, eq. (9)",
            domain={STEP_SIZE: (0.1, 0.9), RATE: (0.1, 0.9), STEPS: (1, 12)},
            left=evidence.rate_of_steps,
        ),
        Step(
            "largest-step",
            Eq(bound, largest_step(), evaluate=False),
            "above it |1 - eta lambda| exceeds 1",
            source="lee2019wide, section 2.2",
            domain={RATE: (0.1, 2.0)},
            left=evidence.widest_step,
        ),
    )


def _fluctuation() -> tuple[Step, ...]:
    return (
        Step(
            "fluctuation",
            Eq(Symbol("N Var(Theta)/E(Theta)^2", real=True), tangent_fluctuation(), evaluate=False),
            "with one hidden layer Theta is a mean over independent units",
            source="jacot2018neural, theorem 1",
            domain={
                **_SCALES, Q1: (0.3, 2.0), READOUT: (1.1, 4.0), V: (0.3, 1.0), P: (0.3, 1.0), V2: (2.0, 3.0),
                P2: (2.0, 3.0), VP: (1.0, 1.5),
            },
            left=evidence.over_units,
        ),
    )  # fmt: skip


def _closed_forms(phi: Activation) -> tuple[Step, ...]:
    said = (
        (
            "kernel-closed-form",
            phi.expr,
            f"the Gaussian integral for {phi.name}",
            "cho2009kernel; williams1996computing",
        ),
        (
            "slope-closed-form",
            slope(phi),
            f"the same for the derivative of {phi.name}",
            "jacot2018neural, theorem 1",
        ),
    )
    steps = tuple(
        Step(name, Eq(expectation(f), closed, evaluate=False), because, source=source, domain=_PAIR)
        for (name, f, because, source), closed in zip(said, pair(phi), strict=True)
        if is_closed(closed)
    )
    if phi != Activation.of("relu"):
        return steps
    angle, size = pi - acos(RHO), sqrt(Q1 * Q2)
    arc_cosine = (angle / pi, (RHO * angle + sqrt(1 - RHO**2)) / pi)  # k_0 and k_1
    return steps + tuple(
        Step(
            f"arc-cosine-{order}",
            Eq(expectation(f), scale * arc_cosine[order] / 2, evaluate=False),
            "the arc-cosine kernels k_0 and k_1: the angle between two inputs is arccos rho",
            source="cho2009kernel, eqs. (3) and (6)",
            domain=_PAIR,
        )
        for order, f, scale in ((0, slope(phi), Integer(1)), (1, phi.expr, size))
    )
