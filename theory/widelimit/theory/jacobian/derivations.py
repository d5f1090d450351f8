r"""Singular values of the input-output Jacobian :math:`J=\prod_lD_lW_l` of deep networks, by free probability.

Transforms, moments, edges and classes come from `laws` (conventions there); here they are put together:
`derive(activation, weights=...)` and `derive_class(kind)` collect the argument as a `Derivation` that checks itself.
"""

from __future__ import annotations

from functools import partial

from sympy import Eq, Expr, Symbol, exp, oo, simplify, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.freeprob import m, z
from widelimit.theory.jacobian import checks
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

CLASSES = ("smooth", "bernoulli", "residual")
_RESURRECTING, _EMERGENCE = "pennington2017resurrecting", "pennington2018emergence"


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
    prime = phi.derivative(1).expr
    prob = slope_probability(phi)
    points = {q: (0.1, 2.0)}
    ratio = variance_ratio(weights).subs({mu_1: first, mu_2: second})
    steps = (
        Step(
            "slopes",
            Eq(Symbol("mu_1"), first, evaluate=False),
            "The squared slopes d = phi'(u)^2 of a wide layer have the law of one unit at u ~ N(0, q); "
            "this is its mean.",
            f"{_RESURRECTING}, eq. (12)",
            domain=points,
            left=partial(checks.slopes, prime),
        ),
        Step(
            "weights",
            Eq(Symbol("S_W", positive=True), weight_transform(weights), evaluate=False),
            "Marchenko-Pastur of ratio one has S = 1/(1 + m); a multiple of the identity has constant S. "
            "Checked by z = (1 + m)/(m S), where the law's own M-transform is m.",
            f"{_RESURRECTING}, eq. (16)",
            domain={m: (0.1, 0.8), sigma_w: (0.5, 2.0)},
            left=partial(checks.weights, weights),
        ),
        *(_parametric_steps(weights) if prob is None else _closed_steps(phi, prob, weights)),
        Step(
            "variance",
            Eq(Symbol("v"), simplify(ratio), evaluate=False),
            "Lagrange inversion to second order: var/m_1^2 = -S'(0)/S(0) adds over free factors, "
            "mu_2/mu_1^2 - 1 from every D and 1 from every Gaussian W. Compared with the moments of a series of S.",
            f"{_RESURRECTING}, eq. (22)",
            domain={q: (0.1, 2.0), depth: (1.0, 30.0)},
            left=partial(checks.spread, prime, weights),
        ),
    )
    return Derivation(f"Singular values of {phi} networks with {weights} weights", steps, ASSUMPTIONS)


def derive_moments() -> Derivation:
    """Moments, edges and densities in closed form, for both ensembles of weights.

    >>> derive_moments()["linear-density"].kind
    'identity'
    """
    law = {p: (0.3, 0.7), depth: (1, 5)}
    slopes = {mu_1: (0.5, 0.9), mu_2: (0.5, 0.9), mu_3: (0.6, 1.0), sigma_w: (0.5, 2.0), depth: (1, 5)}
    angle, layers = Symbol("t", positive=True), Symbol("n", integer=True, positive=True)
    value, density = fuss_catalan_density(layers)
    ratio = Symbol("Lambda", positive=True)
    one = s_transform("hard_tanh", layers=1)
    steps = [
        Step(
            f"moment-{weights}",
            Eq(Symbol("m_3"), moments(3, weights)[2], evaluate=False),
            "Lagrange inversion, for any law of the slopes; on the left the series of S, multiplied out.",
            f"{_RESURRECTING}, section 2.3",
            domain=slopes,
            left=partial(checks.moment, 3, weights),
        )
        for weights in ENSEMBLES
    ]
    steps += [
        Step(
            f"slopes-0-or-1-{weights}",
            Eq(Symbol("m_4"), bernoulli_moment(4, weights), evaluate=False),
            "The same for slopes 0 or 1 at criticality, where the sum is finite.",
            f"{_RESURRECTING}, section 2.5",
            domain=law,
            left=partial(checks.bernoulli_moment, 4, weights),
        )
        for weights in ENSEMBLES
    ]
    steps += [
        Step(
            f"largest-{weights}",
            Eq(Symbol("lambda_max"), largest(weights), evaluate=False),
            "At criticality z(m) is smallest on m > 0 where its logarithm is stationary: the edge of the bulk.",
            f"{_RESURRECTING}, eq. (24)",
            domain={p: (0.3, 0.7), depth: (5.0, 12.0)},
            left=partial(checks.smallest, weights),
        )
        for weights in ENSEMBLES
    ]
    steps += [
        Step(
            "varying-lengths",
            Eq(Symbol("S", positive=True), varying(["hard_tanh"] * 2, [q, 2 * q]), evaluate=False),
            "Layers at lengths of their own are free of each other all the same: transforms multiply.",
            _EMERGENCE,
            domain={q: (0.2, 2.0), m: (0.1, 2.0), sigma_w: (0.5, 2.0)},
            left=partial(checks.value, one * one.subs(q, 2 * q)),
        ),
        Step(
            "rectangular",
            Eq(z, rectangular([ratio]), evaluate=False),
            "One layer of another width than the input's has the law of Marchenko and Pastur.",
            "marchenko1967distribution",
            domain={m: (0.1, 0.8), p: (0.5, 0.9), ratio: (0.1, 0.45), sigma_w: (0.5, 2.0)},
            left=checks.one_rectangular_layer,
        ),
        Step(
            "linear-value",
            Eq(Symbol("x", positive=True), value, evaluate=False),
            "A linear Gaussian network: z(m) = (1 + m)^(n + 1)/m is real where arg(1 + m) = t.",
            "nica2006lectures",
            domain={angle: (0.1, 0.4), layers: (1, 6)},
            left=partial(checks.linear_network, "value"),
        ),
        Step(
            "linear-density",
            Eq(Symbol("rho", positive=True), density, evaluate=False),
            "Stieltjes inversion there, for the singular value sqrt(x).",
            "nica2006lectures",
            domain={angle: (0.1, 0.4), layers: (1, 6)},
            left=partial(checks.linear_network, "density"),
        ),
    ]
    return Derivation("Moments, edges and densities of Jacobians", tuple(steps), ASSUMPTIONS)


def derive_class(kind: str) -> Derivation:
    """A universality class as the limit of the finite-depth law, with its moments and edges or Cauchy transform.

    `kind`: smooth, bernoulli, or residual for networks of many weak branches.

    >>> derive_class("residual").result.rhs
    2*c + 1
    """
    kind = exact.one_of("kind", kind, CLASSES)
    if kind == "residual":
        return _residual_class()
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
            Eq(Symbol(f"m_{k}", positive=True), class_moment(k, kind), evaluate=False),
            "Lagrange inversion; on the left the series of S, multiplied out.",
            "pennington2018emergence, section 4",
            domain={s_0: (0.2, 2.0)},
            left=partial(checks.value, law.moments(k)[k - 1]),
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


def _residual_class() -> Derivation:
    """Products of 1 + D W, sigma_w^2 E phi'^2 = c/L a branch."""
    law = residual()
    branch, kurtosis = strength / depth, Symbol("kappa", positive=True)  # E phi'^4/(E phi'^2)^2
    first, second = law.moments(2)
    square = (1 + 4 * branch + branch**2 * (1 + kurtosis)) / (
        1 + branch
    ) ** 2  # one factor, its mean taken out
    domain = {strength: (0.2, 1.0), kurtosis: (1.0, 2.0)}
    steps = (
        Step(
            "mean",
            Eq((1 + branch) ** depth, first, evaluate=False),
            "The means of free factors multiply.",
            "tarnowski2019dynamical, eq. (20)",
            domain=domain,
            kind="limit",
            limit=(depth, oo, 1),
        ),
        Step(
            "second-moment",
            Eq(1 + depth * (square - 1), simplify(second / first**2), evaluate=False),
            "Variances over squared means add; E tr (1 + W)(1 + W)' squared is 1 + 4 a + a^2 (1 + kappa).",
            "tarnowski2019dynamical, eq. (25)",
            domain=domain,
            kind="limit",
            limit=(depth, oo, 1),
        ),
    )
    return Derivation(
        "Residual networks of weak branches", steps, ("the number of branches goes to infinity",)
    )


def _closed_steps(phi: Activation, prob: Expr, weights: str) -> list[Step]:
    inverse = (1 + m) / m * (m + prob) ** depth * sigma_w ** (2 * depth)
    if weights == "orthogonal":
        inverse = (1 + m) / m * ((m + prob) / (1 + m)) ** depth * sigma_w ** (2 * depth)
    return [
        Step(
            "slope-probability",
            Eq(p, prob, evaluate=False),
            "The probability that a unit has the slope 1 or -1; the others have 0.",
            f"{_RESURRECTING}, eq. (30)",
            domain={q: (0.1, 2.0)},
            left=partial(checks.slopes, phi.derivative(1).expr),
        ),
        Step(
            "product",
            Eq((1 + m) / (m * s_transform(phi, weights)), inverse, evaluate=False),
            "A projection of trace p has M = p/(z - 1), hence S = (1 + m)/(m + p); S-transforms of free factors "
            "multiply; z = (1 + m)/(m S).",
            f"{_RESURRECTING}, eq. (18)",
            domain={q: (0.1, 2.0), m: (0.1, 3.0), sigma_w: (0.5, 2.0), depth: (1.0, 12.0)},
        ),
    ]


def _parametric_steps(weights: str) -> list[Step]:
    w, zeta = Symbol("w"), Symbol("zeta")
    return [
        Step(
            "parametric-curve",
            Eq(
                curve(weights),
                (1 + w) / (w * (weight_transform(weights).subs(m, w) * (1 + w) / (w * zeta)) ** depth),
                evaluate=False,
            ),
            "With w = M_D(zeta), S_D(w) = (1 + w)/(w zeta); so z(zeta) and w trace the law of J J^T for "
            "every activation. Here M_D(zeta) = E d/(zeta - d).",
            f"{_EMERGENCE}, eq. (14)",
            domain={w: (0.1, 3.0), zeta: (0.5, 4.0), sigma_w: (0.5, 2.0), depth: (1.0, 12.0)},
        )
    ]
