"""Fourier modes of the covariance in convolutional networks as a falsifiable claim (arXiv:1806.05393)."""

from __future__ import annotations

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import altered, declare, table, wrong
from widelimit.validate.simulate import convolution as simulate

MODES = declare(
    "convolution.modes",
    title="Fourier modes of the covariance",
    statement="Around the fixed point, mode k of the covariance is multiplied by chi lambda_k per layer.",
    paper="arXiv:1806.05393, eq. (2.11)",
    domain={
        "activation": Choice(("tanh", "erf")),
        "sigma_w": Interval(1.6, 3.0, simplest=2.0),
        "sigma_b": Interval(0.2, 0.5, simplest=0.5),
        "positions": Integers(6, 16),
        "filter_size": Choice((3, 5)),
        "wave": Integers(1, 4),
    },
    solver="convolution.predict",
    rows=lambda modes, wave: modes.factor[wave],
    start=simulate.fixed_point,
    simulate=simulate.convolution_modes,
    points=table(
        "activation sigma_w sigma_b positions filter_size wave",
        [("tanh", 1.8, 0.3, 12, 3, 1), ("tanh", 1.8, 0.3, 12, 3, 3)],
        [("erf", 1.8, 0.3, 12, 3, 2), ("tanh", 2.5, 0.2, 12, 3, 2)],
    ),
    # a chaotic network, whose c_star < 1 leaves room for a wave, and a mode that the positions hold
    valid=lambda inputs, wave, positions: wave <= positions // 2 and simulate.fixed_point(inputs)["c"] < 0.9,
    sizes=(2000, 4000, 8000),
    within=0.12,
    target=0.04,
    noise=4.0,
    size_name="channels",
    quantity="factor of the mode in one layer",
    observable="amplitude of a planted wave of the covariance of two signals behind one layer over that before it",
    wrong=wrong("dense network", "the slope without the filter's multiplier lambda_k", altered(kind="delta")),
)
CLAIMS = (MODES,)
