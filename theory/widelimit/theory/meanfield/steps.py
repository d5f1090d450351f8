"""The steps of `meanfield.derive`: each formula of the theory with its reason, its source and its check."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Abs, Derivative, Eq, Expr, Function, Rational, S, Symbol, expand, simplify, sqrt

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.gaussian import lattice
from widelimit.theory.calculus.gaussian.expectation import Expectation, branched
from widelimit.theory.calculus.gaussian.quadrature import legendre
from widelimit.theory.calculus.precision import evaluate
from widelimit.theory.errors import ConvergenceError, DomainError
from widelimit.theory.meanfield import edges, evidence, pair_width_steps, width_steps
from widelimit.theory.meanfield import formulas as m
from widelimit.theory.meanfield import moments as g

POOLE, SCHOENHOLZ = "poole2016exponential", "schoenholz2017deep"
HAYOU, SELECTION = "hayou2019impact", "hayou2018selection"
FIXED = "both inputs have the fixed point q of the length map as second moment"

_Q = {g.q: (0.2, 2.5)}
_W = {m.sigma_w: (0.5, 2.5)}
_B = {m.sigma_b: (0.0, 1.0)}
_C = {g.c: (-0.6, 0.85)}
_EPSILON = {g.epsilon: (0.2, 1.2)}
_APART = {g.q_1: (0.2, 2.5), g.q_2: (0.2, 2.5)} | _C
SERIES = 3  # order in q of the small-q series that is shown


RATIO_DIGITS = 14  # enough to see the ratio of a limit approach one


def _equal(left: Any, right: Any) -> Eq:
    """Return an equation that SymPy leaves alone."""
    return Eq(left, right, evaluate=False)


def steps(a: Activation) -> tuple[Step, ...]:
    """Return every step that applies to an activation."""
    found = _forward(a)
    if not a.derivative(1).deltas:
        found += _slopes(a) + _backward(a) + _edge(a) + width_steps.steps(a) + pair_width_steps.steps()
    return tuple(found)


def _forward(a: Activation) -> list[Step]:
    nodes = g.nodes(a)
    v, product = g.second_moment(a), g.product_moment(a)
    length, dropped = Symbol("q_{l+1}"), {m.keep: (0.2, 1)}
    closed = "Closed form by truncated Gaussian moments, completed squares and Stein's identity."
    found = [
        Step(
            "second-moment",
            _equal(Function("V")(g.q), v),
            "V is the second moment of phi(u)." + (f" {closed}" if v != nodes["V"] else ""),
            domain=_Q,
            left=partial(evidence.moment, a, 0),
        ),
        Step(
            "length-map",
            _equal(length, m.length_map(a)),
            "A wide layer is Gaussian; its variance is sigma_w^2 times the mean square of its input. The check sums "
            "over all signs of weight and bias.",
            f"{POOLE}, length map; {SCHOENHOLZ}, background",
            domain=_Q | _W | _B,
            left=partial(evidence.length, a),
        ),
        Step(
            "covariance-map",
            _equal(Symbol("q_{12,l+1}"), m.covariance_map(a)),
            "The covariance of two inputs' pre-activations, whose lengths may differ: the same sum over signs.",
            f"{POOLE}, correlation map; {SCHOENHOLZ}, background",
            domain=_APART | _W | _B,
            left=partial(evidence.covariance, a),
        ),
        Step(
            "product-moment",
            _equal(nodes["C"], product),
            f"C is the product moment of phi at equal lengths. {closed}",
            domain=_Q | _C,
        )
        if product != nodes["C"]
        else Step(
            "product-moment",
            _equal(Function("C")(g.q, g.c), product),
            "C is the product moment of phi, of which the covariance at equal lengths is made.",
            domain=_Q | _C,
            kind="derived",
            by=_product_of_covariance,
        ),
        Step(
            "correlation-map",
            _equal(Symbol("c_{l+1}"), m.correlation_map(a)),
            "Covariance of two inputs one layer on, over their common variance.",
            f"{POOLE}, correlation map; {SCHOENHOLZ}, background",
            (FIXED,),
            _Q | _W | _B | _C,
            kind="derived",
            by=_correlation_of_covariance,
        ),
        Step(
            "equal-inputs",
            _equal(nodes["C"].subs(g.c, 1), v),
            "At c = 1 the product moment is V, so c = 1 is a fixed point of the correlation map.",
            f"{POOLE}, correlation map",
            domain=_Q,
        ),
        Step(
            "dropout-length-map",
            _equal(length, m.dropout_length_map(a)),
            "Inverted dropout keeps a unit with probability rho and divides by it: the mean square grows by 1/rho.",
            f"{SCHOENHOLZ}, on dropout",
            domain=_Q | _W | _B | dropped,
            left=partial(evidence.length, a),
        ),
        Step(
            "dropout-correlation-at-one",
            _equal(
                (m.sigma_w**2 * nodes["C"].subs(g.c, 1) + (g.q - m.sigma_w**2 * nodes["V"] / m.keep)) / g.q,
                m.dropout_correlation_at_one(a),
            ),
            "Off the diagonal independent masks average to one; with sigma_b^2 from the fixed point of the length "
            "map, equal inputs decorrelate: c = 1 is never fixed and xi_c stays finite.",
            f"{SCHOENHOLZ}, on dropout",
            ("masks of the two inputs are independent", "q is the fixed point of the dropout length map"),
            _Q | _W | {m.keep: (0.2, 0.95)},
        ),
        Step(
            "defect-map",
            _equal(
                m.sigma_w**2 * (nodes["C"].subs(g.c, 1) - nodes["C"].subs(g.c, 1 - g.epsilon)) / g.q,
                m.defect_map(a),
            ),
            "epsilon = 1 - c without cancellation: half the mean square difference.",
            f"{SCHOENHOLZ}, on depth scales",
            (FIXED,),
            _Q | _W | _EPSILON,
        ),
        Step(
            "defect-map-unequal",
            _equal(_defect(a), m.unequal_defect_map(a)),
            "The same for two lengths: what both lengths gain in a layer, less what the covariance gains.",
            f"{SCHOENHOLZ}, on depth scales",
            ("masks of the two inputs are independent",),
            _APART | _W | _B | dropped,
        ),
    ]
    return found


def _defect(a: Activation) -> Expr:
    """1 - c' as it stands: the covariance one layer on over the root of both lengths."""
    after = m.dropout_length_map(a)
    return 1 - m.covariance_map(a) / sqrt(after.subs(g.q, g.q_1) * after.subs(g.q, g.q_2))


def _at_equal_lengths(covariance: Eq) -> Expr:
    return covariance.rhs.subs({g.q_1: g.q, g.q_2: g.q})


def _product_of_covariance(earlier: Mapping[str, Eq]) -> Eq:
    product = (_at_equal_lengths(earlier["covariance-map"]) - m.sigma_b**2) / m.sigma_w**2
    return _equal(Function("C")(g.q, g.c), product)


def _correlation_of_covariance(earlier: Mapping[str, Eq]) -> Eq:
    return _equal(Symbol("c_{l+1}"), _at_equal_lengths(earlier["covariance-map"]) / g.q)


def _slopes(a: Activation) -> list[Step]:
    nodes = g.nodes(a)
    p = g.slope_moment(a)
    length = m.sigma_w**2 * nodes["V"] + m.sigma_b**2
    correlation = (m.sigma_w**2 * nodes["C"] + m.sigma_b**2) / g.q
    delta = " The delta functions of phi'' at the kinks are kept." if a.derivative(2).deltas else ""
    found = [
        Step(
            "slope-moment",
            _equal(Function("P")(g.q), p),
            "P is the second moment of phi'(u).",
            domain=_Q,
            left=partial(evidence.moment, a, 1),
        ),
        Step(
            "covariance-slope",
            _equal(
                Derivative(m.covariance_map(a), g.c),
                m.sigma_w**2 * sqrt(g.q_1 * g.q_2) * g.unequal_slope_product(a),
            ),
            "Price: d/dc E f(u_1) g(u_2) = sqrt(q_1 q_2) E f'(u_1) g'(u_2).",
            f"{SCHOENHOLZ}, on depth scales; price1958useful",
            domain=_APART | _W,
        ),
        Step(
            "correlation-slope",
            _equal(Derivative(correlation, g.c), m.correlation_slope(a)),
            "The same at equal lengths, over q.",
            f"{SCHOENHOLZ}, on depth scales; price1958useful",
            (FIXED,),
            _Q | _W | _C,
        ),
        Step(
            "chi-1",
            _equal((m.sigma_w**2 * nodes["S"]).subs(g.c, 1), m.chi_1(a)),
            "chi_1 is the slope of the correlation map at c = 1: ordered below 1, chaotic above.",
            f"{SCHOENHOLZ}, background",
            domain=_Q | _W,
        ),
        Step(
            "length-slope",
            _equal(Derivative(length, g.q), m.length_slope(a)),
            f"Price with Stein: d/dq E f = E f''/2, so dV/dq = E phi'^2 + E phi phi''.{delta}",
            f"{SCHOENHOLZ}, on depth scales; price1958useful; stein1981estimation",
            domain=_Q | _W | _B,
        ),
    ]
    scales = (
        ("depth-scale-length", "xi_q", Abs(m.length_slope(a)), "depth scales", _Q | _W),
        (
            "depth-scale-correlation",
            "xi_c",
            m.correlation_slope(a),
            "depth scales",
            _Q | _W | {g.c: (0.1, 0.85)},
        ),
        ("depth-scale-gradient", "xi_grad", m.chi_1(a), "gradients", _Q | _W),
    )
    for name, symbol, slope, where, domain in scales:
        found.append(
            Step(
                name,
                _equal(Symbol(symbol), m.depth_scale(slope)),
                "A deviation shrinks by the slope at the fixed point each layer: exp(-l/xi). The check looks for the "
                "depth at which slope^l has come to 1/e.",
                f"{SCHOENHOLZ}, on {where}",
                ("the slope is taken at the fixed point", "the slope is not 1"),
                domain,
                left=partial(evidence.depth, slope),
            )
        )
    return found


def _backward(a: Activation) -> list[Step]:
    backward = "forward and backward weights may be taken as independent"
    return [
        Step(
            "gradient-map",
            _equal(Symbol("g_l"), m.gradient_map(a)),
            "Back-propagation multiplies the mean square by sigma_w^2 E phi'^2 and the ratio of widths. The check sums "
            "over all signs of the weights of two units above.",
            f"{SCHOENHOLZ}, on gradients",
            (backward,),
            _Q | _W | {m.gradient: (0.1, 2), m.width_ratio: (0.5, 2)},
            left=partial(evidence.gradient, a),
        ),
        Step(
            "gradient-covariance",
            _equal(Symbol("g_{12,l}"), m.gradient_overlap_map(a)),
            "For two inputs the slope of the correlation map takes the place of chi_1.",
            f"{SCHOENHOLZ}, on gradients",
            (backward, FIXED),
            _Q | _W | _C | {m.gradient_overlap: (0.1, 2), m.width_ratio: (0.5, 2)},
            left=partial(evidence.gradient_overlap, a),
        ),
        Step(
            "dropout-chi-1",
            _equal(Symbol("chi_1"), m.dropout_chi_1(a)),
            "Dropout raises the mean square of a gradient by 1/rho, as it does the signal's.",
            f"{SCHOENHOLZ}, on dropout",
            domain=_Q | _W | {m.keep: (0.2, 1)},
            left=partial(evidence.gradient, a),
        ),
    ]


def _edge(a: Activation) -> list[Step]:
    line, nodes = edges.critical_line(a), g.nodes(a)
    slope, biases = edges.critical_length_slope(a), nodes["V"] / nodes["P"]
    found = [
        Step(
            "critical-line-weights",
            _equal(m.sigma_w**2, line.sigma_w_squared),
            "chi_1 = 1 solved for the weight variance.",
            f"{SCHOENHOLZ}, phase diagram; {SELECTION}, edge of chaos",
            domain=_Q | _W,
            kind="derived",
            by=_weights_of_chi,
        ),
        Step(
            "critical-line-biases",
            _equal(m.sigma_b**2, line.sigma_b_squared),
            "q = sigma_w^2 V + sigma_b^2 with that weight variance: q is a fixed point of the length map, solved for "
            "the bias variance.",
            f"{SELECTION}, edge of chaos",
            ("sigma_b^2 is not negative",),
            _Q,
            kind="derived",
            by=_biases_of_length,
        ),
        Step(
            "stability",
            _equal(
                (Derivative(nodes["V"], g.q) * m.sigma_w**2).subs(m.sigma_w**2, line.sigma_w_squared), slope
            ),
            "On the edge of chaos the fixed point attracts where this slope of the length map is below 1.",
            f"{SELECTION}, edge of chaos",
            domain=_Q,
        ),
    ]
    if (
        growth := edges.critical_growth(a)
    ) != 0:  # 0: both sides vanish, which line.sigma_b_squared shows already
        found += [
            Step(
                "critical-line-digits",
                _equal(g.q - biases, edges.critical_bias(a)),
                "A form that does not cancel at small q: E (f' - f/x)^2 = P - V/q for f = phi - phi(0), by integrating "
                "f f'/x by parts.",
                f"{SELECTION}, edge of chaos",
                domain=_Q,
            ),
            Step(
                "critical-growth",
                _equal(g.q * Derivative(g.q - biases, g.q), growth),
                "From d V/d log q = E x phi phi' and d P/d log q = E (x^2/q - 1) phi'^2/2: sigma_b grows with q.",
                f"{SELECTION}, edge of chaos",
                domain=_Q,
            ),
        ]
    return [*found, *_ends(a), *_decay(a)]


def _weights_of_chi(earlier: Mapping[str, Eq]) -> Eq:
    return _equal(m.sigma_w**2, m.sigma_w**2 / earlier["chi-1"].rhs)


def _biases_of_length(earlier: Mapping[str, Eq]) -> Eq:
    signal = expand(earlier["length-map"].rhs - m.sigma_b**2)
    return _equal(m.sigma_b**2, g.q - signal.subs(m.sigma_w**2, earlier["critical-line-weights"].rhs))


def _ends(a: Activation) -> list[Step]:
    """Where the edge meets sigma_b = 0, and how it gets there."""
    found = []
    if end := edges.critical_limit(a):
        pairs = [("critical-limit", edges.critical_line(a).sigma_w_squared, end.sigma_w_squared)]
        if end.decay.coefficient.is_finite:
            pairs.append(("critical-limit-decay", edges.decay_law(a).coefficient, end.decay.coefficient))
        because = "As q -> 0 only the slopes of phi on both sides of 0 count: a leaky ReLU."
        found += [_limit(name, left, right, because, Rational(1, 4)) for name, left, right in pairs]
    try:
        line = edges.critical_series(a, SERIES)
    except DomainError:
        return found
    because = "The Gaussian moments of the Taylor series of phi, order by order in q."
    whole = (edges.critical_line(a).sigma_w_squared, edges.critical_bias(a))
    sides = zip(whole, (line.sigma_w_squared, line.sigma_b_squared), strict=True)
    names = ("critical-series-weights", "critical-series-biases")
    found += [
        _limit(name, left, right, because, S.One)
        for name, (left, right) in zip(names, sides, strict=True)
        if right != 0 and left != right
    ]
    return found


def _limit(name: str, left: Expr, right: Expr, because: str, order: Expr) -> Step:
    return Step(
        name,
        _equal(left, right),
        because,
        f"{SELECTION}, edge of chaos",
        kind="limit",
        limit=(g.q, S.Zero, order),
    )


def _decay(a: Activation) -> list[Step]:
    """How correlations approach 1 on the edge: a power of depth, none for linear phi."""
    if not a.derivative(2).deltas and edges.curvature_moment(a) == 0:
        return []
    law, e = edges.decay_law(a), g.epsilon
    if law.power > 1:
        lost, order = edges.kink_coefficient(a) * e ** (1 + S.One / law.power), Rational(1, 2)
        reason = "Where u_1 and u_2 fall on two sides of a kink, phi' differs by its jump: a 3/2 power."
    elif law.coefficient == 0:
        return []  # a logarithm
    else:
        lost = e**2 * g.q * edges.curvature_moment(a) / (2 * g.slope_moment(a))
        order = Rational(1, 2) if a.kinks else S.One  # phi'' may jump
        reason = "For smooth phi the map has the second derivative sigma_w^2 q P_2 at c = 1."
    critical = m.defect_map(a).subs(m.sigma_w**2, edges.critical_line(a).sigma_w_squared)
    difference = _Difference(a)
    if not difference.possible:
        return []
    step = Step(
        "edge-expansion",
        _equal(e - critical, lost),
        reason,
        f"{HAYOU}, on the edge of chaos",
        ("sigma_w^2 = 1/P(q)", FIXED),
        _Q,
        kind="limit",
        limit=(e, S.Zero, order),
        left=difference,
    )
    return [
        step,
        Step(
            "decay-law",
            _equal(Symbol("epsilon_l"), law.coefficient * m.layer ** (-law.power)),
            "Solving d epsilon/dl = -(what is lost in a layer): a power of depth, not an exponential.",
            f"{HAYOU}, on the edge of chaos",
            ("sigma_w^2 = 1/P(q)", "l is large"),
            _Q | {m.layer: (10, 1000)},
            kind="derived",
            by=_law_of_loss,
        ),
    ]


def _law_of_loss(earlier: Mapping[str, Eq]) -> Eq:
    """Solve d epsilon/dl = -s epsilon^(1 + h) for large l: epsilon = (h s l)^(-1/h)."""
    lost, e = earlier["edge-expansion"].rhs, g.epsilon
    h = simplify(e * lost.diff(e) / lost) - 1
    return _equal(Symbol("epsilon_l"), (h * lost / e ** (1 + h) * m.layer) ** (-1 / h))


class _Difference:
    """Evaluate epsilon - epsilon' at small epsilon, where the plane is resolved along its diagonal.

    With closed forms the subtraction is done in high precision. Else u_1, u_2 = sqrt(q) (a s -+ b d) with
    a^2 = 1 - epsilon/2, b^2 = epsilon/2, and the integrand varies slowly in d.
    """

    def __init__(self, a: Activation) -> None:
        v, product = g.second_moment(a), g.product_moment(a)
        self.closed = None if product.has(Expectation) else (v - product.subs(g.c, 1 - g.epsilon)) / g.q
        self.activation = a
        slope = a.pieces.diff()
        self.possible = self.closed is not None or not (slope.poles() or slope.diff().poles())

    def __call__(self, values: Mapping[Symbol, Any], dps: int) -> Any:
        """Return the left side of the edge's expansion at these values."""
        weights = evaluate(1 / g.nodes(self.activation)["P"], values, dps)
        e, q = (evaluate(symbol, values, dps) for symbol in (g.epsilon, g.q))
        with mpmath.workdps(dps + 15):
            if self.closed is not None:
                defect = evaluate(self.closed, values, dps)
            else:
                defect = _rotated(self.activation, q, e, min(dps, RATIO_DIGITS)) / (2 * q)
            return e - weights * defect


def _rotated(a: Activation, q: Any, e: Any, dps: int) -> Any:
    """E (phi(u_1) - phi(u_2))^2: over d > 0, and for each d over s between the kinks of either phi."""
    phi = branched(a.expr, x, dps)
    if not phi.breaks:
        return _rotated_smooth(phi.functions[0], q, e, dps)
    reach = mpmath.sqrt(2 * mpmath.log(10) * (dps + 5))
    root, along, across = mpmath.sqrt(q), mpmath.sqrt(1 - e / 2), mpmath.sqrt(e / 2)
    total, rule = mpmath.mpf(0), legendre(dps, mpmath.mp.prec)
    for d, weight in evidence.over_panels([mpmath.mpf(0), reach], reach / 2, rule):
        shift = root * across * d
        kinks = sorted((b + side * shift) / (root * along) for b in phi.breaks for side in (-1, 1))
        ends = [-reach, *(k for k in kinks if abs(k) < reach), reach]
        total += weight * mpmath.fsum(
            w * (phi(root * along * s + shift) - phi(root * along * s - shift)) ** 2
            for s, w in evidence.over_panels(ends, reach / (3 + int(2 * root)), rule)
        )
    return 2 * total


_ACROSS = mpmath.mpf("0.75")  # step in d, in which the integrand is nearly d^2 times the density


def _rotated_smooth(phi: Any, q: Any, e: Any, dps: int) -> Any:
    """The same for phi without kinks, by trapezoidal rules, whose step in s is halved until two agree."""
    reach = mpmath.sqrt(2 * mpmath.log(10) * (dps + 5))
    root, along, across = mpmath.sqrt(q), mpmath.sqrt(1 - e / 2), mpmath.sqrt(e / 2)
    shifts = [
        (root * across * _ACROSS * k, 2 * _ACROSS * mpmath.npdf(_ACROSS * k))
        for k in range(1, int(reach / _ACROSS) + 1)
    ]
    total, before = mpmath.mpf(0), None
    for step, nodes in lattice.halvings(reach):
        for k, density in zip(nodes, lattice.density(nodes, mpmath.mp.prec), strict=True):
            u = root * along * lattice.UNIT * k
            total += density * mpmath.fsum(w * (phi(u + d) - phi(u - d)) ** 2 for d, w in shifts)
        if before is not None and lattice.agree(step * total, before, step * total, dps):
            return step * total
        before = step * total
    raise ConvergenceError(
        f"E (phi(u_1) - phi(u_2))^2 was not resolved to {dps} digits at q = {mpmath.nstr(q, 5)}."
    )
