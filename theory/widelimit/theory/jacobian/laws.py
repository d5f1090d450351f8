r"""Singular values of the input-output Jacobian :math:`J=\prod_lD_lW_l` of deep networks, by free probability.

Conventions: :math:`D_l=\mathrm{diag}\,\phi'(h^l)`, the last D included; `sigma_w` is a standard deviation;
every layer sits at the length q. :math:`\mu_k=E\phi'(u)^{2k}`, u ~ N(0, q). Transforms as in
`widelimit.theory.freeprob`, symbols `m`, `z`. Gaussian: W_ij ~ N(0, sigma_w^2/N). Orthogonal: W^T W = sigma_w^2, Haar.

Every function returns SymPy; `jacobian.derive` collects the argument as a `Derivation` that checks itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sympy import (
    Add,
    Expr,
    Integer,
    LambertW,
    Mul,
    Piecewise,
    Symbol,
    assoc_laguerre,
    binomial,
    exp,
    expand,
    factor,
    factorial,
    simplify,
    sqrt,
)

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.growth import require_finite
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.freeprob import Law, m, multiplicative_brownian, z
from widelimit.theory.freeprob.series import moments_from_s, multiply, power, s_from_moments

Kind: TypeAlias = "str | Activation | Expr"

q = Symbol("q", positive=True)
sigma_w = Symbol("sigma_w", positive=True)
depth = Symbol("L", positive=True)
p = Symbol("p", positive=True)  # P(phi' = 1) for slopes 0 or 1
s_0 = Symbol("s_0", positive=True)  # double scaling: s_0^2 = L (mu_2/mu_1^2 - 1)
strength = Symbol("c", positive=True)  # residual branches: sigma_w^2 E phi'^2 = c/L
mu_1, mu_2, mu_3 = (Symbol(f"mu_{k}", positive=True) for k in (1, 2, 3))
MOST = 200  # order of a moment that is written out: a second, and as many terms
ENSEMBLES = ("orthogonal", "gaussian")
ASSUMPTIONS = (
    "the widths go to infinity at fixed depth",
    "weights of different layers are independent and free of the diagonal matrices of slopes",
    "every layer sits at the fixed point q of the length map",
)


# transforms ---------------------------------------------------------------------------------------------------------


@exact.takes(k=exact.order(0, MOST))
def slope_moment(activation: Kind, k: int) -> Expr:
    r"""Return :math:`\mu_k=E\phi'(u)^{2k}`, u ~ N(0, q): closed where a rule knows it. InfiniteMomentError if infinite.

    >>> slope_moment("erf_s", 2)
    1/sqrt(2*pi*q + 1)
    >>> slope_moment("leaky_relu(1/2)", 2)
    17/32
    """
    phi = Activation.of(activation)
    derivative = phi.derivative(1)
    if derivative.deltas or derivative.higher:
        raise DomainError(
            f"The activation {phi} jumps, so its slope is no function and the Jacobian has no limit law."
        )
    integrand = derivative.expr ** (2 * k)
    require_finite(integrand, x, f"E phi'^{2 * k} of {phi}")
    found = Expectation(integrand, x, q).doit()
    return found if found.has(Expectation) else simplify(found)


def weight_transform(weights: str) -> Expr:
    """S of W W^T: 1/(sigma_w^2 (1 + m)) for Gaussian, 1/sigma_w^2 for orthogonal square layers."""
    return 1 / (sigma_w**2 * (1 + m)) if ensemble(weights) == "gaussian" else 1 / sigma_w**2


def slope_probability(activation: Kind) -> Expr | None:
    """P(phi' = 1) where phi'^2 is 0 or 1, else None.

    >>> slope_probability("relu"), slope_probability("tanh")
    (1/2, None)
    """
    pieces = Activation.of(activation).derivative(1).regular
    if any(e**2 not in (0, 1) for e in pieces.exprs):
        return None
    return slope_moment(activation, 1)


@exact.takes(layers=exact.plain)
def s_transform(activation: Kind | None, weights: str = "orthogonal", layers: Expr | int = depth) -> Expr:
    r"""S of J J^T, :math:`S_{WW}^LS_{D^2}^L`: closed for slopes 0 or 1 (activation None: with p as a symbol).

    Other activations have no closed S_D; DomainError names the parametric curve that replaces it.

    >>> s_transform("relu", "gaussian", 2)
    4/(sigma_w**4*(2*m + 1)**2)
    """
    prob = p if activation is None else slope_probability(activation)
    if prob is None:
        raise DomainError(
            f"S of {activation} has no closed form. Use `curve`, which parametrises it by zeta, or `law`."
        )
    slopes = (1 + m) / (m + prob)
    return factor(weight_transform(weights) * slopes) ** layers


def curve(weights: str = "orthogonal") -> Expr:
    r"""z as a function of zeta and w = M_{D^2}(zeta), with M_{JJ}(z) = w (any activation).

    Orthogonal :math:`(\frac{1+w}w)^{1-L}(\sigma_w^2\zeta)^L`, Gaussian :math:`(1+w)w^{L-1}(\sigma_w^2\zeta)^L`: from
    :math:`S_{D^2}(w)=(1+w)/(w\zeta)`. Equivalent to the master equation of 1802.09979, without its root z^(1/L).
    """
    w, zeta = Symbol("w"), Symbol("zeta")
    if ensemble(weights) == "gaussian":
        return (1 + w) * w ** (depth - 1) * (sigma_w**2 * zeta) ** depth
    return ((1 + w) / w) ** (1 - depth) * (sigma_w**2 * zeta) ** depth


def rectangular(ratios: Sequence[Expr | int], activation: Kind | None = None) -> Expr:
    r"""z(m) of J^T J for Gaussian layers of widths N_l, ratios N_0/N_l, slopes 0 or 1 (2111.00841).

    :math:`z=\frac{1+m}m\prod_l\frac{\Lambda_{l-1}}{\Lambda_l}\sigma_w^2(\Lambda_lm+p)`, m normalised by the
    input width.
    """
    prob = p if activation is None else slope_probability(activation)
    if prob is None:
        raise DomainError(f"{activation} has no closed S-transform of slopes.")
    given = exact.numbers("ratios", ratios, symbols=True)
    lam = [Integer(1), *(exact.positive("ratios", r, symbols=True) for r in given)]
    if len(lam) < 2:
        raise ArgumentError("ratios", "must be positive, one a layer", ratios)
    layers = (lam[i - 1] / lam[i] * sigma_w**2 * (lam[i] * m + prob) for i in range(1, len(lam)))
    return (1 + m) / m * Mul(*layers)


def varying(activations: Sequence[Kind], lengths: Sequence[Expr], weights: str = "orthogonal") -> Expr:
    """S of J J^T when layer l sits at its own length (slopes 0 or 1): the product of the layers' transforms."""
    if isinstance(activations, str) or not isinstance(activations, Sequence):
        raise ArgumentError("activations", "must be a list of activations, one a layer", activations)
    lengths = exact.numbers("lengths", lengths, symbols=True)
    if len(activations) != len(lengths) or not lengths:
        raise ArgumentError("lengths", "must give one length to each layer", lengths)
    factors = []
    for activation, length in zip(activations, lengths, strict=True):
        prob = slope_probability(activation)
        if prob is None:
            raise DomainError(f"{activation} has no closed S-transform of slopes.")
        factors.append(weight_transform(weights) * (1 + m) / (m + prob.subs(q, length)))
    return Mul(*factors)


def residual() -> Law:
    r"""Limit law of :math:`\prod_l(1+D_lW_l)`, :math:`\sigma_w^2E\phi'^2=c/L`.

    S = exp(-c(1 + 2m)) for every phi (1809.08848).
    """
    return Law.of(S=exp(-strength * (1 + 2 * m)), name="residual")


def smooth_class() -> Law:
    """Double-scaling limit of smooth activations, S = exp(-s_0^2 m).

    Free multiplicative Brownian motion at time s_0^2.
    """
    return multiplicative_brownian(s_0**2)


def bernoulli_class() -> Law:
    """Double-scaling limit of slopes 0 or 1, S = exp(-s_0^2 m/(1 + m)).

    An atom 1 - s_0^2 at exp(s_0^2) while s_0 < 1.
    """
    return Law.of(S=exp(-(s_0**2) * m / (1 + m)), name="Bernoulli class")


# numbers ------------------------------------------------------------------------------------------------------------


@exact.takes(order=exact.order(1), layers=exact.plain)
def moments(order: int, weights: str = "orthogonal", layers: Expr | int = depth) -> list[Expr]:
    """First moments of J J^T in mu_1, mu_2, mu_3 (order up to 3), by Lagrange inversion.

    >>> moments(2, "gaussian")[1]
    sigma_w**(4*L)*(L*mu_1**(2*L - 2)*mu_2 + mu_1**(2*L))
    """
    if not 1 <= order <= 3:
        raise ArgumentError("order", "must be 1, 2 or 3", order)
    slopes = s_from_moments([mu_1, mu_2, mu_3][:order], order)
    unit = power([c / slopes[0] for c in slopes], layers, order)
    if ensemble(weights) == "gaussian":
        unit = multiply(unit, power([Integer(1), Integer(1)], -layers, order), order)
    mean = (sigma_w**2 * mu_1) ** layers
    return [
        expand(v) * mean ** (k + 1) if k != 1 else _second(v, layers)
        for k, v in enumerate(moments_from_s(unit, order))
    ]


def _second(value: Expr, layers: Expr | int) -> Expr:
    ratio = expand(value)  # 1 + L (mu_2/mu_1^2 - 1 - s_1)
    rest = expand(ratio - 1)
    if isinstance(layers, Symbol) and rest == layers * mu_2 / mu_1**2:
        return sigma_w ** (4 * layers) * (layers * mu_1 ** (2 * layers - 2) * mu_2 + mu_1 ** (2 * layers))
    return ratio * (sigma_w**2 * mu_1) ** (2 * layers)


@exact.takes(layers=exact.plain)
def variance_ratio(weights: str = "orthogonal", layers: Expr | int = depth) -> Expr:
    r"""var/m_1^2 = L (mu_2/mu_1^2 - 1 - s_1), s_1 = -1 for Gaussian and 0 for orthogonal weights; exact for every L.

    >>> variance_ratio("gaussian")
    L*mu_2/mu_1**2
    """
    s_1 = -1 if ensemble(weights) == "gaussian" else 0
    return layers * expand(mu_2 / mu_1**2 - 1 - s_1)


def largest(weights: str = "orthogonal") -> Expr:
    """Largest squared singular value for slopes 0 or 1 at criticality (sigma_w^2 p = 1), the atom case included.

    Gaussian: z at m_c = (-(L - 1) + sqrt((L - 1)^2 + 4 L p))/(2 L). Orthogonal: (1 - p)/p L^L/(L - 1)^(L - 1),
    the edge of the bulk, while L (1 - p) >= 1; else the atom p^-L of mass 1 - L (1 - p), which lies above it.
    """
    if ensemble(weights) == "gaussian":
        point = (-(depth - 1) + sqrt((depth - 1) ** 2 + 4 * depth * p)) / (2 * depth)
        return (1 + point) / point * (1 + point / p) ** depth
    bulk = (1 - p) / p * depth**depth / (depth - 1) ** (depth - 1)
    return Piecewise((bulk, depth * (1 - p) >= 1), (p**-depth, True))


@exact.takes(k=exact.order(1, MOST))
def bernoulli_moment(k: int, weights: str = "orthogonal") -> Expr:
    r"""m_k for slopes 0 or 1 at criticality, k up to 200: a sum of k terms by Lagrange inversion.

    Gaussian :math:`\frac1k\sum_{j<k}\binom{k}{k-1-j}\binom{Lk}{j}p^{-j}`, orthogonal with
    :math:`\binom{k-Lk}{k-1-j}` for the first factor.

    >>> [bernoulli_moment(k, "gaussian").subs({depth: 2, p: Integer(1)/2}) for k in (1, 2, 3, 4)]
    [1, 5, 33, 249]
    """
    free = k if ensemble(weights) == "gaussian" else k - depth * k
    return Add(*(binomial(free, k - 1 - j) * binomial(depth * k, j) * p ** (-j) for j in range(k))) / k


@exact.takes(k=exact.order(1, MOST))
def class_moment(k: int, kind: str) -> Expr:
    """m_k, k up to 200, of a universality class: Laguerre L_{k-1}^(1)(-k s_0^2)/k (smooth), or a sum (bernoulli)."""
    if exact.one_of("kind", kind, ("smooth", "bernoulli")) == "smooth":
        return assoc_laguerre(k - 1, 1, -k * s_0**2) / k
    return sum(((1 - Integer(j) / k) * (k * s_0**2) ** j / factorial(j) for j in range(k)), Integer(0))


def class_cauchy() -> Expr:
    """G(z) of the Bernoulli class by Lambert's W: s_0^2/(z (s_0^2 + W_0(-s_0^2/z)))."""
    return s_0**2 / (z * (s_0**2 + LambertW(-(s_0**2) / z)))


def fuss_catalan_density(factors: Expr | int) -> tuple[Expr, Expr]:
    """Pair (squared singular value, density of the singular value) of a linear Gaussian network.

    Both by a parameter t in (0, pi/(L + 1)).
    """
    from sympy import pi, sin

    t, n = Symbol("t", positive=True), exact.at_least("factors", factors, 1, symbols=True)
    value = sin((n + 1) * t) ** (n + 1) / (sin(t) * sin(n * t) ** n)
    return value, 2 / pi * sqrt(sin(t) ** 3 * sin(n * t) ** (n - 2) / sin((n + 1) * t) ** (n - 1))


def ensemble(weights: str) -> str:
    """The name of an ensemble of weights. Raises ArgumentError for any other."""
    return exact.one_of("weights", weights, ENSEMBLES)
