"""Recurrent dynamics.

random      `random_network`: what a random network does by itself
correlation, level      its dynamic mean field in continuous time; the Lyapunov exponent from it
spectrum    discrete time: all Lyapunov exponents, `noise_edge`
averages, modes     Gaussian averages about a drive; the correlation of rates as a series
"""

from widelimit.numerics.dynamics.random import RandomNetwork, predict, random_network
from widelimit.numerics.dynamics.spectrum import NoiseEdge, noise_edge

__all__ = ["NoiseEdge", "RandomNetwork", "noise_edge", "predict", "random_network"]
