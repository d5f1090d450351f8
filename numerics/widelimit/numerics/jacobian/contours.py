r"""Nodes of a Gaussian average on a path of complex x along which d = phi'(x)^2 runs below the real axis.

A sum over real nodes has poles at every node, and deep networks come close to the axis: the sum then shows false
gaps. So each smooth piece on which d is monotone is integrated along a path that leaves the axis at an angle at both
ends:

    finite piece       x = left + (right - left)/(1 + exp(-tau))
    half-infinite      x = end +- (c log(1 + exp(tau)))^(1/k)     k = 1 exponential tails of d, k = 2 Gaussian ones

with tau = t +- i angle. The trapezoid rule in t converges geometrically for every zeta in the closed upper half plane,
uniformly up to the axis: the path keeps away from the negative axis too. A path is taken only if d stays in the lower
half plane along it and the sum agrees with the real line at points where the real line is accurate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from widelimit.numerics.compile import Compiled

REACH = 13.0  # standard deviations: the mass beyond is 1e-38, so that E 1/(zeta - d) has its digits at small zeta too
REST = 60.0  # of tau: paths come within exp(-60) of their ends
ANGLES = (0.8, 0.5, 0.3, 0.15, 0.08)
AGREEMENT = 3e-12
PROBES = np.array([0.03, 0.2, 0.5, 0.9, 1.05, 1.5, 0.1, 0.001]) * np.exp(
    1j * np.array([1.3, 1.4, 1.2, 1.1, 0.9, 0.5, 3.0, 3.1])
)
MOST = 20_000  # nodes of one piece


def _gauss(x: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-0.5 * (x / scale) ** 2) / (np.sqrt(2 * np.pi) * scale)


def contour(curve: Compiled, left: float, right: float, scale: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Nodes d and weights of one monotone piece, and how far they miss the real line at points that both can do."""
    first, last = (float(curve(complex(v))[0].real) for v in (left, right))
    real = _real_line(curve, left, right, scale)
    if abs(last - first) < 1e-9 * max(abs(first), abs(last)):
        return real[0], real[1], 0.0
    top = max(first, last)
    probes = top * PROBES
    reference = _cauchy(probes, *real)
    side = -1.0 if last > first else 1.0  # side of the x axis on which d lies below its own
    best = (np.inf, real)
    for angle in ANGLES:
        for path in _paths(left, right, scale):
            found = _follow(curve, path, side * angle, scale, top)
            if found is None:
                continue
            missed = float(np.abs(_cauchy(probes, *found) - reference).max())
            if missed < AGREEMENT:
                return found[0], found[1], missed
            if missed < best[0]:
                best = (missed, found)
    if best[0] > 1e-9:
        return real[0], real[1], 1e-9
    return best[1][0], best[1][1], best[0]


Path = tuple[Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]], float, float, float]


def _paths(left: float, right: float, scale: float) -> list[Path]:
    """Maps (end, x - end and dx/dtau of tau, first t, last t, direction of x in t) to try, the cheapest first."""
    cut = REACH * scale
    if abs(left) < cut and abs(right) < cut:
        width = right - left

        def lens(tau: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            below, above = _logistic(tau), _logistic(-tau)
            first = tau.real < 0
            return np.where(first, left, right), width * np.where(first, below, -above), width * below * above

        return [(lens, -REST, REST, 1.0)]
    direction, end, length = (1.0, left, right - left) if right >= cut else (-1.0, right, right - left)
    paths: list[Path] = []
    for halving in range(9):
        for power in (1, 2):
            c = (0.5 * scale) ** power * 0.5**halving

            def path(
                tau: np.ndarray, c: float = c, power: int = power
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
                root = (c * _softplus(tau)) ** (1.0 / power)
                rate = direction * c / power * _logistic(tau) / root ** (power - 1)
                return np.full(tau.shape, end), direction * root, rate

            paths.append((path, -REST * power, length**power / c, direction))
    return paths


def _softplus(tau: np.ndarray) -> np.ndarray:
    """log(1 + exp(tau)) without overflow; log1p of numpy loses the real part of small complex numbers."""
    flip = tau.real > 0
    small = np.exp(np.where(flip, -tau, tau))
    size = 0.5 * np.log1p(small.real * (2.0 + small.real) + small.imag**2)
    return np.where(flip, tau, 0.0) + size + 1j * np.arctan2(small.imag, 1.0 + small.real)


def _logistic(tau: np.ndarray) -> np.ndarray:
    """1/(1 + exp(-tau)) without overflow."""
    flip = tau.real > 0
    small = np.exp(np.where(flip, -tau, tau))
    return np.where(flip, 1.0, small) / (1.0 + small)


def _follow(
    curve: Compiled, path: Path, angle: float, scale: float, top: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Trapezoid rule along a path; None where d leaves the lower half plane."""
    function, begin, end, direction = path
    step = abs(angle) * 2 * np.pi / 33
    tau = np.arange(np.ceil(begin / step), np.floor(end / step) + 1) * step + 1j * direction * angle
    if tau.size > MOST:
        return None
    ends, offset, rate = function(tau)
    x = ends + offset
    with np.errstate(all="ignore"):
        d = _near_zeros(curve(x)[0], curve, ends, offset, top)
        weights = step * direction * rate * _gauss(x, scale)
    keep = np.abs(weights) * top > 1e-18 * np.abs(d)  # small d matter where zeta is small
    if not (np.isfinite(d[keep]).all() and np.isfinite(weights).all()) or np.abs(weights).max() > 10:
        return None
    d, weights = d[keep], weights[keep]
    if (d.imag > 1e-13 * np.abs(d) + 1e-15 * top).any() or (d.real < -0.2 * np.abs(d)).any():
        return None
    return d.real + 1j * np.minimum(d.imag, 0.0), weights


def _near_zeros(
    d: np.ndarray, curve: Compiled, ends: np.ndarray, offset: np.ndarray, top: float
) -> np.ndarray:
    """Next to an end where the slope has a zero d = (K + K' offset) offset^p: there x itself has lost the offset.

    At x = 0 it has not, and d is left alone if its power is seen.
    """
    reach = 1e-6 * max(1.0, float(np.abs(ends).max()))
    for end in np.unique(ends):
        if float(np.abs(curve(complex(end))[0])) > 1e-25 * top:
            continue
        steps = reach * np.array([-1.0, 1.0, -2.0, 2.0])
        near = curve((end + steps).astype(complex))[0].real
        if not (near > 0).all():
            continue
        seen = 0.5 * float(np.log2(near[2:] / near[:2]).mean())
        power = max(2, 2 * round(seen))
        if end == 0.0 and abs(2 * seen - power) < 1e-6:
            continue
        here = (ends == end) & (np.abs(offset) < reach)
        sides = near[:2] / steps[:2] ** power
        d[here] = (sides.mean() + np.diff(sides) / (2 * reach) * offset[here]) * offset[here] ** power
    return d


def _cauchy(zeta: np.ndarray, nodes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (nodes / (zeta[:, None] - nodes)) @ weights


def _real_line(curve: Compiled, left: float, right: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre panels on the real piece, graded towards its ends."""
    u, w = np.polynomial.legendre.leggauss(16)
    width = right - left
    cuts = np.unique(
        np.concatenate(([0.0], np.geomspace(1e-5, 0.5, 12), 1 - np.geomspace(1e-5, 0.5, 12), [1.0]))
    )
    count = np.ceil(3 * width / min(scale, 1.0))
    inner = np.arange(count + 1) / count
    cuts = np.unique(np.concatenate((cuts, inner))) * width + left
    half, middle = 0.5 * np.diff(cuts)[:, None], 0.5 * (cuts[1:] + cuts[:-1])[:, None]
    x = (middle + half * u).ravel()
    weights = (half * w).ravel() * _gauss(x, scale)
    return curve(x.astype(complex))[0].astype(complex), weights.astype(complex)
