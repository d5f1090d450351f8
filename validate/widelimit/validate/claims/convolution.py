"""Fourier modes of the covariance in convolutional networks as a falsifiable claim (arXiv:1806.05393)."""

from __future__ import annotations

from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval
from widelimit.validate.harness.declare import altered, declare, table, wrong
from widelimit.validate.simulate import convolution as simulate


def _chaotic(inputs: Inputs) -> bool:
    """Whether two signals stay apart, and have settled after the layers that the simulation takes for it."""
    from widelimit.numerics import meanfield

    scales = {name: float(inputs[name]) for name in ("sigma_w", "sigma_b")}
    point = meanfield.solve(str(inputs["activation"]), **scales)
    return float(point.c_star) < 0.9 and float(point.xi_c) < 10


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
    simulate=simulate.convolution_modes,
    points=table(
        "activation sigma_w sigma_b positions filter_size wave",
        [("tanh", 1.8, 0.3, 12, 3, 1), ("tanh", 1.8, 0.3, 12, 3, 3)],
        [("erf", 1.8, 0.3, 12, 3, 2), ("tanh", 2.5, 0.2, 12, 3, 2)],
    ),
    # a chaotic network, whose c_star < 1 leaves room for a wave, and a mode that the positions hold
    valid=lambda inputs, wave, positions: wave <= positions // 2 and _chaotic(inputs),
    sizes=(32, 64, 128),
    within=0.04,
    closer=1.85,
    noise=0.5,
    size_name="channels",
    quantity="factor of the mode in one layer",
    observable="amplitude of a small wave of the covariance of two signals, settled by 24 layers of a network, behind "
    "the next layer over that before it",
    wrong=wrong("dense network", "the slope without the filter's multiplier lambda_k", altered(kind="delta")),
)
CLAIMS = (MODES,)
