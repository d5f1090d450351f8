"""Covariance spectra with the signal they carry: lists, mixtures, densities, quantile functions, power laws.

list, or several      Spectrum.of, Spectrum.mixture   equal eigenvalues are grouped, zero ones set aside
density or quantile   Spectrum.from_density, .from_quantile   quadrature nodes, doubled until results agree to 1e-10
s_k = k^-a            Spectrum.power_law              up to 10^18 dimensions: head exact, tail integrated in log k
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_SUM_TOLERANCE = 1e-9  # weights from a text file add up to one to about this much
_AGREE = 1e-10


@by_value
@dataclass(frozen=True)
class Spectrum:
    """Positive covariance eigenvalues in decreasing order, none twice.

    `weights` are fractions of the non-zero dimensions and add up to 1; `signal` is the signal variance that each
    eigenvalue carries in all; `rank_fraction` is the fraction of all dimensions with a non-zero eigenvalue.
    """

    eigenvalues: Array
    weights: Array
    signal: Array
    rank_fraction: float = 1.0

    @classmethod
    def of(
        cls,
        eigenvalues: ArrayLike | Spectrum,
        weights: ArrayLike | None = None,
        signal: ArrayLike | None = None,
    ) -> Spectrum:
        """Check lists of equal length; equal eigenvalues are merged, zero eigenvalues lower `rank_fraction`.

        >>> Spectrum.of([1.0, 2.0, 1.0, 0.0], signal=[0.5, 1.0, 0.5, 0.0]).weights
        array([0.33333333, 0.66666667])
        """
        if isinstance(eigenvalues, Spectrum):
            if weights is not None or signal is not None:
                raise ArgumentError(
                    "weights", "must be left out, as must `signal`, with a Spectrum", but="is given"
                )
            return eigenvalues
        s = arguments.vector("eigenvalues", np.atleast_1d(arguments.non_negative("eigenvalues", eigenvalues)))
        if not s.any():
            raise ArgumentError("eigenvalues", "must not all be zero", eigenvalues)
        p = np.full(s.size, 1 / s.size) if weights is None else _beside("weights", weights, s)
        if abs(math.fsum(p) - 1) > _SUM_TOLERANCE:
            help = "They are the fractions of dimensions at each eigenvalue."
            raise ArgumentError(
                "weights", "must add up to 1", help=help, but=f"add up to {math.fsum(p):.10g}"
            )
        u = np.zeros(s.size) if signal is None else _beside("signal", signal, s)
        if (u[s == 0] > 0).any():
            help = "Inputs do not vary along a zero eigenvalue: count what the target gains from elsewhere as noise."
            raise ArgumentError(
                "signal", "must be zero where an eigenvalue is zero", float(u[s == 0].max()), help
            )
        return cls.grouped(s, p, u)

    def in_units(self) -> tuple[Spectrum, float]:
        """The same spectrum in units of (nearly) its largest eigenvalue, a power of two, so that no digit changes."""
        unit = 2.0 ** min(1022, math.frexp(float(self.eigenvalues[0]))[1] - 1)
        return Spectrum(self.eigenvalues / unit, self.weights, self.signal, self.rank_fraction), unit

    @classmethod
    def grouped(cls, s: Array, p: Array, u: Array) -> Spectrum:
        """Merge equal eigenvalues `s` with shares `p` and signals `u`, largest first."""
        values, group = np.unique(-s, return_inverse=True)
        weight, carried = np.bincount(group, weights=p), np.bincount(group, weights=u)
        kept = values < 0
        rank = math.fsum(weight[kept])
        if rank == 0.0:
            raise ArgumentError("weights", "must give some weight to a positive eigenvalue", but="give none")
        return cls(-values[kept], weight[kept] / rank, carried[kept], min(1.0, rank / math.fsum(weight)))

    @classmethod
    def mixture(cls, parts: Sequence[tuple[float, Spectrum]]) -> Spectrum:
        """Put spectra side by side, each with its fraction of the dimensions and with all of its signal.

        >>> bulk, spike = Spectrum.of(1.0, signal=1.0), Spectrum.of(10.0, signal=0.5)
        >>> Spectrum.mixture([(0.9, bulk), (0.1, spike)]).weights
        array([0.1, 0.9])
        """
        fractions = np.array([arguments.non_negative_number("parts", fraction) for fraction, _ in parts])
        if not parts or abs(fractions.sum() - 1) > _SUM_TOLERANCE:
            raise ArgumentError(
                "parts", "must have fractions that add up to 1", but=f"add up to {fractions.sum():.10g}"
            )
        spectra = [spectrum for _, spectrum in parts]
        ranked = [f * x.rank_fraction for f, x in zip(fractions, spectra, strict=True)]
        s = np.concatenate([*(x.eigenvalues for x in spectra), [0.0]])
        p = np.concatenate(
            [*(f * x.weights for f, x in zip(ranked, spectra, strict=True)), [1 - math.fsum(ranked)]]
        )
        return cls.grouped(s, np.maximum(p, 0.0), np.concatenate([*(x.signal for x in spectra), [0.0]]))

    @classmethod
    def from_quantile(
        cls, quantile: Callable[[Array], Array], signal: Callable[[Array], Array] | float = 1.0
    ) -> Spectrum:
        """Spectrum of the positive law with this quantile function on (0, 1).

        `signal(s)` is the signal variance per unit of spectral weight at eigenvalue s (a number: the same everywhere).
        Functions take and return arrays. Raises `ConvergenceError` if the quadrature does not settle.

        >>> round(Spectrum.from_quantile(lambda q: 1 + q).mean, 12)
        1.5
        """

        def place(level: int) -> tuple[Array, Array]:
            x, _, w = _double_exponential(level)
            return np.asarray(quantile(x), float), w

        return _settle(place, signal)

    @classmethod
    def from_density(
        cls,
        density: Callable[[Array], Array],
        low: float,
        high: float,
        signal: Callable[[Array], Array] | float = 1.0,
    ) -> Spectrum:
        """Spectrum of the law with this density between `low` >= 0 and `high` (which may be infinite).

        The density must integrate to 1; square-root and inverse square-root edges are resolved. `signal` as above.
        """
        low_, high_ = (
            arguments.non_negative_number("low", low),
            arguments.positive_number("high", high, infinite=True),
        )
        if not low_ < high_:
            raise ArgumentError("high", f"must be above `low` = {low_:g}", high_)

        def half_line(level: int) -> tuple[Array, Array]:
            x, rest, w = _double_exponential(level)
            s = low_ + x / rest
            return s, w / rest**2 * np.asarray(density(s), float)

        def interval(
            level: int,
        ) -> tuple[Array, Array]:  # s = low + (high - low) sin^2: square-root edges become smooth
            x, w = _gauss_legendre(2 ** (level + 2))
            angle = np.pi / 4 * (1 + x)
            s = low_ + (high_ - low_) * np.sin(angle) ** 2
            return s, np.pi / 4 * w * (high_ - low_) * np.sin(2 * angle) * np.asarray(density(s), float)

        return _settle(half_line if math.isinf(high_) else interval, signal)

    @classmethod
    def power_law(
        cls,
        dimensions: float,
        exponent: float,
        signal_exponent: float,
        signal: float = 1.0,
        exact: int = 4096,
    ) -> Spectrum:
        """``s_k = k^-exponent`` carrying ``signal * k^-signal_exponent``, k = 1 .. dimensions (up to 10^18).

        The first `exact` eigenvalues stand for themselves; the others are integrated on Gauss-Legendre panels in log k
        (the midpoint rule of the sum leaves a relative error near ``exact^-2/24`` in the tail).
        """
        size = arguments.number_within("dimensions", dimensions, 1, 1e18)
        a = arguments.positive_number("exponent", exponent)
        b, scale = (
            arguments.finite_number("signal_exponent", signal_exponent),
            arguments.non_negative_number("signal", signal),
        )
        head = int(min(size, arguments.count("exact", exact)))
        k, count = np.arange(1.0, head + 1), np.ones(head)
        if size > head:
            start, end = math.log(head + 0.5), math.log(math.floor(size) + 0.5)
            panels = np.linspace(start, end, max(2, math.ceil(2 * (end - start))) + 1)
            x, w = _gauss_legendre(16)
            centre, half = (panels[1:] + panels[:-1])[:, None] / 2, np.diff(panels)[:, None] / 2
            tail = np.exp(centre + half * x)
            k, count = np.concatenate([k, tail.ravel()]), np.concatenate([count, (half * w * tail).ravel()])
        return cls.grouped(k**-a, count / count.sum(), scale * count * k**-b)

    @property
    def mean(self) -> float:
        """Mean eigenvalue of the non-zero dimensions."""
        return float(self.weights @ self.eigenvalues)

    @property
    def total_signal(self) -> float:
        """All signal variance."""
        return math.fsum(self.signal)


def _beside(name: str, value: ArrayLike, s: Array) -> Array:
    array = np.atleast_1d(arguments.non_negative(name, value))
    if array.shape != s.shape:
        but = f"has shape {array.shape} beside eigenvalues of shape {s.shape}"
        raise ArgumentError(name, "must have one entry for each eigenvalue", but=but)
    return array


@functools.lru_cache(maxsize=16)
def _gauss_legendre(nodes: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return x, w


def _double_exponential(level: int) -> tuple[Array, Array, Array]:
    """Nodes x on (0, 1), the distances 1 - x, and weights, spaced 2^-level in the mapped variable."""
    t = np.arange(-3.4, 3.4, 2.0**-level)
    arc = np.pi / 2 * np.sinh(t)
    x, rest = 1 / (1 + np.exp(-2 * arc)), 1 / (1 + np.exp(2 * arc))
    w = np.pi / 4 * np.cosh(t) / np.cosh(arc) ** 2 * 2.0**-level
    kept = x < 1
    return x[kept], rest[kept], w[kept]


def _settle(
    place: Callable[[int], tuple[Array, Array]], signal: Callable[[Array], Array] | float
) -> Spectrum:
    """Double the nodes until degrees of freedom and bias at three effective ridges no longer change."""
    before = None
    for level in range(3, 9):
        s, p = place(level)
        if not (np.isfinite(s).all() and np.isfinite(p).all() and (s >= 0).all() and (p >= 0).all()):
            raise ArgumentError(
                "density", "must be finite and not negative", but="is not, nor is its quantile function"
            )
        s, p = s[p > 0], p[p > 0]
        u = p * (arguments.non_negative("signal", signal(s) if callable(signal) else signal))
        scales = float(p @ s) * np.array([1e-3, 1.0, 1e3])[:, None]
        now = np.concatenate(
            [[p.sum()], (p * s / (s + scales)).sum(1), (u * (scales / (s + scales)) ** 2).sum(1)]
        )
        if before is not None and (np.abs(now - before) <= _AGREE * np.abs(now).max(initial=1.0)).all():
            if abs(p.sum() - 1) > 1e-8:
                raise ArgumentError("density", "must integrate to 1", but=f"integrates to {p.sum():.10g}")
            return Spectrum.grouped(s, p / p.sum(), u)
        before = now
    raise ConvergenceError(
        "The quadrature over the spectrum did not settle with 1024 nodes. Give each smooth piece of the density on its "
        "own and join the pieces with Spectrum.mixture."
    )
