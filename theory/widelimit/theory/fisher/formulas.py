"""Eigenvalues of the Fisher information of wide networks: mean, second moment, largest.

The network has layers 1..L with widths M_l = alpha_l M (M_0 the input), a linear output layer of C units, C small;
F = 1/T sum_t sum_k grad f_k(x_t) grad f_k(x_t)' over T independent inputs, for parameters in the standard
parametrisation (the variance sits in the weights; numbers differ from the tangent kernel's by factors of the width).
F shares its non-zero eigenvalues with a TC x TC matrix which in the limit is, for each output, constant on the
diagonal and off it: one eigenvalue along the mean over samples and T - 1 equal ones across it, from which everything
follows. The former is the largest unless kappa_2 is negative. How finite width spreads the others: `spread`.
"""

from __future__ import annotations

from sympy import Eq, Expr, IndexedBase, Max, Sum, Symbol, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.fisher import checks
from widelimit.theory.fisher.spread import SAMPLES
from widelimit.theory.fisher.spread import steps as spread_steps
from widelimit.theory.kernel import Q1, Q2, RHO, SIGMA_B, SIGMA_W, expectation, slope

KAPPA_1 = Symbol("kappa_1", positive=True)
KAPPA_2 = Symbol("kappa_2", real=True)  # negative where the samples' mean is taken out
ALPHA = Symbol("alpha", positive=True)
WIDTH = Symbol("M", positive=True)
OUTPUTS = Symbol("C", positive=True)
W, W_ZETA = Symbol("w", positive=True), Symbol("w_zeta", positive=True)
MOMENT = Symbol("v", positive=True)  # mean square of an input's components

_ASSUMPTIONS = (
    "widths go to infinity in proportion; the number of outputs stays finite",
    "inputs are independent; the gradient of a layer is independent of its activities",
    "bias gradients are left out: they add sum_l qtilde^l / sum_l alpha_(l-1) qtilde^l qhat^(l-1) / M relative "
    "to the rest",
)


def outlier() -> Expr:
    """The eigenvalue along the mean over samples, C times degenerate: alpha M ((T-1) kappa_2 + kappa_1) / T."""
    return ALPHA * WIDTH * ((SAMPLES - 1) * KAPPA_2 + KAPPA_1) / SAMPLES


def bulk() -> Expr:
    """The other non-zero eigenvalue, C (T - 1) times degenerate: alpha M (kappa_1 - kappa_2) / T."""
    return ALPHA * WIDTH * (KAPPA_1 - KAPPA_2) / SAMPLES


def largest() -> Expr:
    """The larger of the two: `outlier` where kappa_2 >= 0, `bulk` where it is negative."""
    return Max(outlier(), bulk())


def smallest_overlap() -> Expr:
    """-v / (T - 1): T inputs of mean square v whose pairs all overlap by less do not exist (their sum has a length)."""
    return -MOMENT / (SAMPLES - 1)


def parameters() -> Expr:
    """The number of weights, alpha M^2, to leading order."""
    return ALPHA * WIDTH**2


def mean() -> Expr:
    """The mean eigenvalue kappa_1 C / M (karakida2019universal, theorem 1)."""
    return KAPPA_1 * OUTPUTS / WIDTH


def second_moment() -> Expr:
    """The mean squared eigenvalue alpha C ((T-1)/T kappa_2^2 + kappa_1^2/T) (karakida2019universal, theorem 3)."""
    return ALPHA * OUTPUTS * ((SAMPLES - 1) * KAPPA_2**2 + KAPPA_1**2) / SAMPLES


def condition_number() -> Expr:
    """The larger over the smaller of the two, ((T-1) kappa_2 + kappa_1) / (kappa_1 - kappa_2) where kappa_2 >= 0."""
    ratio = ((SAMPLES - 1) * KAPPA_2 + KAPPA_1) / (KAPPA_1 - KAPPA_2)
    return Max(ratio, 1 / ratio)


def largest_learning_rate(eigenvalue: Expr | None = None) -> Expr:
    """2 / largest eigenvalue: above it gradient descent on the mean squared loss is unstable
    (karakida2019universal, sec. 4). `eigenvalue`: the largest, by default `largest` of the limit.
    """
    return 2 / (largest() if eigenvalue is None else exact.plain("eigenvalue", eigenvalue))


def layer_gain(weights: str = "gaussian") -> Expr:
    """sigma_w^2 w zeta: what a layer multiplies z(m) of J J' by, w = E d / (zeta - d) = (C / M_l) m, d = phi'^2
    (pennington2018emergence, eq. (14), for C outputs); over 1 + w for square orthogonal weights.
    """
    exact.one_of("weights", weights, ("gaussian", "orthogonal"))
    gain = SIGMA_W**2 * W_ZETA
    return gain / (1 + W) if weights == "orthogonal" else gain


def kappa() -> Expr:
    """sum_l alpha_(l-1)/alpha qtilde^l qhat^(l-1): kappa_1 with the statistics of one input, kappa_2 with
    those of two.
    """
    layer, depth = Symbol("l", integer=True), Symbol("L", integer=True, positive=True)
    width, backward, forward = IndexedBase("alpha"), IndexedBase("qtilde"), IndexedBase("qhat")
    return Sum(width[layer - 1] / ALPHA * backward[layer] * forward[layer - 1], (layer, 1, depth))


def derive(activation: str | Activation = "relu") -> Derivation:
    """The recursions behind kappa_1 and kappa_2 for `activation`, and what they say about the eigenvalues of F.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("tanh").result.lhs
    eta_max
    """
    phi = Activation.of(activation)
    q, q_next, qhat, qtilde = symbols("q^l q^(l+1) qhat^l qtilde^(l+1)", positive=True)
    q_back = Symbol("qtilde^l", positive=True)
    lambda_max, lambda_min, eta = symbols("lambda_max lambda_min eta_max", positive=True)
    one, pair = (
        {q: (0.3, 2.0), qtilde: (0.2, 1.0), qhat: (0.2, 1.0)},
        {Q1: (0.3, 2.0), Q2: (0.3, 2.0), RHO: (-0.9, 0.9)},
    )
    scales = {SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0)}
    eigenvalues = {
        KAPPA_1: (1.0, 2.0),
        KAPPA_2: (-0.02, 0.9),
        ALPHA: (1.0, 4.0),
        WIDTH: (100.0, 1000.0),
        OUTPUTS: (1.0, 5.0),
        SAMPLES: (5, 12),
    }
    source = "karakida2019universal"
    trace = OUTPUTS * (outlier() + (SAMPLES - 1) * bulk())
    square = OUTPUTS * (outlier() ** 2 + (SAMPLES - 1) * bulk() ** 2)
    steps = (
        Step(
            "forward",
            Eq(q_next, SIGMA_W**2 * Expectation(phi.expr**2, X, q) + SIGMA_B**2, evaluate=False),
            "pre-activations are sums of many independent terms",
            source=f"{source}, eq. (6)",
            domain={**one, **scales},
            kind="definition",
        ),
        Step(
            "forward-pair",
            Eq(Symbol("qhat_st^l", real=True), expectation(phi.expr), evaluate=False),
            "two different inputs give jointly Gaussian pre-activations",
            source=f"{source}, eq. (7)",
            domain=pair,
            kind="definition",
        ),
        Step(
            "backward",
            Eq(q_back, SIGMA_W**2 * qtilde * Expectation(slope(phi) ** 2, X, q), evaluate=False),
            "weights of the forward and backward pass are taken as independent",
            source=f"{source}, eq. (9)",
            domain={**one, **scales},
            kind="definition",
        ),
        Step(
            "backward-pair",
            Eq(
                Symbol("qtilde_st^l", real=True),
                SIGMA_W**2 * qtilde * expectation(slope(phi)),
                evaluate=False,
            ),
            "the same for the product of the gradients of two inputs",
            source=f"{source}, eq. (10)",
            domain={**pair, **one, **scales},
            kind="definition",
        ),
        Step(
            "largest",
            Eq(lambda_max, largest(), evaluate=False),
            "per output, the Gram matrix of the gradients is alpha M / T times kappa_1 on the diagonal, kappa_2 off it",
            source=f"{source}, theorem 4",
            domain=eigenvalues,
            left=checks.largest,
        ),
        Step(
            "mean",
            Eq(trace / parameters(), mean(), evaluate=False),
            "the trace over the number of parameters",
            source=f"{source}, theorem 1",
            domain=eigenvalues,
        ),
        Step(
            "second-moment",
            Eq(square / parameters(), second_moment(), evaluate=False),
            "the trace of the square over the number of parameters",
            source=f"{source}, theorem 3",
            domain=eigenvalues,
        ),
        Step(
            "condition-number",
            Eq(lambda_max / lambda_min, condition_number(), evaluate=False),
            "one eigenvalue along the mean over samples, T - 1 equal ones across it",
            source=source,
            domain=eigenvalues,
            left=checks.condition_number,
        ),
        *spread_steps(),
        Step(
            "learning-rate",
            Eq(eta, largest_learning_rate(), evaluate=False),
            "near a minimum the Hessian of the mean squared loss is F; steps are stable below 2 / lambda_max",
            source=f"{source}, section 4",
            domain=eigenvalues,
            left=checks.learning_rate,
        ),
    )
    return Derivation(f"Fisher information of {phi.name} networks", steps, _ASSUMPTIONS)
