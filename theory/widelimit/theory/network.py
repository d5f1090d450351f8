"""Networks of finite width: how far the length of one draw lies from the mean, and what the first step changes.

Behind a layer of N units, ``x_l = phi(W x_{l-1} + b)``, the mean square ``|x_l|^2 / N`` of a draw has the mean E phi^2
and a relative variance of order 1/N, which grows with depth.

The first step of a network f = w_3 phi(W_2 phi(W_1 x)) with weights of variance sigma_w^2/fan-in, those of the output
of variance tau^2, on the gradient of f itself at one input, with a rate for each layer: how much the second layer's
units and the output change per unit of an infinitesimal rate, to leading order in the width path by path (through W_1,
W_2 and w_3). Adam's first step is the sign of the gradient. Parametrisations are choices of rates and of tau.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Abs, Eq, Expr, Integer, Poly, Rational, Symbol, fraction, oo, pi, sqrt, symbols, together

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.errors import InfiniteMomentError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W

Q = Symbol("q", positive=True)  # variance of the pre-activations
LENGTH = Symbol("V", positive=True)  # mean square behind the layer below
WIDTH = Symbol("N", positive=True)
SPREAD = Symbol("s", nonnegative=True)  # of phi^2, relative
SENSITIVITY = Symbol("kappa", real=True)  # d log V / d log of the length below
VARIANCE = Symbol("v", nonnegative=True)  # relative variance of the length below

PARAMETRISATIONS, OPTIMISERS = ("standard", "mu-p"), ("sgd", "adam")
D = Symbol("d", integer=True, positive=True)  # components of the input, all of mean square 1
RATES = symbols("r_1:4", positive=True)
TAU = Symbol("tau", positive=True)  # standard deviation of an output weight
V1, V2 = symbols("V_1 V_2", positive=True)  # E phi^2 of both hidden layers
A1, A2 = symbols("A_1 A_2", positive=True)  # E |phi|
P1, P2 = symbols("P_1 P_2", positive=True)  # E phi'^2
B1, B2 = symbols("B_1 B_2", positive=True)  # E |phi'|
F1 = Symbol("F_1", positive=True)  # E phi'^4 of the first
STEP_MOMENTS = (V1, A1, P1, B1, F1, V2, A2, P2, B2)
_ABS = sqrt(2 / pi)  # E |z|

_ASSUMPTIONS = (
    "weights of a layer are Gaussian, of variance sigma_w^2/fan-in, and independent of those below",
    "depth: to first order in one over the widths, exact where phi is homogeneous (ReLU) and there are no biases",
)

_STEP_ASSUMPTIONS = (
    "weights are independent and Gaussian, and those of the backward pass independent of the forward one",
    "the rate is infinitesimal: changes are linear in it",
)


def inner_variance() -> Expr:
    """Return the variance q = sigma_w^2 V + sigma_b^2 of the pre-activations."""
    return SIGMA_W**2 * LENGTH + SIGMA_B**2


def length(activation: str | Activation) -> Expr:
    """Return V' = E phi^2 at q.

    >>> length("relu")
    q/2
    """
    return Expectation(Activation.of(activation).expr ** 2, X, Q).doit()


def spread(activation: str | Activation) -> Expr:
    """Return E phi^4 / (E phi^2)^2 - 1 at q: N times the relative variance that a layer of N units adds.

    >>> spread("relu")
    5
    """
    phi = Activation.of(activation)
    return Expectation(phi.expr**4, X, Q).doit() / length(phi) ** 2 - 1


def sensitivity(activation: str | Activation) -> Expr:
    """Return d log V' / d log V = (E u phi phi' / E phi^2) (sigma_w^2 V / q), which passes on deviations of a length.

    Raises `InfiniteMomentError` for an activation that jumps.
    """
    phi = Activation.of(activation)
    first = phi.derivative(1)
    if first.deltas or first.divergent:
        raise InfiniteMomentError(f"{phi.name} jumps, so that its length map has no slope of this kind.")
    return Expectation(X * phi.expr * first.expr, X, Q).doit() / length(phi) * SIGMA_W**2 * LENGTH / Q


def next_variance() -> Expr:
    """Return (1 + kappa^2 v)(1 + s/N) - 1, the relative variance of a length behind one more layer.

    5/N for one layer of ReLU, and prod (1 + 5/N_l) - 1 for several.
    """
    return (1 + SENSITIVITY**2 * VARIANCE) * (1 + SPREAD / WIDTH) - 1


def sgd_hidden_square() -> Expr:
    """Return the mean square change of a unit of the second layer by a step of gradient descent.

    tau^2 P_2 [(r_2 N V_1 + r_1 d sigma_w^2 P_1)^2 + r_1^2 d^2 sigma_w^4 F_1 (N - 1)/N]: its own row of W_2, what W_1
    gives along it, and what other units stir.
    """
    r1, r2, _ = RATES
    along = r2 * WIDTH * V1 + r1 * D * SIGMA_W**2 * P1
    stirred = (r1 * D * SIGMA_W**2) ** 2 * F1 * (1 - 1 / WIDTH)
    return TAU**2 * P2 * (along**2 + stirred)


def sgd_output() -> Expr:
    """Return the change of the output, the tangent kernel.

    r_3 N V_2 + N tau^2 P_2 (r_2 N V_1 + r_1 d sigma_w^2 P_1): by its own weights, the second layer's, the first's.
    """
    r1, r2, r3 = RATES
    return r3 * WIDTH * V2 + WIDTH * TAU**2 * P2 * (r2 * WIDTH * V1 + r1 * D * SIGMA_W**2 * P1)


def adam_hidden_square() -> Expr:
    """Return the mean square change of a unit of the second layer by the signs of gradients.

    Its own row of W_2 moves it by r_2 N A_1, all of it along the gradient; W_1 moves it by r_1 d kappa along, kappa =
    sqrt(2/pi) sigma_w B_1, and by r_1 d sigma_w sqrt(P_1) otherwise.
    """
    r1, r2, _ = RATES
    own, along = r2 * WIDTH * A1, r1 * D * _ABS * SIGMA_W * B1
    return own**2 + 2 * own * along * _ABS * B2 / sqrt(P2) + along**2 + (r1 * D * SIGMA_W) ** 2 * P1


def adam_output() -> Expr:
    """Return the change of the output by the signs of gradients.

    r_3 N A_2 by its own weights, r_2 N^2 tau sqrt(2/pi) B_2 A_1 by the second layer's, and
    r_1 N d sqrt(2/pi) B_1 sigma_w tau sqrt(P_2) by the first's.
    """
    r1, r2, r3 = RATES
    second = r2 * WIDTH * A1 * WIDTH * TAU * _ABS * B2
    first = r1 * D * WIDTH * B1 * _ABS * SIGMA_W * TAU * sqrt(P2)
    return r3 * WIDTH * A2 + second + first


@exact.takes(
    parametrisation=partial(exact.one_of, options=PARAMETRISATIONS),
    optimiser=partial(exact.one_of, options=OPTIMISERS),
)
def first_step(parametrisation: str, optimiser: str) -> tuple[Expr, Expr]:
    """Return the mean square change of a hidden unit and the change of the output, as functions of the width N.

    "standard": tau = sigma_w/sqrt(N) and one rate; "mu-p" (yang2022tensor, table 3): tau = sigma_w/N, rates N, 1, 1/N
    of gradient descent and 1, 1/N, 1/N of Adam.

    >>> [str(power(one)) for one in first_step("standard", "adam")]
    ['2', '3/2']
    """
    square, output = (
        (sgd_hidden_square(), sgd_output()) if optimiser == "sgd" else (adam_hidden_square(), adam_output())
    )
    one = Integer(1)
    rates = (one, one, one)
    if parametrisation == "mu-p":
        rates = (WIDTH, one, 1 / WIDTH) if optimiser == "sgd" else (one, 1 / WIDTH, 1 / WIDTH)
    tau = SIGMA_W / (WIDTH if parametrisation == "mu-p" else sqrt(WIDTH))
    given = {**dict(zip(RATES, rates, strict=True)), TAU: tau}
    return square.subs(given), output.subs(given)


@exact.takes(formula=exact.plain)
def power(formula: Expr) -> Rewritten:
    """Return the power of N with which a formula grows.

    >>> power(WIDTH**2 / (1 + sqrt(WIDTH)))
    3/2
    """
    root = Symbol("n", positive=True)
    top, bottom = fraction(together(formula.subs(WIDTH, root**2)))
    return Rational(Poly(top, root).degree() - Poly(bottom, root).degree(), 2)


def step_moments(activation: str | Activation) -> tuple[Expr, ...]:
    """Return E phi^2, E |phi|, E phi'^2, E |phi'| and E phi'^4 at q.

    Raises `InfiniteMomentError` for an activation that jumps.
    """
    phi = Activation.of(activation)
    first = phi.derivative(1)
    if first.deltas or first.divergent:
        raise InfiniteMomentError(f"{phi.name} jumps, so that its gradients have no size.")
    integrands = (phi.expr**2, Abs(phi.expr), first.expr**2, Abs(first.expr), first.expr**4)
    return tuple(Expectation(one, X, Q).doit() for one in integrands)


def derive_first_step() -> Derivation:
    """Return the changes of the first step, held against networks of N linear units: of signs, and Gaussian ones."""
    domain = {WIDTH: (2, 2), SIGMA_W: (0.7, 1.5), TAU: (0.3, 0.9), D: (1, 1)}
    domain |= dict.fromkeys(RATES, (0.3, 1.5))
    linear = {V1: SIGMA_W**2, V2: SIGMA_W**4, P1: 1, P2: 1, F1: 1}
    steps = [
        Step(
            "sgd-output",
            Eq(Symbol("df"), sgd_output().subs(linear), evaluate=False),
            "the tangent kernel, layer by layer; mean over all signs of linear networks of N units",
            source="yang2022tensor",
            domain=domain,
            left=partial(_signs, False),
        ),
        Step(
            "sgd-hidden",
            Eq(Symbol("dh^2"), sgd_hidden_square().subs(linear), evaluate=False),
            "W_2 W_2' has N along a unit and independent signs beside it; the same networks",
            domain=domain,
            left=partial(_signs, True),
        ),
    ]
    square = SIGMA_W**2
    known = {
        A1: SIGMA_W * _ABS, A2: square * _ABS, **dict.fromkeys((P1, P2, B1, B2, D), 1)
    }  # of linear units  # fmt: skip
    hidden, output = (one.subs(known) for one in first_step("mu-p", "adam"))
    steps += [
        Step(
            f"adam-{name}",
            Eq(Symbol(change), formula, evaluate=False),
            "signs of gradients that are Gaussian, path by path, in mu-P; linear networks of N units, N to infinity",
            source="yang2022tensor",
            domain={SIGMA_W: (0.7, 1.5)},
            kind="limit",
            limit=(WIDTH, oo, 1),
            left=left,
        )
        for name, change, formula, left in (
            ("output", "df", output, _adam_output),
            ("hidden", "dh^2", hidden, _adam_hidden),
        )
    ]
    steps += [
        Step(
            f"moment-{name}",
            Eq(Symbol(name), formula, evaluate=False),
            "an average over a unit, here of ReLU",
            domain={Q: (0.5, 2.0)},
            left=partial(_moment_of_relu, place),
        )
        for place, (name, formula) in enumerate(
            zip(
                ("E_phi_2", "E_abs_phi", "E_slope_2", "E_abs_slope", "E_slope_4"),
                step_moments("relu"),
                strict=True,
            )
        )
    ]
    return Derivation("The first step of training", tuple(steps), _STEP_ASSUMPTIONS)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The relative variance of a drawn length, layer by layer.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("relu")["spread"].equation.rhs
    5
    """
    phi = Activation.of(activation)
    inner = {Q: (0.5, 2.0)}
    steps = (
        Step(
            "inner-variance",
            Eq(Q, inner_variance(), evaluate=False),
            "a sum of independent terms, here of two units of mean square V",
            domain={SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0), LENGTH: (0.5, 2.0)},
            left=_inner,
        ),
        Step(
            "length",
            Eq(Symbol("V'"), length(phi), evaluate=False),
            "units of a layer are independent, given the layer below",
            domain=inner,
            left=partial(_power, phi, 2),
        ),
        Step(
            "spread",
            Eq(SPREAD, spread(phi), evaluate=False),
            "N times the relative variance of a mean of N squares; here of two units",
            source="hanin2018start",
            domain=inner,
            left=partial(_pair, phi),
        ),
        Step(
            "sensitivity",
            Eq(SENSITIVITY, sensitivity(phi), evaluate=False),
            "the length map differentiated in logarithms",
            domain={**inner, SIGMA_W: (0.5, 1.0), LENGTH: (0.1, 0.4)},
            left=partial(_slope, phi),
        ),
        Step(
            "next-variance",
            Eq(Symbol("v'"), next_variance(), evaluate=False),
            "deviations below are passed on by kappa, to first order; those of the layer are independent of them",
            source="hanin2018start",
            domain={SENSITIVITY: (0.3, 1.5), VARIANCE: (0.01, 0.1), SPREAD: (1.0, 5.0), WIDTH: (50, 100)},
            left=_compounded,
        ),
    )
    return Derivation(f"Lengths of drawn networks with {phi.name}", steps, _ASSUMPTIONS)


# --- evidence


def _signs(hidden: bool, values: Values, dps: int) -> Any:
    """Changes by one step of f = w' W x of N linear units in two layers, over all signs of the weights."""
    w, tau, *rates = numbers(values, dps, SIGMA_W, TAU, *RATES)
    n = int(values[WIDTH])
    r1, r2, r3 = rates

    def changed(s: tuple[int, ...]) -> Any:
        first = [w * one for one in s[:n]]  # of the one input 1
        second = [[w * one / mpmath.sqrt(n) for one in s[n + n * i : 2 * n + n * i]] for i in range(n)]
        last = [tau * one for one in s[n + n * n :]]
        below = [sum(second[k][j] * last[k] for k in range(n)) for j in range(n)]
        length = sum(one**2 for one in first)
        moves = [
            r2 * last[i] * length + r1 * sum(second[i][j] * below[j] for j in range(n)) for i in range(n)
        ]
        if hidden:
            return sum(one**2 for one in moves) / n
        units = [sum(second[i][j] * first[j] for j in range(n)) for i in range(n)]
        return r3 * sum(one**2 for one in units) + sum(a * b for a, b in zip(last, moves, strict=True))

    return over_signs(changed, n * (n + 2))


def _chi(n: Any) -> Any:
    """E |z| of n standard normal numbers, over n^(1/2)."""
    return mpmath.sqrt(2 / n) * mpmath.gammaprod([(n + 1) / 2], [n / 2])


def _adam_output(values: Values, dps: int) -> Any:
    """Rates 1, 1/N, 1/N and tau = sigma/N of N Gaussian linear units in two layers, exactly.

    Units of the second layer are Gaussian given the length of the first, what comes back to the first given that of the
    output weights.
    """
    w, n = numbers(values, dps, SIGMA_W, WIDTH)
    size = mpmath.sqrt(2 / mpmath.pi)
    return w**2 * (2 * size * _chi(n) + size**2)


def _adam_hidden(values: Values, dps: int) -> Any:
    """The same for a unit: a row of W_2 along all units below, and what their changes r_1 sign(b) make, b = W_2' w_3.

    E W_ij sign(b_j) given w_3 is (2/pi)^(1/2) sigma/N^(1/2) times a coordinate of its direction.
    """
    w, n = numbers(values, dps, SIGMA_W, WIDTH)
    size = 2 / mpmath.pi
    own = w**2 * (size + (1 - size) / n)
    coordinate = mpmath.gammaprod([n / 2], [(n + 1) / 2]) / mpmath.sqrt(mpmath.pi)  # E |u_1| on the sphere
    along = w**2 * size * mpmath.sqrt(n) * coordinate
    return own + 2 * along + w**2 * (1 + (n - 1) / n * size)


def _moment_of_relu(place: int, values: Values, dps: int) -> Any:
    (q,) = numbers(values, dps, Q)
    of = (lambda u: u**2, abs, lambda u: 1, lambda u: 1, lambda u: 1)[place]
    return over_unit(lambda u: of(u) if u > 0 else mpmath.mpf(0), q)


def _inner(values: Values, dps: int) -> Any:
    w, b, v = numbers(values, dps, SIGMA_W, SIGMA_B, LENGTH)
    x = (mpmath.sqrt(v / 2), mpmath.sqrt(3 * v / 2))
    return over_signs(lambda s: (w / mpmath.sqrt(2) * (s[0] * x[0] + s[1] * x[1]) + s[2] * b) ** 2, 3)


def _power(phi: Activation, order: int, values: Values, dps: int) -> Any:
    (q,) = numbers(values, dps, Q)
    f, breaks = by_number(phi.expr, dps)
    return over_unit(lambda u: f(u) ** order, q, breaks)


def _pair(phi: Activation, values: Values, dps: int) -> Any:
    """Twice the relative variance of the mean of two independent squares, all four of their products summed."""
    means = {0: 1, 2: _power(phi, 2, values, dps), 4: _power(phi, 4, values, dps)}
    square = sum(means[2 * (i + j)] * means[4 - 2 * (i + j)] for i in (0, 1) for j in (0, 1)) / 4
    return 2 * (square / means[2] ** 2 - 1)


def _slope(phi: Activation, values: Values, dps: int) -> Any:
    q, w, v = numbers(values, dps, Q, SIGMA_W, LENGTH)
    f, breaks = by_number(phi.expr, dps)
    bias = q - w**2 * v

    def log_length(log_below: Any) -> Any:
        inside = w**2 * mpmath.exp(log_below) + bias
        return mpmath.log(over_unit(lambda u: f(u) ** 2, inside, breaks))

    return mpmath.diff(log_length, mpmath.log(v))


def _compounded(values: Values, dps: int) -> Any:
    kappa, v, s, n = numbers(values, dps, SENSITIVITY, VARIANCE, SPREAD, WIDTH)
    below, here = kappa * mpmath.sqrt(v), mpmath.sqrt(s / n)
    return over_signs(lambda e: ((1 + e[0] * below) * (1 + e[1] * here)) ** 2, 2) - 1
