"""`derive`: conservation of flow, its size, and when a layer is pruned away."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from sympy import Derivative, Eq, Expr, Max, Min, Mul, Piecewise, Rational, Symbol, log

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.meanfield import q
from widelimit.theory.pruning import checks
from widelimit.theory.pruning import formulas as f

TANAKA, HE = "tanaka2020pruning", "he2015delving"
_SCALE = {f.SIGMA: (0.5, 2.0)}
_LAYER = {f.COUNT: (3, 6), f.SHARE: (0.05, 0.7)}
_ASSUMPTIONS = (
    "activations are homogeneous, phi(a h) = a phi(h) for a > 0, except in `flow-passed`",
    "batch normalisation divides by the standard deviation of the batch, without a constant beside it",
)
_H, _A = Symbol("h", real=True), Symbol("a", positive=True)
_WIDTHS = (2, 3, 2)
_EPSILON = Symbol("epsilon", positive=True)
_LOGS = (log(f.MEAN * (1 + _EPSILON)) + log(f.MEAN * (1 - _EPSILON))) / 2


def derive() -> Derivation:
    """Where scores w dR/dw are conserved, how large the flow of abs(W) is, and at which compression a layer is empty.

    >>> derive()["layer-total"].equation
    Eq(S_W^{1}, R)
    """
    steps = (*_laws(), *_sizes(), *_thresholds(), *_counts(), *_schedules())
    return Derivation("Synaptic flow and the collapse of layers", steps, _ASSUMPTIONS)


def _laws() -> tuple[Step, ...]:
    name = Symbol
    return (
        Step(
            "homogeneous",
            Eq(_H * Piecewise((1, _H > 0), (_A, True)), Max(_H, 0) + _A * Min(_H, 0), evaluate=False),
            "Euler's theorem for a piecewise linear activation: h phi'(h) = phi(h)",
            source=f"{TANAKA}, theorem 1",
            domain={_H: (-2.0, 2.0), _A: (0.1, 0.9)},
        ),
        Step(
            "unit-law",
            Eq(name("S_in"), name("S_out"), evaluate=False),
            "h dR/dh is the sum of scores into a unit, its bias included; phi(h) dR/dphi is that of scores out of it",
            source=f"{TANAKA}, theorem 1",
            domain=_SCALE,
            left=checks.unit_in,
            right=checks.unit_out,
        ),
        Step(
            "cut-law",
            Eq(name("S_W^{1}") + name("S_b^{1}"), name("S_W^{2}"), evaluate=False),
            "the unit law, summed over the units of a layer: biases add flow",
            source=f"{TANAKA}, theorem 2",
            domain=_SCALE,
            left=checks.first_cut,
            right=checks.second_cut,
        ),
        Step(
            "output",
            Eq(
                name("S_W^{L}") + name("S_b^{L}"),
                name("y") * Derivative(name("R"), name("y")),
                evaluate=False,
            ),
            "the last cut is at the output",
            source=f"{TANAKA}, theorem 2",
            domain=_SCALE,
            left=checks.all_of_second,
            right=checks.output_flow,
        ),
        Step(
            "before-normalisation",
            Eq(1 + name("S_W"), Rational(1), evaluate=False),
            "normalising a batch undoes any scale of the weights before it: they carry no flow",
            domain=_SCALE,
            left=checks.before_norm,
        ),
        Step(
            "normalisation",
            Eq(name("S_gamma") + name("S_beta"), name("S_next"), evaluate=False),
            "gain and shift are a layer with bias, and carry it all",
            domain=_SCALE,
            left=checks.of_norm,
            right=checks.after_norm,
        ),
        Step(
            "flow-passed",
            Eq(Symbol("S_W"), f.flow_passed(checks.BENT), evaluate=False),
            "E h phi(h) phi'(h) over E phi(h)^2: the weights behind are independent, so that units do not mix",
            domain={q: (0.3, 3.0)},
            left=checks.passed,
        ),
        Step(
            "gradient-flow",
            Eq(Derivative(name("w_2"), name("tau")), -2 * name("S_W^{2}"), evaluate=False),
            "d|W|^2/d tau = 2 W dW/d tau = -2 W dR/dW along the gradient flow: equal for all layers, w_2 = |W_2|^2",
            source=f"{TANAKA}, section 4",
            domain=_SCALE,
            left=checks.length_change,
            right=checks.of_length,
        ),
    )


def _sizes() -> tuple[Step, ...]:
    layer = {f.UNITS: (2, 5), f.FAN_IN: (2, 5), f.GAIN: (1.0, 3.0)}
    return (
        Step(
            "layer-total",
            Eq(Symbol("S_W^{1}"), Symbol("R"), evaluate=False),
            "R = 1' prod abs(W_l) 1 is linear in the sizes of the weights of each layer",
            source=f"{TANAKA}, section 6",
            domain=_SCALE,
            left=checks.layer_score,
            right=checks.whole_flow,
        ),
        Step(
            "equal-totals",
            Eq(Symbol("S_W^{2}"), Symbol("S_W^{1}"), evaluate=False),
            "the same for every layer: the average score of a weight is R / N_l",
            source=f"{TANAKA}, section 6",
            domain=_SCALE,
            left=checks.second_layer_score,
            right=checks.layer_score,
        ),
        Step(
            "maximal",
            Eq(Symbol("rho_max"), f.maximal_compression(), evaluate=False),
            "the last weight of a layer has the score R, at least the mean of any other layer: it is never the least, "
            "so that scores which are renewed after each removal leave one weight a layer",
            source=f"{TANAKA}, theorem 3",
            domain={f.TOTAL: (12, 12), f.LAYERS: (2, 2)},
            left=checks.removed_one_by_one,
        ),
        Step(
            "mean-size",
            Eq(Symbol("E_w", positive=True), f.mean_size(), evaluate=False),
            "the mean size of a Gaussian weight",
            domain=_SCALE,
            left=checks.mean_of_size,
        ),
        Step(
            "scale",
            Eq(f.SIGMA, f.weight_scale(), evaluate=False),
            "as many weights as a unit has inputs have the summed variance `gain`, 2 for ReLU",
            source=f"{HE}, eq. (10)",
            domain={f.FAN_IN: (2, 5), f.GAIN: (1.0, 3.0)},
            left=checks.scale_of_sum,
        ),
        Step(
            "growth",
            Eq(Symbol("c", positive=True), f.layer_growth(), evaluate=False),
            "n_{l-1} incoming sizes for each of n_l units, over the n_{l-1} numbers that they act on",
            domain=layer,
            left=checks.mean_growth,
        ),
        Step(
            "flow",
            Eq(Symbol("E_R", positive=True), _mean_flow(_WIDTHS), evaluate=False),
            "layers are independent: the mean of the product is the product of means; here 2, 3 and 2 units",
            domain={f.GAIN: (1.0, 3.0)},
            left=partial(checks.mean_flow, _WIDTHS),
        ),
        Step(
            "overflow",
            Eq(Symbol("D"), f.overflow_depth(), evaluate=False),
            "a flow that starts at n and grows by exp(mu) a layer; mu = log(2 sqrt(n/pi)) at equal widths by He",
            domain={f.UNITS: (2, 9), f.RATE: (0.5, 2.0), f.LARGEST: (100.0, 900.0)},
            left=checks.depth_of_overflow,
        ),
    )


def _mean_flow(widths: tuple[int, ...]) -> Expr:
    grown = (f.layer_growth().subs({f.FAN_IN: below, f.UNITS: units}) for below, units in pairwise(widths))
    return Mul(widths[0], *grown)


def _thresholds() -> tuple[Step, ...]:
    normal = {f.SIGMA: (0.5, 2.0), f.THRESHOLD: (0.3, 2.0)}
    return (
        Step(
            "share",
            Eq(f.SHARE, f.share_above(), evaluate=False),
            "pruning by magnitude keeps the two tails of the normal law",
            domain=normal,
            left=checks.tail,
        ),
        Step(
            "layer-survives",
            Eq(Symbol("P_l"), f.layer_survives(), evaluate=False),
            "a layer is empty if none of its independent weights is above the threshold",
            domain=_LAYER,
            left=checks.any_above,
        ),
        Step(
            "collapse-density",
            Eq(
                Symbol("f_l"),
                f.collapse_density().subs(f.SHARE, f.share_above()),
                evaluate=False,
            ),
            "the derivative of the probability that the largest weight is below t",
            domain={**normal, f.COUNT: (3, 6)},
            left=checks.largest_density,
        ),
        Step(
            "kept-mean",
            Eq(f.MEAN, f.kept_mean(), evaluate=False),
            "a binomial number, given that it is not 0",
            domain=_LAYER,
            left=checks.mean_above,
        ),
        Step(
            "kept-variance",
            Eq(f.VARIANCE, f.kept_variance().subs(f.MEAN, f.kept_mean()), evaluate=False),
            "E K^2 = N p (1 - p + N p) / P = m (1 - p + N p), less the square of the mean",
            domain=_LAYER,
            left=checks.variance_above,
        ),
        Step(
            "log-kept",
            Eq(
                _LOGS,
                f.log_kept().subs(f.VARIANCE, _EPSILON**2 * f.MEAN**2),
                evaluate=False,
            ),
            "the logarithm to second order in the spread: of m (1 + e) and m (1 - e) to fourth",
            kind="limit",
            limit=(_EPSILON, 0, 4),
            domain={f.MEAN: (2.0, 9.0)},
        ),
    )


def _counts() -> tuple[Step, ...]:
    few = {f.TOTAL: (6, 7), f.MISSING: (1, 2), f.KEPT: (2, 3)}
    after = f.share_without().subs(f.KEPT, f.KEPT + 1)
    return (
        Step(
            "left-out",
            Eq(Symbol("P_out"), f.share_without(), evaluate=False),
            "choices of K of the N - M other weights among all choices",
            domain=few,
            left=checks.nothing_of,
        ),
        Step(
            "one-more",
            Eq(after / f.share_without(), f.share_ratio(), evaluate=False),
            "binomials of neighbouring K",
            domain=few,
        ),
        Step(
            "survival",
            Eq(Symbol("P_all"), f.survival(checks.COUNTS), evaluate=False),
            "inclusion and exclusion over sets of empty layers; here of 2, 3 and 2 weights",
            domain={f.KEPT: (3, 5)},
            left=checks.no_layer_empty,
        ),
    )


def _schedules() -> tuple[Step, ...]:
    rounds = {f.COMPRESSION: (2.0, 50.0), f.ROUND: (1, 4), f.ROUNDS: (4, 7)}
    return (
        Step(
            "exponential",
            Eq(Symbol("r_k"), f.kept_fraction(), evaluate=False),
            "each round keeps the same share",
            source=f"{TANAKA}, algorithm 1",
            domain=rounds,
            left=checks.exponential,
        ),
        Step(
            "linear",
            Eq(Symbol("s_k"), f.kept_fraction_linear(), evaluate=False),
            "each round removes the same number",
            domain=rounds,
            left=checks.linear,
        ),
    )
