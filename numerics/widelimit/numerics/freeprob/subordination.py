r"""Free sums, products and powers of laws that are given in numbers, by subordination.

Sum: :math:`G(z)=G_1(\omega_1)=G_2(\omega_2)` with :math:`\omega_1+\omega_2=z+1/G` (Voiculescu 1993, Biane 1998).
Product: :math:`M(z)=M_1(\zeta_1)=M_2(\zeta_2)` with :math:`\zeta_1\zeta_2=z(1+m)/m`, the equation of `products`.
Power: :math:`G_t(z)=G(\omega)` with :math:`z=t\omega-(t-1)/G(\omega)` (Belinschi and Bercovici 2004).
A law in numbers is a sum over nodes: the panels of its continuous part, and its atoms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from widelimit.numerics import arguments, threads
from widelimit.numerics.freeprob.build import product_law
from widelimit.numerics.freeprob.continuation import Branch
from widelimit.numerics.freeprob.edges import line_intervals
from widelimit.numerics.freeprob.panels import ORDER
from widelimit.numerics.freeprob.products import Factor, Slopes
from widelimit.numerics.freeprob.series import EXACT
from widelimit.numerics.freeprob.spectral import SpectralLaw
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.freeprob.series import cumulants_from_moments, moments_from_cumulants

Given = SpectralLaw | Sequence[tuple[float, float]]
_SPLIT = 3  # each panel is cut into so many, which moves the nodes' poles closer to the axis


def multiply(first: Given, second: Given) -> SpectralLaw:
    """Free product of two laws on [0, oo), given as `SpectralLaw`s or as lists of (location, mass).

    >>> law = multiply([(0.0, 0.5), (1.0, 0.5)], [(0.0, 0.8), (1.0, 0.2)])  # two free projections
    >>> [round(float(x), 9) for x in law.support[0]], law.atoms
    ([0.1, 0.9], ((0.0, 0.8),))
    """
    both = [slopes_of(law, positive=True) for law in (first, second)]
    return product_law([Factor(1.0, 0.0, False, part) for part in both], "free product")


def add(first: Given, second: Given) -> SpectralLaw:
    """Free sum of two laws on the line, given as `SpectralLaw`s or as lists of (location, mass).

    >>> law = add([(-1.0, 0.5), (1.0, 0.5)], [(-1.0, 0.5), (1.0, 0.5)])  # arcsine on [-2, 2]
    >>> [round(law.moment(k), 9) for k in (2, 4)]
    [2.0, 6.0]
    """
    parts = [slopes_of(law, positive=False) for law in (first, second)]
    cumulants = [a + b for a, b in zip(*(_cumulants(p) for p in parts), strict=True)]
    atoms = [
        (x + y, a + b - 1.0) for x, a in parts[0].atoms for y, b in parts[1].atoms if a + b > 1.0 + 1e-14
    ]
    system = SumSystem(parts[0], parts[1], cumulants[0], cumulants[1])
    ends = [sum(p.components[k][k] for p in parts) for k in (0, -1)]
    return _line_law("free sum", system, cumulants, atoms, ends[0], ends[1])


def power(law: Given, exponent: float) -> SpectralLaw:
    """Free additive power: the law whose free cumulants are `exponent` (at least 1) times those of `law`.

    >>> kesten = power([(-1.0, 0.5), (1.0, 0.5)], 3.0)  # of the tree of degree 3 with doubled edges
    >>> round(kesten.largest**2, 9), kesten.atoms
    (8.0, ())
    """
    t = float(arguments.positive("exponent", exponent))
    if t < 1.0:
        raise ArgumentError("exponent", "must be at least 1", exponent, "Smaller powers need not be laws.")
    return _power(slopes_of(law, positive=False), t, f"free power {t:g}")


def compress(law: Given, kept: float) -> SpectralLaw:
    """Free compression: the law of a corner that keeps a share `kept` of rows and columns, in general position.

    >>> corner = compress([(0.0, 0.5), (1.0, 0.5)], 0.25)  # of a projection
    >>> [round(float(x), 9) for x in corner.support[0]]
    [0.066987298, 0.933012702]
    """
    share = float(arguments.within("kept", kept, 0.0, 1.0))
    if share == 0.0:
        raise ArgumentError("kept", "must be positive", kept)
    part = slopes_of(law, positive=False)
    scaled = Slopes(
        share * part.nodes,
        part.weights,
        tuple((share * x, a) for x, a in part.atoms),
        tuple((share * a, share * b) for a, b in part.components),
    )
    return _power(scaled, 1.0 / share, f"corner of {share:g}")


def _power(part: Slopes, t: float, name: str) -> SpectralLaw:
    cumulants = [t * c for c in _cumulants(part)]
    atoms = [(t * x, t * a - (t - 1.0)) for x, a in part.atoms if t * a - (t - 1.0) > 1e-14]
    low, high = t * part.components[0][0], t * part.components[-1][1]
    return _line_law(name, PowerSystem(part, t, cumulants[0], cumulants[1]), cumulants, atoms, low, high)


def _cumulants(part: Slopes) -> list[float]:
    moments = [float((part.weights @ part.nodes**k).real) for k in range(1, EXACT + 1)]
    return [float(c) for c in cumulants_from_moments(moments, EXACT)]


def _line_law(
    name: str,
    system: SumSystem | PowerSystem,
    cumulants: Sequence[float],
    atoms: list[tuple[float, float]],
    low: float,
    high: float,
) -> SpectralLaw:
    """The law that a system belongs to, its support somewhere between `low` and `high`."""
    values = [float(v) for v in moments_from_cumulants(cumulants, EXACT)]
    if sum(a for _, a in atoms) > 1 - 1e-12:
        return SpectralLaw(name, None, [], atoms, lambda k: values[k - 1], coordinate="linear")
    branch = Branch(system, system.mean, 100.0 * system.deviation)
    intervals = line_intervals(branch, low, high)
    return SpectralLaw(name, branch, intervals, atoms, lambda k: values[k - 1], coordinate="linear")


def slopes_of(law: Given, positive: bool) -> Slopes:
    """Nodes and weights of a law in numbers."""
    if not isinstance(law, SpectralLaw):
        pairs = arguments.real("law", law)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
            raise ArgumentError("law", "must be a SpectralLaw or a list of (location, mass)", law)
        if (pairs[:, 1] < 0).any() or abs(pairs[:, 1].sum() - 1.0) > 1e-9:
            raise ArgumentError("law", "must have masses that are not negative and sum to one", law)
        found = Slopes.of_atoms([(x, a) for x, a in pairs])
    else:
        found = _sampled(law)
    if positive and found.components[0][0] < 0:
        raise DomainError("A free product needs laws on [0, oo); this one has negative values.")
    if positive and found.moment(1) <= 0:
        raise DomainError("A free product needs laws whose mean is not zero.")
    return found


def _sampled(law: SpectralLaw) -> Slopes:
    nodes, weights = [], []
    u, w = np.polynomial.legendre.leggauss(ORDER)
    for panels in law._panels:
        edges = np.concatenate(
            [
                np.linspace(a, b, _SPLIT, endpoint=False)
                for a, b in zip(panels.edges, panels.edges[1:], strict=False)
            ]
            + [panels.edges[-1:]]
        )
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        t = (middle + half * u).ravel()
        y = panels.interval.to_coordinate(t)
        weights.append((half * w).ravel() * panels.interval.speed(t) * law._coordinate_density(y))
        nodes.append(np.exp(y) if law._log else y)
    atoms = law.atoms
    nodes.append(np.array([x for x, _ in atoms]))
    weights.append(np.array([a for _, a in atoms]))
    components = sorted([*law.support, *((x, x) for x, _ in atoms)])
    return Slopes(
        np.concatenate(nodes).astype(complex),
        np.concatenate(weights).astype(complex),
        atoms,
        tuple(components),
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp"})
def _transform(omega, nodes, weights, out):
    """G and dG/domega of a law of real nodes."""
    for i in range(omega.size):
        x, y = omega[i].real, omega[i].imag
        a = b = c = e = 0.0
        for k in range(nodes.size):
            u = x - nodes[k]
            inverse = 1.0 / (u * u + y * y)
            re, im = u * inverse, -y * inverse
            a += weights[k] * re
            b += weights[k] * im
            c -= weights[k] * (re * re - im * im)
            e -= weights[k] * (2.0 * re * im)
        out[0, i] = complex(a, b)
        out[1, i] = complex(c, e)


def _cauchy(part: Slopes, omega: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    out = np.empty((2, omega.size), dtype=complex)
    omega = np.ascontiguousarray(omega)
    parts = threads.chunks(omega.size, smallest=max(16, 100_000 // part.nodes.size))
    threads.each(lambda p: _transform(omega[p], part.nodes.real, part.weights.real, out[:, p]), parts)
    return out[0], out[1]


class SumSystem:
    """Unknowns omega_1 and omega_2; the equations G_1 = G_2 and omega_1 + omega_2 - 1/G = z."""

    coordinate = "linear"

    def __init__(self, first: Slopes, second: Slopes, mean: float, variance: float) -> None:
        if variance <= 0:
            raise DomainError("A free sum of two point masses is a point mass: shift the law instead.")
        self.parts = (first, second)
        self.mean, self.deviation = mean, float(np.sqrt(variance))
        self.means = [p.moment(1) for p in self.parts]
        self.noise = 1e-13

    def start(self, target: np.ndarray) -> np.ndarray:
        """Omega_i = z - the other's mean."""
        return np.array([target - self.means[1], target - self.means[0]])

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step of Newton's method in both unknowns."""
        with np.errstate(all="ignore"):
            return self._step(state, target)

    def _step(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        g1, d1 = _cauchy(self.parts[0], state[0])
        g2, d2 = _cauchy(self.parts[1], state[1])
        f1, f2, s1, s2 = 1.0 / g1, 1.0 / g2, -d1 / g1**2, -d2 / g2**2  # 1/G is nearly linear next to an atom
        mismatch = f2 - f1  # s1 x1 - s2 x2 = mismatch
        residual = target - (state[0] + state[1] - f1)  # x1 + x2 - s1 x1 = residual
        x1 = (residual + mismatch / s2) / (1.0 - s1 + s1 / s2)
        x2 = (s1 * x1 - mismatch) / s2
        scale = self.deviation + 0.5 * np.abs(state - self.mean).min(axis=0)
        return state + np.array([x1, x2]), np.maximum(np.abs(x1), np.abs(x2)) / scale

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G."""
        return _cauchy(self.parts[0], state[0])[0]

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Im omega_i at least Im z."""
        floor = target.imag * (1 - 1e-9) - 1e-9 * self.deviation
        return np.isfinite(state).all(axis=0) & (state.imag >= floor).all(axis=0)


class PowerSystem:
    """One unknown omega, and the equation t omega - (t - 1)/G(omega) = z."""

    coordinate = "linear"
    noise = 1e-13

    def __init__(self, part: Slopes, exponent: float, mean: float, variance: float) -> None:
        if variance <= 0:
            raise DomainError("A free power of a point mass is a point mass: scale the law instead.")
        self.part, self.exponent = part, exponent
        self.mean, self.deviation = mean, float(np.sqrt(variance))

    def start(self, target: np.ndarray) -> np.ndarray:
        """Omega = z - (t - 1) mean of the part."""
        return (target - self.mean * (1.0 - 1.0 / self.exponent))[None, :]

    def newton(self, state: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One Newton step."""
        t = self.exponent
        with np.errstate(all="ignore"):
            g, slope = _cauchy(self.part, state[0])
            move = (target - (t * state[0] - (t - 1.0) / g)) / (t + (t - 1.0) * slope / g**2)
        scale = self.deviation + 0.5 * np.abs(state[0] - self.mean)
        return state + move, np.abs(move) / scale

    def transform(self, state: np.ndarray) -> np.ndarray:
        """G."""
        return _cauchy(self.part, state[0])[0]

    def physical(self, state: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Im omega at least Im z."""
        floor = target.imag * (1 - 1e-9) - 1e-9 * self.deviation
        return np.isfinite(state[0]) & (state[0].imag >= floor)
