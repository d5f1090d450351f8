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

from sympy import Derivative, Eq, Expr, Symbol, exp

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.kernel import Q1, Q2, RHO, SIGMA_B, SIGMA_W, expectation

SIGMA_V = Symbol("sigma_v", nonnegative=True)
MU_B = Symbol("mu_b", real=True)
R = Symbol("R", positive=True)  # E x^2 of the input
Q = Symbol("q", positive=True)  # variance of the gate's pre-activation
MEMORY = Symbol("Q", positive=True)  # E h^2
INPUT_OVERLAP = Symbol("r", real=True)  # x_t . x_s / N

_GATED = (
    "the width goes to infinity",
    "fresh weights at each time step (untied); inputs independent in time",
)


def gate() -> Expr:
    """The update gate u = sigmoid(mu_b + x), x ~ N(0, q)."""
    return 1 / (1 + exp(-(MU_B + X)))


def gate_moments() -> tuple[Expr, Expr, Expr]:
    """E u^2, E (1 - u)^2 and E u'^2 over N(mu_b, q)."""
    u = gate()
    return tuple(Expectation(f, X, Q) for f in (u**2, (1 - u) ** 2, (u * (1 - u)) ** 2))  # type: ignore[return-value]


def forgotten() -> Expr:
    """1 - E u^2 as E (1 - u) (1 + u), in a form that keeps its digits where the gate is nearly closed (u next to 1)."""
    shut = 1 / (1 + exp(MU_B + X))  # 1 - u
    return Expectation(shut * (1 + gate()), X, Q)


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
    u, shut = gate(), 1 / (1 + exp(MU_B + X))
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


def vanilla_variance(activation: str | Activation) -> Expr:
    """Next variance sigma_w^2 E phi^2 + sigma_v^2 R + sigma_b^2."""
    phi = Activation.of(activation)
    return SIGMA_W**2 * Expectation(phi.expr**2, X, Q).doit() + SIGMA_V**2 * R + SIGMA_B**2


def two_time(activation: str | Activation) -> Expr:
    """C(t, s) of tied weights from variances q_1, q_2 and correlation rho one step earlier (t != s)."""
    overlap = expectation(Activation.of(activation).expr).doit()
    return SIGMA_W**2 * overlap + SIGMA_V**2 * INPUT_OVERLAP + SIGMA_B**2


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The gated mean field (fixed activations) and the vanilla one for `activation`.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive()["memory"].kind
    'identity'
    """
    kept, written, _ = gate_moments()
    gate_point = {
        MU_B: (-1.0, 2.0),
        Q: (0.3, 3.0),
        R: (0.3, 1.0),
        MEMORY: (0.2, 1.0),
        SIGMA_W: (0.5, 3.0),
        SIGMA_V: (0.5, 1.5),
    }
    phi = Activation.of(activation)
    pair = {
        Q1: (0.3, 2.0),
        Q2: (0.3, 2.0),
        RHO: (-0.9, 0.9),
        SIGMA_W: (0.5, 2.0),
        SIGMA_V: (0.5, 1.5),
        SIGMA_B: (0.1, 1.0),
    }
    source = "chen2018dynamical"
    square = (gate() * (1 - gate())) ** 2
    steps = (
        Step(
            "memory",
            Eq(stationary_memory(), kept * stationary_memory() + written * R, evaluate=False),
            "stationarity of E h_t^2; h and x are independent, and of the gate",
            source=f"{source}, eq. (4)",
            domain=gate_point,
        ),
        Step(
            "gate-variance",
            Eq(Symbol("q_star", positive=True), gate_variance(), evaluate=False),
            "W h + V x is a sum of many independent terms",
            source=f"{source}, eq. (5)",
            domain=gate_point,
            kind="definition",
        ),
        Step(
            "memory-slope",
            Eq(
                Derivative(next_memory().subs(Q, gate_variance()), MEMORY),
                memory_slope().subs(Q, gate_variance()),
                evaluate=False,
            ),
            "the gate's variance moves with E h^2, and averages over it by Stein's identity",
            source=f"{source}, eq. (4); stein1981estimation",
            domain=gate_point,
        ),
        Step(
            "gate-slope",
            Eq(
                Expectation(Derivative(gate(), X).doit() ** 2, X, Q),
                Expectation(square, X, Q),
                evaluate=False,
            ),
            "the slope of the sigmoid is u (1 - u)",
            source=source,
            domain=gate_point,
        ),
        Step(
            "gradient",
            Eq(Symbol("chi_1", positive=True), gated_chi_1(), evaluate=False),
            "dh_t/dh_(t-1) = u + (h_(t-1) - x_t) u' W, whose two parts are uncorrelated",
            source=f"{source}, eq. (9)",
            domain=gate_point,
            kind="definition",
        ),
        Step(
            "two-time",
            Eq(
                Symbol("C(t,s)", real=True),
                SIGMA_W**2 * expectation(phi.expr) + SIGMA_V**2 * INPUT_OVERLAP + SIGMA_B**2,
                evaluate=False,
            ),
            "tied weights act alike at both times: the pair (t, s) is a pair of inputs to a network of fresh layers",
            source="alemohammad2021recurrent",
            domain={**pair, INPUT_OVERLAP: (-0.5, 0.5)},
            kind="definition",
        ),
    )
    return Derivation(f"Mean field of a gated network, and of a vanilla one with {phi.name}", steps, _GATED)
