"""The torch module of an `Architecture`, with weights drawn as theory assumes.

`build` writes the scales into the weights (`standard`), or in front of standard-normal weights (`ntk`), whose
gradients are those of the tangent kernel. The modules themselves stand in `parts`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from widelimit.numerics import arguments
from widelimit.theory.architecture import Architecture
from widelimit.theory.errors import ArgumentError
from widelimit.validate.network.kinds import KINDS
from widelimit.validate.network.parts import (
    Cell,
    Draw,
    LastStep,
    Normalise,
    Pointwise,
    Pool,
    Shortcut,
    Weighted,
)
from widelimit.validate.network.registry import Drawing, Space

__all__ = [
    "KINDS",
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

Parametrisation = Literal["standard", "ntk"]


def build(
    architecture: Architecture,
    inputs: tuple[int, ...],
    *,
    width: int,
    outputs: int = 1,
    parametrisation: Parametrisation = "standard",
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> nn.Sequential:
    """Draw the torch module of `architecture` for inputs of shape `inputs` (without the batch).

    Layers without a width of their own get `width`, the last dense layer `outputs`. `parametrisation`: where the scales
    stand, in the weights or in front of standard-normal ones. What the architecture freezes does not require gradients.
    Raises `ArgumentError` for inputs that do not fit the first layer.

    >>> from widelimit.theory.architecture import mlp
    >>> model = build(mlp("relu", sigma_w=1.5, depth=1), (3,), width=64)
    >>> tuple(model(torch.zeros(2, 3, dtype=torch.float64)).shape)
    (2, 1)
    """
    if parametrisation not in ("standard", "ntk"):
        raise ArgumentError("parametrisation", "must be standard or ntk", parametrisation)
    arguments.count("width", width)
    arguments.count("outputs", outputs)
    inputs = _shape(architecture, inputs)
    draw = Draw(generator if generator is not None else torch.Generator().manual_seed(0), dtype)
    sequence = architecture.layers[0].reads_sequences
    space = Space(inputs[1]) if sequence else Space(inputs[0], inputs[1:])
    return Drawing(width, parametrisation == "ntk", draw).graph(architecture, space, outputs)


def _shape(architecture: Architecture, inputs: object) -> tuple[int, ...]:
    """`inputs` as a shape that the first layer can read."""
    if not isinstance(architecture, Architecture):
        raise ArgumentError("architecture", "must be an Architecture", architecture)
    if not isinstance(inputs, tuple | list) or not inputs:
        raise ArgumentError("inputs", "must be the shape of an input without the batch, such as (3,)", inputs)
    shape = tuple(arguments.count("inputs", size) for size in inputs)
    first = architecture.layers[0]
    needed = 2 if first.reads_sequences else 1 + first.dimensions
    if (first.weighted or first.reads_sequences) and len(shape) != needed:
        raise ArgumentError("inputs", f"must have {needed} dimension(s) for the first layer", shape)
    return shape
