r"""Singular values of the input-output Jacobian :math:`J=\prod_lD_lW_l` of deep networks, by free probability.

Conventions: :math:`D_l=\mathrm{diag}\,\phi'(h^l)`, the last D included; `sigma_w` is a standard deviation;
every layer sits at the length q. :math:`\mu_k=E\phi'(u)^{2k}`, u ~ N(0, q). Transforms as in
`widelimit.theory.freeprob`, symbols `m`, `z`. Gaussian: W_ij ~ N(0, sigma_w^2/N). Orthogonal: W^T W = sigma_w^2, Haar.

Every function returns SymPy; `derive(activation, weights=...)` collects the argument as a `Derivation` that
checks itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import mpmath
from sympy import (
    Eq,
    Expr,
    Function,
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
    lambdify,
    log,
    simplify,
    sqrt,
    sympify,
)

from widelimit.theory.activation import Activation, x
from widelimit.theory.derivation import Derivation, Step
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.expectation import Expectation
from widelimit.theory.freeprob import Law, m, multiplicative_brownian, z
from widelimit.theory.freeprob.series import moments_from_s, multiply, power, s_from_moments
from widelimit.theory.growth import require_finite
from widelimit.theory.precision import evaluate

Kind: TypeAlias = "str | Activation | Expr"

q = Symbol("q", positive=True)
sigma_w = Symbol("sigma_w", positive=True)
depth = Symbol("L", positive=True)
p = Symbol("p", positive=True)  # P(phi' = 1) for slopes 0 or 1
s_0 = Symbol("s_0", positive=True)  # double scaling: s_0^2 = L (mu_2/mu_1^2 - 1)
strength = Symbol("c", positive=True)  # residual branches: sigma_w^2 E phi'^2 = c/L
mu_1, mu_2, mu_3 = (Symbol(f"mu_{k}", positive=True) for k in (1, 2, 3))
ENSEMBLES = ("orthogonal", "gaussian")
ASSUMPTIONS = (
    "the widths go to infinity at fixed depth",
    "weights of different layers are independent and free of the diagonal matrices of slopes",
    "every layer sits at the fixed point q of the length map",
)


# transforms ---------------------------------------------------------------------------------------------------------


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
    return simplify(Expectation(integrand, x, q).doit())


def weight_transform(weights: str) -> Expr:
    """S of W W^T: 1/(sigma_w^2 (1 + m)) for Gaussian, 1/sigma_w^2 for orthogonal square layers."""
    return 1 / (sigma_w**2 * (1 + m)) if _ensemble(weights) == "gaussian" else 1 / sigma_w**2


def slope_probability(activation: Kind) -> Expr | None:
    """P(phi' = 1) where phi'^2 is 0 or 1, else None.

    >>> slope_probability("relu"), slope_probability("tanh")
    (1/2, None)
    """
    pieces = Activation.of(activation).derivative(1).regular
    if any(e**2 not in (0, 1) for e in pieces.exprs):
        return None
    return slope_moment(activation, 1)


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
    if _ensemble(weights) == "gaussian":
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
    lam = [Integer(1), *(sympify(r) for r in ratios)]
    if len(lam) < 2 or any(r.is_number and not r > 0 for r in lam):
        raise ArgumentError("ratios", "must be positive, one a layer", ratios)
    layers = (lam[i - 1] / lam[i] * sigma_w**2 * (lam[i] * m + prob) for i in range(1, len(lam)))
    return (1 + m) / m * Mul(*layers)


def varying(activations: Sequence[Kind], lengths: Sequence[Expr], weights: str = "orthogonal") -> Expr:
    """S of J J^T when layer l sits at its own length (slopes 0 or 1): the product of the layers' transforms."""
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


def moments(order: int, weights: str = "orthogonal", layers: Expr | int = depth) -> list[Expr]:
    """First moments of J J^T in mu_1, mu_2, mu_3 (order up to 3), by Lagrange inversion.

    >>> moments(2, "gaussian")[1]
    sigma_w**(4*L)*(L*mu_1**(2*L - 2)*mu_2 + mu_1**(2*L))
    """
    if not 1 <= order <= 3:
        raise ArgumentError("order", "must be 1, 2 or 3", order)
    slopes = s_from_moments([mu_1, mu_2, mu_3][:order], order)
    unit = power([c / slopes[0] for c in slopes], layers, order)
    if _ensemble(weights) == "gaussian":
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


def variance_ratio(weights: str = "orthogonal", layers: Expr | int = depth) -> Expr:
    r"""var/m_1^2 = L (mu_2/mu_1^2 - 1 - s_1), s_1 = -1 for Gaussian and 0 for orthogonal weights; exact for every L.

    >>> variance_ratio("gaussian")
    L*mu_2/mu_1**2
    """
    s_1 = -1 if _ensemble(weights) == "gaussian" else 0
    return layers * expand(mu_2 / mu_1**2 - 1 - s_1)


def largest(weights: str = "orthogonal") -> Expr:
    """Largest squared singular value for slopes 0 or 1 at criticality (sigma_w^2 p = 1), the atom case included.

    Gaussian: z at m_c = (-(L - 1) + sqrt((L - 1)^2 + 4 L p))/(2 L). Orthogonal: (1 - p)/p L^L/(L - 1)^(L - 1),
    the edge of the bulk, while L (1 - p) >= 1; else the atom p^-L of mass 1 - L (1 - p), which lies above it.
    """
    if _ensemble(weights) == "gaussian":
        point = (-(depth - 1) + sqrt((depth - 1) ** 2 + 4 * depth * p)) / (2 * depth)
        return (1 + point) / point * (1 + point / p) ** depth
    bulk = (1 - p) / p * depth**depth / (depth - 1) ** (depth - 1)
    return Piecewise((bulk, depth * (1 - p) >= 1), (p**-depth, True))


def bernoulli_moment(k: int, weights: str = "orthogonal") -> Expr:
    """m_k for slopes 0 or 1 at criticality.

    >>> [bernoulli_moment(k, "gaussian").subs({depth: 2, p: sympify("1/2")}) for k in (1, 2, 3, 4)]
    [1, 5, 33, 249]
    """
    if _ensemble(weights) == "gaussian":
        terms = (binomial(k, k - 1 - j) * binomial(depth * k, j) * p ** (-j) for j in range(k))
        return sum(terms, Integer(0)) / k
    base = multiply([Integer(1), 1 / p], power([Integer(1), Integer(1)], -1, k), k)
    series = multiply(power([Integer(1), Integer(1)], k, k), power(base, depth * k, k), k)
    return expand(series[k - 1] / k)


def class_moment(k: int, kind: str) -> Expr:
    """m_k of a universality class: Laguerre L_{k-1}^(1)(-k s_0^2)/k (smooth), or a sum (bernoulli)."""
    if kind == "smooth":
        return assoc_laguerre(k - 1, 1, -k * s_0**2) / k
    if kind == "bernoulli":
        return sum(((1 - Integer(j) / k) * (k * s_0**2) ** j / factorial(j) for j in range(k)), Integer(0))
    raise ArgumentError("kind", "must be smooth or bernoulli", kind)


def class_cauchy() -> Expr:
    """G(z) of the Bernoulli class by Lambert's W: s_0^2/(z (s_0^2 + W_0(-s_0^2/z)))."""
    return s_0**2 / (z * (s_0**2 + LambertW(-(s_0**2) / z)))


def fuss_catalan_density(factors: Expr | int) -> tuple[Expr, Expr]:
    """Pair (squared singular value, density of the singular value) of a linear Gaussian network.

    Both by a parameter t in (0, pi/(L + 1)).
    """
    from sympy import pi, sin

    t, n = Symbol("t", positive=True), sympify(factors)
    value = sin((n + 1) * t) ** (n + 1) / (sin(t) * sin(n * t) ** n)
    return value, 2 / pi * sqrt(sin(t) ** 3 * sin(n * t) ** (n - 2) / sin((n + 1) * t) ** (n - 1))


# derivations --------------------------------------------------------------------------------------------------------


def derive(activation: Kind = "relu", weights: str = "orthogonal") -> Derivation:
    """The law of J J^T for an activation, from the product rule to its variance and largest value.

    >>> print(derive("relu", "gaussian").result)
    Eq(v, 2*L)
    """
    _ensemble(weights)
    phi = Activation.of(activation)
    first, second = slope_moment(phi, 1), slope_moment(phi, 2)
    prob = slope_probability(phi)
    points = {q: (0.1, 2.0)}
    steps = [
        Step(
            "slopes",
            Eq(Symbol("mu_1"), first, evaluate=False),
            "The squared slopes d = phi'(u)^2 of a wide layer have the law of one unit at u ~ N(0, q); "
            "this is its mean.",
            "pennington2017resurrecting, eq. (12)",
            domain=points,
            kind="definition",
        ),
        Step(
            "weights",
            _weights_equation(weights),
            "Marchenko-Pastur of ratio one has S = 1/(1 + m); a multiple of the identity has constant S. "
            "Checked against M^-1 by S = (1 + m)/(m M^-1).",
            "pennington2017resurrecting, eq. (16)",
            domain={m: (0.1, 3.0), sigma_w: (0.5, 2.0)},
        ),
    ]
    if prob is not None:
        steps += _closed_steps(prob, weights)
    else:
        steps += _parametric_steps(phi, weights)
    ratio = variance_ratio(weights).subs({mu_1: first, mu_2: second})
    steps.append(
        Step(
            "variance",
            Eq(Symbol("v"), simplify(ratio), evaluate=False),
            "Lagrange inversion to second order: var/m_1^2 = -S'(0)/S(0) adds over free factors, "
            "mu_2/mu_1^2 - 1 from every D and 1 from every Gaussian W. Compared with the moments of a series of S.",
            "pennington2017resurrecting, eq. (22)",
            domain={q: (0.1, 2.0), depth: (1.0, 30.0)},
            evaluate=_VarianceCheck(first, second, weights),
        )
    )
    return Derivation(f"Singular values of {phi} networks with {weights} weights", tuple(steps), ASSUMPTIONS)


def derive_class(kind: str) -> Derivation:
    """A universality class as the limit of the finite-depth law, with its moments and edges or Cauchy transform."""
    if kind not in ("smooth", "bernoulli"):
        raise ArgumentError("kind", "must be smooth or bernoulli", kind)
    inverse = (1 + m) / m * exp(s_0**2 * (m if kind == "smooth" else m / (1 + m)))
    steps = []
    if kind == "bernoulli":
        prob = 1 / (1 + s_0**2 / depth)
        finite = (1 + m) / m * ((m + prob) / (prob * (1 + m))) ** depth
        steps.append(
            Step(
                "double-scaling",
                Eq(finite, inverse, evaluate=False),
                "At criticality with L (1 - p)/p = s_0^2 fixed the finite-depth curve converges.",
                "pennington2018emergence, eq. (33)",
                domain={m: (0.2, 3.0), s_0: (0.3, 1.5)},
                kind="limit",
                limit=(depth, sympify("oo"), 1),
            )
        )
    else:
        finite = (1 + m) / m * (1 + s_0**2 * m / depth) ** depth
        steps.append(
            Step(
                "double-scaling",
                Eq(finite, inverse, evaluate=False),
                "Smooth slopes have S_D = 1 - (mu_2/mu_1^2 - 1) m + o(q) in units of the mean, and L "
                "(mu_2/mu_1^2 - 1) = s_0^2.",
                "pennington2018emergence, eq. (38)",
                domain={m: (0.2, 3.0), s_0: (0.3, 1.5)},
                kind="limit",
                limit=(depth, sympify("oo"), 1),
            )
        )
    law = smooth_class() if kind == "smooth" else bernoulli_class()
    steps += [
        Step(
            f"moment-{k}",
            Eq(class_moment(k, kind), law.moments(k)[k - 1], evaluate=False),
            "Lagrange inversion; on the left the closed form, on the right the series.",
            "pennington2018emergence, section 4",
            domain={s_0: (0.2, 2.0)},
        )
        for k in (2, 3)
    ]
    if kind == "smooth":
        top = (s_0**2 + 2 + s_0 * sqrt(s_0**2 + 4)) / 2 * exp((-(s_0**2) + s_0 * sqrt(s_0**2 + 4)) / 2)
        steps.append(
            Step(
                "largest",
                Eq(inverse.subs(m, (-1 + sqrt(1 + 4 / s_0**2)) / 2), top, evaluate=False),
                "z(m) is stationary where m (1 + m) = 1/s_0^2: the upper edge.",
                "pennington2018emergence, eq. (40)",
                domain={s_0: (0.2, 2.0)},
            )
        )
    else:
        cauchy = class_cauchy()
        steps.append(
            Step(
                "cauchy",
                Eq(inverse.subs(m, z * cauchy - 1), z, evaluate=False),
                "Lambert's W solves z(m): outside the support G is this.",
                "pennington2018emergence, eq. (35)",
                domain={z: (30.0, 90.0), s_0: (0.3, 1.5)},
            )
        )
    return Derivation(
        f"Universality: the {kind} class",
        tuple(steps),
        ("orthogonal weights", "chi_1 = 1", "L to infinity at fixed s_0"),
    )


def _weights_equation(weights: str) -> Eq:
    transform = weight_transform(weights)
    inverse = sigma_w**2 * (1 + m) ** 2 / m if weights == "gaussian" else sigma_w**2 * (1 + m) / m
    return Eq((1 + m) / (m * inverse), transform, evaluate=False)


def _closed_steps(prob: Expr, weights: str) -> list[Step]:
    inverse = (1 + m) / m * (m + prob) ** depth * sigma_w ** (2 * depth)
    if weights == "orthogonal":
        inverse = (1 + m) / m * ((m + prob) / (1 + m)) ** depth * sigma_w ** (2 * depth)
    domain = {q: (0.1, 2.0), m: (0.1, 3.0), sigma_w: (0.5, 2.0), depth: (1.0, 12.0)}
    steps = [
        Step(
            "slope-transform",
            Eq(prob / ((m + prob) / m - 1), m, evaluate=False),
            "A projection of trace p has M = p/(z - 1); S = (1 + m)/(m + p) is z = (m + p)/m, which M sends back to m.",
            "pennington2017resurrecting, eq. (30)",
            domain={q: (0.1, 2.0), m: (0.1, 3.0)},
        ),
        Step(
            "product",
            Eq(
                (1 + m) / (m * (weight_transform(weights) * (1 + m) / (m + prob)) ** depth),
                inverse,
                evaluate=False,
            ),
            "S-transforms of free factors multiply; z = (1 + m)/(m S).",
            "pennington2017resurrecting, eq. (18)",
            domain=domain,
        ),
    ]
    if weights == "gaussian":
        critical = inverse.subs(sigma_w, 1 / sqrt(prob))
        point = (-(depth - 1) + sqrt((depth - 1) ** 2 + 4 * depth * prob)) / (2 * depth)
        steps.append(
            Step(
                "largest",
                Eq(critical.subs(m, point), largest("gaussian").subs(p, prob), evaluate=False),
                "At criticality z(m) is smallest on m > 0 at the root of L m^2 + (L - 1) m = p.",
                "pennington2017resurrecting, eq. (24)",
                domain={q: (0.1, 2.0), depth: (1.0, 12.0)},
                evaluate=_MinimumCheck(prob),
            )
        )
    return steps


def _parametric_steps(phi: Activation, weights: str) -> list[Step]:
    w, zeta = Symbol("w"), Symbol("zeta")
    master = Function("M_D")(zeta)
    return [
        Step(
            "parametric-curve",
            Eq(
                curve(weights),
                (1 + w) / (w * (weight_transform(weights).subs(m, w) * (1 + w) / (w * zeta)) ** depth),
                evaluate=False,
            ),
            "With w = M_D(zeta), S_D(w) = (1 + w)/(w zeta); so z(zeta) and w trace the law of J J^T for "
            "every activation. "
            f"Here M_D(zeta) = E d/(zeta - d), {master}.",
            "pennington2018emergence, eq. (14)",
            domain={w: (0.1, 3.0), zeta: (0.5, 4.0), sigma_w: (0.5, 2.0), depth: (1.0, 12.0)},
        )
    ]


class _VarianceCheck:
    """Both sides of the variance law: the closed formula, and the second moment of a series of S."""

    def __init__(self, first: Expr, second: Expr, weights: str) -> None:
        self.first, self.second, self.weights = first, second, weights

    def __call__(self, values: Mapping[Symbol, Any], dps: int) -> tuple[Any, Any]:
        layers = values[depth]
        with mpmath.workdps(dps + 10):
            a, b = (evaluate(e, values, dps + 10) for e in (self.first, self.second))
            right = layers * (b / a**2 - 1 + (1 if self.weights == "gaussian" else 0))

            def ratio(
                t: Any,
            ) -> Any:  # ((1 + m)/S)^2 in units of the mean; S_D = 1 - (b/a^2 - 1) m + ... by reversion
                layer = (1 - (b / a**2 - 1) * t) * (1 / (1 + t) if self.weights == "gaussian" else 1)
                return ((1 + t) / layer**layers) ** 2

            left = mpmath.taylor(ratio, 0, 1)[1] / 2 - 1
        return left, right


class _MinimumCheck:
    """The smallest z(m) on m > 0 of critical Gaussian layers, found by bisection, against its closed form."""

    def __init__(self, probability: Expr) -> None:
        self.probability = probability
        inverse = (1 + m) / m * (1 + m / p) ** depth
        self.functions = lambdify((m, p, depth), [inverse, log(inverse).diff(m)], "mpmath")
        self.closed = lambdify((p, depth), largest("gaussian"), "mpmath")

    def __call__(self, values: Mapping[Symbol, Any], dps: int) -> tuple[Any, Any]:
        with mpmath.workdps(dps + 15):
            share = mpmath.mpf(evaluate(self.probability, values, dps + 15))
            layers = mpmath.mpf(values[depth])
            low, high = mpmath.mpf("1e-9"), mpmath.mpf(5)
            for _ in range(4 * dps + 60):
                middle = (low + high) / 2
                rising = self.functions(middle, share, layers)[1] > 0
                low, high = (low, middle) if rising else (middle, high)
            return self.functions(low, share, layers)[0], self.closed(share, layers)


def _ensemble(weights: str) -> str:
    if weights not in ENSEMBLES:
        raise ArgumentError("weights", f"must be one of {', '.join(ENSEMBLES)}", weights)
    return weights


__all__ = [
    "bernoulli_class",
    "bernoulli_moment",
    "class_cauchy",
    "class_moment",
    "curve",
    "derive",
    "derive_class",
    "fuss_catalan_density",
    "largest",
    "moments",
    "rectangular",
    "residual",
    "s_transform",
    "slope_moment",
    "slope_probability",
    "smooth_class",
    "variance_ratio",
    "varying",
    "weight_transform",
]
