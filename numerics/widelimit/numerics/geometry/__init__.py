"""Curves of inputs in wide networks, in numbers.

curves  `predict`: length, curvature and Gauss map of a circle, layer by layer; `published_growth`, a bound
line    `line`: length and kinks of a straight line of inputs
"""

from widelimit.numerics.geometry.curves import Circle, predict, published_growth
from widelimit.numerics.geometry.line import Line, line

__all__ = ["Circle", "Line", "line", "predict", "published_growth"]
