"""Zero padding and depthwise filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.claim import Choice, Integers
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate.network import filters as simulate

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation


def _derive(inputs: Mapping[str, Any]) -> Derivation:
    from widelimit.theory.convolution import derive

    return derive()


def _covered(positions: int, filter_size: int, stride: int, dilation: int, padding: int) -> float:
    from widelimit.numerics.convolution import coverage

    return coverage(positions, filter_size, stride=stride, dilation=dilation, padding=padding).mean


def _kurtosis(taps: int) -> float:
    from widelimit.numerics.convolution import depthwise_kurtosis

    return depthwise_kurtosis(5.0, taps)  # behind ReLU


COVERAGE = declare(
    "network.coverage",
    title="What zero padding takes",
    statement="The mean square behind a convolution is the share of its taps that meet positions.",
    paper="new (counting)",
    domain={
        "positions": Integers(6, 16),
        "filter_size": Integers(3, 6),
        "stride": Choice((1, 2)),
        "dilation": Choice((1, 2)),
        "padding": Choice((1, 2, 3)),
    },
    rows=_covered,
    simulate=simulate.padded,
    points=table(
        "positions filter_size stride dilation padding", [(8, 5, 1, 1, 2), (9, 4, 2, 2, 3)], [(8, 3, 2, 1, 1)]
    ),
    within=0.02,
    noise=0.03,
    derivation=_derive,
    quantity="mean square over that of constant inputs",
    observable="2,000 output channels of a drawn convolution",
    wrong=wrong("circular padding", "all taps meet positions", lambda: 1.0),
)
KURTOSIS = declare(
    "network.depthwise-kurtosis",
    title="Depthwise filters leave no Gaussians",
    statement="Units behind a filter over one channel have the kurtosis 3 E v^2 / (E v)^2, v the mean square under it.",
    paper="new (mixtures of Gaussians)",
    domain={"taps": Choice((4, 9, 25))},
    rows=_kurtosis,
    simulate=simulate.depthwise,
    points=table("taps", [9], [25]),
    within=0.05,
    noise=0.02,
    derivation=_derive,
    quantity="kurtosis",
    observable="100,000 units behind filters over independent units behind ReLU",
    wrong=wrong("Gaussian", "3, as behind a full convolution", lambda: 3.0),
)
CLAIMS = (COVERAGE, KURTOSIS)
