"""`derive`: from the statistics of one layer to the eigenvalues of the Fisher matrix and how width spreads them."""

from __future__ import annotations

from functools import partial

from sympy import Eq, IndexedBase, Sum, Symbol, symbols

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.fisher import checks
from widelimit.theory.fisher import formulas as f
from widelimit.theory.fisher.spread_steps import steps as spread_steps
from widelimit.theory.kernel import Q1, Q2, RHO, SIGMA_B, SIGMA_W, expectation, slope

SOURCE = "karakida2019universal"
_ASSUMPTIONS = (
    "widths go to infinity in proportion; the number of outputs stays finite",
    "inputs are independent; the gradient of a layer is independent of its activities",
    "bias gradients are left out: bias-share says what they would add",
)
_SCALES = {SIGMA_W: (0.5, 2.0), SIGMA_B: (0.1, 1.0)}
_PAIR = {Q1: (0.3, 2.0), Q2: (0.3, 2.0), RHO: (-0.9, 0.9)}
_EIGENVALUES = {
    f.KAPPA_1: (1.0, 2.0),
    f.KAPPA_2: (-0.02, 0.9),
    f.ALPHA: (1.5, 4.0),
    f.WIDTH: (100.0, 1000.0),
    f.OUTPUTS: (1, 5),
    f.SAMPLES: (5, 12),
}


def derive(activation: str | Activation = "relu") -> Derivation:
    """The recursions behind kappa_1 and kappa_2 for `activation`, and what they say about the eigenvalues of F.

    Args:
        activation: a catalogue name or an expression in x.

    >>> derive("tanh").result.lhs
    eta_max
    """
    phi = Activation.of(activation)
    steps = (*_layers(phi), *_network(), *_eigenvalues(), *_outputs(), *spread_steps(), _learning_rate())
    return Derivation(f"Fisher information of {phi.name} networks", steps, _ASSUMPTIONS)


def _layers(phi: Activation) -> tuple[Step, ...]:
    """Up and down one layer."""
    q, q_next, above = symbols("q^l q^(l+1) qtilde^(l+1)", positive=True)
    above_pair = Symbol("qtilde_st^(l+1)", real=True)
    prime = slope(phi)
    one = {q: (0.3, 2.0), **_SCALES}
    return (
        Step(
            "forward",
            Eq(q_next, f.pre_activation().subs(f.FORWARD, Expectation(phi.expr**2, X, q)), evaluate=False),
            "pre-activations are sums of many independent terms",
            source=f"{SOURCE}, eq. (6)",
            domain=one,
            left=partial(checks.forward, phi),
        ),
        Step(
            "forward-pair",
            Eq(Symbol("qhat_st^l", real=True), expectation(phi.expr), evaluate=False),
            "two different inputs give jointly Gaussian pre-activations",
            source=f"{SOURCE}, eq. (7)",
            domain=_PAIR,
            kind="notation",
        ),
        Step(
            "backward",
            Eq(
                Symbol("qtilde^l", positive=True),
                f.gradient_below().subs({f.BACKWARD: above, f.SLOPES: Expectation(prime**2, X, q)}),
                evaluate=False,
            ),
            "weights of the forward and backward pass are taken as independent",
            source=f"{SOURCE}, eq. (9)",
            domain={**one, above: (0.2, 1.0)},
            left=partial(checks.backward, prime),
        ),
        Step(
            "backward-pair",
            Eq(
                Symbol("qtilde_st^l", real=True),
                f.gradient_below().subs({f.BACKWARD: above_pair, f.SLOPES: expectation(prime)}),
                evaluate=False,
            ),
            "the same for the product of the gradients of two inputs",
            source=f"{SOURCE}, eq. (10)",
            domain={**_PAIR, **_SCALES, above_pair: (0.2, 1.0)},
            left=partial(checks.backward_pair, prime),
        ),
    )


def _network() -> tuple[Step, ...]:
    """Sums over the layers of a network."""
    layer, depth = Symbol("l", integer=True), Symbol("L", integer=True, positive=True)
    width, backward, forward = IndexedBase("alpha"), IndexedBase("qtilde"), IndexedBase("qhat")
    indexed = {
        f.WIDTH_RATIO: width[layer],
        f.BELOW_RATIO: width[layer - 1],
        f.BACKWARD: backward[layer],
        f.FORWARD: forward[layer - 1],
    }
    weights = Sum(f.layer_weights().subs(indexed), (layer, 1, depth - 1))
    kappa = Sum(f.layer_share().subs(indexed), (layer, 1, depth))
    return (
        Step(
            "alpha",
            Eq(f.ALPHA, weights, evaluate=False),
            "alpha M^2 weights lie below the hidden layers; those of a few outputs are few",
            source=SOURCE,
            left=checks.alpha,
            right=partial(checks.of_network, weights),
        ),
        Step(
            "kappa",
            Eq(f.KAPPA_1, kappa, evaluate=False),
            "the gradient by the weights of a layer is the product of the gradient above and the activities below: "
            "its square is qtilde^l M_(l-1) qhat^(l-1); kappa_2 is the same for two inputs",
            source=f"{SOURCE}, eq. (11)",
            left=checks.kappa,
            right=partial(checks.of_network, kappa),
        ),
        Step(
            "bias-share",
            Eq(Symbol("b", positive=True), f.bias_share(), evaluate=False),
            "the gradient by the biases of a layer is the gradient above; qtilde is its square, summed over layers",
            source=SOURCE,
            left=checks.bias_share,
            right=partial(checks.of_network, f.bias_share()),
        ),
        Step(
            "smallest-overlap",
            Eq(Symbol("s_min", real=True), f.smallest_overlap(), evaluate=False),
            "the sum of T inputs has the squared length T v + T (T - 1) s, which is not negative",
            domain={f.MOMENT: (0.3, 2.0), f.SAMPLES: (3, 9)},
            left=checks.smallest_overlap,
        ),
    )


def _eigenvalues() -> tuple[Step, ...]:
    """The spectrum of the Gram matrix, hence of F."""
    top, low = symbols("lambda_max lambda_min", positive=True)
    number = Symbol("P", positive=True)
    trace = f.OUTPUTS * (f.outlier() + (f.SAMPLES - 1) * f.bulk())
    square = f.OUTPUTS * (f.outlier() ** 2 + (f.SAMPLES - 1) * f.bulk() ** 2)
    return (
        Step(
            "largest",
            Eq(top, f.largest(), evaluate=False),
            "per output, the Gram matrix of the gradients is alpha M / T times kappa_1 on the diagonal, kappa_2 off it",
            source=f"{SOURCE}, theorem 4",
            domain=_EIGENVALUES,
            left=checks.largest,
        ),
        Step(
            "parameters",
            Eq(number, f.parameters(), evaluate=False),
            "F has as many eigenvalues as the network has weights",
            source=SOURCE,
            domain=_EIGENVALUES,
            left=checks.count,
        ),
        Step(
            "mean",
            Eq(trace / f.parameters(), f.mean(), evaluate=False),
            "the trace over the number of parameters",
            source=f"{SOURCE}, theorem 1",
            domain=_EIGENVALUES,
        ),
        Step(
            "second-moment",
            Eq(square / f.parameters(), f.second_moment(), evaluate=False),
            "the trace of the square over the number of parameters",
            source=f"{SOURCE}, theorem 3",
            domain=_EIGENVALUES,
        ),
        Step(
            "condition-number",
            Eq(top / low, f.condition_number(), evaluate=False),
            "one eigenvalue along the mean over samples, T - 1 equal ones across it",
            source=SOURCE,
            domain=_EIGENVALUES,
            left=checks.condition_number,
        ),
    )


def _outputs() -> tuple[Step, ...]:
    """What one layer does to the law of J J' of several outputs, where the slopes are 0 or 1."""
    place, trace, probability, aspect = symbols("z m p gamma", positive=True)
    gain = {kind: (1 + trace) / trace * f.layer_gain(kind) for kind in ("gaussian", "orthogonal")}
    domain = {SIGMA_W: (0.5, 2.0), trace: (0.1, 0.8), probability: (0.5, 0.9)}
    because = "z(m) of W D^2 W': slopes that are 1 with the probability p, else 0, have w zeta = w + p"
    return (
        Step(
            "gaussian-layer",
            Eq(
                place,
                gain["gaussian"].subs({f.W_ZETA: f.W + probability}).subs(f.W, aspect * trace),
                evaluate=False,
            ),
            f"{because}; w = gamma m, gamma = C / M",
            source="pennington2018emergence, eq. (14)",
            domain={**domain, aspect: (0.1, 0.45)},
            left=checks.gaussian_layer,
        ),
        Step(
            "orthogonal-layer",
            Eq(
                place, gain["orthogonal"].subs({f.W_ZETA: f.W + probability}).subs(f.W, trace), evaluate=False
            ),
            f"{because}; square orthogonal weights only rotate",
            source="pennington2018emergence, eq. (14)",
            domain=domain,
            left=checks.orthogonal_layer,
        ),
    )


def _learning_rate() -> Step:
    return Step(
        "learning-rate",
        Eq(Symbol("eta_max", positive=True), f.largest_learning_rate(), evaluate=False),
        "near a minimum the Hessian of the mean squared loss is F; steps are stable below 2 / lambda_max",
        source=f"{SOURCE}, section 4",
        domain=_EIGENVALUES,
        left=checks.learning_rate,
    )
