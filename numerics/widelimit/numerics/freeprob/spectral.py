"""A spectral law in numbers: density, distribution function, quantiles, moments, support, atoms, and its own error.

Everything is kept in a coordinate y: log x for laws on [0, oo), whose values may span thousands of decades, or x
itself for laws on the line. ``log_*`` attributes and methods never overflow; the plain ones raise DomainError where a
number does not fit a float.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics import arguments, costs
from widelimit.numerics.freeprob.continuation import Path
from widelimit.numerics.freeprob.masses import Masses
from widelimit.numerics.freeprob.panels import TOLERANCE, Interval, Panels, Remaining, integrate
from widelimit.numerics.results import pictured
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError

if TYPE_CHECKING:
    from widelimit.numerics.freeprob.testing import LawTest

_LARGEST_LOG = 709.7


def remembered(build: Callable[..., SpectralLaw]) -> Callable[..., SpectralLaw]:
    """Let the laws that a function of a module builds be pickled as its arguments, and be built again from those."""

    @functools.wraps(build)
    def wrapped(*args: Any, **named: Any) -> SpectralLaw:
        found = build(*args, **named)
        found.recipe = (wrapped, args, tuple(sorted(named.items())))
        return found

    return wrapped


def rebuilt(build: Callable[..., SpectralLaw], args: tuple, named: tuple, name: str) -> SpectralLaw:
    """The law of a recipe."""
    found = build(*args, **dict(named))
    found.name = name
    return found


@pictured
class SpectralLaw:
    """A probability law on the line: a continuous part on `support` and `atoms`.

    Arguments may be scalars or arrays in any order. `error` bounds what was achieved: the largest of the defect of the
    total mass, the relative defects of the first moments against exact ones, the disagreement of the integrated
    density with the exact distribution function where one exists, and the error of what the law was made from.
    """

    def __init__(
        self,
        name: str,
        branch: Path | None,
        intervals: Sequence[tuple[float, float]],
        atoms: Sequence[tuple[float, float]],
        moments: Callable[[int], float],
        *,
        coordinate: str = "log",
        unbounded: bool = False,
        reaches_zero: bool = False,
        knee: float = -np.inf,
        tolerance: float = 1e-6,
        known: int = 4,
        exact: int = 4,
        inherited: float = 0.0,
        quadratic: tuple[float, float, float] | None = None,
        origin: float | None = None,
    ) -> None:
        """`intervals` and atom locations in the coordinate; `moments(k)` is exact, log of it in log coordinates.

        `exact`: as far as `moments` goes. `knee`: as in `panels`, of the lowest interval.
        `inherited`: the error of what the law was made from. `quadratic`: (a, b, d) where R(g) = (a + b g)/(1 + d g).
        `origin`: a place on the line from which the coordinate counts, so exactly as floats do from zero.
        """
        self.name = name
        self.quadratic = quadratic
        self.origin = 0.0 if origin is None else origin
        unit = 1.0 if origin is None else 0.0
        self.recipe: tuple[Callable[..., SpectralLaw], tuple, tuple] | None = None
        self._branch = branch
        self._log = coordinate == "log"
        self._atoms = tuple(sorted((float(x), float(a)) for x, a in atoms if a > 0))
        self._moments = moments
        self._unbounded = unbounded
        self._reaches_zero = reaches_zero
        self._noise = 0.1 * branch.system.noise if branch else 0.0
        continuous = 1.0 - sum(a for _, a in self._atoms)
        self._panels: list[Panels] = []
        for low, high in sorted(intervals, reverse=True):  # one down to zero last: its mass is what is left
            rest = continuous - sum(panels.mass for panels in self._panels)
            self._panels.insert(
                0,
                integrate(
                    Interval(low, high, knee if high > knee else -np.inf, unit),
                    self._solve,
                    rest if len(self._panels) == len(intervals) - 1 else None,
                    max(TOLERANCE, self._noise),
                    self._remaining(),
                ),
            )
        self._masses = Masses(tuple(self._panels), self._atoms)
        self._known, self._exact = known, exact
        self.error = max(self._verify(), inherited)
        if self.error > tolerance:
            raise ConvergenceError(
                f"The law {name} was found only to {self.error:.1e}: total mass {self.mass:.6g}, "
                f"first moments off by {self._moment_defects()}. If the transform is yours, check that it "
                f"belongs to a law."
            )

    @property
    def panels(self) -> tuple[Panels, ...]:
        """The panels that the density is integrated on, interval by interval."""
        return tuple(self._panels)

    @property
    def logarithmic(self) -> bool:
        """Whether the coordinate is log x."""
        return self._log

    # construction ---------------------------------------------------------------------------------------------------

    def _solve(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self._branch is not None
        states, _ = self._branch.descend(y)
        density = self._density_of(states)
        rounding = max(1e-9, 100 * np.sqrt(self._noise)) * max(1.0, density.max(initial=0.0))
        if density.min(initial=0.0) < -rounding:
            if self._branch.system.proven:  # a float cannot tell y from the edge
                raise ConvergenceError(
                    f"The density of {self.name} grows too fast at an edge of its support to be resolved in floating "
                    f"point (the mass of an atom there just vanishes). Change the masses or the scales a little."
                )
            raise DomainError(
                f"The transform of {self.name} gives a negative density, so it belongs to no law (or to one whose "
                f"density is infinite at an edge, where an atom just vanishes)."
            )
        return np.maximum(density, 0.0), states  # rounding at an edge may be of either sign

    def _remaining(self) -> Remaining | None:
        """The exact mass between zero and states on the axis, where the system knows it."""
        tail = self._branch.system.tail if self._branch else None
        if tail is None:
            return None
        zero = sum(a for x, a in self._atoms if x == -np.inf)
        return lambda states: 1.0 - zero - tail(states)

    def _density_of(self, states: np.ndarray) -> np.ndarray:
        assert self._branch is not None
        return -self._branch.system.transform(states).imag / np.pi

    def _verify(self) -> float:
        defects = [abs(self.mass - 1.0), *self._moment_defects()]
        tail = self._branch.system.tail if self._branch else None
        for panels in self._panels:
            defects.append(panels.error)
            if tail is not None and panels.coordinate.size:
                pick = slice(3, None, 17)
                exact = 1.0 - tail(panels.states[:, pick])
                defects.append(
                    float(np.abs(exact - self._masses.cdf(panels.coordinate[pick])).max(initial=0.0))
                )
        return float(max(defects))

    def _moment_defects(self) -> list[float]:
        defects = []
        for k in range(1, self._known + 1):
            exact = self._moments(k)
            if self._log:
                defects.append(abs(float(np.expm1(self._masses.log_moment(k) - exact))))
            else:
                scale = max(abs(exact), self._masses.moment(k, absolute=True, origin=self.origin), 1e-300)
                defects.append(abs(self._masses.moment(k, origin=self.origin) - exact) / scale)
        return defects

    # the law --------------------------------------------------------------------------------------------------------

    @property
    def mass(self) -> float:
        """Integral of the density plus the masses of the atoms; 1 up to `error`."""
        return self._masses.total

    @property
    def support(self) -> tuple[tuple[float, float], ...]:
        """Intervals of the continuous part."""
        ends = [(self._plain(low), self._plain(high)) for low, high in self._components()]
        if self._unbounded and ends:
            ends[-1] = (ends[-1][0], float("inf"))
        return tuple(ends)

    @property
    def atoms(self) -> tuple[tuple[float, float], ...]:
        """Pairs (location, mass)."""
        return tuple((self._plain(x), a) for x, a in self._atoms)

    @property
    def largest(self) -> float:
        """Top of the support, atoms included."""
        return float("inf") if self._unbounded else self._plain(self._masses.top, "largest")

    @property
    def smallest(self) -> float:
        """Bottom of the support, atoms included."""
        return self._plain(self._bottom)

    @property
    def log_largest(self) -> float:
        """Logarithm of the top of the support."""
        self._need_log("log_largest")
        return float("inf") if self._unbounded else self._masses.top

    @property
    def log_support(self) -> tuple[tuple[float, float], ...]:
        """Intervals of the continuous part of log x."""
        self._need_log("log_support")
        return tuple(self._components())

    @property
    def log_atoms(self) -> tuple[tuple[float, float], ...]:
        """Pairs (log location, mass)."""
        self._need_log("log_atoms")
        return self._atoms

    @property
    def _bottom(self) -> float:
        return min([self._low(p) for p in self._panels] + [x for x, _ in self._atoms])

    def _components(self) -> list[tuple[float, float]]:
        """Intervals of the continuous part; those that touch were cut where the density is not smooth."""
        found: list[tuple[float, float]] = []
        for panels in self._panels:
            low, high = self._low(panels), panels.interval.high
            found.append((found.pop()[0] if found and found[-1][1] == low else low, high))
        return found

    def _low(self, panels: Panels) -> float:
        """Low end of an interval; -oo where the support reaches zero with a density that no float shows."""
        return -np.inf if self._reaches_zero and panels is self._panels[0] else panels.interval.low

    def density(self, x: Any) -> Any:
        """Density of the continuous part at x; atoms are not in it."""
        x = arguments.real("x", x)
        if not self._log:
            return arguments.scalar(self._coordinate_density(x - self.origin))
        result = np.zeros(x.shape)
        positive = x > 0
        result[positive] = self._coordinate_density(np.log(x[positive])) / x[positive]
        if (zero := x == 0).any():
            result[zero] = self._at_zero()
        return arguments.scalar(result)

    def log_density(self, log_x: Any) -> Any:
        """Density of log x (not of x) at `log_x`: x times the density at x; it integrates to the mass."""
        self._need_log("log_density")
        return arguments.scalar(self._coordinate_density(arguments.real("log_x", log_x)))

    def cdf(self, x: Any) -> Any:
        """P(lambda <= x), atoms included."""
        x = arguments.real("x", x, infinite=True)
        if not self._log:
            return arguments.scalar(self._masses.cdf(x - self.origin))
        y = np.full(x.shape, -np.inf)
        y[x > 0] = np.log(x[x > 0])
        return arguments.scalar(np.where(x < 0, 0.0, self._masses.cdf(y)))

    def log_cdf(self, log_x: Any) -> Any:
        """P(log lambda <= log_x): the distribution function at exp(log_x)."""
        self._need_log("log_cdf")
        return arguments.scalar(self._masses.cdf(arguments.real("log_x", log_x, infinite=True)))

    def quantile(self, p: Any) -> Any:
        """Smallest x with cdf(x) >= p, for p in [0, 1]."""
        y = self._masses.quantile(arguments.within("p", p, 0.0, 1.0), self._bottom)
        return arguments.scalar(np.vectorize(self._plain, otypes=[float])(y) if y.size else y)

    def log_quantile(self, p: Any) -> Any:
        """Logarithm of the quantile."""
        self._need_log("log_quantile")
        return arguments.scalar(self._masses.quantile(arguments.within("p", p, 0.0, 1.0), self._bottom))

    def moment(self, k: int) -> float:
        """E lambda^k: exact up to order 4, for Jacobians and products 8; by quadrature of the density beyond."""
        k = arguments.count("k", k, least=0)
        if k == 0:
            return 1.0
        if not self._log:
            return self._moments(k) if k <= self._exact else self._masses.moment(k, origin=self.origin)
        return self._plain(self.log_moment(k), f"moment({k})")

    def log_moment(self, k: int) -> float:
        """Logarithm of E lambda^k."""
        self._need_log("log_moment")
        k = arguments.count("k", k)
        value = float(self._moments(k) if k <= self._exact or self._unbounded else self._masses.log_moment(k))
        if np.isnan(value):
            raise DomainError(f"The moment of order {k} of {self.name} is infinite or cannot be computed.")
        return value

    @property
    def mean(self) -> float:
        """First moment."""
        return self.moment(1)

    @property
    def variance(self) -> float:
        """Second central moment."""
        return self.moment(2) - self.moment(1) ** 2

    @property
    def var(self) -> float:
        """Second central moment, by the name that SciPy has for it."""
        return self.variance

    def pdf(self, x: Any) -> Any:
        """Density of the continuous part at x, by the name that SciPy has for it."""
        return self.density(x)

    def ppf(self, p: Any) -> Any:
        """Quantile, by the name that SciPy has for it."""
        return self.quantile(p)

    def rvs(self, n: int = 1, seed: int | np.random.Generator = 0) -> np.ndarray:
        """Draw n independent numbers of this law, by a seed or a generator: uniform numbers through the quantile.

        They do not repel each other, as eigenvalues of one matrix do.

        >>> from widelimit.numerics import freeprob
        >>> law = freeprob.empirical([1.0, 1.0, 4.0])
        >>> law.rvs(6, seed=1)
        array([1., 4., 1., 4., 1., 1.])
        """
        number = costs.affordable("n", arguments.count("n", n, 0), memory=64.0, each="number")
        if not isinstance(seed, np.random.Generator):
            seed = np.random.default_rng(arguments.count("seed", seed, 0))
        return np.asarray(self.quantile(seed.random(number)), dtype=float).reshape(number)

    @property
    def entropy(self) -> float:
        """E -log density, of a law without atoms; minus infinity with them."""
        if self._atoms:
            return -np.inf
        t = np.arange(-3.0, 3.0 + 1e-9, 0.05)
        place = np.pi / 2 * np.sinh(t)  # tanh-sinh over chances: the logarithm is infinite at edges
        chance = 1 / (1 + np.exp(-2 * place))
        weight = np.pi / 4 * np.cosh(t) / np.cosh(place) ** 2 * 0.05
        with np.errstate(divide="ignore"):
            found = np.log(np.asarray(self.density(self.quantile(chance))))
        kept = np.isfinite(found)
        return -float(weight[kept] @ found[kept])

    def test(self, eigenvalues: Any, orders: int = 4) -> LawTest:
        """Test whether eigenvalues are those of a matrix with this law, by fluctuations of linear statistics.

        For semicircles and Marchenko-Pastur laws; see `freeprob.testing`.
        """
        from widelimit.numerics.freeprob.testing import judged

        return judged(self, eigenvalues, orders)

    def cauchy(self, x: Any) -> Any:
        """G(x + i0) = E 1/(x + i0 - lambda): real outside the support, Im = -pi density inside."""
        x = arguments.real("x", x)
        return arguments.scalar(self._cauchy(np.atleast_1d(x)).reshape(x.shape))

    def hilbert(self, x: Any) -> Any:
        """Hilbert transform (1/pi) p.v. E 1/(x - lambda), infinite at an atom."""
        x = arguments.real("x", x)
        return arguments.scalar((self._cauchy(np.atleast_1d(x)).real / np.pi).reshape(x.shape))

    def singular(self, s: Any) -> Any:
        """Density of the singular value s = sqrt(lambda), 2 s density(s^2)."""
        s = arguments.real("s", s)
        inside = np.maximum(s, 0.0)
        return arguments.scalar(np.asarray(2 * inside * np.asarray(self.density(inside**2))))

    def __eq__(self, other: object) -> bool:
        """Whether both are the same law in numbers: the same panels with the same density, and the same atoms."""
        if not isinstance(other, SpectralLaw):
            return NotImplemented
        return self is other or (
            (self.name, self._log, self._unbounded, self._atoms, self.origin)
            == (other.name, other._log, other._unbounded, other._atoms, other.origin)
            and len(self._panels) == len(other._panels)
            and all(
                a.interval == b.interval
                and np.array_equal(a.edges, b.edges)
                and np.array_equal(a.coefficients, b.coefficients)
                for a, b in zip(self._panels, other._panels, strict=True)
            )
        )

    def __hash__(self) -> int:
        return hash((self.name, self._log, self._atoms, tuple(p.interval for p in self._panels)))

    def __copy__(self) -> SpectralLaw:
        return self

    def __deepcopy__(self, memo: dict) -> SpectralLaw:
        return self  # a law never changes

    def __reduce__(self) -> tuple:
        if self.recipe is None:
            raise TypeError(
                f"The law {self.name} does not know what it was made from, so it cannot be pickled."
            )
        return rebuilt, (*self.recipe, self.name)

    def __repr__(self) -> str:
        move = self.origin
        ends = ", ".join(f"[{low + move:.6g}, {high + move:.6g}]" for low, high in self._components())
        place = "log support" if self._log else "support"
        atoms = ", ".join(f"{a:.6g} at {'exp ' if self._log else ''}{x + move:.6g}" for x, a in self._atoms)
        return f"<SpectralLaw {self.name}: {place} {ends or 'none'}; atoms {atoms or 'none'}; error {self.error:.1e}>"

    # internals ------------------------------------------------------------------------------------------------------

    def _coordinate_density(self, y: np.ndarray) -> np.ndarray:
        flat = np.atleast_1d(np.asarray(y, dtype=float)).ravel()
        result = np.zeros(flat.shape)
        for panels in self._panels:
            inside = np.flatnonzero((flat > panels.interval.low) & (flat < panels.interval.high))
            if inside.size:
                result[inside] = np.maximum(self._density_of(self._states(panels, flat[inside])), 0.0)
        return result.reshape(np.shape(y))

    def _states(self, panels: Panels, y: np.ndarray) -> np.ndarray:
        """States at y, continued from the nearest node of the panels."""
        assert self._branch is not None
        order = np.argsort(panels.coordinate)
        sorted_nodes = panels.coordinate[order]
        index = np.clip(np.searchsorted(sorted_nodes, y), 1, sorted_nodes.size - 1)
        index -= (y - sorted_nodes[index - 1]) < (sorted_nodes[index] - y)
        near = order[index]
        return self._branch.across(panels.states[:, near], panels.coordinate[near], y)[0]

    def _at_zero(self) -> float:
        for panels in self._panels:
            if np.isinf(panels.interval.low):
                order = np.argsort(panels.coordinate)[: 2 * 20]
                usable = panels.density[order] > 1e-12
                if not usable.any():
                    return 0.0
                values = np.log(panels.density[order][usable]) - panels.coordinate[order][usable]
                return float("inf") if values[0] > values[-1] + 1e-6 else float(np.exp(values[0]))
        return 0.0

    def _cauchy(self, x: np.ndarray) -> np.ndarray:
        result = np.zeros(x.shape, dtype=complex)
        atoms = dict(self.atoms)
        hit = np.isin(x, list(atoms))
        result[hit] = np.inf
        if self._branch is None:
            free = ~hit
            result[free] = sum(a / (x[free] - at) for at, a in self.atoms)
            return result
        if not self._log:
            states, _ = self._branch.descend(x[~hit] - self.origin)
            result[~hit] = self._branch.system.transform(states)
            return result
        for sign in (1, -1):
            here = ~hit & (sign * x > 0)
            if here.any():
                states, _ = self._branch.descend(np.log(np.abs(x[here])), negative=sign < 0)
                result[here] = (1.0 + self._branch.system.transform(states)) / x[here]
        result[~hit & (x == 0)] = np.nan_to_num(-np.inf)
        return result

    def _plain(self, y: float, what: str = "support") -> float:
        if not self._log:
            return float(y) + self.origin
        if y > _LARGEST_LOG or (what != "support" and y < -745.0):
            raise DomainError(
                f"`{what}` of this law is exp({y:.6g}), which no float holds. Read `log_{what.split('(')[0]}` instead."
            )
        return float(np.exp(y))

    def _need_log(self, what: str) -> None:
        if not self._log:
            raise ArgumentError(what, "belongs to laws on [0, oo)", but="this law may have negative values")
