"""Follow the physical branch of a law from large |z| down to the real axis.

    backbone   a chain of states far above the axis, from large |z| (where the asymptotic series picks the branch)
    descend    from the backbone straight down to the real axis, every point by itself
    track      both: small steps along a segment, each accepted by a Newton-Kantorovich test

The test looks at successive Newton corrections: the ratio of the second to the first estimates Kantorovich's
h = (curvature)(first correction); below 1/4 the root that Newton finds is the continuation of the one that it came
from. A step that fails is halved. Nothing here knows what equation it solves: see `System`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from widelimit.theory.errors import ConvergenceError

RATIO = 0.25  # Kantorovich's h at most 1/2, halved for safety
LARGEST = 0.6  # a first correction above this is a failed step ...
LINEAR = 1e-6  # ... unless the second is smaller by so much: then the equation is linear over the step
SETTLED = 1e-9  # corrections below this are rounding, whose ratio means nothing
SHORTEST = 2.0**-52
MOST = 1000  # steps of one stretch: they double while all goes well, so more means that rounding rules
_EPS = float(np.finfo(float).eps)


class System(Protocol):
    """An equation F(state) = target, one column of `state` (complex, rows are unknowns) for each target.

    `coordinate`: "log" (target is log z, laws on [0, oo)) or "linear" (target is z, laws on the line).
    `noise`: rounding error of a correction.
    """

    coordinate: str
    noise: float

    @property
    def proven(self) -> bool:
        """As of `Transformed`."""

    @property
    def tail(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """As of `Transformed`."""

    def start(self, target: np.ndarray) -> np.ndarray:
        """Return the asymptotic state at large |z|."""

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the next state and the size of the correction of each column."""

    def transform(self, state: np.ndarray) -> np.ndarray:
        """Return M (coordinate "log") or G (coordinate "linear"): density in the coordinate = -Im/pi."""

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return which columns can be values of a Nevanlinna function (upper half plane to upper half plane)."""


class Transformed(Protocol):
    """What a law asks of the equation behind its branch."""

    @property
    def noise(self) -> float:
        """Rounding error of a state."""

    @property
    def proven(self) -> bool:
        """Whether it is made of laws, so that there is one; a user's transform may belong to none."""

    @property
    def tail(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The exact mass above states on the axis, where a formula tells."""

    def transform(self, state: np.ndarray) -> np.ndarray:
        """As of `System`."""


class Path(Protocol):
    """The branch of a law: states at real points of its coordinate, approached from above."""

    @property
    def system(self) -> Transformed:
        """The equation."""

    def descend(
        self, coordinate: np.ndarray, negative: bool = False, strict: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """As of `Branch`."""

    def across(self, state: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `Branch`."""


def polish(
    system: System, state: np.ndarray, target: np.ndarray, steps: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Newton until the correction no longer falls; returns the state and the last correction."""
    size = np.full(target.shape, np.inf)
    for _ in range(steps):
        moved, new = system.newton(state, target)
        better = np.isfinite(new) & (new < size)
        state = np.where(better, moved, state)
        size = np.where(better, new, size)
        if not better.any() or size.max(initial=0.0) < 4 * _EPS:
            break
    return state, size


def _attempt(system: System, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton towards a new target; returns the state reached and whether the test accepts it."""
    with np.errstate(all="ignore"):
        first_state, first = system.newton(state, target)
        second_state, second = system.newton(first_state, target)
        good = (
            np.isfinite(second)
            & ((first < LARGEST) | (second < LINEAR * first))
            & ((second <= RATIO * first + system.noise) | (first < SETTLED))
        )
        third_state, third = system.newton(second_state, target)
        good &= np.isfinite(third) & ((third <= RATIO * second + system.noise) | (second < SETTLED))
        good &= system.physical(third_state, target)
    return third_state, good


def track(
    system: System, state: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Continue every column of `state` from target `begin` to target `end` along the segment between them.

    Returns the states and the position reached (1 where the end was reached; close to 1 at a branch point).
    """
    state = np.array(state, dtype=complex)
    count = begin.size
    done = np.zeros(count)
    step = np.ones(count)
    for _ in range(MOST):
        active = np.flatnonzero((done < 1.0) & (step > SHORTEST))
        if active.size == 0:
            break
        goal = np.minimum(1.0, done[active] + step[active])
        goal[goal > 1.0 - SHORTEST] = 1.0
        target = np.where(goal == 1.0, end[active], begin[active] + goal * (end[active] - begin[active]))
        moved, good = _attempt(system, state[:, active], target)
        hit, miss = active[good], active[~good]
        state[:, hit] = moved[:, good]
        done[hit] = goal[good]
        step[hit] = 4 * step[hit]  # more would waste attempts next to cusps, less on the way down
        step[miss] *= 0.5
        step = np.minimum(step, np.maximum(1.0 - done, SHORTEST * 2))
    return state, done


class Branch:
    """The physical branch of one system: states on the real axis (approached from above) at any coordinate.

    `reach` is the real part of the target at which `system.start` holds; `height` the distance of the backbone.
    """

    def __init__(self, system: System, reach: float, height: float) -> None:
        self.system = system
        self.height = height
        self.reach = reach
        self._step = height / 2
        self._right: list[float] = []
        self._states: list[np.ndarray] = []
        top = np.array([reach + 1j * height])
        state, _ = polish(system, system.start(top), top, 8)
        if not system.physical(state, top).all():
            raise ConvergenceError("The law has no branch that behaves like a distribution at large |z|.")
        self._right.append(reach)
        self._states.append(state[:, 0])

    def backbone(self, coordinate: float) -> None:
        """Extend the chain down to `coordinate` with steps that the test accepts."""
        step, first = self._step, len(self._right)
        while self._right[-1] > coordinate:
            here = self._right[-1]
            while True:
                goal = max(coordinate, here - step)
                moved, good = _attempt(
                    self.system, self._states[-1][:, None], np.array([goal + 1j * self.height])
                )
                if good[0]:
                    break
                step /= 2
                if step < 1e-9 * max(1.0, abs(here)) or len(self._right) - first > MOST:
                    raise ConvergenceError(
                        f"The physical branch could not be continued beyond {self.system.coordinate} "
                        f"coordinate {here}: "
                        "the transform may not belong to a law."
                    )
            self._right.append(goal)
            self._states.append(moved[:, 0])
            step *= 1.5
            self._step = max(step, self._step) if goal == coordinate else step

    def above(self, coordinate: np.ndarray) -> np.ndarray:
        """Return states at coordinate + i height."""
        if self.system.coordinate == "linear":  # far above the axis the asymptotic series holds everywhere
            target = coordinate + 1j * self.height
            return polish(self.system, self.system.start(target), target, 8)[0]
        self.backbone(float(coordinate.min()))
        chain = np.array(self._right)
        nearest = chain.size - 1 - np.clip(np.searchsorted(chain[::-1], coordinate), 0, chain.size - 1)
        states = np.array(self._states).T[:, nearest]
        begin = chain[nearest] + 1j * self.height
        state, done = track(self.system, states, begin, coordinate + 1j * self.height)
        if (done < 1).any():
            raise ConvergenceError("The physical branch could not be continued far above the axis.")
        return state

    def descend(
        self, coordinate: np.ndarray, negative: bool = False, strict: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return states on the real axis, and the size of the last Newton correction.

        `negative`: at -exp(coordinate) (log coordinates), where the angle of z is pi. `strict=False` returns NaN
        instead of raising where an unknown is infinite (in gaps).
        """
        coordinate = np.asarray(coordinate, dtype=float)
        if coordinate.size == 0:
            return np.zeros((self._states[0].size, 0), dtype=complex), np.zeros(0)
        above = self.above(coordinate)
        end = coordinate + (1j * np.pi if negative else 0j)
        state, done = track(self.system, above, coordinate + 1j * self.height, end)
        return self._finish(state, done, end, strict)

    def across(self, state: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Continue states along the real axis inside one interval of support; fall back to `descend`."""
        moved, done = track(self.system, state, begin + 0j, end + 0j)
        lost = done < 1
        moved, size = self._finish(moved, np.where(lost, 1.0, done), end + 0j)
        if lost.any():
            moved[:, lost], size[lost] = self.descend(end[lost])
        return moved, size

    def _finish(
        self, state: np.ndarray, done: np.ndarray, target: np.ndarray, strict: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            state, size = polish(self.system, state, target)
            if (rough := np.isfinite(size) & (size > 1e3 * self.system.noise)).any():  # next to an edge
                state[:, rough], size[rough] = polish(self.system, state[:, rough], target[rough], 8)
        if (stuck := done < 1 - max(1e-9, 1e4 * self.system.noise)).any():
            if not strict:
                return np.where(stuck, complex(np.nan, np.nan), state), size
            where = target[stuck][0].real
            raise ConvergenceError(
                f"The physical branch stops above {self.system.coordinate} coordinate {where}: the transform may not "
                "belong to a law, or its density is infinite there."
            )
        return state, size
