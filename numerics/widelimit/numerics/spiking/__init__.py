"""Spike trains and surrogate gradients, in seconds.

van_rossum, distances                   how far trains are apart                         (distance; loops, pairs)
compare                                 two recorded trains: loss, jitter, z-score       (comparing, settings)
poisson_loss                            the loss that chance makes                       (chance)
jitter_loss, timing_precision           the loss of jitter, and back                     (jitter)
plasticity_window                       of SuperSpike's rule                             (window)
firing_rate                             of integrate-and-fire neurons, noise or none     (rates)
surrogate                               the noise that a surrogate derivative stands for (noise)
two_layer_bias, sharp_limit             where surrogate gradients are no gradients       (layers, sharp)
"""

from widelimit.numerics.spiking.chance import PoissonLoss, poisson_loss
from widelimit.numerics.spiking.comparing import Comparison, compare, predict
from widelimit.numerics.spiking.distance import distances, van_rossum
from widelimit.numerics.spiking.jitter import jitter_loss, timing_precision
from widelimit.numerics.spiking.layers import TwoLayers, two_layer_bias
from widelimit.numerics.spiking.noise import Surrogate, surrogate
from widelimit.numerics.spiking.rates import firing_rate
from widelimit.numerics.spiking.sharp import SharpLimit, sharp_limit
from widelimit.numerics.spiking.window import plasticity_window

__all__ = [
    "Comparison",
    "PoissonLoss",
    "SharpLimit",
    "Surrogate",
    "TwoLayers",
    "compare",
    "distances",
    "firing_rate",
    "jitter_loss",
    "plasticity_window",
    "poisson_loss",
    "predict",
    "sharp_limit",
    "surrogate",
    "timing_precision",
    "two_layer_bias",
    "van_rossum",
]
