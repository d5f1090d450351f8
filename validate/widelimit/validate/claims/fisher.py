"""Fisher information of wide networks as falsifiable claims (arXiv:1806.01316, 1810.03785)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.claim import Choice, Integers, Interval, Plan, Preset
from widelimit.validate.harness.declare import another, declare, instead, presets, table, wrong
from widelimit.validate.harness.declare.points import Points
from widelimit.validate.simulate import fisher as simulate

if TYPE_CHECKING:
    from widelimit.numerics.fisher import Propagation

_WIDE = 1e9  # of the limit, where samples spread nothing
_NETWORK: dict[str, Any] = {
    "activation": Choice(("relu", "tanh", "erf", "gelu")),
    "sigma_w": Interval(0.8, 2.0, simplest=1.0),
    "sigma_b": Interval(0.2, 1.0, simplest=0.5),
    "depth": Integers(1, 4),
    "samples": Integers(5, 60),
}
_POINTS = table(
    "activation sigma_w sigma_b depth samples",
    [("relu", 1.41421, 0.31623, 3, 20), ("tanh", 1.5, 0.5, 2, 20)],
    [("relu", 1.41421, 0.31623, 3, 60), ("erf", 1.3, 0.4, 4, 40), ("gelu", 1.6, 0.3, 2, 30)],
)
_ONE = Points(_POINTS.quick[1:], (_POINTS.quick[0], *_POINTS.further))  # where one decides, tanh costs less
_STATISTICS: dict[str, Any] = {
    "solver": "fisher.predict",
    "given": {"width": _WIDE, "outputs": simulate.OUTPUTS},
}
_BLOCKS: dict[str, Any] = {
    "widths": lambda depth: [1.0] * (depth + 1),
    "input_moment": 1.0,
    "input_overlap": 0.0,
}
_UNCORRELATED = "gradients of different samples taken as uncorrelated: kappa_2 = 0"


def _plans(
    most: int,
    target: float | None = None,
    sizes: tuple[int, ...] = (100, 200, 400),
    points: Points = _ONE,
    closer: float | None = None,
    reference: int | None = None,
) -> dict[Preset, Plan]:
    """`closer`: how close reference runs look, twice as close as `target` by default, with `reference` replicates at
    most."""
    closer = closer or (None if target is None else target / 2)
    larger = tuple(3 * size // 2 for size in sizes)
    return presets(
        points,
        (sizes, larger, (*larger, 4 * sizes[-1])),
        pilot=(8, 16, 16),
        most=(most, reference or max(48, most), 4 * most),
        block=(8, 8, 16),
        within=(target, closer, None if target is None else target / 2),
    )


def _whole_over_block(run: Propagation, samples: int) -> float:
    """Largest eigenvalue of the whole matrix, the sum over its layers' blocks, over the largest of them."""
    from widelimit.numerics import fisher

    blocks = fisher.blocks(run, samples)
    return float(blocks.sum() / blocks.max())


def _rate_of_largest_block(run: Propagation, samples: int) -> float:
    """The rate that the largest block would allow, times the width."""
    from widelimit.numerics import fisher
    from widelimit.numerics.fisher.bound import learning_rate

    return float(learning_rate()(fisher.blocks(run, samples).max()))


SPECTRUM = declare(
    "fisher.spectrum",
    title="Moments of the Fisher spectrum",
    statement="The mean eigenvalue is kappa_1 C / M, the mean square alpha C ((T-1)/T kappa_2^2 + kappa_1^2/T).",
    paper="arXiv:1806.01316, theorems 1 and 3",
    domain=_NETWORK,
    rows={"mean x width": lambda found: found.mean * _WIDE, "second": "second_moment"},
    named="moment",
    simulate=simulate.moments,
    plans=_plans(240, 0.1, points=_POINTS, closer=0.03, reference=700),
    within=0.12,
    quantity="moment of the eigenvalues",
    observable="the same over all weights, from the Gram matrix of exact gradients",
    wrong=wrong(
        "independent gradients",
        _UNCORRELATED,
        instead(second=lambda found, samples: found.alpha * simulate.OUTPUTS * found.kappa_1**2 / samples),
        beyond=1.0,
    ),
    **_STATISTICS,
)
LARGEST = declare(
    "fisher.largest",
    title="Largest Fisher eigenvalue",
    statement="lambda_max = alpha M ((T-1)/T kappa_2 + kappa_1/T), C-fold.",
    paper="arXiv:1806.01316, theorem 4",
    domain=_NETWORK,
    rows=lambda found: found.largest / _WIDE,
    simulate=simulate.largest,
    plans=_plans(120, 0.06, closer=0.011, reference=1200),
    within=0.1,
    quantity="largest eigenvalue over the width",
    observable="mean of the C largest eigenvalues over the width",
    wrong=wrong(
        "independent gradients",
        _UNCORRELATED,
        instead(lambda found, samples: found.alpha * found.kappa_1 / samples),
    ),
    **_STATISTICS,
)
BOUND = declare(
    "fisher.jacobian-bound",
    title="The whole Fisher matrix and its blocks",
    statement="The largest eigenvalue of the whole matrix is the sum over its layers' blocks, not their maximum.",
    paper="arXiv:1810.03785 (bound of the block-diagonal matrix)",
    domain=_NETWORK,
    solver="fisher.propagation",
    given=_BLOCKS,
    rows=_whole_over_block,
    derivation=None,
    simulate=simulate.whole_over_block,
    plans=_plans(120, 0.05, closer=0.014, reference=480),
    within=0.1,
    quantity="lambda_max(F) / max_l lambda_max(F_l)",
    observable="the same, one output",
    wrong=wrong(
        "maximum over layers",
        "the bound of the block-diagonal matrix taken for the whole",
        lambda: 1.0,
    ),
)
LEARNING_RATE = declare(
    "fisher.learning-rate",
    title="Largest stable learning rate",
    statement="Gradient descent on the mean squared loss diverges above 2 / lambda_max.",
    paper="arXiv:1806.01316, section 4",
    domain=_NETWORK,
    solver="fisher.predict",
    given={"width": _WIDE},
    rows=lambda found: found.largest_learning_rate * _WIDE,
    simulate=simulate.critical_rate,
    plans=_plans(48, sizes=(50, 100, 200), closer=0.05, reference=144),
    within=0.12,  # the largest eigenvalue of one ReLU network scatters by a third at width 50
    quantity="critical learning rate times the width",
    observable="bisection between rates at which the loss shrinks and grows; targets 1e-4 from the outputs, in the "
    "direction that grows first",
    wrong=wrong(
        "largest block",
        "the largest block's eigenvalue in place of the whole matrix's",
        another("fisher.propagation", _rate_of_largest_block, **_BLOCKS),
    ),
)
CLAIMS = (SPECTRUM, LARGEST, BOUND, LEARNING_RATE)
