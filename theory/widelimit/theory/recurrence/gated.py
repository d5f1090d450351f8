"""Mean field of recurrent networks: a gated one (minimalRNN) and the vanilla one, with tied and untied weights.

minimalRNN: h_t = u h_(t-1) + (1 - u) x_t, u = sigmoid(W h_(t-1) + V x_t + b), weights of variance sigma_w^2 / N and
sigma_v^2 / N, biases of mean mu_b, inputs independent in time with E x^2 = R. The mean field draws fresh
weights at each
step ("untied"); with tied weights h carries a memory of W, and the statistics move by several per cent.

Vanilla: h_t = W phi(h_(t-1)) + V x_t + b. Its variances do not depend on tying, its memory does: with tied weights the
pre-activations of two times are correlated, C(t, s) = sigma_w^2 E phi phi [C(t-1, s-1)] + sigma_v^2 x_t.x_s /
N + sigma_b^2;
with untied weights they are independent.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Derivative, Eq, Expr, Symbol, exp, log

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import over_unit
from widelimit.theory.calculus.precision import Values, evaluate, numbers
from widelimit.theory.kernel import (
    INPUT,
    Q1,
    Q2,
    RHO,
    SIGMA_B,
    SIGMA_V,
    SIGMA_W,
    T,
    expectation,
    next_recurrent,
)

MU_B = Symbol("mu_b", real=True)
R = Symbol("R", positive=True)  # E x^2 of the input
Q = Symbol("q", positive=True)  # variance of the gate's pre-activation
MEMORY = Symbol("Q", positive=True)  # E h^2
LOSS = Symbol("d", positive=True)  # 1 - chi_1
INPUT_OVERLAP = Symbol("r", real=True)  # x_t . x_s / N

ASSUMPTIONS = (
    "the width goes to infinity",
    "fresh weights at each time step (untied); inputs independent in time",
)


def gate() -> Expr:
    """The update gate u = sigmoid(mu_b + x), x ~ N(0, q)."""
    return 1 / (1 + exp(-(MU_B + X)))


def gate_moments() -> tuple[Expr, Expr, Expr]:
    """E u^2, E (1 - u)^2 and E u'^2 over N(mu_b, q)."""
    u, shut = gate(), _shut()
    return Expectation(u**2, X, Q), Expectation(shut**2, X, Q), Expectation((u * shut) ** 2, X, Q)


def _shut() -> Expr:
    """1 - u, in a form that keeps its digits where u is next to 1."""
    return 1 / (1 + exp(MU_B + X))


def forgotten() -> Expr:
    """1 - E u^2 as E (1 - u) (1 + u), in a form that keeps its digits where the gate is nearly closed (u next to 1)."""
    return Expectation(_shut() * (1 + gate()), X, Q)


def next_memory() -> Expr:
    """E h_t^2 = E u^2 E h_(t-1)^2 + R E(1 - u)^2, the averages at the variance that E h_(t-1)^2 gives the gate."""
    kept, written, _ = gate_moments()
    return kept * MEMORY + R * written


def stationary_memory() -> Expr:
    """E h^2 = R E(1 - u)^2 / (1 - E u^2); for mu_b != 0 the numerator is not E u^2 (chen2018dynamical, eq. (4))."""
    _, written, _ = gate_moments()
    return R * written / forgotten()


def memory_return() -> Expr:
    """The share of a deviation of E h^2 that is gone after a step, 1 - `memory_slope`, in digits of its own."""
    kept, *_ = gate_moments()
    return forgotten() - (memory_slope() - kept)


def gradient_loss() -> Expr:
    """1 - `gated_chi_1`, in digits of its own."""
    kept, *_ = gate_moments()
    return forgotten() - (gated_chi_1() - kept)


def memory_slope() -> Expr:
    """d E h_t^2 / d E h_(t-1)^2: E u^2 + sigma_w^2 (E h^2 d/dq E u^2 + R d/dq E(1 - u)^2), d/dq E f = E x f'/(2 q).

    A fixed point attracts where it is between -1 and 1.
    """
    kept, *_ = gate_moments()
    u, shut = gate(), _shut()
    bend = X * u * shut / Q  # d/dq E f(u) = E bend f'(u)/2, u' = u (1 - u)
    kept_slope, written_slope = Expectation(bend * u, X, Q), Expectation(-bend * shut, X, Q)
    return kept + gate_variance().diff(MEMORY) * (MEMORY * kept_slope + R * written_slope)


def gate_variance() -> Expr:
    """Variance q = sigma_w^2 E h^2 + sigma_v^2 R of the gate's pre-activation."""
    return SIGMA_W**2 * MEMORY + SIGMA_V**2 * R


def gated_chi_1() -> Expr:
    """Growth of a gradient per step, E u^2 + sigma_w^2 (Q + R) E u'^2; the first term is omitted in a
    published code.
    """
    kept, _, steep = gate_moments()
    return kept + SIGMA_W**2 * (MEMORY + R) * steep


def time_scale() -> Expr:
    """-1 / log(1 - d), the steps over which gradients fade (negative: grow), of the share d that a step takes."""
    return -1 / log(1 - LOSS)


def vanilla_variance(activation: str | Activation | None = None) -> Expr:
    """Next variance sigma_w^2 E phi^2 + sigma_v^2 R + sigma_b^2 of a vanilla network, E over N(0, q); None leaves T.

    >>> vanilla_variance("linear")
    R*sigma_v**2 + q*sigma_w**2 + sigma_b**2
    """
    step = next_recurrent().subs(INPUT, R)
    if activation is None:
        return step
    return step.subs(T, Expectation(Activation.of(activation).expr ** 2, X, Q).doit())


def two_time(activation: str | Activation | None = None) -> Expr:
    """C(t, s) of tied weights from variances q_1, q_2 and correlation rho one step earlier (t != s); None leaves T.

    >>> two_time()
    T*sigma_w**2 + r*sigma_v**2 + sigma_b**2
    """
    step = next_recurrent().subs(INPUT, INPUT_OVERLAP)
    if activation is None:
        return step
    return step.subs(T, expectation(Activation.of(activation).expr).doit())


_SOURCE = "chen2018dynamical"
_AT = {MU_B: (-1.0, 2.0), Q: (0.3, 3.0)}
_POINT = {**_AT, R: (0.3, 1.0), MEMORY: (0.2, 1.0), SIGMA_W: (0.5, 3.0), SIGMA_V: (0.5, 1.5)}


def gated_steps() -> tuple[Step, ...]:
    """The minimalRNN's mean field."""
    kept, written, steep = gate_moments()
    named = {name: Symbol(name, positive=True) for name in ("E u^2", "E (1-u)^2", "E u'^2", "E (1-u^2)")}
    averages = zip(named.values(), (kept, written, steep, forgotten()), strict=True)
    memory, variance, chi = (Symbol(n, positive=True) for n in ("Q_t", "q", "chi_1"))
    return (
        *(
            Step(
                f"gate-moment-{number}",
                Eq(name, average, evaluate=False),
                "averages over the gate's pre-activation, Gaussian of mean mu_b and variance q",
                source=f"{_SOURCE}, eq. (4)",
                domain=_AT,
                left=partial(_gate_average, number),
            )
            for number, (name, average) in enumerate(averages)
        ),
        Step(
            "gate",
            Eq(Symbol("u", positive=True), gate(), evaluate=False),
            "the gate is a sigmoid",
            source=f"{_SOURCE}, eq. (2)",
            domain={MU_B: (-1.0, 2.0), X: (-2.0, 2.0)},
            left=_sigmoid,
        ),
        Step(
            "next-memory",
            Eq(memory, next_memory(), evaluate=False),
            "h and x are independent, and of the gate",
            source=f"{_SOURCE}, eq. (4)",
            domain=_POINT,
            left=_memory_of_signs,
        ),
        Step(
            "memory",
            Eq(stationary_memory(), next_memory().subs(MEMORY, stationary_memory()), evaluate=False),
            "stationarity of E h_t^2",
            source=f"{_SOURCE}, eq. (4)",
            domain=_POINT,
        ),
        Step(
            "gate-variance",
            Eq(variance, gate_variance(), evaluate=False),
            "W h + V x is a sum of many independent terms",
            source=f"{_SOURCE}, eq. (5)",
            domain=_POINT,
            left=_variance_of_signs,
        ),
        Step(
            "memory-slope",
            Eq(
                Derivative(next_memory().subs(Q, gate_variance()), MEMORY),
                memory_slope().subs(Q, gate_variance()),
                evaluate=False,
            ),
            "the gate's variance moves with E h^2, and averages over it by Stein's identity",
            source=f"{_SOURCE}, eq. (4); stein1981estimation",
            domain=_POINT,
        ),
        Step(
            "memory-return",
            Eq(memory_return(), 1 - memory_slope(), evaluate=False),
            "in digits of its own",
            source=f"{_SOURCE}, eq. (4)",
            domain=_POINT,
        ),
        Step(
            "gradient",
            Eq(chi, gated_chi_1(), evaluate=False),
            "dh_t/dh_(t-1) = u + (h_(t-1) - x_t) u' W, whose two parts are uncorrelated",
            source=f"{_SOURCE}, eq. (9)",
            domain=_POINT,
            left=_gradient_of_signs,
        ),
        Step(
            "gradient-loss",
            Eq(gradient_loss(), 1 - gated_chi_1(), evaluate=False),
            "in digits of its own",
            source=f"{_SOURCE}, eq. (9)",
            domain=_POINT,
        ),
        Step(
            "time-scale",
            Eq(Symbol("tau", real=True), time_scale(), evaluate=False),
            "the steps in which a gradient falls to 1/e of itself",
            source=f"{_SOURCE}, section 3",
            domain={LOSS: (0.1, 0.9)},
            left=_steps_to_fade,
        ),
    )


def vanilla_steps(phi: Activation) -> tuple[Step, ...]:
    """Variances and the memory of tied weights of the vanilla network."""
    scales = {SIGMA_W: (0.5, 2.0), SIGMA_V: (0.5, 1.5), SIGMA_B: (0.1, 1.0)}
    return (
        Step(
            "vanilla-variance",
            Eq(Symbol("q_t", positive=True), vanilla_variance(phi), evaluate=False),
            "a step is a layer that reads inputs beside units",
            source="alemohammad2021recurrent",
            domain={**scales, Q: (0.3, 2.0), R: (0.3, 1.0)},
            left=partial(_step_variance, phi),
        ),
        Step(
            "two-time",
            Eq(Symbol("C(t,s)", real=True), two_time(phi), evaluate=False),
            "tied weights act alike at both times: the pair (t, s) is a pair of inputs to a network of fresh layers",
            source="alemohammad2021recurrent",
            domain={**scales, Q1: (0.3, 2.0), Q2: (0.3, 2.0), RHO: (-0.9, 0.9), INPUT_OVERLAP: (-0.5, 0.5)},
            left=partial(_tied_step, phi),
        ),
    )


# --- evidence: units whose weights, states and inputs run through signs, gates by quadrature of their own


def _sigmoid(values: Values, dps: int) -> Any:
    """(1 + tanh(z / 2)) / 2."""
    mean, x = numbers(values, dps, MU_B, X)
    return (1 + mpmath.tanh((mean + x) / 2)) / 2


def _gate_average(number: int, values: Values, dps: int) -> Any:
    """E u^2, E (1 - u)^2, E u'^2 or E (1 - u^2) by mpmath's quadrature, u = (1 + tanh(z / 2)) / 2."""
    mean, q = numbers(values, dps, MU_B, Q)

    def integrand(z: Any) -> Any:
        turn = mpmath.tanh((mean + z) / 2)
        u = (1 + turn) / 2
        return (u**2, (1 - u) ** 2, ((1 - turn**2) / 4) ** 2, 1 - u**2)[number]

    with mpmath.workdps(dps + 5):
        return over_unit(integrand, q)


def _memory_of_signs(values: Values, dps: int) -> Any:
    """E (u h + (1 - u) x)^2 over h and x of independent signs, of the squares Q and R."""
    memory, r = numbers(values, dps, MEMORY, R)
    kept, written = (_gate_average(k, values, dps) for k in (0, 1))
    crossed = (1 - kept - written) / 2  # E u (1 - u), of 1 = (u + (1 - u))^2
    h, x = mpmath.sqrt(memory), mpmath.sqrt(r)
    return over_signs(
        lambda s: kept * (s[0] * h) ** 2 + written * (s[1] * x) ** 2 + 2 * crossed * s[0] * s[1] * h * x, 2
    )


def _variance_of_signs(values: Values, dps: int) -> Any:
    """The variance of W h + V x over signs of two weights each, |h|^2 / 2 = Q and |x|^2 / 2 = R."""
    memory, r, w, v = numbers(values, dps, MEMORY, R, SIGMA_W, SIGMA_V)
    h = (mpmath.sqrt(memory / 2), mpmath.sqrt(3 * memory / 2))
    x = (mpmath.sqrt(r), -mpmath.sqrt(r))
    unit = mpmath.sqrt(2)
    return over_signs(
        lambda s: ((w * (s[0] * h[0] + s[1] * h[1]) + v * (s[2] * x[0] + s[3] * x[1])) / unit) ** 2, 4
    )


def _gradient_of_signs(values: Values, dps: int) -> Any:
    """Sum over i of E (dh_i/dh_j)^2 in a net of two units, over signs of weights, states and inputs.

    The rows i = j and i != j differ by the gate's own u; what u and u' average to is by quadrature.
    """
    memory, r, w = numbers(values, dps, MEMORY, R, SIGMA_W)
    kept, steep = (_gate_average(k, values, dps) for k in (0, 2))
    mixed = mpmath.sqrt(kept * steep) / 2  # E u u', made up: it averages out
    h, x = mpmath.sqrt(memory), mpmath.sqrt(r)

    def squares(s: tuple[int, ...]) -> Any:
        total = mpmath.mpf(0)
        for unit in (0, 1):
            below = (s[unit] * h - s[2 + unit] * x) * w * s[4 + unit] / mpmath.sqrt(2)
            total += below**2 * steep + (kept + 2 * mixed * below if unit == 0 else 0)
        return total

    return over_signs(squares, 6)


def _steps_to_fade(values: Values, dps: int) -> Any:
    """The time at which (1 - d)^time has fallen to 1/e, by bisection."""
    (loss,) = numbers(values, dps, LOSS)
    low, high = mpmath.mpf(0), mpmath.mpf(1000)
    for _ in range(4 * (dps + 8)):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - loss) ** middle > mpmath.exp(-1) else (low, middle)
    return (low + high) / 2


def _step_variance(phi: Activation, values: Values, dps: int) -> Any:
    """E h^2 after a step of a unit that reads phi(h) of one unit and two inputs, over signs of its weights."""
    w, v, b, r = numbers(values, dps, SIGMA_W, SIGMA_V, SIGMA_B, R)
    z = Symbol("z", real=True)
    size = evaluate(Expectation(phi.expr.subs(X, z) ** 2, z, Q), values, dps)
    x = (mpmath.sqrt(r / 2), mpmath.sqrt(3 * r / 2))
    return over_signs(
        lambda s: (w * s[0]) ** 2 * size + (v / mpmath.sqrt(2) * (s[1] * x[0] + s[2] * x[1]) + b * s[3]) ** 2,
        4,
    )


def _tied_step(phi: Activation, values: Values, dps: int) -> Any:
    """E h_t h_s after a step with the same weights at both times, over their signs; inputs (1, 1) and (1, 2 r - 1)."""
    w, v, b, overlap = numbers(values, dps, SIGMA_W, SIGMA_V, SIGMA_B, INPUT_OVERLAP)
    one, two = Symbol("z_1", real=True), Symbol("z_2", real=True)
    pair = Expectation(phi.expr.subs(X, one) * phi.expr.subs(X, two), (one, two), (Q1, Q2, RHO))
    product = evaluate(pair, values, dps)

    def moved(s: tuple[int, ...]) -> Any:
        first, second = (v / mpmath.sqrt(2) * (s[0] + s[1] * x) + b * s[2] for x in (1, 2 * overlap - 1))
        return (w * s[3]) ** 2 * product + first * second

    return over_signs(moved, 4)
