r"""Two laws in general position: the subordination functions of a free sum, product or power at any real point.

    sums       w_1 = z + h_2(w_2),  w_2 = z + h_1(w_1)       h(w) = 1/G(w) - w
    products   the same in logarithms: w = log zeta          h(w) = log k = log((1 + m)/(m zeta)),  z for log z
    powers     w = z + (t - 1) h(w)

Far above the axis the iteration of these equations converges to their only solution in the upper half plane. From there
each point goes straight down to the axis by steps of Newton's method that a Kantorovich test accepts (as in
`continuation`), all in compiled code.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.freeprob.cauchy import Measure, evaluate, raw
from widelimit.numerics.freeprob.equation import doubt, of_pair, step
from widelimit.numerics.freeprob.real_curve import POWER, PRODUCT, Half
from widelimit.theory.errors import ConvergenceError

_RATIO, _LARGEST, _LINEAR, _SETTLED = 0.25, 0.6, 1e-6, 1e-9  # as in `continuation`
_SHORTEST = 2.0**-52
_DEEP = -4.0  # log z, from the mean
_ROUGH, _ASIDE = 1e-6, 1e-6  # a last correction that tells nothing, and how far from there it does
_MOST = 1000
_EPS = float(np.finfo(float).eps)


@njit(cache=True, nogil=True, error_model="numpy")
def _allowed(equation, s1, s2, target):
    """Whether both unknowns can be values of functions that map the upper half plane into itself, and raise it."""
    floor = target.imag * (1 - 1e-9) - 1e-9 * equation.scale
    if not (math.isfinite(s1.real) and math.isfinite(s2.real)):
        return False
    if not (s1.imag >= floor and s2.imag >= floor):
        return False
    return equation.mode != PRODUCT or (s1.imag < np.pi + 1e-9 and s2.imag < np.pi + 1e-9)


@njit(cache=True, nogil=True, error_model="numpy")
def _attempt(equation, s1, s2, target, largest):
    """Three Newton steps towards a target; the state reached and whether the test accepts it."""
    before = math.inf
    for k in range(3):
        s1, s2, size = step(equation, s1, s2, target)
        if not size < 1e6:
            return s1, s2, False
        if k > 0 and size > _RATIO * before + equation.noise and before >= _SETTLED:
            return s1, s2, False
        if k == 1:
            if before >= largest and size >= _LINEAR * before:
                return s1, s2, False
            if size < equation.noise:
                break
        before = size
    return s1, s2, _allowed(equation, s1, s2, target)


@njit(cache=True, nogil=True, error_model="numpy")
def _polish(equation, s1, s2, target, steps):
    """Newton until the correction no longer falls."""
    size = math.inf
    for _ in range(steps):
        m1, m2, new = step(equation, s1, s2, target)
        if not new < size:
            break
        s1, s2, size = m1, m2, new
        if size < 4 * _EPS:
            break
    return s1, s2, size


@njit(cache=True, nogil=True, error_model="numpy")
def _track(equation, s1, s2, begin, end, inside):
    """Continue a state along a segment of targets; returns it and the share of the way it came.

    `inside`: the segment lies on the real axis within the support, where no step may move a state further than half its
    distance to the axis, next to which there are other roots.
    """
    done, step = 0.0, 1.0
    for _ in range(_MOST):
        if done >= 1.0 or step <= _SHORTEST:
            break
        goal = min(1.0, done + step)
        if goal > 1.0 - _SHORTEST:
            goal = 1.0
        target = end if goal == 1.0 else begin + goal * (end - begin)
        m1, m2, good = _attempt(equation, s1, s2, target, _LARGEST)
        if good and (not inside or _near(s1, m1, s2, m2)):
            s1, s2, done = m1, m2, goal
            step *= 4.0
        else:
            step *= 0.5
        step = min(step, max(1.0 - done, 2 * _SHORTEST))
    return s1, s2, done


@njit(cache=True, nogil=True, error_model="numpy")
def _near(s1, m1, s2, m2):
    """Whether a step is shorter than half the distance of the states to the real axis."""
    return abs(m1 - s1) <= 0.5 * s1.imag and abs(m2 - s2) <= 0.5 * s2.imag


@njit(cache=True, nogil=True, error_model="numpy")
def _drop(equation, s1, s2, target, height):
    """From the state at target + i height down to the target on the real axis; returns it and whether it came there.

    The unknowns are analytic on the disc of radius Im z about z, so that a step that leaves a share of Im z is safe.
    The last one, to the axis, is so where it is short beside the distance of the states to the axis; in gaps of the
    support, where they come down to it, only close to it.
    """
    least = 1e-12 * min(height, abs(target) + equation.scale)
    share, level, whole = 0.125, height, True
    for _ in range(800):
        lower = 0.0 if whole else level * share
        goal = target + 1j * lower
        m1, m2, good = _attempt(equation, s1, s2, goal, _LARGEST if whole else 4.0)
        if whole:
            if good and (level <= least or _near(s1, m1, s2, m2)):
                return m1, m2, True
            if level <= least or share > 0.999:  # rounding decides how far corrections fall
                break
            whole = False
            continue
        if good:
            s1, s2, level = m1, m2, lower
            share = max(0.125, share * share)
        else:
            share = 0.5 * (1.0 + share)
        whole = good or share > 0.999
    m1, m2, _ = _polish(equation, s1, s2, target, 8)
    if _near(s1, m1, s2, m2) and _allowed(equation, m1, m2, target):
        return m1, m2, True
    return s1, s2, level < 100 * least  # all that rounding tells next to a cusp


@njit(cache=True, nogil=True, error_model="numpy")
def _start(equation, target):
    """The state at a point far above the axis: fixed-point iteration until Newton's method takes over."""
    s1 = s2 = target
    product = equation.mode == PRODUCT
    for k in range(2000):
        h1, _ = evaluate(product, equation.one, s1)
        if equation.mode == POWER:
            s1 = target + (equation.power - 1.0) * h1
            s2 = s1
        else:
            s2 = target + h1
            h2, _ = evaluate(product, equation.two, s2)
            s1 = target + h2
        if k % 4 == 3:
            m1, m2, good = _attempt(equation, s1, s2, target, _LARGEST)
            if good:
                m1, m2, _ = _polish(equation, m1, m2, target, 8)
                return m1, m2, True
    return s1, s2, False


@njit(cache=True, nogil=True, error_model="numpy")
def _fall(equation, height, target):
    """The state at a target from far above (or, height < 0, the negative axis from there), and the share of the way."""
    top = complex(target.real, abs(height))
    # far down in logarithms the iteration hardly moves: from where it does along a line far above the axis
    near = complex(max(top.real, _DEEP), top.imag) if equation.mode == PRODUCT else top
    s1, s2, good = _start(equation, near)
    if good and near.real > top.real:
        s1, s2, done = _track(equation, s1, s2, near, top, False)
        good = done == 1.0
    if not good:
        return s1, s2, 0.0
    if height < 0:  # to the negative axis, in logarithms
        return _track(equation, s1, s2, top, target, False)
    s1, s2, good = _drop(equation, s1, s2, target, height)
    return s1, s2, 1.0 if good else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _aside(equation, p1, p2, above, top, height):
    """The state at `top` from that at `above`, another point of the upper half plane, or (`above` zero) from far up."""
    if above != 0j:
        s1, s2, done = _track(equation, p1, p2, above, top, False)
        if done == 1.0:
            return s1, s2, True
    level = complex(top.real, height)
    s1, s2, good = _start(equation, level)
    while good and level.imag > top.imag:
        below = complex(top.real, max(top.imag, level.imag / 16))
        s1, s2, done = _track(equation, s1, s2, level, below, False)
        level, good = below, done == 1.0
    return s1, s2, good


@njit(cache=True, nogil=True, error_model="numpy")
def _descend(equation, height, targets, states, reached, sizes):
    above, p1, p2 = 0j, 0j, 0j  # of the point before, as high above the axis as it is far from a hard edge
    for i in range(targets.size):
        if equation.fine and height > 0 and targets[i].real != 0.0:
            top = complex(targets[i].real, min(height, abs(targets[i].real)))
            p1, p2, good = _aside(equation, p1, p2, above, top, height)
            above = top if good else 0j
            s1, s2 = p1, p2
            if good:
                s1, s2, good = _drop(equation, s1, s2, targets[i], top.imag)
            reached[i] = 1.0 if good else 0.0
        else:
            s1, s2, reached[i] = _fall(equation, height, targets[i])
        m1, m2, sizes[i] = _polish(equation, s1, s2, targets[i], 8)
        if height < 0 or _near(s1, m1, s2, m2) or not min(s1.imag, s2.imag) > 0:
            s1, s2 = m1, m2
        sizes[i] = max(sizes[i], doubt(equation, s1, s2))
        states[0, i], states[1, i] = s1, s2


@njit(cache=True, nogil=True, error_model="numpy")
def _across(equation, begins, targets, states, reached, sizes):
    for i in range(targets.size):
        s1, s2, done = _track(equation, states[0, i], states[1, i], begins[i], targets[i], True)
        s1, s2, sizes[i] = _polish(equation, s1, s2, targets[i], 8)
        sizes[i] = max(sizes[i], doubt(equation, s1, s2))
        states[0, i], states[1, i], reached[i] = s1, s2, done


@njit(cache=True, nogil=True, error_model="numpy")
def _transforms(product, measure, states, out):
    for i in range(states.size):
        if product:
            zeta = np.exp(states[i])
            g, m, _, _, _, _ = raw(measure, zeta)
            one = zeta * g
            out[i] = complex(m.real, one.imag) if abs(one) < 0.5 else m
        else:
            out[i] = raw(measure, states[i])[0]


def transforms(product: bool, measure: Measure, states: np.ndarray) -> np.ndarray:
    """G at complex points, or M at their exponentials.

    Next to its value at zero the imaginary part of M is that of zeta G, which keeps it: of a `measure` without an atom
    there.
    """
    out = np.empty(states.shape, dtype=complex)
    _transforms(product, measure, np.ascontiguousarray(states), out)
    return out


class Pair:
    """The branch of a law made of one or two others, with the interface of `continuation.Branch`.

    Targets are z - `centre` for sums and powers, whose laws are moved to mean zero, and log z for products.
    """

    proven, tail = True, None

    def __init__(
        self,
        mode: int,
        one: Half,
        two: Half | None,
        scale: float,
        height: float,
        centre: float = 0.0,
        power: float = 0.0,
        fine: bool = False,
    ) -> None:
        self.system = self
        self.coordinate = "log" if mode == PRODUCT else "linear"
        self.noise = 1e-13
        self.equation = of_pair(mode, one, two, power, scale, self.noise, fine)
        self.scale, self.height, self.centre = scale, height, centre

    def transform(self, state: np.ndarray) -> np.ndarray:
        """Return M (products) or G: density in the coordinate = -Im/pi."""
        return transforms(self.coordinate == "log", self.equation.inner_one, state[0])

    def descend(
        self, coordinate: np.ndarray, negative: bool = False, strict: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """States at real points, from above, and the last Newton corrections (see `Branch.descend`)."""
        targets = np.asarray(coordinate, dtype=float) - self.centre + (1j * np.pi if negative else 0j)
        height = -self.height if negative else self.height
        states = np.empty((2, targets.size), dtype=complex)
        down: Any = _descend
        reached, sizes = np.empty(targets.size), np.empty(targets.size)
        threads.each(
            lambda p: down(self.equation, height, targets[p], states[:, p], reached[p], sizes[p]),
            threads.chunks(targets.size, smallest=128),
        )
        return self._checked(states, sizes, reached, targets, strict)

    def across(self, state: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Continue states along the real axis inside one interval of support; fall back to `descend`."""
        states = np.array(state, dtype=complex)
        along: Any = _across
        reached, sizes = np.empty(end.size), np.empty(end.size)
        begins, targets = begin - self.centre + 0j, end - self.centre + 0j
        threads.each(
            lambda p: along(self.equation, begins[p], targets[p], states[:, p], reached[p], sizes[p]),
            threads.chunks(targets.size, smallest=128),
        )
        if (lost := reached < 1).any():
            states[:, lost], sizes[lost] = self.descend(end[lost])
        self._smooth(states, sizes, end)
        return states, sizes

    def _smooth(self, states: np.ndarray, sizes: np.ndarray, y: np.ndarray) -> None:
        """Where the equation does not tell the state, which is smooth, as amid signs plus signs: from both sides."""
        rough = sizes > _ROUGH
        if not rough.any():
            return
        near, far = (self._beside(y[rough], k * _ASIDE * self.scale) for k in (1, 2))
        smooth = (np.abs(near - far) < _ROUGH * self.scale).all(axis=0)  # at a cusp it is not
        places = np.flatnonzero(rough)[smooth]
        states[:, places] = (near + (near - far) / 3)[:, smooth]

    def _beside(self, y: np.ndarray, shift: float) -> np.ndarray:
        """Mean of the states to the left and to the right of y."""
        return 0.5 * (self.descend(y - shift, strict=False)[0] + self.descend(y + shift, strict=False)[0])

    def _checked(
        self, states: np.ndarray, sizes: np.ndarray, reached: np.ndarray, targets: np.ndarray, strict: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        stuck = reached < 1 - 1e-9
        if stuck.any():
            if strict:
                raise ConvergenceError(
                    f"The density is infinite, or could not be followed, at {self.coordinate} coordinate "
                    f"{targets[stuck][0].real + self.centre}."
                )
            states[:, stuck] = complex(np.nan, np.nan)
        return states, sizes
