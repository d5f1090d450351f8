"""Alignment of feedback: local rules by which a backward weight comes to carry the error of the forward one.

rules         flows of five rules as matrices, and of one entry: rate, drive, value at rest
cosines       cosines with W^T for Gaussian weights, for inputs behind a ReLU; the largest eigenvalue
noise         what batches do: the floor of the error, the largest steps
coupled       W and B both moving: invariant, singular values
signals       error signals through layers, Kolen and Pollack's rule with noise, estimated weights, time courses
derivations   `derive`: a result by its name
steps_fixed, steps_noise, steps_coupled, steps_signals    its steps
matrices      the small matrices that the steps are checked with

Primitives carry 1/2 where they are quadratic: decay (|W|^2 + |B|^2)/2, sparse E(|W x|^2 + |B^T x|^2)/2, null
E|B W x|^2/2, self -tr B W, amp -E x^T B W x. The published code has none: its coefficients of these are half of ours.
"""

from widelimit.theory.alignment.cosines import (
    ASPECT,
    FAN_IN,
    MEAN,
    MEAN_SQUARE,
    RATIO,
    SIGMA_W,
    edge,
    information_cosine,
    mirror_cosine,
    overlap,
    relu_cosine,
    relu_moments,
    relu_overlap,
    relu_spread,
    resolvent,
    shrunk,
    shrunk_twice,
)
from widelimit.theory.alignment.coupled import (
    GROWTH,
    INVARIANT,
    SATURATION,
    START,
    balance_flow,
    balanced,
    decay,
    growth,
    imbalance,
    resting_value,
    saturation,
    squared_value,
)
from widelimit.theory.alignment.derivations import RESULTS, derive
from widelimit.theory.alignment.noise import (
    BATCH,
    DIMENSION,
    ENTRY_OF_C,
    NOISY,
    PUT_IN,
    RATE,
    ROUND_TRIP,
    STEP,
    TRACE,
    activation_step,
    alone,
    damping,
    excess,
    feed,
    information_step,
    largest_step,
    passed_on,
)
from widelimit.theory.alignment.rules import (
    ALPHA,
    BETA,
    GAMMA,
    IMAGE,
    MODE,
    RULES,
    drive,
    fixed_point,
    flow,
    forward_flow,
    noisy_rate,
    rate,
    residual,
)
from widelimit.theory.alignment.signals import (
    below,
    common,
    course,
    estimated_cosine,
    kolen_pollack_cosine,
    remembered,
    scatter_below,
)

__all__ = [
    "ALPHA", "ASPECT", "BATCH", "BETA", "DIMENSION", "ENTRY_OF_C", "FAN_IN", "GAMMA", "GROWTH", "IMAGE", "INVARIANT",
    "MEAN", "MEAN_SQUARE", "MODE", "NOISY", "PUT_IN", "RATE", "RATIO", "RESULTS", "ROUND_TRIP", "RULES", "SATURATION",
    "SIGMA_W", "START", "STEP", "TRACE", "activation_step", "alone", "balance_flow", "balanced", "below", "common",
    "course", "damping", "decay", "derive", "drive", "edge", "estimated_cosine", "excess", "feed", "fixed_point",
    "flow", "forward_flow", "growth", "imbalance", "information_cosine", "information_step",
    "kolen_pollack_cosine", "largest_step",
    "mirror_cosine", "noisy_rate", "overlap", "passed_on", "rate", "relu_cosine", "relu_moments", "relu_overlap",
    "relu_spread", "remembered", "residual", "resolvent", "resting_value", "saturation", "scatter_below",
    "shrunk", "shrunk_twice", "squared_value",
]  # fmt: skip
