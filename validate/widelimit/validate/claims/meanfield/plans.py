"""The points that each preset visits for the mean-field claims, and what it spends on them.

`quick` is sized for two cores and a minute and a half over all claims, `reference` for some ten minutes, `deep` for one
GPU. Sizes reach 1,000, 2,000 and 8,000: one layer of a network of width 1,000 costs about 6 ms on one core.
"""

from __future__ import annotations

from typing import Any

from widelimit.validate.harness import declare
from widelimit.validate.harness.claim import Inputs, Plan, Preset
from widelimit.validate.harness.declare.points import Points

QUICK = (250, 500, 1000)
REFERENCE = (500, 1000, 2000)
DEEP = (1000, 2000, 4000, 8000)
# where theory speaks of each width, to order 1/N^2: small networks say most for their price
SMALL = ((64, 96, 128), (96, 128, 192), (128, 256, 512))

# The published setting of 1611.01232, sigma_b^2 = 0.05, in both phases; 1606.05340 has sigma_b = 0.3.
_SIGMA_B = 0.05**0.5


def point(activation: str, variance: float, sigma_b: float = _SIGMA_B, **more: Any) -> Inputs:
    """A point with weights of variance ``variance / fan_in``."""
    return {
        "activation": activation,
        "sigma_w": round(variance**0.5, 6),
        "sigma_b": round(sigma_b, 6),
        **more,
    }


def presets(
    quick: tuple[Inputs, ...],
    more: tuple[Inputs, ...],
    *,
    most: tuple[int, int, int] = (64, 160, 192),
    sizes: tuple[tuple[int, ...], ...] = (QUICK, REFERENCE, DEEP),
    within: tuple[float | None, ...] = (None, None, None),
) -> dict[Preset, Plan]:
    """Plans of the three presets: `reference` and `deep` visit the quick points and `more`; `most` replicates each."""
    return declare.presets(
        Points(quick, more), sizes, pilot=(16, 32, 32), most=most, block=(8, 8, 32), within=within
    )


LENGTH_MAP = presets(
    (
        point("tanh", 2.5, depth=5, q0=4.0),
        point("relu", 1.0, 0.5, depth=3, q0=2.0, weights="orthogonal"),
        point("x/sqrt(1 + x**2)", 2.0, 0.3, depth=5, q0=0.2),
        point("tanh", 2.5, depth=5, data="digits:3:17"),
    ),
    (
        point("erf_s", 4.0, depth=8, q0=0.3),
        point("hard_tanh", 2.0, depth=8, q0=3.0),
        point("sin", 2.0, depth=8, q0=1.0, weights="orthogonal"),
        point("gelu", 1.2, 0.4, depth=4, q0=0.5),
        point("erf_s", 1.5, 0.3, depth=8, data="digits:0:1000"),
    ),
    most=(2000, 20_000, 20_000),
    sizes=SMALL,
    within=(0.02, 0.005, 0.002),
)

CORRELATION_MAP = presets(
    (
        point("tanh", 2.5, depth=5, q0=3.0, one_minus_c0=0.1),
        point("relu", 1.8, 0.3, depth=5, q0=1.0, one_minus_c0=0.7),
        point("hard_tanh", 2.0, depth=5, q0=0.5, one_minus_c0=0.4, weights="orthogonal"),
        point("erf_s", 1.5, 0.3, depth=5, data="digits:3:17"),
    ),
    (
        point("erf_s", 4.0, depth=6, q0=2.0, one_minus_c0=0.02),
        point("gelu", 1.2, 0.4, depth=5, q0=1.0, one_minus_c0=0.6),
        point("sin", 2.0, 0.3, depth=6, q0=1.0, one_minus_c0=0.3),
        point("x*tanh(x)", 0.8, 0.5, depth=4, q0=1.5, one_minus_c0=0.5),
        point("tanh", 1.3, 0.3, depth=8, data="digits:0:1000"),
    ),
    most=(2000, 20_000, 20_000),
    sizes=SMALL,
    within=(0.02, 0.006, 0.003),
)

# GELU at the sigma_w where chi_1 = 1 for sigma_b = 0.2: that q, 0.576, is unstable, and networks settle at 0.152.
_GELU_EDGE: dict[str, Any] = {"activation": "gelu", "sigma_w": 1.547009, "sigma_b": 0.2}

FIXED_POINT = presets(
    (
        point("tanh", 9.0, 1.0, depth=32, window=10, q0=1.0, c0=0.3),
        {**_GELU_EDGE, "depth": 48, "window": 10, "q0": 0.25, "c0": 0.5},
    ),
    (
        point("erf_s", 1.3, depth=90, window=10, q0=1.0, c0=0.5),
        point("tanh", 2.5, depth=90, window=20, q0=2.0, c0=0.4),
        point("hard_tanh", 2.0, depth=60, window=20, q0=2.0, c0=0.4),
        point("relu", 1.2, 0.4, depth=28, window=10, q0=1.0, c0=0.9, weights="orthogonal"),
    ),
    most=(96, 256, 192),
    sizes=((100, 200, 400), (300, 600, 1200), DEEP),
)

DEPTH_SCALE = presets(
    (
        point("tanh", 2.5, weights="orthogonal"),
        point("tanh", 1.0),
    ),
    (
        point("tanh", 4.0),
        point("tanh", 2.5),
        point("erf_s", 2.5, weights="orthogonal"),
        point("tanh", 1.3),
        point("hard_tanh", 2.0),
        point("sin", 2.0, 0.3),
        point("relu", 1.0, 0.4),
        point("gelu", 1.2, 0.4),
    ),
    most=(224, 512, 256),
    sizes=((100, 200, 400), (200, 400, 800), DEEP),
)

GRADIENT_NORM = presets(
    (
        point("tanh", 4.0, distance=6),
        point("relu", 1.2, 0.4, distance=6, weights="orthogonal"),
    ),
    (
        point("tanh", 1.0, distance=12),
        point("erf_s", 2.5, distance=12),
        point("hard_tanh", 2.0, distance=12),
        point("sin", 2.0, 0.3, distance=12, weights="orthogonal"),
        point("gelu", 1.2, 0.4, distance=6),
    ),
    most=(128, 2048, 192),
    within=(None, 0.023, None),
    sizes=((100, 200, 400), (200, 400, 800), DEEP),
)

DROPOUT = presets(
    (
        point("tanh", 1.76095, keep=0.9, depth=4),
        point("hard_tanh", 1.5, 0.3, keep=0.7, depth=4, weights="orthogonal"),
    ),
    (
        point("tanh", 1.76095, keep=0.99, depth=10),
        point("erf_s", 2.5, keep=0.95, depth=8),
        point("relu", 0.8, 0.5, keep=0.8, depth=4),
    ),
    most=(2000, 20_000, 20_000),
    sizes=SMALL,
    within=(0.02, 0.005, 0.002),
)

_EDGE = "activation sigma_b depth one_minus_c0 weights"
CRITICAL_DECAY = declare.presets(
    declare.table(
        _EDGE,
        [("tanh", 0.223607, 8, 0.5, "orthogonal")],
        [
            ("relu", 0.0, 8, 1.0, "orthogonal"),
            ("tanh", 0.223607, 8, 0.5, "gaussian"),
            ("erf_s", 0.3, 24, 0.5, "gaussian"),
            ("sin", 0.2, 12, 0.5, "orthogonal"),
            ("relu", 0.0, 24, 1.0, "gaussian"),
        ],
    ),
    # 1 - c of one network fluctuates like sqrt(depth/N) and hardly shifts in the mean: replicates before width
    ((80, 160, 320), (160, 320, 640), (400, 800, 1600)),
    pilot=(16, 32, 32),
    most=(64, 96, 192),
    block=(8, 8, 32),
)
