"""Curves of inputs in wide networks: length, curvature, Gauss map, kinks crossed, layer by layer.

curves  `predict`: length, curvature and Gauss map of a circle, layer by layer; `published_growth`, a bound
lines   `line`: length and kinks of a straight line of inputs
"""

from widelimit.numerics.geometry.curves import Circle, predict, published_growth
from widelimit.numerics.geometry.lines import Line, line

__all__ = ["Circle", "Line", "line", "predict", "published_growth"]
