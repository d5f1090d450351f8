"""Spiking networks in torch: SuperSpike's rule, and what a surrogate derivative of your own stands for.

neurons     layers of leaky integrate-and-fire neurons, step by step, with a surrogate derivative for autograd
rule        `SuperSpike`: networks of one and two layers trained by the three-factor rule, any feedback
implied     `implied_noise`: the noise and the scale of a surrogate that is a torch function
"""

from widelimit.validate.spiking.implied import ImpliedNoise, implied_noise
from widelimit.validate.spiking.neurons import Kernel, Neurons, filtered
from widelimit.validate.spiking.rule import SuperSpike

__all__ = ["ImpliedNoise", "Kernel", "Neurons", "SuperSpike", "filtered", "implied_noise"]
