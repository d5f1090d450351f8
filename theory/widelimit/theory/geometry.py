"""A curve of inputs on its way through a random network: length, curvature, Gauss map, kinks crossed.

Along a curve h(t) of pre-activations, g = |dh/dt|^2 / N is the metric and kappa^2 (times N) the extrinsic curvature.
chi_1 = sigma_w^2 E phi'^2 stretches, chi_2 = sigma_w^2 E phi''^2 bends, both at the length q of the layer: a circle
stays one of constant speed at any length, q' = sigma_w^2 E phi^2 + sigma_b^2, and its chi_1 and chi_2 follow.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Abs, Eq, Expr, Piecewise, Symbol, acos, erf, exp, pi, sqrt, symbols

from widelimit.theory.calculus import exact, motion
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import mean_square
from widelimit.theory.calculus.precision import Values, named
from widelimit.theory.errors import ArgumentError, InfiniteMomentError
from widelimit.theory.kernel import SIGMA_B, SIGMA_W, slope

CHI_1 = Symbol("chi_1", positive=True)
CHI_2 = Symbol("chi_2", nonnegative=True)
METRIC = Symbol("g", positive=True)
CURVATURE = Symbol("kappa_squared", positive=True)
GAUSS = Symbol("g_G", positive=True)
LAYER = Symbol("l", integer=True, positive=True)
WIDTH = Symbol("k", integer=True, positive=True)
Q = Symbol("q", positive=True)
MOMENT, CROSS = Symbol("m", positive=True), Symbol("s", real=True)  # E hdot^2 and E h hdot of one unit
LEVEL = Symbol("b", real=True)
CORRELATION = Symbol("rho", real=True)

ACROSS = Symbol(
    "a", nonnegative=True
)  # E hdot^2 - (E h hdot)^2 / E h^2: what of the motion is across the ray to h

_ASSUMPTIONS = (
    "the width goes to infinity",
    "curvature-solved: the curve lies at the fixed point of the length map: chi_1 and chi_2 are those of every layer",
)


def bending(activation: str | Activation) -> Expr:
    """phi'', for an activation without kinks.

    Raises `InfiniteMomentError` at a kink: the curvature then sits at points, and E phi''^2 is infinite.
    """
    phi = Activation.of(activation)
    second = phi.derivative(2)
    if second.deltas or second.higher:
        raise InfiniteMomentError(
            f"{phi.name} has a kink, so that E phi''^2 is infinite: the image of a curve has corners instead of a "
            "curvature. Use `crossings` to count them, or a smooth activation."
        )
    return second.expr


@exact.takes(metric=exact.plain)
def next_metric(metric: Expr = METRIC) -> Expr:
    """chi_1 g (poole2016exponential, eq. (9))."""
    return CHI_1 * metric


@exact.takes(curvature=exact.plain)
def next_curvature(curvature: Expr = CURVATURE) -> Expr:
    """3 chi_2 / chi_1^2 + kappa^2 / chi_1 (poole2016exponential, eq. (9)); N times the squared extrinsic curvature."""
    return 3 * CHI_2 / CHI_1**2 + curvature / CHI_1


@exact.takes(gauss=exact.plain, metric=exact.plain)
def next_gauss(gauss: Expr = GAUSS, metric: Expr = METRIC) -> Expr:
    """g_G + 3 (chi_2 / chi_1) g: the metric of the Gauss map, kappa^2 times the metric of the curve."""
    return gauss + 3 * CHI_2 / CHI_1 * metric


def _curvature_at(layer: Expr) -> Expr:
    """kappa^2 in `layer`, solved: (first - limit) chi_1^(1 - l) + limit; first + 3 chi_2 (l - 1) where chi_1 = 1."""
    limit = curvature_limit()
    moving = (CURVATURE - limit) * CHI_1 ** (1 - layer) + limit
    return Piecewise((CURVATURE + 3 * CHI_2 * (layer - 1), Eq(CHI_1, 1)), (moving, True))


def curvature_limit() -> Expr:
    """3 chi_2 / (chi_1 (chi_1 - 1)): what kappa^2 tends to at a fixed point with chi_1 > 1."""
    return 3 * CHI_2 / (CHI_1 * (CHI_1 - 1))


def length_of(metric: Expr = METRIC) -> Expr:
    """2 pi sqrt(g): the length of a circle of constant speed, per root of the width."""
    return 2 * pi * sqrt(exact.expression("metric", metric))


def circle_step(activation: str | Activation) -> tuple[Expr, Expr]:
    """(q', chi_1): the squared radius of the next layer's circle over its width and its stretch, from q of this one."""
    phi = Activation.of(activation)
    length = SIGMA_W**2 * Expectation(phi.expr**2, X, Q).doit() + SIGMA_B**2
    return length, SIGMA_W**2 * Expectation(slope(phi) ** 2, X, Q).doit()


def circle_bend(activation: str | Activation) -> Expr:
    """chi_2 = sigma_w^2 E phi''^2 at q. Raises `InfiniteMomentError` at a kink."""
    return SIGMA_W**2 * Expectation(bending(activation) ** 2, X, Q).doit()


def published_growth(activation: str) -> Expr:
    """The factor of a published lower bound on trajectory growth (raghu2017expressive), of width k, not a rate.

    Measured growth is sqrt(chi_1) a layer, which for ReLU, sigma_w / sqrt(2), lies below sigma_w sqrt(k / (k + 1)).
    """
    if activation == "relu":
        return SIGMA_W * sqrt(WIDTH / (WIDTH + 1))
    if activation == "hard_tanh":
        root = sqrt(SIGMA_W**2 + SIGMA_B**2)
        return SIGMA_W * sqrt(WIDTH) / sqrt(root**2 + WIDTH * root)
    raise ArgumentError(
        "activation", "must be relu or hard_tanh, for which a factor is published", activation
    )


def crossing_rate() -> Expr:
    """Rate in t at which a Gaussian unit h(t), E h^2 = q, E h hdot = s, E hdot^2 = m, passes the level b (Rice).

    E |hdot| given h = b, times the density of h at b. At b = 0 it is sqrt(m / q - s^2 / q^2) / pi.
    """

    drift, spread = CROSS * LEVEL / Q, sqrt(MOMENT - CROSS**2 / Q)
    ratio = drift / spread
    folded = spread * sqrt(2 / pi) * exp(-(ratio**2) / 2) + drift * erf(ratio / sqrt(2))
    return folded * exp(-(LEVEL**2) / (2 * Q)) / sqrt(2 * pi * Q)


def crossing_rate_on_ray() -> Expr:
    """The same for a unit that only changes its size (m = s^2 / q): |s b / q| times the density of h at b."""
    return Abs(CROSS * LEVEL) / Q * exp(-(LEVEL**2) / (2 * Q)) / sqrt(2 * pi * Q)


def crossings_at_origin() -> Expr:
    """arccos(rho) / pi: how many units change their sign where a line passes the origin, all of them in a network
    without biases whose two rays have the correlation rho in this layer.
    """
    return acos(CORRELATION) / pi


def across_step(activation: str | Activation, closed: bool = True) -> tuple[Expr, Expr]:
    """(across, turned): a' = across + (s/q)^2 turned of the next layer, a = m - s^2/q, from q, s and a of this one.

    What moves across the ray is stretched, sigma_w^2 a E phi'^2, and what moves along it is turned unless phi is
    homogeneous: sigma_w^2 E h^2 phi'^2 - (sigma_w^2 E h phi phi')^2 / q'. This keeps the digits that m - s^2/q loses.
    `closed`: as in `line_step`.
    """
    length, cross, along, across = _means(activation, closed)
    length, cross = SIGMA_W**2 * length + SIGMA_B**2, SIGMA_W**2 * cross
    return SIGMA_W**2 * ACROSS * across, SIGMA_W**2 * along - cross**2 / length


def line_step(activation: str | Activation, closed: bool = True) -> tuple[Expr, Expr, Expr]:
    """(q', s', m') of the next layer along any curve, from q = E h^2, s = E h hdot, m = E hdot^2 of this one.

    hdot = (s / q) h + noise, hence s' = sigma_w^2 (s / q) E h phi phi' and
    m' = sigma_w^2 [(s / q)^2 E h^2 phi'^2 + (m - s^2 / q) E phi'^2]. `closed`: with closed forms where there are any;
    those of exponential pieces lose their digits at small q.
    """
    length, cross, along, across = _means(activation, closed)
    ratio = CROSS / Q
    moment = ratio**2 * along + (MOMENT - CROSS**2 / Q) * across
    return SIGMA_W**2 * length + SIGMA_B**2, SIGMA_W**2 * ratio * cross, SIGMA_W**2 * moment


def _means(activation: str | Activation, closed: bool) -> tuple[Expr, Expr, Expr, Expr]:
    """E phi^2, E h phi phi', E h^2 phi'^2 and E phi'^2."""
    exact.flag("closed", closed)
    phi = Activation.of(activation)
    prime = slope(phi)
    means = (Expectation(f, X, Q) for f in (phi.expr**2, X * phi.expr * prime, X**2 * prime**2, prime**2))
    first, second, third, fourth = (mean.doit() if closed else mean for mean in means)
    return first, second, third, fourth


def derive(activation: str | Activation = "tanh") -> Derivation:
    """Length, curvature and Gauss map of a circle of inputs, lines and the kinks that they cross, layer by layer.

    Args:
        activation: a catalogue name or an expression in x.

    Raises `InfiniteMomentError` for an activation with kinks.

    >>> derive("tanh")["gauss-map"].kind
    'identity'
    """
    phi = Activation.of(activation)
    bending(phi)
    steps = (*_layer(phi), *_circle(), *_line(phi), *_crossings())
    return Derivation(f"Curves of inputs in {phi.name} networks", steps, _ASSUMPTIONS)


POOLE, RAGHU = "poole2016exponential", "raghu2017expressive"
_SCALES = {SIGMA_W: (0.5, 2.0), Q: (0.3, 2.0), SIGMA_B: (0.1, 1.0)}
_MOTION = {Q: (1.0, 2.0), CROSS: (-0.9, 0.9), MOMENT: (1.0, 2.0), LEVEL: (-1.5, 1.5)}


def _layer(phi: Activation) -> tuple[Step, ...]:
    """The statistics of one layer that a circle passes."""
    length, stretch = circle_step(phi)
    return (
        Step(
            "radius",
            Eq(Symbol("q'", positive=True), length, evaluate=False),
            "pre-activations are sums of many independent terms",
            source=f"{POOLE}, eq. (3)",
            domain=_SCALES,
            left=partial(_of_layer, phi.expr, True),
        ),
        Step(
            "stretch",
            Eq(CHI_1, stretch, evaluate=False),
            "hdot' = W phi'(h) hdot, and hdot is independent of h on a circle",
            source=f"{POOLE}, eq. (5)",
            domain=_SCALES,
            left=partial(_of_layer, slope(phi), False),
        ),
        Step(
            "bend",
            Eq(CHI_2, circle_bend(phi), evaluate=False),
            "the second derivative of the curve contains phi'' hdot^2",
            source=f"{POOLE}, eq. (8)",
            domain=_SCALES,
            left=partial(_of_layer, slope(phi).diff(X), False),
        ),
    )


def _circle() -> tuple[Step, ...]:
    """Length, curvature and Gauss map, given chi_1 and chi_2."""
    g_next, k_next, length = symbols("g^(l+1) kappa^2_(l+1) S", positive=True)
    point = {CHI_1: (1.1, 2.0), CHI_2: (0.1, 0.6), METRIC: (0.5, 2.0), CURVATURE: (1.0, 2.0), LAYER: (1, 5)}
    return (
        Step(
            "length",
            Eq(g_next, next_metric(), evaluate=False),
            "the mean square of phi'(h) hdot",
            source=f"{POOLE}, eq. (9)",
            domain=point,
            left=partial(_by, motion.stretched, "chi_1 g"),
        ),
        Step(
            "arc-length",
            Eq(length, length_of(), evaluate=False),
            "the speed sqrt(g) along the whole circle, per root of the width",
            domain=point,
            left=partial(_by, motion.arc_length, "g"),
        ),
        Step(
            "curvature",
            Eq(k_next, next_curvature(), evaluate=False),
            "E (phi'' hdot^2)^2 = 3 E phi''^2 g^2 for Gaussian hdot; the old bend shrinks by the stretch",
            source=f"{POOLE}, eq. (9)",
            domain=point,
            left=partial(_by, motion.curved, "chi_1 chi_2 g kappa_squared"),
        ),
        Step(
            "curvature-solved",
            Eq(_curvature_at(LAYER + 1), next_curvature(_curvature_at(LAYER)), evaluate=False),
            "a linear recursion with constant coefficients",
            source=POOLE,
            domain=point,
        ),
        Step(
            "curvature-limit",
            Eq(next_curvature(curvature_limit()), curvature_limit(), evaluate=False),
            "its fixed point, which attracts where chi_1 > 1",
            source=POOLE,
            domain=point,
        ),
        Step(
            "gauss-map",
            Eq(next_gauss(CURVATURE * METRIC), next_curvature() * next_metric(), evaluate=False),
            "the tangent turns at the rate of the curvature: g_G = kappa^2 g",
            source=f"{POOLE}, section 3.2",
            domain=point,
        ),
    )


def _line(phi: Activation) -> tuple[Step, ...]:
    """Any curve: how h and hdot move on together."""
    prime = slope(phi)
    domain = {**_SCALES, Q: (1.0, 2.0), CROSS: (-0.9, 0.9)}
    along, across = {**domain, MOMENT: (1.0, 2.0)}, {**domain, ACROSS: (0.2, 1.0)}
    names = symbols("q' s' m'", real=True)
    because = "hdot' = W phi'(h) hdot, where hdot is (s/q) h and a part independent of h"
    functions = ((phi.expr, phi.expr, 0, 0), (phi.expr, prime, 0, 1), (prime, prime, 1, 1))
    steps = [
        Step(
            name,
            Eq(symbol, formula, evaluate=False),
            because,
            source=POOLE,
            domain=along,
            left=partial(_moved, one),
        )
        for name, symbol, formula, one in zip(
            ("line-length", "line-cross", "line-motion"), names, line_step(phi), functions, strict=True
        )
    ]
    stretched, turned = across_step(phi)
    last = Step(
        "line-across",
        Eq(Symbol("a'", nonnegative=True), stretched + (CROSS / Q) ** 2 * turned, evaluate=False),
        "the same for a = m - s^2/q, in a form that keeps its digits where hdot is nearly along h",
        source=POOLE,
        domain=across,
        left=partial(_moved_across, functions),
    )
    return (*steps, last)


def _crossings() -> tuple[Step, ...]:
    """Kinks that a unit passes, and a published bound of growth."""
    rate, on_ray, at_origin, growth = symbols("r r_0 n_0 f", nonnegative=True)
    bound = {SIGMA_W: (1.0, 3.0), SIGMA_B: (0.1, 1.0), WIDTH: (2, 30)}
    return (
        Step(
            "crossings",
            Eq(rate, crossing_rate(), evaluate=False),
            "E |hdot| given h = b, times the density of h at b (Rice)",
            source="rice1944mathematical",
            domain=_MOTION,
            left=partial(_by, motion.crossing_rate, "q s m b"),
        ),
        Step(
            "crossings-on-ray",
            Eq(on_ray, crossing_rate_on_ray(), evaluate=False),
            "a unit that only changes its size passes b when its size does",
            domain=_MOTION,
            left=partial(_by, motion.crossing_rate_on_ray, "q s b"),
        ),
        Step(
            "crossings-at-origin",
            Eq(at_origin, crossings_at_origin(), evaluate=False),
            "two rays to the origin: units that have opposite signs on them",
            domain={CORRELATION: (-0.9, 0.9)},
            left=partial(_by, motion.opposite_signs, "rho"),
        ),
        *(
            Step(
                f"published-growth-{name}",
                Eq(growth, published_growth(name), evaluate=False),
                because,
                source=f"{RAGHU}, theorem 1",
                domain=bound,
                left=partial(_published, name),
            )
            for name, because in (
                (
                    "relu",
                    "Jensen's bound with half of the units active, times sqrt(2), which the order hides",
                ),
                ("hard_tanh", "the same with the share 1/sqrt(sigma_w^2 + sigma_b^2) of units active"),
            )
        ),
    )


# what names stand for, by numbers -------------------------------------------------------------------------------------


def _by(function: Any, names: str, values: Values, dps: int) -> Any:
    """A function of the numbers that symbols of these names have."""
    known = named(values)
    return function(*(known[name] for name in names.split()))


def _of_layer(function: Expr, bias: bool, values: Values, dps: int) -> Any:
    q, weight, beside = (mpmath.mpmathify(values[s]) for s in (Q, SIGMA_W, SIGMA_B))
    return mean_square(function, q, dps, weight, beside if bias else 0)


def _moved(functions: tuple[Any, ...], values: Values, dps: int) -> Any:
    """E f(h) hdot^a g(h) hdot^b after the weights, and the variance of the biases where no derivative is taken."""
    one, other, *powers = functions
    q, s, weight, bias = (mpmath.mpmathify(values[symbol]) for symbol in (Q, CROSS, SIGMA_W, SIGMA_B))
    moment = values[ACROSS] + s**2 / q if ACROSS in values else values[MOMENT]
    mean = motion.product(one, other, (q, s, mpmath.mpmathify(moment)), tuple(powers), dps)
    return weight**2 * mean + (bias**2 if sum(powers) == 0 else 0)


def _moved_across(functions: tuple[Any, ...], values: Values, dps: int) -> Any:
    length, cross, moment = (_moved(one, values, dps) for one in functions)
    return moment - cross**2 / length


def _published(activation: str, values: Values, dps: int) -> Any:
    weight, bias = (mpmath.mpmathify(values[s]) for s in (SIGMA_W, SIGMA_B))
    units = int(values[WIDTH])
    if activation == "hard_tanh":
        return motion.binomial_growth(weight, units, 1 / mpmath.sqrt(weight**2 + bias**2))
    half = mpmath.mpf(1) / 2
    others = motion.binomial_growth(weight, units - 1, half) / mpmath.sqrt(units - 1)
    return mpmath.sqrt(2 * units) * others
