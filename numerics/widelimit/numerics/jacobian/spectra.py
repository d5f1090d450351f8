r"""The law of the squared singular values of a deep network's input-output Jacobian (1711.04735, 1802.09979).

:math:`J=\prod_{l=1}^LD_lW_l`, :math:`D_l=\mathrm{diag}\,\phi'(h^l)`, the last D included. Every layer sits at
the length fixed point q* unless q0 is given; then layer l sits at the length that the recursion has there. The
law is that of J^T J, normalised by the input width: where a layer is narrower than the input, it has an atom at zero.

>>> law = spectrum("hard_tanh", sigma_w=1.0, sigma_b=0.0, depth=1)
>>> law.atoms
((1.0, 1.0),)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import eigh_tridiagonal
from sympy import Expr, Rational, Symbol, nsimplify

from widelimit.numerics import arguments, meanfield
from widelimit.numerics.freeprob import SpectralLaw
from widelimit.numerics.freeprob import law as law_of
from widelimit.numerics.freeprob.build import product_law
from widelimit.numerics.freeprob.products import Factor, Slopes
from widelimit.numerics.jacobian import layered
from widelimit.numerics.jacobian.layered import Layer
from widelimit.numerics.jacobian.slope_laws import slope_law, slope_pieces, vanished, vanishes
from widelimit.numerics.meanfield.maps import maps
from widelimit.numerics.results import by_value
from widelimit.theory import jacobian as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, ConvergenceError, DomainError, NoFixedPointError
from widelimit.theory.freeprob import Law

__all__ = ["Spectrum", "bernoulli_class", "predict", "residual", "slopes", "smooth_class", "spectrum"]

_NODES = 16  # lengths that stand for those of all layers
_UNSETTLED = 10_000  # layers, some seconds
_DEEPEST = 10**9
_FAR = 1e7  # of the logarithm of the mean
_NAMED = 1000  # layers, up to which an atom is looked for that a law is not resolved beside
_VANISHED = 1e-13  # a length below is one of zero: slopes are those at 0
_m = Symbol("m")


def spectrum(
    activation: str | Activation | Expr,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    depth: int,
    weights: str = "orthogonal",
    widths: Sequence[float] | None = None,
    q0: float | None = None,
) -> SpectralLaw:
    r"""Law of the squared singular values of the Jacobian of `depth` layers.

    :math:`M^{-1}(m)=\frac{1+m}m\prod_l\sigma_l^2\frac{1+\Lambda_lm}{S_{D_l^2}(\Lambda_lm)}` for Gaussian weights,
    without the factors 1 + Lambda m for orthogonal ones (1802.09979, eqs. 13-15; rectangular: 2111.00841).

    sigma_w, sigma_b: standard deviations; weights have variance sigma_w^2/fan_in, and orthogonal ones W satisfy
    W^T W = sigma_w^2 (or, rectangular, the multiple of the identity of the same entry variance). weights:
    "orthogonal" (Haar) or "gaussian". widths: depth + 1 layer widths from the input on, of which only ratios
    matter; default all equal. q0: second moment of the first layer's pre-activations; default q*. The cost
    does not depend on the depth.

    Raises ArgumentError for wrong arguments, NoFixedPointError where q* is not finite, InfiniteMomentError where
    E phi'^4 is. Values that no float holds are read as `.log_largest`, `.log_quantile`, `.log_density`.

    >>> law = spectrum("relu", sigma_w=2**0.5, depth=8, weights="gaussian")
    >>> [round(law.moment(k), 6) for k in (1, 2, 3, 4)]
    [1.0, 17.0, 417.0, 12001.0]
    """
    phi = Activation.of(activation)
    sigma_w = arguments.positive_number("sigma_w", sigma_w)
    sigma_b = arguments.non_negative_number("sigma_b", sigma_b)
    for given, value in (("sigma_w", sigma_w), ("sigma_b", sigma_b)):
        arguments.squared(given, np.asarray(value))
    depth = arguments.count("depth", depth)
    if depth > _DEEPEST:
        raise ArgumentError(
            "depth",
            f"must be at most {_DEEPEST}",
            depth,
            "Beyond, values leave the range that floats resolve.",
        )
    kind = arguments.choice("weights", weights, ("orthogonal", "gaussian"))
    ratios = _ratios(widths, depth)
    lengths, counts = _lengths(phi, sigma_w, sigma_b, depth, q0)
    name = f"{phi}, {kind}, depth {depth}"
    log_variance = 2 * float(np.log(sigma_w))
    points = None

    def layer(q: float, before: float = 1.0, after: float = 1.0) -> Layer:
        return Layer(
            phi, float(q), log_variance + float(np.log(before / after)), kind == "orthogonal", before, after
        )

    if ratios is None:
        lengths, counts = _compressed(lengths, counts)
        factors = [
            Factor(float(n), log_variance, kind == "gaussian", slope_law(phi, float(q)))
            for q, n in zip(lengths, counts, strict=True)
        ]
    else:
        each = np.repeat(lengths, counts.astype(int)) if lengths.size > 1 else np.full(depth, lengths[0])
        layers = [layer(*one) for one in zip(each, ratios, ratios[1:], strict=False)]
        factors, points = layered.factors(layers), layered.atoms(layers)
    for factor in factors:
        if not 1e-38 < factor.mean < 1e38:  # the eighth power is needed
            raise DomainError(
                f"The slopes of {phi} have the mean square {factor.mean:.3g} at the lengths of this network: its "
                "Jacobian is none that floats hold. Choose another activation, sigma_w or sigma_b."
            )
    log_mean = sum(f.count * (f.log_scale + np.log(f.mean)) for f in factors)
    if abs(log_mean) > _FAR:
        raise DomainError(
            f"The squared singular values of {depth} layers are exp({log_mean:.3g}) in the mean, which no float "
            "resolves. Take fewer layers, or a critical sigma_w."
        )
    try:
        return product_law(factors, name, points)
    except ConvergenceError as error:
        for q in lengths:
            if vanishes(phi, float(q)):
                raise vanished(phi, float(q)) from None
        if ratios is None:
            layers = [layer(q) for q in np.repeat(lengths, counts.astype(int))] if depth <= _NAMED else []
        raise layered.unresolved(layers, name, error) from None


def slopes(activation: str | Activation | Expr, q: float) -> Slopes:
    """Law of phi'(sqrt(q) z)^2: atoms, support and moments (`slopes("erf_s", q).moment(2)`)."""
    return slope_law(Activation.of(activation), arguments.non_negative_number("q", q))


def smooth_class(s0_squared: float) -> SpectralLaw:
    """Limit law of smooth activations under double scaling, S = exp(-s0^2 m) (1802.09979, section 4).

    >>> [round(smooth_class(0.25).moment(k), 10) for k in (1, 2, 3)]
    [1.0, 1.25, 1.84375]
    """
    value = _strength("s0_squared", s0_squared)
    return law_of(S=_at(theory.smooth_class(), theory.s_0**2, value), name=f"smooth class, s0^2 = {value}")


def bernoulli_class(s0_squared: float) -> SpectralLaw:
    """Limit law of piecewise linear activations under double scaling, S = exp(-s0^2 m/(1 + m)) (1802.09979).

    >>> [round(bernoulli_class(0.25).moment(k), 10) for k in (1, 2, 3)]
    [1.0, 1.25, 1.59375]
    """
    value = _strength("s0_squared", s0_squared)
    return law_of(
        S=_at(theory.bernoulli_class(), theory.s_0**2, value), name=f"Bernoulli class, s0^2 = {value}"
    )


def residual(strength: float) -> SpectralLaw:
    r"""Limit law of :math:`\prod(1+D_lW_l)` with :math:`\sigma_w^2E\phi'^2=c/L` a branch: S = exp(-c(1 + 2m))
    (1809.08848).

    >>> law = residual(0.5)
    >>> round(law.moment(1), 10)  # exp(c)
    1.6487212707
    >>> round(law.moment(2) / law.moment(1) ** 2, 10)
    2.0
    """
    value = _strength("strength", strength)
    return law_of(S=_at(theory.residual(), theory.strength, value), name=f"residual, c = {value}")


def _at(law: Law, strength: Expr, value: Expr) -> Expr:
    """The S-transform that theory states, at one strength, in this floor's symbol."""
    assert law.S is not None
    return law.S.subs(strength, value).subs(theory.m, _m)


@by_value
@dataclass(frozen=True)
class Spectrum:
    """What ``widelimit predict jacobian`` prints: the law of squared singular values; None where no float holds it."""

    q_star: float
    chi_1: float
    mean: float | None
    variance: float | None
    median: float | None
    largest: float | None
    largest_singular_value: float | None
    support: tuple[tuple[float, float], ...] | None
    atoms: tuple[tuple[float, float], ...] | None
    variance_over_squared_mean: float
    log_mean: float
    log_median: float
    log_largest: float
    error: float
    _law: SpectralLaw | None = field(default=None, repr=False, compare=False)

    def law(self) -> SpectralLaw | None:
        """The law itself, which has densities and quantiles, and which its picture shows."""
        return self._law


def predict(
    activation: str = "tanh",
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    depth: int = 10,
    weights: str = "orthogonal",
    widths: list[float] | None = None,
    q0: float = 0.0,
) -> Spectrum:
    """Predict the spectrum of the input-output Jacobian of a wide network.

    Args:
        activation: catalogue name or an expression in x.
        sigma_w: standard deviation of the weights times sqrt(fan-in).
        sigma_b: standard deviation of the biases.
        depth: number of layers.
        weights: orthogonal or gaussian.
        widths: depth + 1 layer widths, the input's first (default: all equal).
        q0: second moment of the first pre-activations; 0 for the fixed point.

    Raises what `spectrum` does.

    >>> s = predict("tanh", sigma_w=1.2, sigma_b=0.1, depth=4)
    >>> round(s.chi_1, 6), round(s.mean, 6), round(s.largest, 6)
    (1.002897, 1.01164, 2.891392)
    """
    law = spectrum(
        activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        depth=depth,
        weights=weights,
        widths=widths or None,
        q0=q0 or None,
    )
    try:
        state = meanfield.solve(activation, sigma_w=sigma_w, sigma_b=sigma_b, q0=q0 or None)
        q_star, chi_1 = state.q_star, state.chi_1
    except (
        NoFixedPointError
    ):  # slopes that do not depend on the length, such as those of ReLU, need no fixed point
        q_star, chi_1 = float("inf"), sigma_w**2 * slopes(activation, 1.0).moment(1)
    log_mean = law.log_moment(1)
    ratio = float(np.expm1(law.log_moment(2) - 2 * log_mean))
    fits = max(abs(law.log_largest), abs(2 * log_mean)) < 700.0
    median = float(law.log_quantile(0.5))
    return Spectrum(
        q_star,
        chi_1,
        float(np.exp(log_mean)) if fits else None,
        ratio * float(np.exp(2 * log_mean)) if fits else None,
        float(np.exp(median)) if fits else None,
        law.largest if fits else None,
        float(np.exp(law.log_largest / 2)) if abs(law.log_largest) < 1400 else None,
        law.support if fits else None,
        law.atoms if fits else None,
        ratio,
        log_mean,
        median,
        law.log_largest,
        law.error,
        law,
    )


# layers -------------------------------------------------------------------------------------------------------------


def _strength(name: str, value: float) -> Expr:
    """The one parameter of a universality class, as a fraction: below 1e-5 the law is a point, above 300 no float."""
    number = arguments.positive_number(name, value)
    if not 1e-5 <= number <= 300:
        raise ArgumentError(
            name,
            "must lie between 1e-5 and 300",
            value,
            "The law is resolved there; next to 0 it is the point 1.",
        )
    return nsimplify(number, rational=True) if number == round(number, 12) else Rational(number)


def _ratios(widths: Sequence[float] | None, depth: int) -> np.ndarray | None:
    """N_0/N_l for l = 0 ... depth, or None where all are equal."""
    if widths is None:
        return None
    values = arguments.positive("widths", list(widths) if isinstance(widths, Sequence) else widths)
    if values.ndim != 1 or values.size != depth + 1:
        raise ArgumentError(
            "widths",
            f"must list depth + 1 = {depth + 1} widths, the input's first",
            but=f"has shape {values.shape}",
        )
    return None if (values == values[0]).all() else values[0] / values


def _lengths(
    phi: Activation, sigma_w: float, sigma_b: float, depth: int, q0: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths q and how many layers have each."""
    if q0 is not None:
        q0 = arguments.positive_number("q0", q0)
    if _homogeneous(phi):
        return np.ones(1), np.array([depth])
    if q0 is None:
        return np.array([meanfield.solve(phi, sigma_w=sigma_w, sigma_b=sigma_b).q_star]), np.array([depth])
    return _recursion(phi, sigma_w**2, sigma_b**2, q0, depth)


def _recursion(phi: Activation, s: float, b: float, q: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """q' = s V(q) + b until it has settled; the remaining layers share the last length."""
    moments = maps(phi).moments
    lengths = [q]
    while len(lengths) < depth:
        after = s * float(moments(np.array([lengths[-1]]))[0][0, 0]) + b
        if not after < np.inf:
            raise DomainError(
                "The lengths of the layers overflow at these sigma_w and sigma_b. Lower sigma_w or the depth."
            )
        if abs(after - lengths[-1]) <= 1e-13 * after or max(after, lengths[-1]) < _VANISHED:
            break
        if len(lengths) == _UNSETTLED:
            raise ArgumentError(
                "depth",
                f"must be at most {_UNSETTLED}",
                depth,
                "The lengths change from layer to layer even there, and each layer is computed. Leave out `q0`.",
            )
        lengths.append(after)
    counts = np.ones(len(lengths))
    counts[-1] += depth - len(lengths)
    return np.array(lengths), counts


def _compressed(lengths: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Few lengths with positive real counts that stand for many: log S at fixed m is smooth in x = asinh sqrt(q).

    The least and the largest length, which fix atoms and edges, are kept. For the others, sum_l log S(m; q_l) is a sum
    over Gauss nodes of the measure of the counts in x: exact for polynomials of degree 2 n - 1, and the layers that
    have settled, most of them, cost one node.
    """
    if lengths.size <= _NODES + 2:
        return lengths, counts
    ends = np.array([lengths.argmin(), lengths.argmax()])
    x, weights = np.arcsinh(np.sqrt(lengths)), counts.copy()
    weights[ends] -= 1.0
    low, high = x[ends]
    nodes, share = _gauss(2.0 * (x - low) / (high - low) - 1.0, weights / weights.sum())
    inner = np.sinh(low + 0.5 * (high - low) * (nodes + 1.0)) ** 2
    return np.append(inner, lengths[ends]), np.append(share * weights.sum(), [1.0, 1.0])


def _gauss(points: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the Gauss rule of a discrete probability on [-1, 1], by Lanczos, fully orthogonalised."""
    basis = [np.sqrt(weights)]
    diagonal, beside = [], []
    for _ in range(_NODES):
        vector = points * basis[-1]
        diagonal.append(float(basis[-1] @ vector))
        known = np.array(basis)
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        norm = float(np.linalg.norm(vector))
        if norm < 1e-13:  # as many nodes as points that differ
            break
        beside.append(norm)
        basis.append(vector / norm)
    nodes, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))
    return nodes, vectors[0] ** 2


def _homogeneous(phi: Activation) -> bool:
    """Whether phi' takes one value on each side of zero, so that the slopes do not depend on q."""
    pieces = slope_pieces(phi)
    return all(p.curve is None for p in pieces) and all(p.low in (0.0, -np.inf) for p in pieces)
