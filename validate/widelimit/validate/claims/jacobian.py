"""Claims of 1711.04735 and 1802.09979: the spectrum of the input-output Jacobian, its moments, edges and atoms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claim import Choice, Claim, Inputs, Integers, Interval, Plan, Scalar
from widelimit.validate.claims import jacobian_theory as theory
from widelimit.validate.claims.jacobian_gallery import GALLERY
from widelimit.validate.claims.jacobian_speed import LEARNING_SPEED
from widelimit.validate.claims.meanfield_shared import counterfactual

if TYPE_CHECKING:
    from widelimit.theory.derivation import Derivation
    from widelimit.validate.backend import Backend

__all__ = ["CLAIMS", "GALLERY"]

Prediction = Callable[[Inputs], np.ndarray]
FLOAT32 = "moments keep five digits; singular values below 1e-6 of the largest are lost, so distributions need float64"
DOMAIN: dict[str, Interval | Integers | Choice] = {
    "activation": Choice(("tanh", "erf_s", "hard_tanh", "relu", "shifted_relu", "sin")),
    "sigma_w": Interval(0.8, 1.5, simplest=1.0),
    "sigma_b": Interval(0.05, 0.4, simplest=0.1),
    "depth": Integers(1, 8),
    "weights": Choice(("orthogonal", "gaussian")),
}
TANH: Inputs = {
    "activation": "tanh",
    "sigma_w": 1.1517,
    "sigma_b": 0.06911,
}  # on the edge of chaos at q* = 0.2
ERF: Inputs = {"activation": "erf_s", "sigma_w": 1.129626, "sigma_b": 0.06245}
HARD: Inputs = {"activation": "hard_tanh", "sigma_w": 1.01292, "sigma_b": 0.063602}
RELU: Inputs = {"activation": "relu", "sigma_w": 2**0.5, "sigma_b": 0.0}
LINEAR: Inputs = {"activation": "linear", "sigma_w": 1.0, "sigma_b": 0.0}


def point(base: Inputs, depth: int, weights: str, **more: Scalar) -> Inputs:
    """One point of a plan."""
    return {**base, "depth": depth, "weights": weights, **more}


def plans(quick: Sequence[Inputs], more: Sequence[Inputs] = (), pilot: int = 24, most: int = 144) -> Mapping:
    """Quick runs stay below width 200, reference runs reach 800, deep runs (one GPU) 4,000."""
    every = (*quick, *more)
    return {
        "quick": Plan(tuple(quick), (48, 96, 160), pilot=pilot, most=most, block=16),
        "reference": Plan(every, (100, 200, 400), pilot=32, most=192, block=16),
        "deep": Plan(every, (500, 1000, 2000, 4000), pilot=8, most=24, block=4),
    }


def scale(predicted: np.ndarray) -> np.ndarray:
    """Margins are relative, and absolute below one (logarithms, probabilities)."""
    return np.maximum(np.abs(predicted), 1.0)


def derivation(inputs: Inputs) -> Derivation:
    """The derivation behind the prediction."""
    from widelimit.theory.jacobian import derive

    return derive(str(inputs["activation"]), weights=str(inputs["weights"]))


def named(*names: str) -> Callable[[Inputs], Sequence[Inputs]]:
    """Rows of fixed names."""
    return partial(_rows, names)


def _rows(names: Sequence[str], inputs: Inputs) -> Sequence[Inputs]:
    return tuple({"statistic": name} for name in names)


def _levels(inputs: Inputs) -> Sequence[Inputs]:
    return tuple({"x": float(x)} for x in theory.points(inputs))


def simulated(
    measure: str, first: int, last: int, inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend
) -> np.ndarray:
    """Columns first ... last - 1 of a measure of simulate.jacobian."""
    from widelimit.validate.simulate import jacobian

    chosen: jacobian.Measure = jacobian.moments
    if measure == "distribution":
        chosen = jacobian.distribution(tuple(theory.points(inputs)))
    elif measure == "atom":
        chosen = jacobian.atom(float(np.exp(theory.law(inputs).log_atoms[-1][0])))
    elif measure == "largest":
        chosen = jacobian.largest
    found = jacobian.spectrum_statistics(inputs, theory.first_length(inputs), size, seeds, backend, chosen)
    return found[:, first:last] - (1.0 if measure == "spread" else 0.0)


def changed(predict: Prediction, change: Callable[[Inputs], Inputs], inputs: Inputs) -> np.ndarray:
    """The prediction at altered inputs."""
    return predict(change(inputs))


def _deeper(inputs: Inputs) -> bool:
    return int(inputs["depth"]) > 1


def _is_misprinted(inputs: Inputs) -> bool:
    return inputs["activation"] == "linear" and inputs["weights"] == "gaussian" and int(inputs["depth"]) == 1


def wrong(predict: Prediction, margin: float) -> tuple:
    """The neighbouring ensemble and the law of one layer less."""
    return (
        counterfactual(
            "neighbouring ensemble",
            "orthogonal weights taken for Gaussian ones, or the reverse",
            predict,
            partial(changed, predict, theory.other_ensemble),
            margin / 2,
            floor=1.0,
        ),
        counterfactual(
            "L - 1 layers",
            "the power of S that belongs to one layer less",
            predict,
            partial(changed, predict, theory.one_layer_less),
            margin / 2,
            floor=1.0,
            only=_deeper,
        ),
    )


def _distribution_of(inputs: Inputs, change: Callable[[Inputs], Inputs]) -> np.ndarray:
    """Another law's distribution function at this point's x."""
    return np.asarray(theory.law(change(inputs)).cdf(theory.points(inputs)))


def _class_ratios(name: str, strength: float) -> np.ndarray:
    from widelimit.numerics import jacobian

    found = {"smooth": jacobian.smooth_class, "bernoulli": jacobian.bernoulli_class}[name](strength)
    return theory.ratios_of(found)


def class_prediction(name: str, inputs: Inputs) -> np.ndarray:
    """Normalised second and third moment of a universality class at s_0^2."""
    return _class_ratios(name, float(inputs["strength"]))[1:3]


def _no_isometry(inputs: Inputs) -> np.ndarray:
    return np.zeros(1)


def _gaussian_spread_missing(inputs: Inputs) -> np.ndarray:
    """The variance law without the contribution of the weights."""
    return theory.spread(inputs) - int(inputs["depth"])


MOMENTS = Claim(
    id="jacobian.moments",
    title="Moments of the Jacobian's spectrum",
    statement="The moments of J J^T follow from S = S_WW^L S_DD^L by Lagrange inversion.",
    paper="arXiv:1711.04735, eqs. (17)-(22); arXiv:1802.09979, section 2.4",
    domain=DOMAIN,
    plans=plans(
        [point(RELU, 2, "gaussian"), point(TANH, 6, "orthogonal")],
        [
            point(RELU, 6, "gaussian"),
            point(HARD, 8, "gaussian"),
            point(ERF, 8, "orthogonal"),
            point(RELU, 8, "orthogonal"),
        ],
    ),
    predict=theory.ratios,
    simulate=partial(simulated, "moments", 0, 3),
    rows=named("log m1", "m2/m1^2", "m3/m1^3"),
    derivation=derivation,
    margin=0.08,
    scale=scale,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network",
    float32=FLOAT32,
    counterfactuals=wrong(theory.ratios, 0.08),
)

DISTRIBUTION = Claim(
    id="jacobian.distribution",
    title="Distribution of the singular values",
    statement="The law of the squared singular values is the one whose S-transform is S_WW^L S_DD^L, on "
    "its physical branch.",
    paper="arXiv:1711.04735, sections 2.4-2.5, fig. 3; arXiv:1802.09979, fig. 1",
    domain=DOMAIN,
    plans=plans(
        [point(TANH, 4, "orthogonal"), point(LINEAR, 1, "gaussian")],
        [point(TANH, 16, "gaussian"), point(ERF, 16, "orthogonal"), point(RELU, 4, "orthogonal")],
        pilot=24,
        most=64,
    ),
    predict=theory.distribution,
    simulate=partial(simulated, "distribution", 0, len(theory.LEVELS)),
    rows=_levels,
    derivation=derivation,
    margin=0.02,
    scale=scale,
    valid=theory.smooth_above_zero,
    quantity="P(lambda <= x)",
    observable="share of squared singular values of one network at or below x",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "neighbouring ensemble",
            "orthogonal weights taken for Gaussian ones, or the reverse",
            theory.distribution,
            partial(_distribution_of, change=theory.other_ensemble),
            0.02,
            floor=1.0,
        ),
        counterfactual(
            "L - 1 layers",
            "the power of S that belongs to one layer less",
            theory.distribution,
            partial(_distribution_of, change=theory.one_layer_less),
            0.02,
            floor=1.0,
            only=_deeper,
        ),
        counterfactual(
            "misprinted M-transform",
            "a published Marchenko-Pastur transform without the factor of its root",
            theory.distribution,
            theory.misprinted_distribution,
            0.02,
            floor=1.0,
            only=_is_misprinted,
        ),
    ),
)

LARGEST = Claim(
    id="jacobian.largest",
    title="Largest singular value",
    statement="The largest squared singular value tends to the top of the support, e L/p for deep "
    "Gaussian ReLU networks.",
    paper="arXiv:1711.04735, eqs. (23)-(26); arXiv:1802.09979, fig. 4",
    domain=DOMAIN,
    plans=plans(
        [point(RELU, 3, "gaussian"), point(TANH, 4, "orthogonal")],
        [point(ERF, 8, "orthogonal"), point(HARD, 8, "gaussian")],
    ),
    predict=theory.largest,
    simulate=partial(simulated, "largest", 0, 1),
    derivation=derivation,
    exponent=2 / 3,
    margin=0.05,
    scale=scale,
    quantity="log of the largest singular value",
    observable="spectral norm of J of one network",
    float32=FLOAT32,
    counterfactuals=wrong(theory.largest, 0.05),
)

ATOM = Claim(
    id="jacobian.atom",
    title="An atom above the bulk",
    statement="Orthogonal hard-tanh networks with L(1 - p) < 1 have an atom of mass 1 - L(1 - p) at p^-L "
    "above the bulk.",
    paper="arXiv:1711.04735, section 2.5.2; corrected: the maximum is the atom, not the bulk edge",
    domain=DOMAIN,
    plans=plans(
        [point(HARD, 8, "orthogonal")], [point(HARD, 4, "orthogonal"), point(HARD, 24, "orthogonal")]
    ),
    predict=theory.atom,
    simulate=partial(simulated, "atom", 0, 2),
    rows=named("mass of the atom", "log of the largest singular value"),
    derivation=derivation,
    margin=0.02,
    scale=scale,
    valid=lambda inputs: bool(theory.law(inputs).log_atoms) and theory.law(inputs).log_atoms[-1][0] > -1e300,
    quantity="mass of the atom, largest singular value",
    observable="share of squared singular values within 1e-9 of sigma_w^2L",
    float32="an atom cannot be told from its neighbourhood",
    counterfactuals=(
        counterfactual(
            "bulk edge",
            "the edge of the continuous part taken for the maximum",
            theory.atom,
            theory.bulk_edge,
            0.02,
            floor=1.0,
        ),
    ),
)

RELU_NO_ISOMETRY = Claim(
    id="jacobian.relu-no-isometry",
    title="ReLU networks cannot be isometric",
    statement="For ReLU with orthogonal weights the normalised variance of the squared singular values "
    "is L, whatever sigma_w is.",
    paper="arXiv:1711.04735, section 2.5.1",
    domain={
        "sigma_w": Interval(0.5, 2.0, simplest=1.0),
        "depth": Integers(1, 8),
        "activation": Choice(("relu",)),
        "sigma_b": Interval(0.0, 0.3, simplest=0.0),
        "weights": Choice(("orthogonal",)),
    },
    plans=plans(
        [point({**RELU, "sigma_w": s}, 4, "orthogonal") for s in (1.0, 1.4142135623730951)],
        [point({**RELU, "sigma_w": s}, 8, "orthogonal") for s in (0.8, 1.6)],
    ),
    predict=theory.spread,
    simulate=partial(simulated, "spread", 1, 2),
    derivation=derivation,
    margin=0.08,
    scale=scale,
    quantity="variance of the squared singular values over their squared mean",
    observable="tr (J^T J)^2 / (tr J^T J)^2 N - 1 of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "isometry",
            "variance zero, as for a linear orthogonal network",
            theory.spread,
            _no_isometry,
            0.08,
            floor=1.0,
        ),
        counterfactual(
            "L - 1 layers",
            "one layer less",
            theory.spread,
            partial(changed, theory.spread, theory.one_layer_less),
            0.08,
            floor=1.0,
            only=_deeper,
        ),
    ),
)

ORTHOGONAL_NEEDED = Claim(
    id="jacobian.orthogonal-needed",
    title="Gaussian weights cannot be isometric",
    statement="With Gaussian weights the normalised variance is L mu_2/mu_1^2, at least L for every activation.",
    paper="arXiv:1711.04735, eq. (22); arXiv:1802.09979, eq. (28)",
    domain=DOMAIN | {"weights": Choice(("gaussian",))},
    plans=plans(
        [point(TANH, 4, "gaussian"), point(LINEAR, 4, "gaussian")],
        [point(HARD, 8, "gaussian"), point(ERF, 6, "gaussian")],
    ),
    predict=theory.spread,
    simulate=partial(simulated, "spread", 1, 2),
    derivation=derivation,
    margin=0.08,
    scale=scale,
    quantity="variance of the squared singular values over their squared mean",
    observable="tr (J^T J)^2 / (tr J^T J)^2 N - 1 of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "weights do not matter",
            "the variance law without the s_1 of the weights, as if they were orthogonal",
            theory.spread,
            _gaussian_spread_missing,
            0.08,
            floor=1.0,
        ),
    ),
)

RECTANGULAR = Claim(
    id="jacobian.rectangular",
    title="Layers of different widths",
    statement="With widths N_l the variance of J^T J is sum_l (N_0/N_l) mu_2/mu_1^2, in units of its squared mean.",
    paper="arXiv:2111.00841, theorem 2",
    domain=DOMAIN | {"shape": Choice(("1 2 1", "1 0.5 1", "1 2 0.5"))},
    plans=plans(
        [point(TANH, 3, "gaussian", shape="1 0.5 1 0.5")],
        [
            point(RELU, 3, "gaussian", shape="1 2 0.5 1"),
            point(ERF, 3, "gaussian", shape="1 1.5 1 2"),
            point(TANH, 3, "orthogonal", shape="1 2 1 0.5"),
        ],
    ),
    predict=theory.ratios,
    simulate=partial(simulated, "moments", 0, 3),
    rows=named("log m1", "m2/m1^2", "m3/m1^3"),
    margin=0.08,
    scale=scale,
    valid=lambda inputs: len(str(inputs["shape"]).split()) == int(inputs["depth"]) + 1,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "square layers",
            "all widths equal",
            theory.ratios,
            partial(changed, theory.ratios, theory.square),
            0.08,
            floor=1.0,
        ),
    ),
)

VARYING_Q = Claim(
    id="jacobian.varying-q",
    title="Layers away from the fixed point",
    statement="Started away from q*, each layer contributes the S-transform of its own length.",
    paper="arXiv:1802.09979, section 2.2 (assumes q*); product rule of free S-transforms",
    domain=DOMAIN | {"q0": Interval(0.5, 6.0, simplest=1.0)},
    plans=plans([point(TANH, 3, "orthogonal", q0=3.0)], [point(ERF, 4, "gaussian", q0=4.0)]),
    predict=theory.ratios,
    simulate=partial(simulated, "moments", 0, 3),
    rows=named("log m1", "m2/m1^2", "m3/m1^3"),
    margin=0.05,
    scale=scale,
    valid=lambda inputs: float(inputs["q0"]) > float(inputs["sigma_b"]) ** 2,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix of one network",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "all layers at q*",
            "the fixed point's slopes at every layer",
            theory.ratios,
            partial(changed, theory.ratios, theory.at_fixed_point),
            0.05,
            floor=1.0,
        ),
    ),
)


def _ordinary_branch(inputs: Inputs) -> np.ndarray:
    """The branch's variance dropped: m_2/m_1^2 = 1."""
    return np.array([theory.residual(inputs)[0], 1.0])


RESIDUAL = Claim(
    id="jacobian.residual",
    title="Residual networks",
    statement="J = prod (1 + D W) with sigma_w^2 E phi'^2 = c/L has m_1 -> e^c and m_2/m_1^2 -> 1 + 2c "
    "for every activation.",
    paper="arXiv:1809.08848, eqs. (20)-(25); compared at finite L, where both are exact",
    domain={
        "activation": Choice(("tanh", "erf_s", "relu")),
        "sigma_w": Interval(0.1, 0.5, simplest=0.25),
        "sigma_b": Interval(0.0, 0.0001, simplest=0.0),
        "depth": Integers(2, 16),
        "weights": Choice(("gaussian",)),
        "q0": Interval(0.3, 3.0, simplest=1.0),
        "branch": Choice((True,)),
    },
    plans=plans(
        [point({"activation": "relu", "sigma_w": 0.3, "sigma_b": 0.0}, 10, "gaussian", q0=1.0, branch=True)],
        [point({"activation": "tanh", "sigma_w": 0.35, "sigma_b": 0.0}, 12, "gaussian", q0=1.0, branch=True)],
    ),
    predict=theory.residual,
    simulate=partial(simulated, "moments", 0, 2),
    rows=named("log m1", "m2/m1^2"),
    margin=0.03,
    scale=scale,
    quantity="moments of squared singular values",
    observable="traces of powers of the Gram matrix; slopes of each branch at fresh pre-activations of length q0",
    float32=FLOAT32,
    counterfactuals=(
        counterfactual(
            "isometric branches",
            "the variance that the branches add left out",
            theory.residual,
            _ordinary_branch,
            0.03,
            floor=1.0,
        ),
    ),
)

_CLASS_DOMAIN = DOMAIN | {"strength": Interval(0.1, 0.5, simplest=0.25), "depth": Integers(64, 256)}


def _class_claim(
    name: str, other: str, title: str, statement: str, points: Sequence[Inputs], more: Sequence[Inputs]
) -> Claim:
    predict = partial(class_prediction, name)
    return Claim(
        id=f"jacobian.universality-{name}",
        title=title,
        statement=statement,
        paper="arXiv:1802.09979, section 4, fig. 2",
        domain=_CLASS_DOMAIN,
        plans={
            "quick": Plan(tuple(points), (32, 64, 96), pilot=24, most=128, block=16),
            "reference": Plan((*points, *more), (64, 128, 256), pilot=16, most=96, block=16),
            "deep": Plan((*points, *more), (256, 512, 1024, 2048), pilot=8, most=24, block=4),
        },
        predict=predict,
        simulate=partial(simulated, "moments", 1, 3),
        rows=named("m2/m1^2", "m3/m1^3"),
        margin=0.06,  # finite depth: the third moment at L = 64 is 2 % below its limit for smooth activations
        scale=scale,
        valid=lambda inputs: (
            False
        ),  # sigma_w and sigma_b belong to one depth and strength: Hypothesis cannot draw them
        quantity="normalised moments",
        observable="traces of powers of the Gram matrix of one network",
        float32=FLOAT32,
        counterfactuals=(
            counterfactual(
                f"{other} class",
                "the other universality class",
                predict,
                partial(class_prediction, other),
                0.04,
                floor=1.0,
            ),
        ),
    )


def _doubly_scaled(activation: str, sigma_w: float, sigma_b: float) -> Inputs:
    return point(
        {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b}, 64, "orthogonal", strength=0.25
    )


UNIVERSALITY_SMOOTH = _class_claim(
    "smooth",
    "bernoulli",
    "Universality of smooth activations",
    "At fixed s_0^2 = L (mu_2/mu_1^2 - 1), deep critical orthogonal networks of smooth activations share "
    "S = exp(-s_0^2 m).",
    [_doubly_scaled("tanh", 1.0235568303325902, 0.0041772602159892095)],
    [_doubly_scaled("erf_s", 1.0233326040423403, 0.004669956467788098)],
)
UNIVERSALITY_BERNOULLI = _class_claim(
    "bernoulli",
    "smooth",
    "Universality of piecewise linear activations",
    "At fixed s_0^2, deep critical orthogonal networks whose slopes are 0 or 1 share S = exp(-s_0^2 m/(1 + m)).",
    [_doubly_scaled("hard_tanh", 1.0019512213675872, 0.01985308811060775)],
    [_doubly_scaled("shifted_relu", 1.001951221367588, 0.010646915130905987)],
)

CLAIMS: tuple[Claim, ...] = (
    MOMENTS,
    DISTRIBUTION,
    LARGEST,
    ATOM,
    RELU_NO_ISOMETRY,
    ORTHOGONAL_NEEDED,
    RECTANGULAR,
    VARYING_Q,
    RESIDUAL,
    UNIVERSALITY_SMOOTH,
    UNIVERSALITY_BERNOULLI,
    LEARNING_SPEED,
)
