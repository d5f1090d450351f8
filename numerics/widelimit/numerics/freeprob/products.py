r"""Free products of groups of equal factors: the equation behind Wishart products and network Jacobians.

:math:`\log z=\log\frac{1+m}m+\sum_gn_g[\log\sigma_g^2+\log(w_g\zeta_g)-o_g\log(1+w_g)]` with :math:`w_g=\Lambda_gm=
M_{d_g}(\zeta_g)`; o_g = 1 for orthogonal weights, 0 for Gaussian ones (theory/jacobian). A rectangular orthogonal layer
has log(1 + nu m), nu the smaller ratio of its two sides, in place of log(1 + w). The unknowns are the
:math:`\log\zeta_g`; m is read off the first group. Every logarithm is principal: :math:`\zeta_g` stays in the upper
half plane, so that w, 1 + w and w zeta stay in the lower one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from widelimit.numerics import threads
from widelimit.numerics.compile.cache import njit
from widelimit.numerics.results import by_value

__all__ = ["Factor", "ProductSystem", "Slopes", "averages"]


@by_value
@dataclass(frozen=True)
class Slopes:
    """A law on [0, oo) as a sum of weights at nodes in the closed lower half plane.

    E f(d) = sum of weights * f(nodes) for f analytic there (a contour deformed away from where the law lives) or, where
    a node is real, for an atom. `components`: the closed intervals of the law's support, points included. `marks`:
    where its density is not smooth.
    """

    nodes: np.ndarray
    weights: np.ndarray
    atoms: tuple[tuple[float, float], ...]
    components: tuple[tuple[float, float], ...]
    unbounded: bool = False
    error: float = 0.0
    marks: tuple[float, ...] = ()

    def moment(self, k: int) -> float:
        """E d^k."""
        return float((self.weights @ self.nodes**k).real)

    def mass_at(self, location: float) -> float:
        """Mass of the atom there."""
        return sum(a for x, a in self.atoms if x == location)

    @property
    def largest(self) -> float:
        """Top of the support."""
        return self.components[-1][1]

    @staticmethod
    def of_atoms(atoms: Sequence[tuple[float, float]]) -> Slopes:
        """A finite mixture."""
        pairs = tuple(sorted((float(x), float(a)) for x, a in atoms if a > 0))
        x, a = np.array(pairs).T
        return Slopes(x.astype(complex), a.astype(complex), pairs, tuple((float(v), float(v)) for v in x))


@by_value
@dataclass(frozen=True)
class Factor:
    """`count` equal factors: weights of variance exp(`log_scale`) after slopes d, `ratio` is Lambda = N_0/N_l.

    `count` may be any real number (interpolation over layers gives such counts).
    """

    count: float
    log_scale: float
    gaussian: bool
    slopes: Slopes
    ratio: float = 1.0
    shared: float = 0.0

    @property
    def nu(self) -> float:
        """The smaller of the ratios of both sides of the layer; `shared` 0 means a square layer."""
        return self.shared or self.ratio

    @property
    def mean(self) -> float:
        """E d."""
        return self.slopes.moment(1)

    @property
    def second(self) -> float:
        """E d^2."""
        return self.slopes.moment(2)

    @cached_property
    def parts(self) -> tuple[np.ndarray, ...]:
        """Real and imaginary parts of nodes and weights, as compiled code reads them."""
        d, w = self.slopes.nodes, self.slopes.weights
        return tuple(np.ascontiguousarray(part) for part in (d.real, d.imag, w.real, w.imag))


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "arcp"}, error_model="numpy")
def _averages(zr, zi, dr, di, wr, wi, out):
    for i in range(zr.size):
        a = b = c = e = p = q = 0.0
        x0, y0 = zr[i], zi[i]
        for k in range(dr.size):
            x, y = x0 - dr[k], y0 - di[k]
            inverse = 1.0 / (x * x + y * y + 1e-290)  # a node hit exactly drops out
            kr, ki = x * inverse, -y * inverse
            tr = wr[k] * kr - wi[k] * ki
            ti = wr[k] * ki + wi[k] * kr
            a += tr
            b += ti
            ur = tr * dr[k] - ti * di[k]
            ui = tr * di[k] + ti * dr[k]
            c += ur
            e += ui
            p += ur * kr - ui * ki
            q += ur * ki + ui * kr
        out[0, i] = complex(a, b)
        out[1, i] = complex(c, e)
        out[2, i] = complex(p, q)


class Groups(NamedTuple):
    """Groups of equal factors side by side, as compiled code reads them.

    The slopes' nodes and weights of group g stand from ``offsets[g]`` to ``offsets[g + 1]``. `kind`: 0 for Gaussian
    weights, 1 for orthogonal ones, 2 for rectangular orthogonal ones. The rest is that of `Factor`, one entry a group
    (`counts`: their `count`).
    """

    nodes_real: np.ndarray
    nodes_imag: np.ndarray
    weights_real: np.ndarray
    weights_imag: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    log_scale: np.ndarray
    kind: np.ndarray
    ratio: np.ndarray
    nu: np.ndarray

    @classmethod
    def of(cls, factors: Sequence[Factor]) -> Groups:
        """Lay factors out."""
        parts = [f.parts for f in factors]
        real, imag, weights_real, weights_imag = (np.concatenate([p[k] for p in parts]) for k in range(4))
        return cls(
            real,
            imag,
            weights_real,
            weights_imag,
            offsets=np.cumsum([0, *(part[0].size for part in parts)]),
            counts=np.array([f.count for f in factors]),
            log_scale=np.array([f.log_scale for f in factors]),
            kind=np.array([0 if f.gaussian else (1 if f.nu == f.ratio else 2) for f in factors]),
            ratio=np.array([f.ratio for f in factors]),
            nu=np.array([f.nu for f in factors]),
        )


_SMALLEST = 600.0  # -log of the smallest zeta that is formed


@njit(cache=True, nogil=True)
def _lower_log(value):
    """Logarithm on the lower half plane, continued across both half axes: a Newton step or rounding may overshoot."""
    if value == 0:
        return complex(-np.inf, 0.0)
    angle = math.atan2(value.imag, value.real)
    return complex(math.log(abs(value)), angle if angle < 0.5 * math.pi else angle - 2.0 * math.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def _newton(state, target, laid, moved, size):
    """Block Newton step of the equation in the module's docstring, column by column.

    From `state` (groups, columns), the log zeta, towards log z = `target`; what is reached goes to `moved`, the largest
    change of each column to `size`.
    """
    groups, columns = state.shape
    dr, di, wr, wi = laid.nodes_real, laid.nodes_imag, laid.weights_real, laid.weights_imag
    offsets, kind, ratio, nu = laid.offsets, laid.kind, laid.ratio, laid.nu
    out = np.empty((3, 1), dtype=np.complex128)
    zr, zi = np.empty(1), np.empty(1)
    shift, gain = np.empty(groups, dtype=np.complex128), np.empty(groups, dtype=np.complex128)
    for i in range(columns):
        m = dm = drift = top = 0j
        log_z = slope = offset = 0j
        lost = False
        for g in range(groups):
            beyond = min(0.0, state[g, i].real + _SMALLEST)  # zeta so small that only its logarithm matters
            zeta = np.exp(state[g, i] - beyond)
            zr[0], zi[0] = zeta.real, zeta.imag
            low, high = offsets[g], offsets[g + 1]
            _averages(zr, zi, dr[low:high], di[low:high], wr[low:high], wi[low:high], out)
            one, w, v = out[0, 0] * zeta, out[1, 0], -out[2, 0] * zeta
            if one == 0 or w == 0 or v == 0:
                lost = True
                break
            if g == 0:
                m, dm, top = w, v, one
                drift = (
                    dm / one - dm / m
                )  # of log((1 + m)/m), the scale of zeta where all slopes are nearly equal
                log_z = _lower_log(one) + beyond - _lower_log(m)
                slope = dm / one - dm / m
                shift[0], gain[0] = 0j, 1.0 + 0j
            else:
                gap = ratio[g] * m - w
                if ratio[g] == 1.0 and abs(top) < 0.5:  # both near -1: 1 + w keeps the digits that w has lost
                    gap = top - one
                shift[g], gain[g] = gap / v, ratio[g] * dm / v
            n = laid.counts[g]
            if n == 0.0:
                continue
            term = _lower_log(w * zeta) + beyond
            rate = v / w + 1.0
            if kind[g] == 1:
                term -= _lower_log(one) + beyond
                rate -= v / one
            elif kind[g] == 2:
                term -= _lower_log(1.0 + nu[g] * m)
                slope -= n * nu[g] * dm / (1.0 + nu[g] * m)
            log_z += n * (laid.log_scale[g] + term)
            slope += n * rate * gain[g]
            offset += n * rate * shift[g]
        if lost or slope == 0:
            moved[:, i] = state[:, i]
            size[i] = np.inf
            continue
        first = (target[i] - log_z - offset) / slope
        largest = abs(drift * first)
        for g in range(groups):
            move = shift[g] + gain[g] * first
            moved[g, i] = state[g, i] + move
            largest = max(largest, abs(move))
            if not np.isfinite(move.real + move.imag):
                largest = np.inf
        size[i] = largest


def averages(zeta: np.ndarray, factor: Factor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 1 + w = E zeta/(zeta - d), w = E d/(zeta - d) and dw/dlog(zeta) = -E d zeta/(zeta - d)^2."""
    out = np.empty((3, zeta.size), dtype=complex)
    parts = factor.parts
    zr, zi = np.ascontiguousarray(zeta.real), np.ascontiguousarray(zeta.imag)
    slices = threads.chunks(zeta.size, smallest=max(16, 200_000 // max(1, factor.slopes.nodes.size)))
    threads.each(lambda part: _averages(zr[part], zi[part], *parts, out[:, part]), slices)
    return out[0] * zeta, out[1], -out[2] * zeta


class ProductSystem:
    """The equation of a product of `factors` (see the module), solved by a block Newton step for all unknowns."""

    coordinate = "log"
    proven = True

    def __init__(self, factors: Sequence[Factor]) -> None:
        base = next((f for f in factors if f.ratio == 1.0), None)
        rest = [f for f in factors if f is not base]
        if base is None:  # m itself, as the transform of a point mass
            base = Factor(0.0, 0.0, True, Slopes.of_atoms([(1.0, 1.0)]))
        self.factors = (base, *rest)
        self.noise = 1e-14 * (1.0 + sum(abs(f.count) for f in self.factors))
        self._groups = Groups.of(self.factors)

    def start(self, target: np.ndarray) -> np.ndarray:
        """Leading orders of zeta = mean/w + second/mean."""
        log_mean = sum(f.count * (f.log_scale + np.log(f.mean)) for f in self.factors)
        m = np.exp(log_mean - target)
        return np.log([f.mean / (f.ratio * m) + f.second / f.mean for f in self.factors])

    def spread(self) -> tuple[float, float]:
        """Return log of the mean and second moment over squared mean."""
        log_mean = sum(f.count * (f.log_scale + np.log(f.mean)) for f in self.factors)
        ratio = 1.0 + sum(
            f.count * (f.ratio * f.second / f.mean**2 - (0.0 if f.gaussian else f.nu)) for f in self.factors
        )
        return float(log_mean), float(ratio)

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One block Newton step: all the inner equations and log z = target are linearised together."""
        moved = np.empty_like(state)
        size = np.empty(target.size)
        state, target = np.ascontiguousarray(state), np.ascontiguousarray(target, dtype=complex)
        step: Any = _newton
        if target.size < 32:
            step(state, target, self._groups, moved, size)
            return moved, size
        parts = threads.chunks(target.size, smallest=max(16, 100_000 // max(1, self._groups.nodes_real.size)))
        threads.each(
            lambda part: step(state[:, part], target[part], self._groups, moved[:, part], size[part]),
            parts,
        )
        return moved, size

    def transform(self, state: np.ndarray) -> np.ndarray:
        """Return M; near zero, where M is near -1, its imaginary part from 1 + M, which keeps its digits."""
        one, w, _ = averages(_exp(state[0]), self.factors[0])
        return np.where(np.abs(one) < 0.5, w.real + 1j * one.imag, w)

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Every zeta in the closed upper half plane."""
        return np.isfinite(state).all(axis=0) & ((state.imag > -1e-12) & (state.imag < np.pi + 1e-9)).all(
            axis=0
        )

    def tail(self, state: np.ndarray) -> np.ndarray:
        r"""P(lambda > z) exactly: Im of E log(1 - lambda/z) over pi, the integral of m dlog z, which is
        :math:`-\log(1+m)+\sum_gn_g\{\frac1{\Lambda_g}[E\log(1-d_g/\zeta_g)+w_g]-o_g[m-\frac1{\nu_g}\log(1+\nu_gm)]\}`.
        """
        zeta = _exp(state.real + 1j * np.maximum(state.imag, 1e-200))
        total = np.zeros(state.shape[1], dtype=complex)
        m = self.transform(state)
        for index, factor in enumerate(self.factors):
            one, w, _ = averages(zeta[index], factor)
            if index == 0:
                total = total - _log(one)
            if factor.count:
                potential = _log_average(zeta[index], factor)
                if factor.gaussian:
                    potential = potential + w
                elif factor.nu == factor.ratio:
                    potential = potential + _log(one)
                else:
                    potential = potential + w - factor.ratio * (m - np.log1p(factor.nu * m) / factor.nu)
                total = total + factor.count / factor.ratio * potential
        return total.imag / np.pi


def _exp(state: np.ndarray) -> np.ndarray:
    return np.exp(np.maximum(state.real, -_SMALLEST) + 1j * state.imag)


def _log(value: np.ndarray) -> np.ndarray:
    """Logarithm on the lower half plane, continued across both half axes: rounding may lie above either."""
    result = np.empty(value.shape, dtype=complex)
    angle = np.arctan2(value.imag, value.real)
    result.real = np.log(np.abs(value))
    result.imag = np.where(angle < 0.5 * np.pi, angle, angle - 2 * np.pi)
    return result


def _log_average(zeta: np.ndarray, factor: Factor) -> np.ndarray:
    """Return E log(1 - d/zeta)."""
    result = np.empty(zeta.size, dtype=complex)
    block = max(1, 500_000 // max(1, factor.slopes.nodes.size))
    for begin in range(0, zeta.size, block):
        part = slice(begin, begin + block)
        result[part] = np.log(1.0 - factor.slopes.nodes[None, :] / zeta[part, None]) @ factor.slopes.weights
    return result
