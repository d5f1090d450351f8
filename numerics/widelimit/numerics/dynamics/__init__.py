"""Recurrent dynamics: what random networks do, what trained ones compute, and how alike two of them are.

random      `random_network`: what a random network does by itself
correlation, level      its dynamic mean field in continuous time; the Lyapunov exponent from it
spectrum    discrete time: all Lyapunov exponents, `noise_edge`
lattice, rank           `euler`: covariances of what is simulated in steps; networks of rank one
averages, modes     Gaussian averages about a drive; the correlation of rates as a series

points, newton, certificate    `fixed_points`: searched for from visited states, each with a proof
connections, scales     where unstable directions lead, `same_graph`; time constants and periods
linear, line            `linearize`; `line_attractor`

similarity              `cca`, `cca_null`, `autocorrelation`: canonical correlations, and those that chance gives
"""

from widelimit.numerics.dynamics.lattice import euler
from widelimit.numerics.dynamics.line import Line, line_attractor
from widelimit.numerics.dynamics.linear import Linear, linearize
from widelimit.numerics.dynamics.points import FixedPoints, SlowPoints, fixed_points
from widelimit.numerics.dynamics.random import RandomNetwork, predict, random_network
from widelimit.numerics.dynamics.rank import RankOne, rank_one
from widelimit.numerics.dynamics.similarity import Null, Similarity, autocorrelation, cca, cca_null
from widelimit.numerics.dynamics.spectrum import NoiseEdge, noise_edge

__all__ = [
    "FixedPoints",
    "Line",
    "Linear",
    "NoiseEdge",
    "Null",
    "RandomNetwork",
    "RankOne",
    "Similarity",
    "SlowPoints",
    "autocorrelation",
    "cca",
    "cca_null",
    "euler",
    "fixed_points",
    "line_attractor",
    "linearize",
    "noise_edge",
    "predict",
    "random_network",
    "rank_one",
]
