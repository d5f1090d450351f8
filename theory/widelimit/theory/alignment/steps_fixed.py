"""Steps to the feedback at rest, and to its cosine with W^T."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath
from sympy import Derivative, Eq, Expr, Pow, Rational, S, Symbol, oo, pi, solve, sqrt

from widelimit.theory.alignment import cosines, matrices, rules, signals
from widelimit.theory.alignment.rules import ALPHA, BETA, GAMMA, RULES, WT, C, W
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.ensembles import over_signs
from widelimit.theory.calculus.layers import by_number, over_unit
from widelimit.theory.calculus.precision import Values, numbers

PAPER = "kunin2020two"
_GAUSSIAN = {cosines.RATIO: (0.05, 2.0), cosines.ASPECT: (0.2, 0.8), cosines.SIGMA_W: (0.5, 2.0)}
_RATES = {rules.MODE: (0.3, 2.0), rules.IMAGE: (0.3, 2.0), **matrices.COEFFICIENTS}


# --- the feedback at rest


def fixed_point() -> list[Step]:
    """Flows, their rates and drives, and where they end."""
    steps: list[Step] = []
    for rule in RULES:
        steps += [flow(rule), rate(rule), _drive(rule), _entry(rule), _rest(rule)]
    return [*steps, _decoder(), _course()]


def flow(rule: str, forward: bool = False) -> Step:
    """A flow as it is shown, against the descent of its primitives."""
    shown = rules.forward_flow(rule) if forward else rules.flow(rule)
    name = Symbol("W'" if forward else "B'", commutative=False)
    because = (
        "W and B^T take the same steps, whatever the task asks for, and decay: their difference decays"
        if rule == "kolen_pollack"
        else "gradient descent on the primitives; the check takes differences of their mean over eight inputs"
    )
    return Step(
        f"{'forward' if forward else 'flow'}-{rule}",
        Eq(name, shown, evaluate=False),
        because,
        source=f"{'akrout2019deep' if rule in ('mirror', 'kolen_pollack') else PAPER}, section 3",
        domain=matrices.COEFFICIENTS,
        left=partial(matrices.descends, rule, forward),
        right=partial(matrices.shown, shown),
    )


def rate(rule: str) -> Step:
    """The rate of one entry, from the flow."""
    return Step(
        f"rate-{rule}",
        Eq(Symbol("rho"), rules.rate(rule), evaluate=False),
        "one entry in the eigenbases of C and W C W^T",
        domain=_RATES,
        kind="derived",
        by=partial(_slope, rule, "rho"),
    )


def _drive(rule: str) -> Step:
    return Step(
        f"drive-{rule}",
        Eq(Symbol("d"), rules.drive(rule), evaluate=False),
        "what the entry of W^T is multiplied with",
        domain=_RATES,
        kind="derived",
        by=partial(_slope, rule, "d"),
    )


def _slope(rule: str, name: str, earlier: Mapping[str, Eq]) -> Eq:
    number = rules.in_modes(earlier[f"flow-{rule}"].rhs)
    found = -number.diff(rules.BACKWARD) if name == "rho" else number.diff(rules.ENTRY)
    return Eq(Symbol(name), found, evaluate=False)


def _entry(rule: str) -> Step:
    return Step(
        f"entry-{rule}",
        Eq(Symbol("b_*"), rules.fixed_point(rule), evaluate=False),
        "where drive and decay of an entry cancel, for each unit of the entry of W^T",
        domain=_RATES,
        kind="derived",
        by=partial(_vanishing, rule),
    )


def _vanishing(rule: str, earlier: Mapping[str, Eq]) -> Eq:
    number = rules.in_modes(earlier[f"flow-{rule}"].rhs)
    (found,) = solve(number.subs(rules.ENTRY, 1), rules.BACKWARD)
    return Eq(Symbol("b_*"), found, evaluate=False)


def _rest(rule: str) -> Step:
    at_rest = {
        "symmetric": BETA / ALPHA * WT,
        "mirror": BETA / ALPHA * C * WT,
        "activation": BETA / ALPHA * WT,
        "information": ALPHA * C * WT * (BETA * W * C * WT + GAMMA) ** -1,
        "kolen_pollack": S.One * WT,
    }[rule]
    return Step(
        f"rest-{rule}",
        Eq(Symbol("B_*", commutative=False), at_rest, evaluate=False),
        "linear equations; the check solves them entry by entry for the descent of the primitives",
        source=PAPER,
        domain=matrices.COEFFICIENTS,
        left=partial(matrices.rests, rule),
        right=partial(matrices.shown, at_rest),
    )


def _decoder() -> Step:
    optimal = C * WT * (W * C * WT + GAMMA / BETA) ** -1
    return Step(
        "decoder",
        Eq(Symbol("E[x y^T] E[y y^T]^-1", commutative=False), optimal, evaluate=False),
        "information alignment with alpha = beta is the best linear guess of x from y = W x + noise of variance "
        "gamma/beta; the check averages over all signs of x and of the noise",
        domain=matrices.COEFFICIENTS,
        left=matrices.decodes,
        right=partial(matrices.shown, optimal),
    )


def _course() -> Step:
    course = signals.course()
    return Step(
        "course",
        Eq(Derivative(course, signals.TIME), signals.SPEED * (signals.AT_REST - course), evaluate=False),
        "a linear equation for every entry",
        domain={
            signals.AT_REST: (0.5, 1.0), signals.BEGUN: (-1.0, 0.2), signals.SPEED: (0.2, 2.0),
            signals.TIME: (0.1, 2.0),
        },
    )  # fmt: skip


# --- cosines


def cosine() -> list[Step]:
    """Cosines of information alignment at white inputs, and of the mirror at any."""
    r, z, s = cosines.ASPECT, cosines.RATIO, cosines.SIGMA_W
    shrunk, twice = cosines.shrunk(), cosines.shrunk_twice()
    return [
        _over_law("resolvent", "G", cosines.resolvent(), "1/(s^2 + zeta)", _inverse),
        _over_law("shrunk", "T", shrunk, "s^2/(s^2 + zeta)", _once),
        _over_law("shrunk-twice", "U", twice, "s^2/(s^2 + zeta)^2", _twice),
        Step(
            "derivative",
            Eq(-Derivative(shrunk, z), twice, evaluate=False),
            "the derivative of each fraction",
            domain=_GAUSSIAN,
        ),
        Step(
            "overlap",
            Eq(Symbol("cos"), cosines.information_cosine(), evaluate=False),
            "B = W^T (W W^T + zeta)^-1 has singular values s/(s^2 + zeta) in the same bases",
            domain=_GAUSSIAN,
            left=_cosine_of_law,
        ),
        Step(
            "edge",
            Eq(Symbol("mu_max"), cosines.edge(), evaluate=False),
            "where the root in the resolvent vanishes, farther from zero",
            source="marchenko1967distribution",
            domain={r: (0.2, 0.8), s: (0.5, 2.0)},
            kind="derived",
            by=_edge,
        ),
        Step(
            "mirror",
            Eq(Symbol("cos"), cosines.mirror_cosine(), evaluate=False),
            "B = C W^T: tr B W over the norms; the check sums over all sign matrices W for two eigenvalues of C",
            source="akrout2019deep",
            domain={cosines.MEAN: (0.5, 0.9), cosines.MEAN_SQUARE: (1.0, 2.0)},
            left=_mirror,
        ),
        *_relu(),
    ]


def _over_law(name: str, symbol: str, shown: Expr, what: str, function: Any) -> Step:
    return Step(
        name,
        Eq(Symbol(symbol), shown, evaluate=False),
        f"the mean of {what} over Marchenko and Pastur's law, by quadrature",
        source="marchenko1967distribution",
        domain=_GAUSSIAN,
        left=partial(_mean, function),
    )


def _mean(function: Any, values: Values, dps: int) -> Any:
    """A mean over eigenvalues x of W W^T, with x = sigma_w^2 (1 + r + 2 sqrt(r) cos(theta))."""
    z, r, s = numbers(values, dps, cosines.RATIO, cosines.ASPECT, cosines.SIGMA_W)
    root = mpmath.sqrt(r)

    def at(theta: Any) -> Any:
        ratio = 1 + r + 2 * root * mpmath.cos(theta)
        return function(s**2 * ratio, z) * 2 * mpmath.sin(theta) ** 2 / (mpmath.pi * ratio)

    return mpmath.quad(at, mpmath.linspace(0, mpmath.pi, 5))


def _inverse(x: Any, z: Any) -> Any:
    return 1 / (x + z)


def _once(x: Any, z: Any) -> Any:
    return x / (x + z)


def _twice(x: Any, z: Any) -> Any:
    return x / (x + z) ** 2


def _cosine_of_law(values: Values, dps: int) -> Any:
    s = numbers(values, dps, cosines.SIGMA_W)[0]
    return _mean(_once, values, dps) / mpmath.sqrt(s**2 * _mean(_twice, values, dps))


def _edge(earlier: Mapping[str, Eq]) -> Eq:
    place, r, s = Symbol("x", positive=True), cosines.ASPECT, cosines.SIGMA_W
    within = next(
        p.base for p in earlier["resolvent"].rhs.atoms(Pow) if p.exp == S.Half and p.has(cosines.RATIO)
    )
    ends = solve(within.subs(cosines.RATIO, -place), place)
    at = {r: Rational(1, 2), s: 1}
    return Eq(Symbol("mu_max"), max(ends, key=lambda end: end.subs(at).evalf()), evaluate=False)


def _mirror(values: Values, dps: int) -> Any:
    """tr(W C W^T) over |C W^T| |W| for W of one row of signs, C = diag(mean -+ deviation)."""
    mean, square = numbers(values, dps, cosines.MEAN, cosines.MEAN_SQUARE)
    deviation = mpmath.sqrt(square - mean**2)
    modes = (mean - deviation, mean + deviation)

    def one(w: tuple[int, ...]) -> Any:
        b = [c * entry for c, entry in zip(modes, w, strict=True)]
        inner = mpmath.fsum(x * y for x, y in zip(b, w, strict=True))
        return inner / mpmath.sqrt(mpmath.fsum(x**2 for x in b) * mpmath.fsum(y**2 for y in w))

    return over_signs(one, 2)


def _relu() -> list[Step]:
    mean, square = cosines.relu_moments()
    n = {cosines.FAN_IN: (3, 6)}
    because = "eigenvalues of the covariance of n rectified inputs, which the check diagonalises"
    return [
        Step(
            "relu-overlap",
            Eq(Symbol("b"), cosines.relu_overlap(), evaluate=False),
            "the squared mean of max(u, 0), by quadrature",
            left=_relu_overlap,
        ),
        Step(
            "relu-spread",
            Eq(Symbol("a"), cosines.relu_spread(), evaluate=False),
            "the variance of max(u, 0), by quadrature",
            left=_relu_spread,
        ),
        Step("relu-mean", Eq(Symbol("lambda_1"), mean, evaluate=False), because, domain=n, left=partial(_eigen, 1)),
        Step("relu-square", Eq(Symbol("lambda_2"), square, evaluate=False), because, domain=n, left=partial(_eigen, 2)),
        Step(
            "relu-mirror",
            Eq(Symbol("cos"), cosines.relu_cosine(), evaluate=False),
            "the mirror's cosine at these eigenvalues",
            domain=n,
            kind="derived",
            by=_relu_cosine,
        ),
        Step(
            "relu-large",
            Eq(cosines.relu_cosine(), pi / sqrt(cosines.FAN_IN), evaluate=False),
            "the direction in which all inputs agree takes over: without centring the mirror loses all alignment",
            domain=n,
            kind="limit",
            limit=(cosines.FAN_IN, oo),
        ),
    ]  # fmt: skip


def _relu_overlap(values: Values, dps: int) -> Any:
    relu, breaks = by_number(Activation.of("relu").expr, dps)
    return over_unit(relu, 1, breaks) ** 2


def _relu_spread(values: Values, dps: int) -> Any:
    relu, breaks = by_number(Activation.of("relu").expr, dps)
    mean = over_unit(relu, 1, breaks)
    return over_unit(lambda u: (relu(u) - mean) ** 2, 1, breaks)


def _eigen(power: int, values: Values, dps: int) -> Any:
    size = int(values[cosines.FAN_IN])
    a, b = _relu_spread(values, dps), _relu_overlap(values, dps)
    found = mpmath.eigsy(a * mpmath.eye(size) + b * mpmath.ones(size), eigvals_only=True)
    return mpmath.fsum(value**power for value in found) / size


def _relu_cosine(earlier: Mapping[str, Eq]) -> Eq:
    numbers_of = {
        cosines.MEAN: earlier["relu-mean"].rhs, cosines.MEAN_SQUARE: earlier["relu-square"].rhs,
    }  # fmt: skip
    return Eq(Symbol("cos"), earlier["mirror"].rhs.subs(numbers_of), evaluate=False)
