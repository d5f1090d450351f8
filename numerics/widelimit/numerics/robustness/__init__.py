"""Adversarial perturbations: how many inputs they flip, which laws of weights protect, what saturation does to slopes.

flip_fraction, adversarial_accuracy, best_weights    of linear units under attacks in any l_p norm       (units)
weight_law, weight_statistics                        ratio of norms and kurtosis, of laws and of weights (laws)
network_flip_fraction                                of deep random networks          (networks, layers by gains)
saturation_bound, saturated_gain                     slopes of saturated layers, bounded and random      (networks)
divergence                                           KL of a shift of logits to second order             (geometry)
predict                                              one flat record for the command line                (predicting)
"""

from widelimit.numerics.robustness.geometry import divergence
from widelimit.numerics.robustness.laws import WeightLaw, WeightStatistics, weight_law, weight_statistics
from widelimit.numerics.robustness.networks import network_flip_fraction, saturated_gain, saturation_bound
from widelimit.numerics.robustness.predicting import predict
from widelimit.numerics.robustness.units import (
    adversarial_accuracy,
    best_accuracy,
    best_weights,
    flip_fraction,
)

__all__ = [
    "WeightLaw",
    "WeightStatistics",
    "adversarial_accuracy",
    "best_accuracy",
    "best_weights",
    "divergence",
    "flip_fraction",
    "network_flip_fraction",
    "predict",
    "saturated_gain",
    "saturation_bound",
    "weight_law",
    "weight_statistics",
]
