"""Claims about whole learning curves: their peaks, and how alignment shortens them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    AT_SIZE,
    FINITE_SIZES,
    NAMES,
    PAPER,
    POPULATION,
    counted,
    derivation,
    expands,
    isotropic,
    plans,
    shuffled,
)
from widelimit.validate.harness.claim import Choice, Inputs, Interval
from widelimit.validate.harness.declare import altered, another, at_size, declare, table, wrong
from widelimit.validate.harness.declare.calls import Solver

if TYPE_CHECKING:
    from widelimit.numerics.ridge import RidgeAtSamples, RidgeSolution
    from widelimit.validate.harness.backend import Backend

_DESCENT_RATIOS = (0.15, 0.25, 0.5, 0.75, 1.0, 1.5)
_DESCENT_PENALTY = 1e-4  # keeps the second moment of the error finite at both peaks


def _counted(ratios: Sequence[float], size: int) -> tuple[int, ...]:
    return tuple(counted(ratio, size) for ratio in ratios)


def _at_size(ratios: Sequence[float]) -> dict[str, Any]:
    """Samples as many as are drawn, for several sample ratios."""
    return {
        "sample_ratio": lambda size: tuple(count / size for count in _counted(ratios, size)),
        "samples": lambda size: _counted(ratios, size),
    }


def simulate_descent(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log test errors; every sample ratio has its own data."""
    from widelimit.validate.simulate.ridge import Population, mean_errors

    population = Population.two_scales(inputs, size)
    columns = [
        mean_errors(
            population, counted(ratio, size), [_DESCENT_PENALTY], [seed + k for seed in seeds], backend
        )
        for k, ratio in enumerate(_DESCENT_RATIOS)
    ]
    return np.log(np.concatenate(columns, axis=1))


def _log_error(found: RidgeSolution | RidgeAtSamples) -> np.ndarray:
    return np.log(found.test_error)


def _expands(fraction: float, separation: float, share: float, noise: float) -> bool:
    return all(
        expands(fraction, separation, share, noise, ratio, _DESCENT_PENALTY) for ratio in _DESCENT_RATIOS
    )


MULTIPLE_DESCENT = declare(
    "ridge.multiple-descent",
    title="Multiple descent",
    statement="Separated covariance scales give the error a peak at each cumulative fraction of dimensions, not at N "
    "= P only.",
    paper=f"{PAPER}, section 4",
    domain={
        "fraction": Choice((0.25, 0.5)),
        "separation": Interval(0.005, 0.05, simplest=0.01),
        "share": Interval(0.2, 0.8, simplest=0.5),
        "noise": Interval(0.02, 0.3, simplest=0.1),
    },
    solver="ridge.solve",
    given={**POPULATION, "penalty": _DESCENT_PENALTY, "sample_ratio": _DESCENT_RATIOS},
    rows=_log_error,
    over={"sample_ratio": _DESCENT_RATIOS},
    simulate=simulate_descent,
    plans=plans(
        table(NAMES, [(0.25, 0.01, 0.7, 0.1)], [(0.5, 0.01, 0.4, 0.05), (0.25, 0.03, 0.3, 0.2)]),
        (512, 2048, 1024),
        FINITE_SIZES,
        target=0.01,
    ),
    derivation=derivation("separated-scales", "finite-samples"),
    finite=at_size(
        solver="ridge.at_samples",
        **AT_SIZE | {"penalty": _DESCENT_PENALTY} | _at_size(_DESCENT_RATIOS),
    ),
    within=0.01,
    scale=np.ones_like,  # an absolute margin on a logarithm: one per cent of an error
    valid=_expands,
    size_name="dimensions",
    quantity="log E",
    observable="log of the test error at penalty 1e-4, averaged exactly over label noise and signs of w",
    notes="Near a peak errors of single fits are heavy-tailed; those of one set of inputs, averaged over label noise "
    "and signs of the target, are not, so that the logarithm is that of the mean up to O(1/N^2).",
    wrong=(isotropic("one eigenvalue, the mean: a single peak at N = P"), shuffled()),
)

_ALIGNED_RATIOS = (0.1, 0.25, 0.5)
_ALIGNED_SIZES = ((160, 320, 480), (240, 360, 480), (400, 800, 1600))


def simulate_alignment(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The least test errors that a scan of penalties finds, on data of its own for each sample ratio."""
    from widelimit.validate.simulate.ridge import Population
    from widelimit.validate.simulate.ridge.scans import least_errors

    population = Population.two_scales(inputs, size)
    columns = [
        least_errors(population, counted(ratio, size), [seed + k for seed in seeds], backend)
        for k, ratio in enumerate(_ALIGNED_RATIOS)
    ]
    return np.stack(columns, axis=1)


def least_at(inputs: Inputs) -> np.ndarray:
    """The least mean errors at a size."""
    solver = Solver("ridge.optimal_at_samples", AT_SIZE)
    return np.array(
        [float(solver({**inputs, "sample_ratio": ratio}).test_error) for ratio in _ALIGNED_RATIOS]
    )


def _settled(inputs: Inputs) -> bool:
    """Whether the best penalties of the least size of the plans are near those of the limit; else `DomainError`."""
    return bool(np.isfinite(least_at({**inputs, "size": min(_ALIGNED_SIZES[0])})).all())


ALIGNMENT = declare(
    "ridge.alignment",
    title="Alignment lowers the sample complexity",
    statement="A target on a fraction p of strong directions is learnt like an isotropic one of N/(pP) samples a "
    "dimension.",
    paper=f"{PAPER}, section 4",
    domain={
        "fraction": Choice((0.25, 0.1)),
        "separation": Interval(0.001, 0.1, simplest=0.01),
        "share": Choice((1.0,)),
        "noise": Interval(0.02, 0.5, simplest=0.1),
    },
    solver="ridge.optimal_penalty",
    given={**POPULATION, "sample_ratio": _ALIGNED_RATIOS},
    rows="test_error",
    over={"sample_ratio": _ALIGNED_RATIOS},
    simulate=simulate_alignment,
    plans=plans(
        table(NAMES, [(0.25, 0.01, 1.0, 0.1)], [(0.1, 0.02, 1.0, 0.05), (0.1, 0.005, 1.0, 0.3)]),
        (512, 1024, 1024),
        _ALIGNED_SIZES,
        target=0.02,
    ),
    derivation=derivation("alignment", "finite-samples"),
    finite=at_size(lambda found: found, solver=least_at),
    within=0.02,
    valid=_settled,
    size_name="dimensions",
    quantity="E at the best penalty",
    observable="least test error over a scan of penalties of fits to the same inputs, averaged exactly over label "
    "noise and signs of w",
    wrong=(
        wrong(
            "no gain",
            "an isotropic target needs samples for all P dimensions",
            another("ridge.optimal_penalty", eigenvalues=1.0, signal=1.0, sample_ratio=_ALIGNED_RATIOS),
            beyond=0.0,
        ),
        wrong(
            "misaligned",
            "the signal sits on the weak directions",
            altered(share=lambda share: 1 - share),
            beyond=0.0,
        ),
    ),
)
CURVE_CLAIMS = (MULTIPLE_DESCENT, ALIGNMENT)
