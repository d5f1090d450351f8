"""Claims about whole learning curves: their peaks, and how alignment shortens them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.shared import (
    NAMES,
    PAPER,
    POPULATION,
    derivation,
    isotropic,
    plans,
    shuffled,
)
from widelimit.validate.harness.claim import Choice, Inputs, Interval
from widelimit.validate.harness.declare import altered, another, declare, table, wrong

if TYPE_CHECKING:
    from widelimit.numerics.ridge import RidgeSolution
    from widelimit.validate.harness.backend import Backend

_DESCENT_RATIOS = (0.15, 0.25, 0.5, 0.75, 1.0, 1.5)
_DESCENT_PENALTY = 1e-4  # keeps the second moment of the error finite at both peaks


def simulate_descent(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log test errors; every sample ratio has its own data."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    population = Population.two_scales(inputs, size)
    columns = [
        test_errors(
            population, round(ratio * size), [_DESCENT_PENALTY], [seed + k for seed in seeds], backend
        )
        for k, ratio in enumerate(_DESCENT_RATIOS)
    ]
    return np.log(np.concatenate(columns, axis=1))


def _log_error(found: RidgeSolution) -> np.ndarray:
    return np.log(found.test_error)


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
        (256, 320, 384),
        ((60, 120, 240), (80, 160, 320), (400, 800, 1600)),
    ),
    derivation=derivation("separated-scales"),
    within=0.08,
    scale=np.ones_like,  # an absolute margin on a logarithm: eight per cent of an error
    location="median",
    size_name="dimensions",
    quantity="log E",
    observable="log test error at penalty 1e-4",
    notes="Near a peak errors are heavy-tailed: the median of the logarithm is compared, at a small penalty, not the "
    "mean.",
    wrong=(isotropic("one eigenvalue, the mean: a single peak at N = P"), shuffled()),
)

_ALIGNED_RATIOS = (0.1, 0.25, 0.5)


def simulate_alignment(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """The least test errors that a scan of penalties finds, on data of its own for each sample ratio."""
    from widelimit.validate.simulate.ridge import Population
    from widelimit.validate.simulate.ridge.scans import least_errors

    population = Population.two_scales(inputs, size)
    columns = [
        least_errors(population, round(ratio * size), [seed + k for seed in seeds], backend)
        for k, ratio in enumerate(_ALIGNED_RATIOS)
    ]
    return np.stack(columns, axis=1)


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
        (1536, 3072, 1024),
        target=0.05,
    ),
    derivation=derivation("alignment"),
    within=0.05,
    size_name="dimensions",
    quantity="E at the best penalty",
    observable="least test error of fits over a scan of penalties",
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
