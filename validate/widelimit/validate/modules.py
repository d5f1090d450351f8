"""Torch modules of architectures' layers, for users (`network.modules`)."""

from widelimit.validate.network.modules import (
    Cell,
    Draw,
    LastStep,
    Normalise,
    Parametrisation,
    Pointwise,
    Pool,
    Shortcut,
    Weighted,
    build,
)

__all__ = [
    "Cell",
    "Draw",
    "LastStep",
    "Normalise",
    "Parametrisation",
    "Pointwise",
    "Pool",
    "Shortcut",
    "Weighted",
    "build",
]
