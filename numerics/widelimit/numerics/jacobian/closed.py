"""What has a closed form, compiled from theory: moments, edges and curves without any quadrature of a law.

They hold at one length q for all layers (`inverse` takes one for each) and agree with `spectrum` where both exist.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from sympy import Expr, Integer, Rational, Symbol

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.jacobian.slope_laws import slope_law
from widelimit.theory import jacobian as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError

ENSEMBLES = ("orthogonal", "gaussian")
_w, _zeta = Symbol("w"), Symbol("zeta")


def moments(
    activation: str | Activation, *, sigma_w: float, q: float, depth: int, weights: str = "orthogonal"
) -> np.ndarray:
    """Return the first three moments of J J^T, by Lagrange inversion (pennington2017resurrecting, section 2.3).

    From mu_k = E phi'(u)^2k, u ~ N(0, q), k = 1 to 3. Raises `InfiniteMomentError` where one is infinite.

    >>> moments("relu", sigma_w=2**0.5, q=1.0, depth=8, weights="gaussian").round(6).tolist()
    [1.0, 17.0, 417.0]
    """
    formula, slopes = (
        _moments(arguments.choice("weights", weights, ENSEMBLES)),
        _slopes(Activation.of(activation)),
    )
    sw = arguments.positive_number("sigma_w", sigma_w)
    known = slopes(arguments.positive_number("q", q))
    return np.array(formula(*known, sw, arguments.count("depth", depth)))


def variance_ratio(
    activation: str | Activation, *, q: float, depth: int, weights: str = "orthogonal"
) -> float:
    """Return the variance of squared singular values over their squared mean, L (mu_2/mu_1^2 - 1 - s_1).

    s_1 is -1 for Gaussian weights and 0 for orthogonal ones (pennington2017resurrecting, eq. (22)).

    >>> variance_ratio("relu", q=1.0, depth=8, weights="gaussian")
    16.0
    """
    kind = arguments.choice("weights", weights, ENSEMBLES)
    variables = (theory.mu_1, theory.mu_2, theory.depth)
    first, second, _ = _slopes(Activation.of(activation))(arguments.positive_number("q", q))
    ratio = compile(theory.variance_ratio(kind), variables, name="variance_ratio")
    return float(ratio(first, second, arguments.count("depth", depth)))


def critical_largest(
    activation: str | Activation, *, q: float, depth: int, weights: str = "orthogonal"
) -> float:
    """Return the largest squared singular value at criticality for slopes 0 or 1.

    pennington2017resurrecting, eq. (24); for orthogonal weights the edge of the bulk, or the atom above it.

    Raises `ArgumentError` for an activation of other slopes.

    >>> round(critical_largest("relu", q=1.0, depth=8), 6), 8**8 / 7**7
    (20.371998, 20.371997576325704)
    """
    kind = arguments.choice("weights", weights, ENSEMBLES)
    top = compile(theory.largest(kind), (theory.p, theory.depth), name="largest")
    return float(top(_probability(activation, q), arguments.count("depth", depth)))


def critical_moment(
    activation: str | Activation, order: int, *, q: float, depth: int, weights: str = "orthogonal"
) -> float:
    """Return a moment, of any order up to 200, at criticality for slopes 0 or 1.

    Raises `ArgumentError` for an activation of other slopes.

    >>> critical_moment("relu", 4, q=1.0, depth=8, weights="gaussian")
    12001.0
    """
    kind = arguments.choice("weights", weights, ENSEMBLES)
    formula = theory.bernoulli_moment(arguments.count("order", order), kind)
    layers = Integer(arguments.count("depth", depth))
    share = Rational(_probability(activation, q))  # exactly: terms of either sign are large
    return float(formula.subs({theory.depth: layers, theory.p: share}))


def class_moment(order: int, kind: str, s0_squared: float) -> float:
    """Return a moment of a universality class, "smooth" or "bernoulli" (pennington2018emergence, section 4).

    >>> class_moment(2, "smooth", 0.25), class_moment(3, "bernoulli", 0.25)
    (1.25, 1.59375)
    """
    formula = theory.class_moment(arguments.count("order", order), kind)
    found = compile(formula.doit(), (theory.s_0,), name="class_moment")
    return float(found(arguments.positive_number("s0_squared", s0_squared) ** 0.5))


def class_cauchy(z: float, s0_squared: float) -> float:
    """Return the Cauchy transform G(z) of the Bernoulli class, right of its support, by Lambert's W.

    Raises `ArgumentError` inside the support.

    >>> round(class_cauchy(50.0, 0.25), 10)
    0.0204102617
    """
    s0 = arguments.positive_number("s0_squared", s0_squared) ** 0.5
    place = arguments.positive_number("z", z)
    found = complex(theory.class_cauchy().subs({theory.s_0: s0, theory.z: place}).evalf(20))
    if found.imag:
        raise ArgumentError("z", "must lie right of the support", z, "Inside it the transform is complex.")
    return found.real


def inverse(
    m: float,
    activation: str | Activation | Sequence[str | Activation] = "relu",
    *,
    sigma_w: float,
    q: float | Sequence[float] = 1.0,
    depth: int | None = None,
    weights: str = "orthogonal",
    widths: Sequence[float] | None = None,
) -> float:
    """Return z at which the M-transform of the law of squared singular values is m, for slopes 0 or 1.

    z = (1 + m)/(m S(m)). `q`: one length for `depth` layers, or one for each layer, with one activation for each.
    `widths`: of the input and of each layer, for Gaussian weights (J^T J, normalised by the input's width).
    Raises `ArgumentError` for what does not fit, `DomainError` for activations of other slopes.

    >>> round(inverse(0.5, sigma_w=2**0.5, depth=3, weights="gaussian"), 10)
    24.0
    >>> round(inverse(0.5, sigma_w=2**0.5, weights="gaussian", widths=[100, 100, 100, 100]), 10)
    24.0
    >>> round(inverse(0.5, ["relu"] * 3, sigma_w=2**0.5, q=[1.0, 2.0, 3.0], weights="gaussian"), 10)
    24.0
    """
    kind = arguments.choice("weights", weights, ENSEMBLES)
    place = arguments.positive_number("m", m)
    values = {
        theory.sigma_w: arguments.positive_number("sigma_w", sigma_w),
        theory.m: place,
    }
    if isinstance(q, Sequence):
        names = [Symbol(f"q_{k}", positive=True) for k in range(len(q))]
        lengths = arguments.positive("q", arguments.vector("q", q))
        each = [activation] * len(q) if isinstance(activation, str | Activation) else list(activation)
        transform = theory.varying(each, names, kind)
        values |= dict(zip(names, lengths.tolist(), strict=True))
    else:
        phi = Activation.of(activation)
        values[theory.q] = arguments.positive_number("q", q)
        if widths is not None:
            return _rectangular(phi, kind, widths, values)
        if depth is None:
            raise ArgumentError("depth", "must be given", but="is not")
        transform = theory.s_transform(phi, kind, arguments.count("depth", depth))
    return (1 + place) / (place * _number(transform, values))


def _rectangular(phi: Activation, kind: str, widths: Sequence[float], values: dict[Symbol, float]) -> float:
    if kind != "gaussian":
        raise ArgumentError("weights", "must be 'gaussian' with `widths`", kind)
    sizes = arguments.positive("widths", arguments.vector("widths", widths))
    ratios = [Symbol(f"Lambda_{k}", positive=True) for k in range(1, sizes.size)]
    values |= dict(zip(ratios, (sizes[0] / sizes[1:]).tolist(), strict=True))
    return _number(theory.rectangular(ratios, phi), values)


def _number(formula: Expr, values: dict[Symbol, float]) -> float:
    return float(compile(formula, tuple(values), name="inverse")(*values.values()))


def parametric(
    zeta: float,
    activation: str | Activation,
    *,
    sigma_w: float,
    q: float,
    depth: int,
    weights: str = "orthogonal",
) -> tuple[float, float]:
    """Return (z, m) on the curve of the law of any activation: m = E d/(zeta - d), d = phi'^2, zeta above all d.

    Orthogonal z = ((1 + m)/m)^(1 - L) (sigma_w^2 zeta)^L, Gaussian (1 + m) m^(L - 1) (sigma_w^2 zeta)^L
    (pennington2018emergence, eq. (14)). Raises `ArgumentError` where zeta is not above the slopes.

    >>> z, m = parametric(2.0, "relu", sigma_w=2**0.5, q=1.0, depth=3, weights="gaussian")
    >>> round(m, 10), round(z, 10)
    (0.5, 24.0)
    """
    kind = arguments.choice("weights", weights, ENSEMBLES)
    slopes = slope_law(Activation.of(activation), arguments.positive_number("q", q))
    place = arguments.positive_number("zeta", zeta)
    if not place > slopes.largest:
        raise ArgumentError("zeta", f"must be above the largest slope squared, {slopes.largest:.6g}", zeta)
    m = float((slopes.weights @ (slopes.nodes / (place - slopes.nodes))).real)
    sw = arguments.positive_number("sigma_w", sigma_w)
    curve = compile(theory.curve(kind), (_w, _zeta, theory.sigma_w, theory.depth), name="curve")
    return float(curve(m, place, sw, arguments.count("depth", depth))), m


def linear_density(factors: int, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return singular values of a product of `factors` square Gaussian matrices and their density there.

    Both run along the curve that Fuss and Catalan's law has in the angle t in (0, pi/(factors + 1)).

    >>> value, density = linear_density(1, points=3)  # the quarter circle sqrt(4 - s^2)/pi
    >>> (np.sqrt(4 - value**2) / np.pi / density).round(10).tolist()
    [1.0, 1.0, 1.0]
    """
    square, density = theory.fuss_catalan_density(Symbol("n", positive=True))
    angle = next(s for s in square.free_symbols if s.name == "t")
    formula = compile((square, density), (angle, Symbol("n", positive=True)), name="fuss_catalan")
    n, count = arguments.count("factors", factors), arguments.count("points", points)
    costs.affordable("points", count, memory=100.0, seconds=1e-6, each="point")
    t = np.pi / (n + 1) * (np.arange(count) + 0.5) / count
    squares, values = formula(t[::-1], float(n))
    if not (np.isfinite(squares).all() and np.isfinite(values).all()):
        raise DomainError(
            f"No float holds the singular values of a product of {n} matrices: use fewer `factors`."
        )
    return np.sqrt(squares), values


@functools.lru_cache(maxsize=64)
def _slopes(activation: Activation) -> Compiled:
    """mu_1, mu_2, mu_3 as functions of q."""
    return compile([theory.slope_moment(activation, k) for k in (1, 2, 3)], (theory.q,), name="slopes")


@functools.cache
def _moments(weights: str) -> Compiled:
    t = theory
    return compile(t.moments(3, weights), (t.mu_1, t.mu_2, t.mu_3, t.sigma_w, t.depth), name="moments")


def _probability(activation: str | Activation, q: float) -> float:
    """P(phi' = 1 or -1)."""
    phi = Activation.of(activation)
    formula = theory.slope_probability(phi)
    if formula is None:
        raise ArgumentError("activation", "must have slopes 0 and 1 only", phi.name)
    found = compile(formula, (theory.q,), name="slope_probability")
    return float(found(arguments.positive_number("q", q)))
