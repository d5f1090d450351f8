"""Interval arithmetic for proofs, compiled: what comes out holds the true value whatever was rounded.

rounding    up, down; add, sub, mul, scale, sqr, div of intervals, pairs (low, high) of floats
functions   exp, sigmoid, tanh and the slopes of both, of intervals and of single floats (`exp_at`, ...)
arrays      dot, matvec, matmul with matrices of floats; box_matvec with one of intervals
"""

from widelimit.numerics.intervals.arrays import box_matvec, dot, matmul, matvec
from widelimit.numerics.intervals.functions import (
    exp,
    exp_at,
    sigmoid,
    sigmoid_at,
    sigmoid_slope,
    tanh,
    tanh_at,
    tanh_slope,
)
from widelimit.numerics.intervals.rounding import add, div, down, mul, scale, sqr, sub, up

__all__ = [
    "add",
    "box_matvec",
    "div",
    "dot",
    "down",
    "exp",
    "exp_at",
    "matmul",
    "matvec",
    "mul",
    "scale",
    "sigmoid",
    "sigmoid_at",
    "sigmoid_slope",
    "sqr",
    "sub",
    "tanh",
    "tanh_at",
    "tanh_slope",
    "up",
]
