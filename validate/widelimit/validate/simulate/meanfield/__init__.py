"""Lengths, correlations and gradients of drawn networks, layer by layer.

recursions  forward and backward statistics, rates of merging
moments     sample moments without the noise that can be known
training    networks trained for a while
edges       the edge of chaos, found by bisection on drawn networks
"""

from widelimit.validate.simulate.meanfield.recursions import (
    FAMILY,
    PAIRS,
    ForwardStatistics,
    GradientStatistics,
    forward_statistics,
    gradient_statistics,
    rate_of_merging,
    rates_of_return,
    settled,
)

__all__ = [
    "FAMILY",
    "PAIRS",
    "ForwardStatistics",
    "GradientStatistics",
    "forward_statistics",
    "gradient_statistics",
    "rate_of_merging",
    "rates_of_return",
    "settled",
]
