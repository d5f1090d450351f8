"""Claims about the penalty: the best one, negative ones, the jump."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    PAPER,
    SAMPLES,
    TWO_SCALES,
    derivation,
    isotropic,
    point,
    population,
    presets,
    samples,
    shuffled,
    spectrum,
    wrong,
)
from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Interval

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


def _error(inputs: Inputs, penalties: Sequence[float], sample_ratio: float | None = None) -> np.ndarray:
    from widelimit.numerics import ridge

    ratio = float(inputs["sample_ratio"]) if sample_ratio is None else sample_ratio
    return np.asarray(
        ridge.solve(**population(inputs), sample_ratio=ratio, penalty=list(penalties)).test_error
    )


def _best(inputs: Inputs) -> float:
    """The best penalty of the true population, whatever a wrong theory thinks."""
    from widelimit.numerics import ridge

    return float(ridge.optimal_penalty(**spectrum(inputs), sample_ratio=inputs["sample_ratio"]).penalty)


# --- ridge.optimal-penalty ----------------------------------------------------------------------------------------

_FACTOR = 3.0  # penalties compared: the best one over and times this


def vertex_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Where the error is least, and by how much it is higher to either side."""
    return (
        {"quantity": "log best penalty"},
        {"quantity": "log E, too small"},
        {"quantity": "log E, too large"},
    )


def vertex(errors: np.ndarray, centre: float, curvature: float | None = None) -> np.ndarray:
    """Vertex of the parabola through log E at log penalties centre - step, centre, centre + step; both rises.

    With the theory's `curvature` the vertex is linear in log E, so that means over replicates stay unbiased.
    """
    low, middle, high = np.log(errors).T
    bend = low - 2 * middle + high if curvature is None else curvature
    return np.stack([centre + np.log(_FACTOR) / 2 * (low - high) / bend, low - middle, high - middle], axis=1)


def _three(inputs: Inputs) -> list[float]:
    best = _best(inputs)
    return [best / _FACTOR, best, best * _FACTOR]


def predict_vertex(inputs: Inputs) -> np.ndarray:
    """The parabola's vertex and the rises, from the theory's errors at the same three penalties."""
    three = _three(inputs)
    return vertex(_error(inputs, three)[None], np.log(three[1]))[0]


def simulate_vertex(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same from fits on the same data."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    three = _three(inputs)
    errors = test_errors(Population.two_scales(inputs, size), samples(inputs, size), three, seeds, backend)
    truth = {name: value for name, value in inputs.items() if name != "isotropic"}
    _, low, high = predict_vertex(truth)
    return vertex(errors, np.log(three[1]), low + high)


def _positive_best(inputs: Inputs) -> bool:
    three = _error(inputs, _three(inputs)) if _best(inputs) > 1e-3 else np.ones(3)
    return bool(three[0] > 1.004 * three[1] and three[2] > 1.004 * three[1])  # a minimum that can be seen


OPTIMAL_PENALTY = Claim(
    id="ridge.optimal-penalty",
    title="Best penalty",
    statement="The best penalty solves E = N kappa [sum w^2 s^2/(s + kappa)^3]/[sum s^2/(s + kappa)^3].",
    paper=f"{PAPER}, section 5",
    domain={**TWO_SCALES, "sample_ratio": SAMPLES},
    plans=presets(
        (point(0.25, 0.05, 0.05, 0.5, sample_ratio=1.0), point(0.5, 0.1, 1.0, 0.5, sample_ratio=1.0)),
        (point(0.25, 0.1, 0.8, 0.5, sample_ratio=0.5), point(0.25, 0.3, 0.1, 0.5, sample_ratio=1.5)),
    ),
    predict=predict_vertex,
    simulate=simulate_vertex,
    rows=vertex_rows,
    derivation=derivation("optimal-penalty"),
    margin=0.15,
    scale=lambda predicted: np.array([1.0, 0.2, 0.2]),  # 15 % of a penalty, and 3 % of an error
    valid=_positive_best,
    size_name="dimensions",
    quantity="log best penalty",
    observable="vertex of a parabola through log E at three penalties, fitted on the same data",
    notes=(
        "The minimum is flat: its place is a ratio of small differences, so the median over replicates "
        "is compared."
    ),
    counterfactuals=(
        wrong("shuffled", "the signal sits on the other scale", predict_vertex, shuffled, 0.15, floor=1.0),
        wrong(
            "isotropic",
            "one eigenvalue, the mean, for correlated data",
            predict_vertex,
            isotropic,
            0.15,
            floor=1.0,
        ),
        Counterfactual(
            "isotropic target",
            "noise over signal, the rule that is exact if all weights are alike, for a target that is not",
            lambda inputs: _isotropic_rule(inputs),
            lambda inputs: bool(np.abs(_isotropic_rule(inputs) - predict_vertex(inputs))[0] > 0.45),
        ),
    ),
)


def _isotropic_rule(inputs: Inputs) -> np.ndarray:
    given = spectrum(inputs)
    mean = float(np.dot(given["eigenvalues"], given["weights"]))
    return np.array(
        [np.log(given["noise"] * mean / float(inputs["sample_ratio"])), *predict_vertex(inputs)[1:]]
    )


# --- ridge.negative-penalty ---------------------------------------------------------------------------------------


def gain_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Log errors relative to no penalty at all."""
    return ({"penalty": "best"}, {"penalty": "half of the best"}, {"penalty": "minus the best"})


def _signed(inputs: Inputs) -> list[float]:
    best = _best(inputs)
    return [best, best / 2, -best, 0.0]


def predict_gain(inputs: Inputs) -> np.ndarray:
    """log E(penalty)/E(0)."""
    errors = np.log(_error(inputs, _signed(inputs)))
    return errors[:3] - errors[3]


def simulate_gain(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same from fits on the same data; where the penalty reaches an eigenvalue, errors are large."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    population_ = Population.two_scales(inputs, size)
    errors = np.log(test_errors(population_, samples(inputs, size), _signed(inputs), seeds, backend))
    return errors[:, :3] - errors[:, 3:]


def _negative_best(inputs: Inputs) -> bool:
    from widelimit.numerics.ridge.kernel import edges

    given = spectrum(inputs)
    lowest = edges(
        np.array(given["eigenvalues"]), np.array(given["weights"]), np.array([float(inputs["sample_ratio"])])
    )
    # away from the edge, which finite samples reach; and a gain that can be seen
    return 0.8 * float(lowest[1][0]) < _best(inputs) < 0 and predict_gain(inputs)[0] < -0.02


NEGATIVE_PENALTY = Claim(
    id="ridge.negative-penalty",
    title="Negative penalties",
    statement=(
        "For a target on strong directions and little noise the best penalty is negative: weak "
        "directions regularise already."
    ),
    paper=f"{PAPER}, section 5",
    domain={
        "fraction": Choice((0.1, 0.25)),
        "separation": Interval(0.03, 0.3, simplest=0.1),
        "share": Choice((1.0,)),
        "noise": Interval(0.0, 0.01, simplest=0.0),
        "sample_ratio": Choice((0.5, 0.75)),
    },
    plans=presets(
        (point(0.1, 0.1, 1.0, 0.0, sample_ratio=0.5),),
        (point(0.25, 0.05, 1.0, 0.0, sample_ratio=0.75), point(0.1, 0.2, 1.0, 0.002, sample_ratio=0.5)),
        sizes=((80, 160, 320), (160, 320, 640), (400, 800, 1600)),
        most=(256, 256, 256),
    ),
    predict=predict_gain,
    simulate=simulate_gain,
    rows=gain_rows,
    derivation=derivation("optimal-penalty"),
    margin=0.03,
    scale=np.ones_like,  # absolute, on a logarithm: three per cent of an error
    valid=_negative_best,
    location="median",
    size_name="dimensions",
    quantity="log E(penalty)/E(0)",
    observable="log ratios of test errors of fits on the same data",
    notes="Medians: at small sizes the lowest sample eigenvalue now and then comes close to the penalty.",
    counterfactuals=(
        wrong("shuffled", "the signal sits on the weak scale", predict_gain, shuffled, 0.03, floor=1.0),
        wrong(
            "isotropic",
            "one eigenvalue, the mean: a positive penalty is never worse",
            predict_gain,
            isotropic,
            0.03,
            floor=1.0,
        ),
    ),
)

# --- ridge.penalty-jump -------------------------------------------------------------------------------------------

_JUMP_RATIOS = (0.2, 0.25, 0.3, 0.4)
_JUMP_PENALTIES = (0.231640, 0.0082767)  # the two minima where they are equally deep


def jump_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a sample ratio, on either side of the jump."""
    return tuple({"sample_ratio": ratio} for ratio in _JUMP_RATIOS)


def predict_jump(inputs: Inputs) -> np.ndarray:
    """log E at the large penalty over E at the small one: it changes sign where the best penalty jumps."""
    errors = np.array([_error(inputs, _JUMP_PENALTIES, ratio) for ratio in _JUMP_RATIOS])
    return np.log(errors[:, 0] / errors[:, 1])


def simulate_jump(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same from fits on the same data."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    population_ = Population.two_scales(inputs, size)
    columns = []
    for k, ratio in enumerate(_JUMP_RATIOS):
        errors = test_errors(
            population_, round(ratio * size), _JUMP_PENALTIES, [seed + k for seed in seeds], backend
        )
        columns.append(np.log(errors[:, 0] / errors[:, 1]))
    return np.stack(columns, axis=1)


def _aligned(inputs: Inputs) -> Inputs:
    return {**inputs, "share": 0.95}


PENALTY_JUMP = Claim(
    id="ridge.penalty-jump",
    title="Jump of the best penalty",
    statement=(
        "With two scales the error can have two minima in the penalty; as samples are added, the best "
        "penalty jumps between them."
    ),
    paper=f"{PAPER}, section 5",
    domain={
        "fraction": Choice((0.1,)),
        "separation": Interval(0.005, 0.02, simplest=0.01),
        "share": Interval(0.4, 0.6, simplest=0.5),
        "noise": Interval(0.005, 0.02, simplest=0.01),
    },
    plans=presets(
        (point(0.1, 0.01, 0.505, 0.0101),),
        (point(0.1, 0.01, 0.55, 0.01),),
        sizes=((80, 160, 320), (200, 400, 800), (400, 800, 1600)),
        most=(384, 384, 384),
    ),
    predict=predict_jump,
    simulate=simulate_jump,
    rows=jump_rows,
    derivation=derivation("penalty-jump"),
    margin=0.03,
    scale=np.ones_like,
    size_name="dimensions",
    quantity="log E(large penalty)/E(small penalty)",
    observable="log ratio of the test errors of two fits on the same data",
    counterfactuals=(
        wrong(
            "aligned",
            "the target sits on the strong directions: the small penalty is best throughout",
            predict_jump,
            _aligned,
            0.03,
            floor=1.0,
        ),
        wrong("isotropic", "one eigenvalue, the mean: one minimum", predict_jump, isotropic, 0.03, floor=1.0),
    ),
)

PENALTY_CLAIMS = (OPTIMAL_PENALTY, NEGATIVE_PENALTY, PENALTY_JUMP)
