"""Orbits of recurrent cells in continuous time: integration with neighbours, rest, and closed orbits.

integration  midpoint rule extrapolated to rounding, of states and of transfer matrices
newton       the fixed point next to a state
shooting     `settle`: the cycle that a start leads to; `close`: Newton's method on start and period
taylor       proven steps in the plane by Taylor series of intervals
saddles      proven pieces of a saddle's manifolds
sections     proven crossings of a line
"""

from widelimit.numerics.orbits.newton import resting
from widelimit.numerics.orbits.shooting import AtRestError, AwayError, Closed, close, settle

__all__ = ["AtRestError", "AwayError", "Closed", "close", "resting", "settle"]
