"""How far one draw lies from the mean."""

from __future__ import annotations

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate.network import widths as simulate


def _variance(activation: str, sigma_w: float, depth: int) -> float:
    """N times the relative variance, as N grows: N is taken so large that what is left is rounding."""
    from widelimit.numerics.network import width_variance

    wide = 10**8
    return wide * width_variance(activation, width=wide, depth=depth, sigma_w=sigma_w).variance[-1]


WIDTH_VARIANCE = declare(
    "network.width-variance",
    title="The error bar of one draw",
    statement="A layer of N units adds (E phi^4 / (E phi^2)^2 - 1)/N to the relative variance of the length.",
    paper="arXiv:1803.01719 (ReLU); new for others",
    domain={
        "activation": Choice(("relu", "tanh", "gelu")),
        "sigma_w": Interval(0.8, 2.0, simplest=1.0),
        "depth": Integers(1, 4),
    },
    rows=_variance,
    simulate=simulate.variance,
    points=table("activation sigma_w depth", [("relu", 1.4, 1), ("tanh", 1.5, 2)], [("gelu", 1.5, 3)]),
    sizes=(32, 64, 128),
    within=0.1,
    noise=0.3,
    quantity="N times the relative variance of |x|^2",
    observable="variance over 4,000 draws",
    wrong=wrong("Gaussian units", "2/N a layer, as if outputs were Gaussian", lambda depth: 2.0 * depth),
)
CLAIMS = (WIDTH_VARIANCE,)
