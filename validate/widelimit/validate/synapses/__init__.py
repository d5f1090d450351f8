"""Importance of parameters while a user's own network trains.

tracking    `track`: a torch optimiser's path integrals, their noise, and the importance that they give
"""

from widelimit.validate.synapses.tracking import Tracker, track

__all__ = ["Tracker", "track"]
