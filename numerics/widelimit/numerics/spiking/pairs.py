"""Losses between all pairs of many trains: exponentials once a spike, products for a pair.

Time is cut into blocks. A spike keeps exp(-u/a) of its place u in its block, and the trace of its own train behind it
times exp(u/a); the trace at another train's spike is their product. A loss is then what both trains have alone less
what they share; where that cancels (trains that are nearly the same), `loops.loss` takes over.
"""

from __future__ import annotations

import math

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.spiking import loops
from widelimit.theory import spiking as theory

shared = compile(
    theory.overlap_of_sums(), (theory.SLOW, theory.FAST, theory.DECAY, theory.RISE), name="overlap_of_sums"
).njit

BLOCK = 64.0  # rises
APART = 1.2  # decay over rise: nearer, both exponentials cancel
_CLOSE = 1e-2  # of what two trains have alone: a smaller loss is summed by itself


@njit(nogil=True, error_model="numpy")
def prepare(times, starts, ends, a, b, block, here, own):
    """Fill in the block of every spike, exp(-u/a), exp(-u/b) (`here`), and traces times the inverses (`own`)."""
    for k in range(starts.size):
        slow = fast = last = 0.0
        for i in range(starts[k], ends[k]):
            t = times[i]
            slow = slow * math.exp((last - t) / a) + 1.0
            fast = fast * math.exp((last - t) / b) + 1.0
            last = t
            inside = t - math.floor(t / (BLOCK * b)) * (BLOCK * b)
            block[i] = math.floor(t / (BLOCK * b))
            here[i, 0], here[i, 1] = math.exp(-inside / a), math.exp(-inside / b)
            own[i, 0], own[i, 1] = slow * math.exp(inside / a), fast * math.exp(inside / b)


@njit(nogil=True, error_model="numpy")
def sums(x, x_end, y, y_end, times, a, b, block, here, own):
    """Sums of exp(-D/a) and exp(-D/b) over all pairs of a spike of one train and one of the other."""
    slow = fast = 0.0
    one, other = BLOCK * b / a, BLOCK
    i, j, before_x, before_y = x, y, -1, -1
    while i < x_end or j < y_end:
        if j == y_end or (i < x_end and times[i] <= times[j]):
            now, before, before_x = i, before_y, i
            i += 1
        else:
            now, before, before_y = j, before_x, j
            j += 1
        if before >= 0:
            p, q = here[now, 0] * own[before, 0], here[now, 1] * own[before, 1]
            apart = block[now] - block[before]
            if apart:
                p, q = p * math.exp(-one * apart), q * math.exp(-other * apart)
            slow += p
            fast += q
    return slow, fast


@njit(nogil=True, error_model="numpy")
def alone(times, starts, ends, a, b, out):
    """The loss of every train against none."""
    for k in range(starts.size):
        out[k] = loops.loss(times[starts[k] : ends[k]], times[:0], a, b)[0]


@njit(nogil=True, error_model="numpy")
def between(times, starts, ends, first, second, a, b, block, here, own, single, out):
    """The losses of pairs of trains that lie in one array."""
    for k in range(first.size):
        m, n = first[k], second[k]
        found, whole = 0.0, single[m] + single[n]
        if a >= APART * b:
            slow, fast = sums(starts[m], ends[m], starts[n], ends[n], times, a, b, block, here, own)
            found = whole - shared(slow, fast, a, b)
        if found < _CLOSE * whole:
            found = loops.loss(times[starts[m] : ends[m]], times[starts[n] : ends[n]], a, b)[0]
        out[k] = found
