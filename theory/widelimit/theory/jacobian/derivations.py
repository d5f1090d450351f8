r"""Singular values of the input-output Jacobian :math:`J=\prod_lD_lW_l` of deep networks, by free probability.

Transforms, moments, edges and classes come from `laws` (conventions there); here they are put together:
`derive(activation, weights=...)` and `derive_class(kind)` collect the argument as a `Derivation` that checks itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Eq, Expr, Function, Symbol, exp, lambdify, log, oo, simplify, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.freeprob import m, z
from widelimit.theory.jacobian.laws import (
    ASSUMPTIONS,
    ENSEMBLES,
    Kind,
    bernoulli_class,
    bernoulli_moment,
    class_cauchy,
    class_moment,
    curve,
    depth,
    ensemble,
    fuss_catalan_density,
    largest,
    moments,
    mu_1,
    mu_2,
    mu_3,
    p,
    q,
    rectangular,
    residual,
    s_0,
    s_transform,
    sigma_w,
    slope_moment,
    slope_probability,
    smooth_class,
    strength,
    variance_ratio,
    varying,
    weight_transform,
)


def derive(activation: Kind = "relu", weights: str = "orthogonal") -> Derivation:
    """The law of J J^T for an activation, from the product rule to its variance and largest value.

    Args:
        activation: a catalogue name or an expression in x.
        weights: orthogonal or gaussian.

    >>> print(derive("relu", "gaussian").result)
    Eq(v, 2*L)
    """
    ensemble(weights)
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
        steps += _parametric_steps(weights)
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
    kind = exact.one_of("kind", kind, ("smooth", "bernoulli"))
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
                limit=(depth, oo, 1),
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
                limit=(depth, oo, 1),
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


def _parametric_steps(weights: str) -> list[Step]:
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


__all__ = [
    "ASSUMPTIONS",
    "ENSEMBLES",
    "Kind",
    "bernoulli_class",
    "bernoulli_moment",
    "class_cauchy",
    "class_moment",
    "curve",
    "depth",
    "derive",
    "derive_class",
    "fuss_catalan_density",
    "largest",
    "m",
    "moments",
    "mu_1",
    "mu_2",
    "mu_3",
    "p",
    "q",
    "rectangular",
    "residual",
    "s_0",
    "s_transform",
    "sigma_w",
    "slope_moment",
    "slope_probability",
    "smooth_class",
    "strength",
    "variance_ratio",
    "varying",
    "weight_transform",
    "z",
]
