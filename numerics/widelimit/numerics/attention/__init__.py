"""Softmax attention at initialisation: overlaps of its rows, and what layers and blocks do to tokens and gradients.

overlaps   what rows of softmax weights share, at any number of tokens, temperature and correlation     (shares)
layer      Gram matrix and tangent kernel behind a layer                                                (layers)
layer_gradient   their derivatives by scales and along a direction                         (layer_gradients)
gradient   products of gradients in front of it, through values, queries and keys                       (gradients)
sequences, backwards   both for several sequences, masks, and rotary positions                           (several)
sequences_gradient   derivatives of the former                                  (sequence_gradients)
Block, propagate, exponents   stacks of transformer blocks, forwards and backwards                      (blocks)
overlaps_gradient   derivatives of overlaps by temperature, correlation and number of tokens            (tuning)
propagate_gradient  derivatives of a stack by scales, input and gradients                              (stack_gradients)
embedding, zipf, collapse, averaging, copied   words, rank collapse, stacks of averages and of copies   (inputs)
predict    one layer and one stack, for the command line                                                (command)
rows       the integrals; sampling: tokens with any Gram matrix; positions: those of sequences; requests: of layers
"""

from widelimit.numerics.attention.blocks import Block, Exponents, Propagation, exponents, propagate
from widelimit.numerics.attention.command import predict
from widelimit.numerics.attention.gradients import Gradient, gradient
from widelimit.numerics.attention.inputs import Collapse, averaging, collapse, copied, embedding, zipf
from widelimit.numerics.attention.layer_gradients import LayerGradient, LayerSlopes, layer_gradient
from widelimit.numerics.attention.layers import Layer, layer
from widelimit.numerics.attention.sequence_gradients import (
    SequencesGradient,
    SequencesSlopes,
    sequences_gradient,
)
from widelimit.numerics.attention.several import Backwards, Sequences, backwards, sequences
from widelimit.numerics.attention.shares import Overlaps, overlaps
from widelimit.numerics.attention.stack_gradients import (
    PropagationGradient,
    PropagationSlopes,
    propagate_gradient,
)
from widelimit.numerics.attention.tuning import OverlapsGradient, OverlapsSlopes, overlaps_gradient

__all__ = [
    "Backwards",
    "Block",
    "Collapse",
    "Exponents",
    "Gradient",
    "Layer",
    "LayerGradient",
    "LayerSlopes",
    "Overlaps",
    "OverlapsGradient",
    "OverlapsSlopes",
    "Propagation",
    "PropagationGradient",
    "PropagationSlopes",
    "Sequences",
    "SequencesGradient",
    "SequencesSlopes",
    "averaging",
    "backwards",
    "collapse",
    "copied",
    "embedding",
    "exponents",
    "gradient",
    "layer",
    "layer_gradient",
    "overlaps",
    "overlaps_gradient",
    "predict",
    "propagate",
    "propagate_gradient",
    "sequences",
    "sequences_gradient",
    "zipf",
]
