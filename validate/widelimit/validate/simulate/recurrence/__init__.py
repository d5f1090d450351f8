"""Recurrent networks and cells, simulated.

drawn     drawn networks, step by step
digits    cells inside small convolutional networks that learn digits
nets      those networks
"""

from widelimit.validate.simulate.recurrence.drawn import bypassed, gated, reciprocal, resting, two_time

__all__ = ["bypassed", "gated", "reciprocal", "resting", "two_time"]
