"""Trained recurrent networks in files, for the command line.

door    `predict`: random networks by numbers, trained ones by files of weights and trajectories
"""

from widelimit.validate.dynamics.door import Trained, predict, weights

__all__ = ["Trained", "predict", "weights"]
