"""The steps of `meanfield.derive`: each formula of the theory with its reason, its source and its check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Derivative, Eq, Expr, Function, Rational, S, Symbol

from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.gaussian.quadrature import legendre
from widelimit.theory.calculus.precision import by_score, evaluate
from widelimit.theory.meanfield import formulas as m

POOLE, SCHOENHOLZ = "poole2016exponential", "schoenholz2017deep"
HAYOU, SELECTION = "hayou2019impact", "hayou2018selection"
FIXED = "both inputs have the fixed point q of the length map as second moment"

_Q = {m.q: (0.2, 2.5)}
_W = {m.sigma_w: (0.5, 2.5)}
_B = {m.sigma_b: (0.0, 1.0)}
_C = {m.c: (-0.6, 0.85)}
_EPSILON = {m.epsilon: (0.2, 1.2)}


RATIO_DIGITS = 20  # enough to see the ratio of a limit approach one


def equal(left: Any, right: Any) -> Eq:
    """Return an equation that SymPy leaves alone."""
    return Eq(left, right, evaluate=False)


def steps(a: Activation) -> tuple[Step, ...]:
    """Return every step that applies to an activation."""
    found = _forward(a)
    if not a.derivative(1).deltas:
        found += _slopes(a) + _backward(a) + _edge(a)
    return tuple(found)


def _value(
    name: str,
    symbol: Expr,
    node: Expr,
    closed: Expr,
    because: str,
    domain: Mapping[Symbol, tuple[float, float]],
) -> Step:
    """An expectation: an identity with its closed form, or a definition if it has none."""
    if closed == node:
        return Step(name, equal(symbol, node), because, domain=domain, kind="definition")
    reason = because + " Closed form by truncated Gaussian moments, completed squares and Stein's identity."
    return Step(name, equal(node, closed), reason, domain=domain)


def _forward(a: Activation) -> list[Step]:
    nodes = m.nodes(a)
    v, product = m.second_moment(a), m.product_moment(a)
    length, correlation = Symbol("q_{l+1}"), Symbol("c_{l+1}")
    return [
        _value("second-moment", Function("V")(m.q), nodes["V"], v, "V is the second moment of phi(u).", _Q),
        Step(
            "length-map",
            equal(length, m.length_map(a)),
            "A wide layer is Gaussian; its variance is sigma_w^2 times the mean square of its input.",
            f"{POOLE}, length map; {SCHOENHOLZ}, background",
            domain=_Q | _W | _B,
            kind="definition",
        ),
        _value(
            "product-moment",
            Function("C")(m.q, m.c),
            nodes["C"],
            product,
            "C is the product moment of phi over two correlated pre-activations.",
            _Q | _C,
        ),
        Step(
            "correlation-map",
            equal(correlation, m.correlation_map(a)),
            "Covariance of two inputs one layer on, over their common variance.",
            f"{POOLE}, correlation map; {SCHOENHOLZ}, background",
            (FIXED,),
            _Q | _W | _B | _C,
            kind="definition",
        ),
        Step(
            "equal-inputs",
            equal(nodes["C"].subs(m.c, 1), v),
            "At c = 1 the product moment is V, so c = 1 is a fixed point of the correlation map.",
            f"{POOLE}, correlation map",
            domain=_Q,
        ),
        Step(
            "dropout-length-map",
            equal(length, m.dropout_length_map(a)),
            "Inverted dropout keeps a unit with probability rho and divides by it: the mean square grows by 1/rho.",
            f"{SCHOENHOLZ}, on dropout",
            domain=_Q | _W | _B | {m.keep: (0.2, 1)},
            kind="definition",
        ),
        Step(
            "dropout-correlation-at-one",
            equal(
                (m.sigma_w**2 * nodes["C"].subs(m.c, 1) + (m.q - m.sigma_w**2 * v / m.keep)) / m.q,
                m.dropout_correlation_at_one(a),
            ),
            "Off the diagonal independent masks average to one; with sigma_b^2 from the fixed point of the length "
            "map, equal inputs decorrelate: c = 1 is never fixed and xi_c stays finite.",
            f"{SCHOENHOLZ}, on dropout",
            ("masks of the two inputs are independent", "q is the fixed point of the dropout length map"),
            _Q | _W | {m.keep: (0.2, 0.95)},
        ),
    ]


def _slopes(a: Activation) -> list[Step]:
    nodes = m.nodes(a)
    p = m.slope_moment(a)
    length = m.sigma_w**2 * nodes["V"] + m.sigma_b**2
    correlation = (m.sigma_w**2 * nodes["C"] + m.sigma_b**2) / m.q
    delta = " The delta functions of phi'' at the kinks are kept." if a.derivative(2).deltas else ""
    found = [
        _value("slope-moment", Function("P")(m.q), nodes["P"], p, "P is the second moment of phi'(u).", _Q),
        Step(
            "correlation-slope",
            equal(Derivative(correlation, m.c), m.correlation_slope(a)),
            "Price: d/dc E f(u_1) g(u_2) = q E f'(u_1) g'(u_2).",
            f"{SCHOENHOLZ}, on depth scales; price1958useful",
            (FIXED,),
            _Q | _W | _B | _C,
        ),
        Step(
            "chi-1",
            equal((m.sigma_w**2 * nodes["S"]).subs(m.c, 1), m.chi_1(a)),
            "chi_1 is the slope of the correlation map at c = 1: ordered below 1, chaotic above.",
            f"{SCHOENHOLZ}, background",
            domain=_Q | _W,
        ),
        Step(
            "length-slope",
            equal(Derivative(length, m.q), m.length_slope(a)),
            f"Price with Stein: d/dq E f = E f''/2, so dV/dq = E phi'^2 + E phi phi''.{delta}",
            f"{SCHOENHOLZ}, on depth scales; price1958useful; stein1981estimation",
            domain=_Q | _W | _B,
        ),
    ]
    scales = (
        ("depth-scale-length", "xi_q", m.length_slope(a), "depth scales", _Q | _W),
        ("depth-scale-correlation", "xi_c", m.correlation_slope(a), "depth scales", _Q | _W | _C),
        ("depth-scale-gradient", "xi_grad", m.chi_1(a), "gradients", _Q | _W),
    )
    for name, symbol, slope, where, domain in scales:
        found.append(
            Step(
                name,
                equal(Symbol(symbol), m.depth_scale(slope)),
                "A deviation shrinks by the slope at the fixed point each layer: exp(-l/xi).",
                f"{SCHOENHOLZ}, on {where}",
                ("the slope is taken at the fixed point", "the slope is not 1"),
                domain,
                kind="definition",
            )
        )
    return found


def _backward(a: Activation) -> list[Step]:
    backward = "forward and backward weights may be taken as independent"
    domain = _Q | _W | {m.gradient: (0.1, 2), m.width_ratio: (0.5, 2)}
    return [
        Step(
            "gradient-map",
            equal(Symbol("g_l"), m.gradient_map(a)),
            "Back-propagation multiplies the mean square by sigma_w^2 E phi'^2 and the ratio of widths.",
            f"{SCHOENHOLZ}, on gradients",
            (backward,),
            domain,
            kind="definition",
        ),
        Step(
            "gradient-covariance",
            equal(Symbol("g_{12,l}"), m.gradient_overlap_map(a)),
            "For two inputs the slope of the correlation map takes the place of chi_1.",
            f"{SCHOENHOLZ}, on gradients",
            (backward, FIXED),
            _Q | _W | _C | {m.gradient_overlap: (0.1, 2), m.width_ratio: (0.5, 2)},
            kind="definition",
        ),
        Step(
            "dropout-chi-1",
            equal(Symbol("chi_1"), m.dropout_chi_1(a)),
            "Dropout raises the mean square of a gradient by 1/rho, as it does the signal's.",
            f"{SCHOENHOLZ}, on dropout",
            domain=_Q | _W | {m.keep: (0.2, 1)},
            kind="definition",
        ),
        Step(
            "defect-map",
            equal(m.defect_map(a), m.defect_integral(a)),
            "epsilon = 1 - c without cancellation: half the mean square difference, or the integrated slope. "
            "Both vanish at 0; the check compares their derivatives.",
            f"{SCHOENHOLZ}, on depth scales",
            (FIXED,),
            _Q | _W | _EPSILON,
            evaluate=_Derivatives(m.defect_map(a), m.defect_slope(a)),
        ),
    ]


def _edge(a: Activation) -> list[Step]:
    line = m.critical_line(a)
    nodes = m.nodes(a)
    found = [
        Step(
            "critical-line-weights",
            equal(m.sigma_w**2, line.sigma_w_squared),
            "chi_1 = 1 solved for the weight variance.",
            f"{SCHOENHOLZ}, phase diagram; {SELECTION}, edge of chaos",
            domain=_Q,
            kind="definition",
        ),
        Step(
            "critical-line-biases",
            equal(m.sigma_b**2, line.sigma_b_squared),
            "q = sigma_w^2 V + sigma_b^2 with that weight variance: q is a fixed point of the length map. The check "
            "puts both variances into the map.",
            f"{SELECTION}, edge of chaos",
            ("sigma_b^2 is not negative",),
            _Q,
            evaluate=_Returned(line, nodes["V"]),
        ),
        Step(
            "stability",
            equal(
                (Derivative(nodes["V"], m.q) * m.sigma_w**2).subs(m.sigma_w**2, line.sigma_w_squared),
                m.critical_length_slope(a),
            ),
            "On the edge of chaos the fixed point attracts where this slope of the length map is below 1.",
            f"{SELECTION}, edge of chaos",
            domain=_Q,
        ),
    ]
    if (
        excess := m.critical_excess(a)
    ) != 0:  # 0: both sides vanish, which line.sigma_b_squared shows already
        found.append(
            Step(
                "critical-line-digits",
                equal(m.q * nodes["P"] - nodes["V"], excess),
                "sigma_b^2 P in a form that does not cancel at small q: E (f' - f/x)^2 = P - V/q for f = phi - phi(0), "
                "by integrating f f'/x by parts.",
                f"{SELECTION}, edge of chaos",
                domain=_Q,
            )
        )
    if not a.derivative(2).deltas and m.curvature_moment(a) == 0:
        return found  # linear: correlations stay
    return [*found, *_decay(a, line.sigma_w_squared)]


def _decay(a: Activation, weights: Expr) -> list[Step]:
    law = m.decay_law(a)
    e = m.epsilon
    kinked = law.power == 2
    critical = m.defect_map(a).subs(m.sigma_w**2, weights)
    if kinked:
        lost, order = m.kink_coefficient(a) * e ** Rational(3, 2), Rational(1, 2)
        reason = "Where u_1 and u_2 fall on two sides of a kink, phi' differs by its jump: a 3/2 power."
    else:
        lost, order = e**2 / law.coefficient, Rational(1, 2) if a.kinks else S.One  # phi'' may jump
        reason = "For smooth phi the map has the second derivative sigma_w^2 q P_2 at c = 1."
    evaluate_defect = _Defect(a, critical, lost)
    step = Step(
        "edge-expansion",
        equal(e - critical, lost),
        reason,
        f"{HAYOU}, on the edge of chaos",
        ("sigma_w^2 = 1/P(q)", FIXED),
        _Q,
        kind="limit",
        limit=(e, S.Zero, order),
        evaluate=evaluate_defect,
    )
    equation = "-s epsilon^(3/2)" if kinked else "-epsilon^2/beta"
    return [
        *([step] if evaluate_defect.possible else []),
        Step(
            "decay-law",
            equal(Symbol("epsilon_l"), law.coefficient * m.layer ** (-law.power)),
            f"Solving d epsilon/dl = {equation}: a power of depth, not an exponential.",
            f"{HAYOU}, on the edge of chaos",
            ("sigma_w^2 = 1/P(q)", "l is large"),
            _Q | {m.layer: (10, 1000)},
            kind="definition",
        ),
    ]


class _Returned:
    """Evaluate what the length map makes of q on the edge of chaos, and q; in an equation SymPy would cancel it."""

    def __init__(self, line: m.CriticalLine, v: Expr) -> None:
        self.parts = (line.sigma_w_squared, v, line.sigma_b_squared)

    def __call__(self, values: Mapping[Symbol, Any], dps: int) -> tuple[Any, Any]:
        weights, v, biases, q = (evaluate(part, values, dps + 5) for part in (*self.parts, m.q))
        with mpmath.workdps(dps + 5):
            return weights * v + biases, q


class _Derivatives:
    """Evaluate the derivative of a node through its density, and the claimed derivative."""

    def __init__(self, node: Expr, slope: Expr) -> None:
        self.node, self.slope = node, slope

    def __call__(self, values: Mapping[Symbol, Any], dps: int) -> tuple[Any, Any]:
        return evaluate(by_score(self.node, m.epsilon), values, dps), evaluate(self.slope, values, dps)


class _Defect:
    """Evaluate epsilon - epsilon' at small epsilon, where the plane is resolved along its diagonal.

    With closed forms the subtraction is done in high precision. Smooth phi: u_1, u_2 = sqrt(q) (a s -+ b d) with
    a^2 = 1 - epsilon/2, b^2 = epsilon/2, and the integrand varies slowly in d.
    """

    def __init__(self, a: Activation, critical: Expr, lost: Expr) -> None:
        v, product = m.second_moment(a), m.product_moment(a)
        self.lost = lost
        self.closed = None if product.has(Expectation) else (v - product.subs(m.c, 1 - m.epsilon)) / m.q
        self.activation = a
        self.possible = self.closed is not None or not a.pieces.breaks

    def __call__(self, values: Mapping[Symbol, Any], dps: int) -> tuple[Any, Any]:
        weights = evaluate(1 / m.slope_moment(self.activation), values, dps)
        e, q = (evaluate(symbol, values, dps) for symbol in (m.epsilon, m.q))
        right = evaluate(self.lost, values, dps)
        with mpmath.workdps(dps + 15):
            if self.closed is not None:
                defect = evaluate(self.closed, values, dps)
            else:
                defect = _rotated(self.activation, q, e, min(dps, RATIO_DIGITS)) / (2 * q)
            return e - weights * defect, right


def _rotated(a: Activation, q: Any, e: Any, dps: int) -> Any:
    from widelimit.theory.calculus.gaussian.expectation import branched

    phi = branched(a.expr, x, dps).functions[0]
    reach = mpmath.sqrt(2 * mpmath.log(10) * (dps + 5))
    root, along, across = mpmath.sqrt(q), mpmath.sqrt(1 - e / 2), mpmath.sqrt(e / 2)

    def rule(panels: int) -> list[tuple[Any, Any]]:
        half = reach / panels
        return [
            (
                (2 * k + 1 - panels) * half + half * t,
                w * half * mpmath.npdf((2 * k + 1 - panels) * half + half * t),
            )
            for k in range(panels)
            for t, w in legendre(dps, mpmath.mp.prec)
        ]

    total = mpmath.mpf(0)
    for d, weight in rule(4):
        if d < 0:
            continue  # the integrand is even in d
        inner = mpmath.fsum(
            w * (phi(root * (along * s + across * d)) - phi(root * (along * s - across * d))) ** 2
            for s, w in rule(6 + int(4 * root))
        )
        total += 2 * weight * inner
    return total
