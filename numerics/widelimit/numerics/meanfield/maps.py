"""What the mean-field solvers need of one activation, compiled once and remembered between processes.

`maps(activation)` asks theory.meanfield for the moments V(q) = E phi^2, P(q) = E phi'^2, dV/dq, the curvature terms
and the pair expectations E phi phi, E phi' phi' as closed forms or expectations. A process that finds them in the
cache derives nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from sympy import Expr

from widelimit.numerics.compile import Compiled, cache, compile
from widelimit.numerics.compile.cancellation import cancels_from
from widelimit.numerics.compile.expected import Kernel, unresolved
from widelimit.numerics.compile.features import Features, features
from widelimit.numerics.compile.pair import projected
from widelimit.numerics.compile.quadrature import TINY, gaussian
from widelimit.numerics.meanfield.lengths import Table
from widelimit.numerics.meanfield.pairs import Closed, Conditioned, Series
from widelimit.theory import meanfield as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation, without_deltas
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import ConvergenceError, DomainError

Array = np.ndarray
DIGITS = 1e-13  # relative error at which a closed form gives way to quadrature
_log = logging.getLogger(__name__)
Q, Q1, Q2, EPS = theory.q, theory.q_1, theory.q_2, theory.epsilon


@dataclass(frozen=True)
class Formulas:
    """The symbolic side: expressions in `Q`, or in `Q1`, `Q2`, `EPS` with correlation 1 - `EPS`."""

    moments: tuple[Expr, Expr, Expr]  # V, P, dV/dq
    integrals: tuple[Expr, Expr, Expr]  # the same as expectations, where closed forms lose their digits
    trusted: tuple[float, float]  # the q between which the closed forms keep them
    mean: Expr  # E phi
    decay: Expr  # coefficient of l**-decay_power on the edge of chaos
    decay_power: float
    excess: Expr  # sigma_b^2 P on the edge of chaos
    end: tuple[float, ...]  # (sigma_w^2, decay coefficient) where the edge meets sigma_b = 0, if it does
    growth: Expr  # d sigma_b^2/d log q there
    equal: tuple[Expr, ...]  # E phi phi, E phi' phi' at Q for both
    pair: tuple[Expr, ...]  # the same at Q1, Q2
    value: Expr  # phi
    slope: Expr  # phi'
    shape: Features


@dataclass(frozen=True)
class Maps:
    """Compiled maps of one activation."""

    activation: Activation
    formulas: Formulas

    @cached_property
    def _moments(self) -> Compiled:
        return compile(self.formulas.moments, [Q], name="moments")

    @cached_property
    def _integrals(self) -> Compiled:
        return compile(self.formulas.integrals, [Q], name="integrals")

    def moments(self, q: Array) -> tuple[Array, Array]:
        """Return (V, P, dV/dq) and their error bounds, (3, n); inf where a moment does not exist.

        Raises `ConvergenceError` where quadrature does not resolve one, as `rough_moments` does not.
        """
        values, errors = self.rough_moments(q)
        coarse = (np.isfinite(values) & ~np.isfinite(errors)).any(axis=0)
        if coarse.any():
            where = f"the variance q = {q[coarse][0]:g}"
            raise ConvergenceError(unresolved(f"of a square of {self.activation.name}", where))
        return values, errors

    def rough_moments(self, q: Array) -> tuple[Array, Array]:
        """Return the same with an error bound of inf where quadrature resolves nothing: enough to look for roots."""
        at = np.ascontiguousarray(np.maximum(q, TINY))
        values, errors = self._moments.evaluate(at, missing=True)
        low, high = self.formulas.trusted
        lost = np.flatnonzero((at < low) | (at > high))
        if lost.size:
            values[:, lost], errors[:, lost] = self._integrals.evaluate(at[lost], missing=True)
        return values, errors

    @property
    def moments_are_closed(self) -> bool:
        """Whether V, P and dV/dq have closed forms."""
        return not any(e.has(Expectation) for e in self.formulas.moments)

    @property
    def njit_moments(self) -> Any:
        """The closed forms of (V, P, dV/dq) as a compiled function of one q."""
        return self._moments.njit

    @property
    def njit_integrals(self) -> Any:
        """The same by adaptive quadrature in nopython code, which takes seconds to compile."""
        return self._integrals.njit

    @cached_property
    def excess(self) -> Compiled:
        """sigma_b^2 P on the edge of chaos, of q, without cancellation."""
        return compile(self.formulas.excess, [Q], name="excess")

    @cached_property
    def mean(self) -> Compiled:
        """E phi of q."""
        return compile(self.formulas.mean, [Q], name="mean")

    @cached_property
    def table(self) -> Table:
        """V and dV/dq on the shared grid."""
        return Table.of(self.rough_moments)

    @cached_property
    def closed(self) -> bool:
        """Whether the pair expectations have closed forms."""
        return not any(e.has(Expectation) for e in (*self.formulas.equal, *self.formulas.pair))

    def closed_at(self, q: Array) -> bool:
        """Whether they have, and keep their digits at every one of these variances."""
        return bool(self.closed_where(q).all())

    def closed_where(self, q: Array) -> Array:
        """Whether they do, for each variance."""
        low, high = self.formulas.trusted
        high = min(high, self._cancels_from)
        return self.closed & (q >= low) & (q <= high)

    @cached_property
    def _cancels_from(self) -> float:
        return cancels_from(self.activation.expr, X, kinked=not self.activation.is_smooth)

    @cached_property
    def _equal(self) -> Compiled:
        return compile(self.formulas.equal, [Q, EPS], name="equal")

    @cached_property
    def _pair(self) -> Compiled:
        return compile(self.formulas.pair, [Q1, Q2, EPS], name="pair")

    @cached_property
    def integrands(self) -> tuple[Any, Any]:
        """The functions phi and phi' as integrands of quadrature."""
        kernels = (
            Kernel(compile([expr], [X], name=name), (), self.formulas.shape)
            for name, expr in (("phi", self.formulas.value), ("slope", self.formulas.slope))
        )
        value, slope = (kernel.at([]) for kernel in kernels)
        return value, slope

    def pairs(self, q1: Array, q2: Array, terms: int) -> Closed | Series:
        """Return the pair map of every (q1, q2); `terms` counts Hermite coefficients, 0 is the closed form."""
        if q1 is q2:
            at_one = self.moments(q1)[0][0]
        else:
            at_one = np.array([self.joint(*pair)[0] for pair in zip(q1, q2, strict=True)])
        if terms == 0:
            if q1 is q2:
                return Closed(self._equal, (q1,), at_one)
            return Closed(self._pair, (q1, q2), at_one)
        means = self.mean.evaluate(q1)[0][0]
        spread = at_one - means * (means if q1 is q2 else self.mean.evaluate(q2)[0][0])
        return Series.of(self.integrands[1], self.formulas.shape, q1, q2, spread, terms)

    def joint(self, q1: float, q2: float) -> tuple[float, float]:
        """Return E phi(u_1) phi(u_2) and E (phi(u_1) - phi(u_2))^2 of u_i = sqrt(q_i) z: fully correlated inputs."""
        value, shape = self.integrands[0], self.formulas.shape
        roots = np.sqrt([max(q1, TINY), max(q2, TINY)])

        def product(z: Array, rows: Array) -> Array:
            return value(roots[0] * z, rows) * value(roots[1] * z, rows)

        def difference(z: Array, rows: Array) -> Array:
            return value(roots[0] * z, rows) - value(roots[1] * z, rows)

        scaled = Features(
            tuple(sorted({kink / root for kink in shape.kinks for root in roots})),
            tuple((centre / root, scale / root) for centre, scale in shape.spots for root in roots),
        )
        together, _ = gaussian(product, np.ones(1), scaled)
        return float(together[0, 0]), float(projected(difference, np.ones(1), scaled, 1)[1][0])

    @cached_property
    def decay(self) -> Compiled:
        """The coefficient of eps_l ~ coefficient * l**-power on the edge of chaos, of q (inf where it is linear)."""
        return compile(self.formulas.decay, [Q], name="decay")

    @cached_property
    def growth(self) -> Compiled:
        """d sigma_b^2/d log q along the edge of chaos, of q."""
        return compile(self.formulas.growth, [Q], name="growth")

    @cached_property
    def small(self) -> Array | None:
        """Coefficients of sigma_b^2 on the edge of chaos by powers of q; None where phi has no such series at 0."""
        for order in (4, 8) if self.formulas.end else ():
            try:
                bias = sympy.Poly(theory.critical_series(self.activation, order).sigma_b_squared, Q)
            except DomainError:
                return None
            if not bias.is_zero and bias.monoms()[-1][0] < order:
                return np.array(bias.all_coeffs()[::-1], float)
        return None

    def conditioned(self, q1: Array, q2: Array) -> Conditioned:
        """Return the pair map that is right for every correlation, and slow."""
        return Conditioned(*self.integrands, self.formulas.shape, q1, q2)


def maps(activation: str | Activation | Expr) -> Maps:
    """Return the compiled maps of an activation (a catalogue name, an expression in `x`, an Activation)."""
    return _maps(Activation.of(activation))


@functools.lru_cache(maxsize=256)
def _maps(phi: Activation) -> Maps:
    here = cache.sources("widelimit.numerics", "meanfield/maps", "compile/features")
    key = cache.digest("meanfield", here, cache.sources("widelimit.theory"), sympy.srepr(phi.expr))
    start = time.perf_counter()
    formulas = cache.remembered(key, lambda: derive(phi), Formulas, Features)
    _log.debug("formulas of %s in %.3f s", phi.name, time.perf_counter() - start)
    return Maps(phi, formulas)


def derive(phi: Activation) -> Formulas:
    """Ask the theory for the formulas of an activation, at the variances where its moments exist."""
    with theory.where_finite():
        return _derive(phi)


def _derive(phi: Activation) -> Formulas:
    slope_moment = theory.slope_moment(phi)
    if away := [b for b in phi.pieces.diff().poles() if not b.is_zero]:
        raise DomainError(
            f"The slope of {phi.name} is infinite at x = {away[0]}: such slopes are resolved to rounding at x = 0 "
            "only. Use an activation with a bounded slope there."
        )
    correlation = {theory.c: 1 - EPS}
    value, slope = phi.expr, phi.derivative(1).expr
    try:
        law = theory.decay_law(phi)
    except DomainError:  # linear: correlations stay
        law = theory.DecayLaw(1, sympy.oo)
    end = theory.critical_limit(phi)
    moments = (theory.second_moment(phi), slope_moment, theory.second_moment_slope(phi))
    nodes = theory.nodes(phi)
    overlap = nodes["K"]
    overlap = without_deltas(overlap) if overlap.has(sympy.DiracDelta) else overlap
    plain = dataclasses.replace(theory.ANY, P=nodes["P"], K=overlap, slope=None)
    integrals = (
        nodes["V"],
        nodes["P"],
        theory.second_moment_slope(plain),
    )
    equal = (theory.product_moment(phi), theory.slope_product(phi))
    pair = (theory.unequal_product_moment(phi), theory.unequal_slope_product(phi))
    return Formulas(
        moments=moments,
        integrals=integrals,
        trusted=trusted(moments, lambda v, p, slope: (v, p, p + slope)),
        mean=Expectation(value, X, Q).doit(),
        decay=law.coefficient,
        decay_power=float(law.power),
        excess=theory.critical_excess(phi),
        end=() if end is None else (float(end.sigma_w_squared), float(end.decay.coefficient)),
        growth=theory.critical_growth(phi),
        equal=tuple(e.subs(correlation) for e in equal),
        pair=tuple(e.subs(correlation) for e in pair),
        value=value,
        slope=slope,
        shape=features([value, slope], X),
    )


def trusted(
    formulas: Sequence[Expr], scales: Callable[..., tuple[float, ...]], digits: float = DIGITS
) -> tuple[float, float]:
    """Return the interval of q around 1 on which closed forms are right to `digits`, compared with mpmath.

    Differences of terms that nearly cancel lose digits at one end or the other: elu's V(q) at small q, that of
    hard tanh at large q. `scales` says, by their sizes, what each is held against.
    """
    if any(e.has(Expectation) for e in formulas):
        return 0.0, math.inf
    decades = 10.0 ** np.arange(-13.0, 13.0)
    values = compile(formulas, [Q], name="moments").evaluate(decades)[0]
    good = []
    for q, row in zip(decades, values.T, strict=True):
        exact = [float(evaluate(e, {Q: sympy.Float(q)}, 20)) for e in formulas]
        held = scales(*map(abs, exact))
        good.append(all(_same(*one, digits) for one in zip(row, exact, held, strict=True)))
    one = int(np.searchsorted(decades, 1.0))
    first = next((k for k in range(one, -1, -1) if not good[k]), None)
    last = next((k for k in range(one, len(good)) if not good[k]), None)
    low = 0.0 if first is None else float(decades[min(first + 1, len(good) - 1)])
    return low, math.inf if last is None else float(decades[max(last - 1, 0)])


def _same(value: float, exact: float, scale: float, digits: float) -> bool:
    return not math.isfinite(exact) or abs(value - exact) <= digits * scale
