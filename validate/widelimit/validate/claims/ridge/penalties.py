"""Claims about the penalty: the best one, negative ones, the jump. What is best, fits find by a scan of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    AT_SIZE,
    FINITE_SIZES,
    NAMES,
    PAPER,
    POPULATION,
    SAMPLES,
    SPECTRUM,
    TWO_SCALES,
    counted,
    derivation,
    expands,
    isotropic,
    plans,
    samples,
    shuffled,
)
from widelimit.validate.harness.claim import Choice, Inputs, Interval
from widelimit.validate.harness.declare import altered, at_size, declare, table, wrong
from widelimit.validate.harness.declare.calls import Solver

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

FACTOR = 3.0  # penalties beside the best one: over and times this
_SAMPLED = f"{NAMES} sample_ratio"


class Best(NamedTuple):
    """The best penalty and its error, and the errors at other penalties as a function of those."""

    penalty: float
    test_error: float
    error: Callable[[float], float]

    def rise(self, penalty: float) -> float:
        """log E at a penalty over E at the best one."""
        return float(np.log(self.error(penalty) / self.test_error))


def best(inputs: Inputs) -> Best:
    """Ask the theory for the best penalty of a point, and for errors beside it."""
    found = Solver("ridge.optimal_penalty", POPULATION)(inputs)

    def error(penalty: float) -> float:
        return float(Solver("ridge.solve", {**POPULATION, "penalty": penalty})(inputs).test_error)

    return Best(float(found.penalty), float(found.test_error), error)


def best_at(inputs: Inputs) -> Best:
    """The same of means over training sets at a size."""
    found = Solver("ridge.optimal_at_samples", AT_SIZE)(inputs)

    def error(penalty: float) -> float:
        return float(Solver("ridge.at_samples", {**AT_SIZE, "penalty": penalty})(inputs).test_error)

    return Best(float(found.penalty), float(found.test_error), error)


# --- ridge.optimal-penalty ----------------------------------------------------------------------------------------

_LEAST = 1e-6  # what a wrong theory says that finds no positive penalty best: below all that a scan sees


def simulate_best(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log of the penalty where fits err least, and by how much more they err a factor of three to either side."""
    from widelimit.validate.simulate.ridge import Population
    from widelimit.validate.simulate.ridge.scans import vertices

    population = Population.two_scales(inputs, size)
    return vertices(population, samples(inputs, size), seeds, backend, factor=FACTOR)


def _log_penalty(found: Best) -> float:
    return float(np.log(max(found.penalty, _LEAST)))


def _seen(inputs: Inputs) -> bool:
    """A minimum at a positive penalty that can be seen, and that the least size of the plans hardly moves."""
    found = best(inputs)
    beside = (found.penalty / FACTOR, found.penalty * FACTOR)
    if found.penalty <= 1e-3 or min(map(found.rise, beside)) <= 0.004:
        return False
    small = best_at({**inputs, "size": min(FINITE_SIZES[0])})
    return abs(float(np.log(small.penalty / found.penalty))) < 0.1


def _isotropic_rule(
    truth: np.ndarray, fraction: float, separation: float, noise: float, sample_ratio: float
) -> np.ndarray:
    mean = fraction + (1 - fraction) * separation
    return np.array([np.log(noise * mean / sample_ratio), *truth[1:]])


OPTIMAL_PENALTY = declare(
    "ridge.optimal-penalty",
    title="Best penalty",
    statement="The best penalty solves E = N kappa [sum w^2 s^2/(s + kappa)^3]/[sum s^2/(s + kappa)^3].",
    paper=f"{PAPER}, section 5",
    domain={**TWO_SCALES, "sample_ratio": SAMPLES},
    solver=best,
    rows={
        "log best penalty": _log_penalty,
        "log E, too small": lambda found: found.rise(found.penalty / FACTOR),
        "log E, too large": lambda found: found.rise(found.penalty * FACTOR),
    },
    simulate=simulate_best,
    plans=plans(
        table(
            _SAMPLED,
            [(0.25, 0.05, 0.05, 0.5, 1.0), (0.5, 0.1, 1.0, 0.5, 1.0)],
            [(0.25, 0.1, 0.8, 0.5, 0.5), (0.25, 0.3, 0.1, 0.5, 1.5)],
        ),
        (512, 1024, 512),
        FINITE_SIZES,
        target=0.005,
    ),
    derivation=derivation("optimal-penalty", "finite-samples"),
    finite=at_size(solver=best_at),
    within=0.005,
    scale=lambda predicted: np.array([1.0, 0.2, 0.2]),  # half a per cent of a penalty, and 0.1 % of an error
    valid=_seen,
    size_name="dimensions",
    quantity="log best penalty",
    observable="log of the penalty at which the error of fits to the same inputs, averaged exactly over label noise "
    "and signs of w, is least, by a scan over eight decades and a parabola; errors at a third and three times that "
    "penalty",
    notes="The minimum is flat: its place is a ratio of small differences. Its own bias is of order 1/N^2, as errors "
    "of given inputs scatter by 1/N.",
    wrong=(
        shuffled(),
        isotropic(),
        wrong(
            "isotropic target",
            "noise over signal, the rule that is exact if all weights are alike, for a target that is not",
            _isotropic_rule,
        ),
    ),
)

# --- ridge.negative-penalty ---------------------------------------------------------------------------------------

# near the edge the next order, 1/N^2, is 1 % of the penalty at 320 dimensions: larger runs look closer than that
_NEGATIVE_SIZES = ((160, 320), (480, 640, 800), (800, 1600))


def simulate_negative(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The penalty where fits err least, over the size that the claim expects; its gain, and the loss at minus it."""
    from widelimit.validate.simulate.ridge import Population
    from widelimit.validate.simulate.ridge.scans import signed_bests

    return signed_bests(Population.two_scales(inputs, size), samples(inputs, size), seeds, backend)


def _inside(inputs: Inputs) -> bool:
    """A negative best penalty away from the edge, which finite samples hardly move, and a gain that can be seen."""
    from widelimit.numerics.ridge.kernel import edges

    given = Solver(
        lambda eigenvalues, weights, sample_ratio: (eigenvalues, weights, [sample_ratio]), SPECTRUM
    )
    lowest = edges(*map(np.array, given(inputs)))[1][0]
    found = best(inputs)
    if not (0.8 * float(lowest) < found.penalty < 0 and found.rise(0.0) > 0.02):
        return False
    small = best_at({**inputs, "size": min(_NEGATIVE_SIZES[0])})
    return abs(small.penalty / found.penalty - 1) < 0.2


NEGATIVE_PENALTY = declare(
    "ridge.negative-penalty",
    title="Negative penalties",
    statement="For a target on strong directions and little noise the best penalty is negative: weak directions "
    "regularise already.",
    paper=f"{PAPER}, section 5",
    domain={
        "fraction": Choice((0.1, 0.25)),
        "separation": Interval(0.03, 0.3, simplest=0.1),
        "share": Choice((1.0,)),
        "noise": Interval(0.0, 0.01, simplest=0.0),
        "sample_ratio": Choice((0.5, 0.75)),
    },
    solver=best,
    rows={
        "best penalty": "penalty",
        "log E(best)/E(0)": lambda found: -found.rise(0.0),
        "log E(-best)/E(0)": lambda found: found.rise(-found.penalty) - found.rise(0.0),
    },
    simulate=simulate_negative,
    plans=plans(
        table(
            _SAMPLED, [(0.1, 0.1, 1.0, 0.0, 0.5)], [(0.25, 0.05, 1.0, 0.0, 0.75), (0.1, 0.2, 1.0, 0.002, 0.5)]
        ),
        (512, 512, 256),
        _NEGATIVE_SIZES,
        target=0.02,
    ),
    derivation=derivation("optimal-penalty", "finite-samples"),
    finite=at_size(solver=best_at),
    within=0.02,
    # absolute, on a logarithm: two per cent of an error; of the penalty itself ten per cent
    scale=lambda predicted: np.array([5 * abs(predicted[0]), 1.0, 1.0]),
    valid=_inside,
    location="median",
    size_name="dimensions",
    quantity="best penalty, log E(penalty)/E(0)",
    observable="place and depth of the least error of fits to the same inputs, averaged exactly over label noise and "
    "signs of w, over a scan that starts at minus the lowest eigenvalue",
    notes="Medians: at small sizes the lowest sample eigenvalue now and then comes close to the penalty.",
    wrong=(
        shuffled("weak scale"),
        isotropic("one eigenvalue, the mean: a positive penalty is never worse"),
        wrong("no penalty", "the best penalty is not negative but zero", lambda: 0.0),
    ),
)

# --- ridge.penalty-jump -------------------------------------------------------------------------------------------

_JUMP_RATIOS = (0.2, 0.25, 0.3, 0.4)
_JUMP_PENALTIES = (0.231640, 0.0082767)  # the two minima where they are equally deep


def simulate_jump(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The same from fits on the same data."""
    from widelimit.validate.simulate.ridge import Population, mean_errors

    population = Population.two_scales(inputs, size)
    columns = []
    for k, ratio in enumerate(_JUMP_RATIOS):
        own = [seed + k for seed in seeds]
        errors = mean_errors(population, counted(ratio, size), _JUMP_PENALTIES, own, backend)
        columns.append(np.log(errors[:, 0] / errors[:, 1]))
    return np.stack(columns, axis=1)


def _first_over_second(found: Any) -> np.ndarray:
    """It changes sign where the best penalty jumps."""
    return np.log(found.test_error[:, 0] / found.test_error[:, 1])


_JUMP_AT_SIZE: dict[str, Any] = AT_SIZE | {
    "penalty": _JUMP_PENALTIES,
    "sample_ratio": lambda size: tuple((counted(ratio, size) / size,) for ratio in _JUMP_RATIOS),
    "samples": lambda size: tuple((counted(ratio, size),) for ratio in _JUMP_RATIOS),
}


def _jump_expands(fraction: float, separation: float, share: float, noise: float) -> bool:
    return all(
        expands(fraction, separation, share, noise, ratio, penalty)
        for ratio in _JUMP_RATIOS
        for penalty in _JUMP_PENALTIES
    )


PENALTY_JUMP = declare(
    "ridge.penalty-jump",
    title="Jump of the best penalty",
    statement="With two scales the error can have two minima in the penalty; as samples are added, the best penalty "
    "jumps between them.",
    paper=f"{PAPER}, section 5",
    domain={
        "fraction": Choice((0.1,)),
        "separation": Interval(0.005, 0.02, simplest=0.01),
        "share": Interval(0.4, 0.6, simplest=0.5),
        "noise": Interval(0.005, 0.02, simplest=0.01),
    },
    solver="ridge.solve",
    given={
        **POPULATION,
        "penalty": _JUMP_PENALTIES,
        "sample_ratio": tuple((ratio,) for ratio in _JUMP_RATIOS),
    },
    rows=_first_over_second,
    over={"sample_ratio": _JUMP_RATIOS},
    simulate=simulate_jump,
    plans=plans(
        table(NAMES, [(0.1, 0.01, 0.505, 0.0101)], [(0.1, 0.01, 0.55, 0.01)]),
        (512, 2048, 1024),
        ((80, 160, 320), (80, 160, 320), (400, 800, 1600)),
        target=0.01,
    ),
    derivation=derivation("penalty-jump", "finite-samples"),
    finite=at_size(solver="ridge.at_samples", **_JUMP_AT_SIZE),
    within=0.01,
    scale=np.ones_like,
    valid=_jump_expands,
    size_name="dimensions",
    quantity="log E(large penalty)/E(small penalty)",
    observable="log ratio of the test errors of two fits to the same inputs, averaged exactly over label noise and "
    "signs of w",
    wrong=(
        wrong(
            "aligned",
            "the target sits on the strong directions: the small penalty is best throughout",
            altered(share=0.95),
        ),
        isotropic("one eigenvalue, the mean: one minimum"),
    ),
)
PENALTY_CLAIMS = (OPTIMAL_PENALTY, NEGATIVE_PENALTY, PENALTY_JUMP)
