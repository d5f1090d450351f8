"""`derive`: what is asked of a shaped activation, where its numbers lie at great depth, and what maps they give."""

from __future__ import annotations

from functools import partial
from typing import Any

from sympy import Eq, Expr, Integral, Symbol, acos, cos, oo, pi, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.equations import residual
from widelimit.theory.shaping import checks
from widelimit.theory.shaping import formulas as f

DKS, TAT, NF = "martens2021rapid", "zhang2022deep", "brock2021characterizing"
_SHAPE = {f.ALPHA: (0.05, 0.2), f.BETA: (0.3, 0.6), f.GAMMA: (2.0, 6.0), f.DELTA: (-0.5, -0.1)}
_INNER = {f.ALPHA: (0.05, 0.2), f.BETA: (0.3, 0.6)}
_FAR = {f.BETA: (0.3, 0.6)}
_NET = {f.C: (0.1, 0.9), f.ZETA: (1.2, 3.0), f.TAU: (0.1, 2.0)}
_ASSUMPTIONS = (
    "units of each layer are Gaussian of variance 1, a fixed point of the length map; the width goes to infinity",
    "weights are independent, their variances over the fan-in are 1, biases are 0",
)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The conditions of deep kernel shaping and of tailored rectifiers, and what they come to at great depth.

    Args:
        activation: a catalogue name or an expression in x; smooth (leaky ReLU is part of every derivation).

    Raises `InfiniteMomentError` for an activation with a kink.

    >>> derive()["dks-limit"].equation.rhs
    c/(c + zeta*(1 - c))
    """
    phi = Activation.of(activation)
    steps = (
        *_maps(phi),
        *_by_moments(phi),
        *_conditions(phi),
        *_starts(phi),
        *_limits(),
        *_leaky(),
        *_centred(phi),
    )
    return Derivation(f"Shaping {phi.name}", steps, _ASSUMPTIONS)


def _maps(phi: Activation) -> tuple[Step, ...]:
    shaped = Activation(f"shaped {phi.name}", f.shaped(phi))
    rows = (
        ("length", "Q", f.length, checks.total, "mean square behind the activation"),
        (
            "length-slope",
            "Q'",
            f.length_slope,
            checks.length_rate,
            "E phi(sqrt(q) x)^2 differentiated at q = 1",
        ),
        ("overlap", "C(0)", f.overlap, checks.apart, "the mean product behind independent units"),
        ("slope", "C'(1)", f.slope, checks.first, "sum of k a_k^2 over Hermite's coefficients is E phi'^2"),
        ("curvature", "C''(1)", f.curvature, checks.second, "sum of k (k - 1) a_k^2 is E phi''^2"),
    )
    return tuple(
        Step(
            name,
            Eq(Symbol(left), formula(shaped), evaluate=False),
            because,
            source=f"{DKS}, section 5",
            domain=_SHAPE,
            left=partial(check, phi),
        )
        for name, left, formula, check, because in rows
    )


def _by_moments(phi: Activation) -> tuple[Step, ...]:
    checked = (checks.total, checks.length_rate, checks.apart, checks.first, checks.second)
    names = ("Q_r", "Q'_r", "C(0)_r", "C'(1)_r", "C''(1)_r")
    words = ("length", "length-slope", "overlap", "slope", "curvature")
    return tuple(
        Step(
            f"moments-{word}",
            Eq(Symbol(name), formula, evaluate=False),
            "the shaped activation is gamma ((m + delta) + a x + r), three parts that do not correlate",
            source="new (digits at great depth)",
            domain=_SHAPE,
            left=partial(check, phi),
            right=partial(checks.with_moments, formula, phi),
        )
        for word, name, check, formula in zip(words, names, checked, f.shaped_maps(), strict=True)
    )


def _excess(balance: Eq, over: Symbol) -> Expr:
    """Q' - 1 by the two sides that have to be equal."""
    return residual(balance) / (f.LINEAR**2 + over)


def _conditions(phi: Activation) -> tuple[Step, ...]:
    above, below = (_excess(f.tat_balance(sign), f.STEEP) for sign in (1, -1))
    dks = (
        ("dks-shift", "delta", f.dks_shift(), "shift", "C(0) = 0 asks for the mean 0"),
        (
            "dks-gain",
            "gamma",
            f.dks_gain(),
            "gain",
            "Q = 1 where the mean is 0: a x + r with r orthogonal to 1 and x",
        ),
        (
            "dks-length",
            "Q' - 1",
            _excess(f.dks_balance(), f.SQUARE),
            "length",
            "Q' = E phi phi' x with phi = a x + r",
        ),
        ("dks-slope", "C'(1) - 1", f.dks_slope(), "slope", "C'(1) = E phi'^2 = a^2 + S over a^2 + R"),
    )
    tat = (
        ("tat-gain", "gamma_t", f.tat_gain(), "gain", 1, "C'(1) = gamma^2 (a^2 + S) where Q = 1"),
        (
            "tat-shift",
            "delta_t",
            f.tat_shift(1),
            "shift",
            1,
            "Q = 1: the square of the mean makes up for S - R",
        ),
        ("tat-shift-below", "delta_b", f.tat_shift(-1), "shift", -1, "the same with the mean below zero"),
        (
            "tat-length",
            "Q'_t - 1",
            above,
            "length",
            1,
            "Q' = E phi phi' x with phi = mean + a x + r",
        ),
        (
            "tat-length-below",
            "Q'_b - 1",
            below,
            "length",
            -1,
            "the same with the mean below zero",
        ),
        ("tat-curvature", "C''(1)_t", f.tat_curvature(), "curvature", 1, "C''(1) = E phi''^2"),
    )
    return tuple(
        Step(
            name,
            Eq(Symbol(left), right, evaluate=False),
            because,
            source=source,
            domain=_INNER,
            left=check,
            right=partial(checks.with_moments, right, phi),
        )
        for name, left, right, because, source, check in (
            *(
                (n, le, r, b, f"{DKS}, section 7", partial(checks.dks_value, w, phi))
                for n, le, r, w, b in dks
            ),
            *(
                (n, le, r, b, f"{TAT}, section 4", partial(checks.tat_value, w, s, phi))
                for n, le, r, w, s, b in tat
            ),
        )
    )


def _starts(phi: Activation) -> tuple[Step, ...]:
    far: dict[str, Any] = {"domain": _FAR, "kind": "limit", "limit": (f.ALPHA, 0, 2)}
    there = {name: phi.derivative(n).expr.subs(X, f.BETA) for n, name in ((1, f.FIRST), (2, f.BEND))}
    order = f.ALPHA**2 / (2 * there[f.FIRST] ** 2)
    even, upper, lower = (
        residual(one).subs(X, f.BETA)
        for one in (f.dks_condition(phi), f.tat_condition(phi, 1), f.tat_condition(phi, -1))
    )
    deep = {**_FAR, f.ZETA: (1.2, 3.0), f.TAU: (0.1, 2.0)}
    return (
        Step(
            "dks-condition",
            Eq(Symbol("Q' - 1"), order * even, evaluate=False),
            "Taylor's series of phi in alpha x: T is alpha^3 phi''', U alpha^4 phi''^2, R half of it",
            source="new (Hermite's coefficients at small alpha)",
            left=partial(checks.dks_value, "length", phi),
            **far,
        ),
        *(
            Step(
                name,
                Eq(Symbol("Q'_t - 1"), order * sqrt(2) * condition, evaluate=False),
                "the same with the mean +- alpha^2 phi''/sqrt(2), to which V adds alpha^2 phi''",
                source="new (Hermite's coefficients at small alpha)",
                left=partial(checks.tat_value, "length", sign, phi),
                **far,
            )
            for name, condition, sign in (("tat-condition", upper, 1), ("tat-condition-below", lower, -1))
        ),
        Step(
            "dks-scale",
            Eq(Symbol("alpha"), f.dks_scale().subs(there), evaluate=False),
            "S - R over a^2 is alpha^2 phi''^2 / (2 phi'^2), and zeta^(1/D) - 1 tends to log(zeta) / D",
            source="new (Hermite's coefficients at small alpha)",
            domain=deep,
            kind="limit",
            limit=(f.DEPTH, oo, 1),
            left=partial(checks.solved_scale, "dks", phi),
        ),
        Step(
            "tat-scale",
            Eq(Symbol("alpha_t"), f.tat_scale().subs(there), evaluate=False),
            "W over a^2 is alpha^2 phi''^2 / phi'^2",
            source="new (Hermite's coefficients at small alpha)",
            domain=deep,
            kind="limit",
            limit=(f.DEPTH, oo, 1),
            left=partial(checks.solved_scale, "tat", phi),
        ),
    )


def _limits() -> tuple[Step, ...]:
    deep: dict[str, Any] = {"domain": _NET, "kind": "limit", "limit": (f.DEPTH, oo, 1)}
    return (
        Step(
            "dks-target",
            Eq(f.ZETA ** (1 / f.DEPTH) - 1, f.dks_target(), evaluate=False),
            "slopes at 1 of composed maps multiply",
            source=f"{DKS}, section 6",
            domain={f.ZETA: (1.2, 3.0), f.DEPTH: (10, 100)},
        ),
        Step(
            "tat-target",
            Eq(Symbol("C''(1)"), f.tat_target(), evaluate=False),
            "curvatures at 1 of composed maps of slope 1 add",
            source=f"{TAT}, section 4",
            domain={f.TAU: (0.1, 2.0), checks.LAYERS: (2, 6)},
            left=checks.shared_curvature,
            right=checks.by_layers,
        ),
        Step(
            "dks-limit",
            Eq(Symbol("C_f"), f.dks_limit(), evaluate=False),
            "maps c + eps (c^2 - c) compose to the flow dc/dt = log(zeta) (c^2 - c) over the time 1",
            source="new (all activations become one)",
            left=partial(checks.composed, "dks"),
            **deep,
        ),
        Step(
            "tat-limit",
            Eq(Symbol("C_t"), f.tat_limit(), evaluate=False),
            "maps c + eps (1 - c)^2 compose to the flow dc/dt = tau (1 - c)^2 / 2 over the time 1",
            source="new (all activations become one)",
            left=partial(checks.composed, "tat"),
            **deep,
        ),
    )


def _leaky() -> tuple[Step, ...]:
    unit = {f.NEGATIVE: (0.1, 0.9), f.ANGLE: (0.3, 2.5)}
    return (
        Step(
            "leaky-gain",
            Eq(Symbol("gamma_l"), f.leaky_gain(), evaluate=False),
            "half of the units have the slope 1, half have s",
            source=f"{TAT}, section 4",
            domain=unit,
            left=checks.leaky_gain,
        ),
        Step(
            "leaky-map",
            Eq(Symbol("c'"), cos(f.ANGLE) + f.leaky_kink() * f.kink_map(), evaluate=False),
            "the identity's map, and what the kink adds",
            source=f"{TAT}, section 4",
            domain=unit,
            left=checks.leaky_pair,
        ),
        Step(
            "leaky-slope",
            Eq(f.NEGATIVE, f.leaky_slope(), evaluate=False),
            "the root from 0 to 1 of kappa (1 + s^2) = (1 - s)^2, written without cancellation",
            domain={f.KAPPA: (0.1, 0.9)},
            left=checks.solved_slope,
        ),
        Step(
            "kink-series",
            Eq(f.kink_map(), f.kink_series(), evaluate=False),
            "sines and cosines as series; the next term is 1e-29 of the sum or less here",
            domain={f.ANGLE: (0.005, 0.03)},
        ),
        Step(
            "leaky-time",
            Eq(
                Symbol("kappa D"),
                Integral(f.leaky_rate(), (f.ANGLE, acos(checks.ETA), pi / 2)),
                evaluate=False,
            ),
            "kappa D = integral of dc/h, as dc = kappa h a layer; by c = cos(theta)",
            source="new (depth as time)",
            domain={checks.ETA: (0.3, 0.9)},
            left=checks.time_of_gap,
            right=partial(checks.time_of_angle, f.leaky_rate()),
        ),
    )


def _centred(phi: Activation) -> tuple[Step, ...]:
    chi = f.centred_slope(phi)
    return (
        Step(
            "variance",
            Eq(f.VARIANCE, f.variance(phi), evaluate=False),
            "weights that sum to zero do not see the mean",
            source=f"{NF}, section 4",
            left=partial(checks.spread, phi),
            right=partial(checks.with_spread, f.variance(phi), phi),
        ),
        Step(
            "variance-gain",
            Eq(Symbol("gamma_v"), f.variance_gain(), evaluate=False),
            "outputs of the variance v become outputs of mean square 1",
            source=f"{NF}, section 4",
            domain={f.VARIANCE: (0.2, 2.0)},
            left=checks.unit_gain,
        ),
        Step(
            "centred-slope",
            Eq(Symbol("chi_1"), chi, evaluate=False),
            "gradients pass phi' and weights whose variance is the gain's square",
            source=f"{NF}, section 4",
            left=partial(checks.centred_slope, phi),
            right=partial(checks.with_spread, chi, phi),
        ),
    )
