"""Why the rules of layers hold, each equation checked on a small layer."""

from __future__ import annotations

from functools import partial

from sympy import Eq, Expr, Function, Integer, Symbol, oo

from widelimit.theory.architecture import evidence
from widelimit.theory.architecture.formulas import (
    ALL,
    BRANCH,
    CENTRE1,
    CENTRE2,
    COLUMN,
    COUNT,
    COUNT2,
    D1,
    D2,
    DIMENSIONS,
    KEEP,
    M1,
    M2,
    ROW,
    SAME,
    SIZE,
    SQUARE,
    SQUARES,
    TOTAL,
    TRACE,
    K,
    about_batch,
    about_means,
    added,
    averaged,
    batch_fluctuation,
    centred_mean,
    deviation,
    dropped,
    filtered,
    gained,
    pooled,
    rescaled,
    shifted,
    unit_mean,
    windowed,
)
from widelimit.theory.architecture.layers import Architecture, Dense, Residual
from widelimit.theory.architecture.names import A, B
from widelimit.theory.architecture.writing import recursion
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.kernel import INPUT, Q1, SIGMA_B, SIGMA_V, SIGMA_W, THETA

_ASSUMPTIONS = (
    "the widths of all hidden layers go to infinity",
    "masks, weights and biases of all layers are independent",
    "tangent kernel: derivatives with respect to standard-normal parameters, the scales written in front of them",
)
NETWORK = Architecture((Dense(SIGMA_W), Residual((Dense(SIGMA_V),)), Dense(SIGMA_W, SIGMA_B)))
_KERNEL = {K: (-0.9, 0.9)}
_WIDTHS = {D1: (0.5, 2.0), D2: (0.5, 2.0)}
_NEW, _NEW_TANGENT = Symbol("K_next", real=True), Symbol("Theta_next", real=True)


def derive(activation: str | Activation = "relu") -> Derivation:
    """The rules of layers that are not the kernels' own: dropout, branches, filters, pooling, normalisations.

    Args:
        activation: a catalogue name or an expression in x, for the mean of its units.

    >>> print(derive("relu")["dropout"].equation.rhs)
    K*(same*(-1 + 1/p) + 1)
    """
    phi = Activation.of(activation)
    steps = (*_single(), *_positions(), *_means(phi), *_layer_norm(), *_batch_norm(), *_affine(), *_network())
    return Derivation("Layers between weights and activations", steps, _ASSUMPTIONS)


def _single() -> tuple[Step, ...]:
    return (
        Step(
            "dropout",
            Eq(_NEW, dropped(), evaluate=False),
            "what is kept is divided by p; the mean square of a unit grows, products of unlike units keep their mean",
            source="schoenholz2017deep, section 4",
            domain={**_KERNEL, KEEP: (0.3, 0.9), SAME: (0, 1)},
            left=evidence.of_masks,
        ),
        Step(
            "residual",
            Eq(_NEW, added(), evaluate=False),
            "the branch's last weights are fresh and have a mean of zero: it is uncorrelated with the shortcut, and so "
            "are their derivatives",
            source="yang2017mean, theorem 2",
            domain={**_KERNEL, BRANCH: (-0.9, 0.9)},
            left=evidence.of_branch,
        ),
    )


def _positions() -> tuple[Step, ...]:
    return (
        Step(
            "flatten",
            Eq(_NEW, averaged(), evaluate=False),
            "every position has weights of its own; S is the sum of K(a, a) over n positions",
            source="novak2019bayesian, section 3.1",
            domain={TOTAL: (-2.0, 3.0), COUNT: (2, 5)},
            left=evidence.of_vector,
        ),
        Step(
            "pooling",
            Eq(_NEW, pooled(), evaluate=False),
            "an average over positions; S is the sum of K(a, b) over all pairs of n positions",
            source="novak2019bayesian, section 3.2",
            domain={TOTAL: (-2.0, 3.0), COUNT: (2, 5)},
            left=evidence.of_averages,
        ),
        Step(
            "windows",
            Eq(_NEW, windowed(), evaluate=False),
            "averages over two windows; S is the sum of K(a, b) over all pairs of n positions of one, n' of the other",
            source="novak2019bayesian, section 3.2",
            domain={TOTAL: (-2.0, 3.0), COUNT: (2, 5), COUNT2: (2, 5)},
            left=evidence.of_windows,
        ),
        Step(
            "filter",
            Eq(_NEW, filtered(), evaluate=False),
            "every point of the filter has weights of its own; S is the sum of K(a + s, b + s) over its points s",
            source="novak2019bayesian, section 2.2",
            domain={TOTAL: (-2.0, 3.0), SIZE: (1, 3), DIMENSIONS: (1, 2)},
            left=evidence.of_filter,
        ),
    )


def _means(phi: Activation) -> tuple[Step, ...]:
    return (
        Step(
            "mean",
            Eq(Symbol("m", real=True), unit_mean(phi), evaluate=False),
            f"pre-activations are Gaussian; the mean over units behind {phi.name}",
            source="lee2018deep, eq. (5)",
            domain={Q1: (0.3, 2.0)},
            left=partial(evidence.of_units, phi),
        ),
    )


def _layer_norm() -> tuple[Step, ...]:
    means = {M1: (-0.5, 0.5), CENTRE1: (-0.5, 0.5)}
    return (
        Step(
            "deviation",
            Eq(Symbol("d", positive=True), deviation(), evaluate=False),
            "the mean square about the mean, over units and positions",
            source="ba2016layer, eq. (3)",
            domain={SQUARE: (1.0, 3.0), CENTRE1: (-0.9, 0.9)},
            left=evidence.of_spread,
        ),
        Step(
            "about-means",
            Eq(Symbol("K_centred", real=True), about_means(), evaluate=False),
            "m_mean is the same number for all units of an input",
            source="ba2016layer, eq. (3)",
            domain={**_KERNEL, **means, M2: (-0.5, 0.5), CENTRE2: (-0.5, 0.5)},
            left=evidence.about_means,
        ),
        Step(
            "rescaled",
            Eq(_NEW, rescaled(), evaluate=False),
            "units are divided by the standard deviation of their input",
            source="ba2016layer, eq. (3)",
            domain={**_KERNEL, **_WIDTHS},
            left=evidence.of_divided,
        ),
        Step(
            "centred-mean",
            Eq(Symbol("m_next", real=True), centred_mean(), evaluate=False),
            "m is the mean over units at a position, m_mean that over positions too",
            source="ba2016layer, eq. (3)",
            domain={**means, D1: (0.5, 2.0)},
            left=evidence.of_centred_unit,
        ),
        Step(
            "rescaled-tangent",
            Eq(_NEW_TANGENT, rescaled().subs(K, THETA), evaluate=False),
            "one of n units moves the mean and the standard deviation of all by 1/n",
            source="yang2019mean, section 3",
            domain={THETA: (0.5, 2.0), **_WIDTHS},
            kind="limit",
            limit=(COUNT, oo),
            left=evidence.of_wide_layer,
        ),
    )


def _batch_norm() -> tuple[Step, ...]:
    products = {ROW: (-0.4, 0.4), COLUMN: (-0.4, 0.4), ALL: (0.5, 0.9)}
    return (
        Step(
            "about-batch",
            Eq(Symbol("K_centred", real=True), about_batch(), evaluate=False),
            "a unit's mean over the batch is subtracted; K_row, K_column and K_all are means of K over the batch",
            source="yang2019mean, section 3",
            domain={**_KERNEL, **products},
            left=evidence.about_batch,
        ),
        Step(
            "batch-tangent",
            Eq(_NEW_TANGENT, rescaled().subs({K: about_batch(), D2: D1}).subs(COLUMN, ROW), evaluate=False),
            "one of n inputs moves the variance of a unit over the batch by 1/n; K here those of derivatives",
            source="yang2019mean, section 3",
            domain={K: (1.0, 2.0), ROW: (0.1, 0.4), ALL: (0.5, 0.9), D1: (0.5, 2.0)},
            kind="limit",
            limit=(COUNT, oo),
            left=evidence.of_large_batch,
        ),
        Step(
            "batch-fluctuation",
            Eq(Symbol("spread", positive=True), batch_fluctuation(), evaluate=False),
            "Isserlis' theorem, for the squares of a Gaussian unit; where it is small the batch is large",
            source="isserlis1918formula",
            domain={TRACE: (2.0, 2.2), SQUARES: (2.6, 3.8)},
            left=evidence.of_gaussian_batch,
        ),
    )


def _affine() -> tuple[Step, ...]:
    domain = {**_KERNEL, THETA: (0.5, 2.0)}
    return (
        Step(
            "shift",
            Eq(_NEW_TANGENT, shifted(), evaluate=False),
            "the derivative by the shift is 1 for every input",
            source="jacot2018neural, theorem 1",
            domain=domain,
            left=evidence.of_shift,
        ),
        Step(
            "gain",
            Eq(_NEW_TANGENT, gained(), evaluate=False),
            "the derivative by the gain, which starts at 1, is the unit",
            source="jacot2018neural, theorem 1",
            domain=domain,
            left=evidence.of_gain,
        ),
    )


def _network() -> tuple[Step, ...]:
    """The rules of a network, put into each other, against the network of two hidden units."""
    domain = {INPUT: (-0.9, 0.9), SIGMA_W: (0.5, 1.5), SIGMA_B: (0.2, 1.0), SIGMA_V: (0.5, 1.5)}
    return tuple(
        Step(
            f"network-{word}",
            Eq(Symbol(f"{name}_network", real=True), _composed(name), evaluate=False),
            "rule after rule, from inputs with the product S: weights, a residual branch of weights, a readout",
            source="lee2018deep, eq. (5); jacot2018neural, theorem 1",
            domain=domain,
            left=partial(evidence.of_network, name == "Theta"),
        )
        for name, word in (("K", "kernel"), ("Theta", "tangent"))
    )


def _composed(name: str) -> Rewritten:
    """The kernel behind `NETWORK` as `recursion` writes it, each rule put into the next; K_0 = S and Theta_0 = 0."""
    here: dict[Expr, Expr] = {Function("K_0")(A, B): INPUT, Function("Theta_0")(A, B): Integer(0)}
    rules = recursion(NETWORK)
    for rule in rules:
        for equation in (rule.nngp, rule.ntk):
            here[equation.lhs] = equation.rhs.subs(here)
    return here[Function(f"{name}_{len(rules)}")(A, B)]
