"""`derive`: trajectories of a mode by each rule, other rules' closed forms, and what accuracy statistics allow."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Eq, Function, Symbol, discriminant, dsolve, log, sqrt

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.rules import checks
from widelimit.theory.rules import formulas as f

NAYEBI, SAXE, REFINETTI = "nayebi2020identifying", "saxe2014exact", "refinetti2021align"
KOLEN, KUNIN, OJA, KINGMA = "kolen1994backpropagation", "kunin2020two", "oja1982simplified", "kingma2015adam"
_ASSUMPTIONS = (
    "linear modes of white inputs learn by L = (s - w v)^2/2 in flow time; v is the first layer, w the second",
)
_MODE = {
    f.STRENGTH: (0.8, 2.0), f.FIRST: (0.3, 0.9), f.SECOND: (0.2, 0.8), f.FEEDBACK: (0.4, 1.2), f.DECAY: (0.05, 0.4),
}  # fmt: skip
_LEARNT = {f.STRENGTH: (0.8, 2.0), f.START: (0.01, 0.1)}
_BALL = {f.MOMENTUM: (0.3, 0.8), f.DROP: (0.2, 1.5)}
_PLANE = {f.EIGENVALUE: (0.2, 0.6), f.LARGEST: (0.8, 1.4), f.COMPONENT: (0.2, 0.7), f.TIME: (0.3, 0.8)}


def derive() -> Derivation:
    """Trajectories by gradient descent, feedback alignment, Kolen-Pollack, momentum, Adam, Hebb, Oja; accuracies.

    >>> derive()["sgd"].kind
    'derived'
    """
    steps = (*_flows(), *_descent(), *_feedback(), *_decaying(), *_others(), *_statistics())
    return Derivation("Learning by one rule or another", steps, _ASSUMPTIONS)


def _flows() -> tuple[Step, ...]:
    reasons = {
        "sgd": "minus the slope of the loss, and decay",
        "feedback_alignment": "b stands in place of w in the chain rule",
        "kolen_pollack": "the same, while b follows w",
        "information_alignment": "the same, while b learns to invert w; weights do not decay",
    }
    first = [
        Step(
            f"first-{rule}",
            Eq(Symbol("v_dot"), f.flow(rule)[0], evaluate=False),
            reason,
            domain=_MODE,
            left=partial(checks.first_flow, rule=rule),
        )
        for rule, reason in reasons.items()
    ]
    return (
        *first,
        Step(
            "second",
            Eq(Symbol("w_dot"), f.flow("kolen_pollack")[1], evaluate=False),
            "minus the slope of the loss, and decay, by every rule",
            domain=_MODE,
            left=checks.second_flow,
        ),
        Step(
            "feedback",
            Eq(Symbol("b_dot"), f.flow("information_alignment")[2], evaluate=False),
            "minus the slope of the primitives amp, null and decay",
            source=f"{KUNIN}, section 3",
            domain=_MODE,
            left=checks.feedback_flow,
        ),
    )


def _descent() -> tuple[Step, ...]:
    reached = {**_LEARNT, f.SHARE: (0.2, 0.9)}
    return (
        Step(
            "sgd",
            Eq(Symbol("u"), f.sgd_product(), evaluate=False),
            "u = w v with w = v has u' = 2 v v'; Bernoulli's equation, which 1/u makes linear",
            source=f"{SAXE}, eq. (9)",
            domain={**_LEARNT, f.DECAY: (0.05, 0.4), f.TIME: (0.2, 1.5)},
            kind="derived",
            by=_bernoulli,
        ),
        Step(
            "sgd-passage",
            Eq(f.TIME, f.sgd_passage(), evaluate=False),
            "the same, solved for the time, without decay",
            domain=reached,
            left=checks.passage,
        ),
        Step(
            "sgd-delay",
            Eq(Symbol("T"), f.sgd_delay(), evaluate=False),
            "the time to s/2 from a small start",
            source=f"{SAXE}, eq. (10)",
            domain={f.STRENGTH: (0.8, 2.0)},
            kind="limit",
            limit=(f.START, 0, 1),
            left=checks.half_way,
        ),
    )


def _bernoulli(earlier: Mapping[str, Eq]) -> Eq:
    """Solve y' = -u'/u^2 for y = 1/u, from the flow of v."""
    y, t = Function("y"), f.TIME
    slope = earlier["first-sgd"].rhs.subs(f.SECOND, f.FIRST)
    moved = (2 * f.FIRST * slope).expand().subs(f.FIRST, 1 / sqrt(y(t)))
    found = dsolve(Eq(y(t).diff(t), (-(y(t) ** 2) * moved).expand()), y(t), ics={y(0): 1 / f.START})
    return Eq(Symbol("u"), 1 / found.rhs, evaluate=False)


def _feedback() -> tuple[Step, ...]:
    mode = {f.STRENGTH: (0.8, 2.0), f.FEEDBACK: (0.4, 1.2)}
    x = f.SHARE
    return (
        Step(
            "feedback-invariant",
            Eq(f.SECOND, f.feedback_second(), evaluate=False),
            "w' = v e and v' = b e: d(w - v^2/(2 b)) = 0",
            source=f"{REFINETTI}, section 3",
            domain={f.FIRST: (0.3, 0.9), f.FEEDBACK: (0.4, 1.2)},
            left=checks.invariant,
        ),
        Step(
            "feedback-end",
            Eq(Symbol("k"), f.feedback_end(), evaluate=False),
            "the error vanishes on the invariant through zero",
            domain=mode,
            left=checks.feedback_rest,
        ),
        Step(
            "feedback-clock",
            Eq(Function("F")(x), f.feedback_clock().subs(f.REMAINING, log(1 - x)), evaluate=False),
            "partial fractions of 1/(1 - y^3)",
            domain={x: (0.1, 0.9)},
            left=checks.clock,
        ),
        Step(
            "feedback-clock-printed",
            Eq(Symbol("F_printed"), f.feedback_clock().subs(f.REMAINING, log(1 - x)), evaluate=False),
            "atan((2 x + 1)/sqrt 3) - pi/6 is one arcus tangens: nothing cancels at small x",
            domain={x: (0.1, 0.9)},
            left=checks.printed_clock,
        ),
        Step(
            "feedback-time",
            Eq(f.TIME, f.feedback_unit() * f.feedback_clock().subs(f.REMAINING, log(1 - x)), evaluate=False),
            "v' = b s (1 - (v/k)^3) from zero",
            domain={**mode, x: (0.1, 0.9)},
            left=checks.feedback_time,
        ),
    )


def _decaying() -> tuple[Step, ...]:
    rules = ("sgd", "feedback_alignment", "kolen_pollack", "information_alignment")
    exponents = [
        Step(
            f"exponent-{rule}",
            Eq(Symbol("d_log_v"), f.norm_exponent(rule), evaluate=False),
            "the slope of the logarithm of where the weight ends",
            domain={f.STRENGTH: (0.8, 2.0)},
            left=partial(checks.exponent, rule=rule),
        )
        for rule in rules
    ]
    settled = {f.STRENGTH: (0.8, 2.0), f.DECAY: (0.1, 0.4)}
    return (
        Step(
            "kolen-pollack",
            Eq(Symbol("w_less_b"), f.imbalance(), evaluate=False),
            "w' and b' differ by -lambda (w - b)",
            source=f"{KOLEN}, theorem 1",
            domain={**settled, f.TIME: (0.3, 1.2)},
            left=checks.kolen_pollack,
        ),
        Step(
            "kolen-pollack-rest",
            Eq(f.FIRST, f.resting_weight(), evaluate=False),
            "v (s - v^2) = lambda v",
            domain=settled,
            left=checks.resting,
        ),
        Step(
            "information-rest",
            Eq(f.FEEDBACK, f.information_rest(), evaluate=False),
            "b' = 0 for a weight at rest: a pseudo-inverse with a floor",
            source=f"{KUNIN}, section 3",
            domain=settled,
            left=checks.information,
        ),
        *exponents,
    )


def _others() -> tuple[Step, ...]:
    low, high = f.momentum_edges()
    beta = {f.MOMENTUM: _BALL[f.MOMENTUM]}
    return (
        Step(
            "momentum-trace",
            Eq(Symbol("r_1_plus_r_2"), f.momentum_trace(), evaluate=False),
            "velocity beta v - h x, position x + velocity: trace of the step; its determinant is beta",
            domain=_BALL,
            left=checks.root_sum,
        ),
        Step(
            "momentum-discriminant",
            Eq(Symbol("discriminant"), f.momentum_discriminant(), evaluate=False),
            "discriminant of the characteristic polynomial",
            domain=_BALL,
            kind="derived",
            by=_discriminant,
        ),
        Step(
            "momentum-gap",
            Eq(Symbol("gap_squared"), f.momentum_discriminant(), evaluate=False),
            "the squared difference of the roots",
            domain=_BALL,
            left=checks.root_gap,
        ),
        *(
            Step(
                f"momentum-{name}",
                Eq(f.DROP, one, evaluate=False),
                "where the roots meet; between both they are complex, of modulus sqrt beta",
                domain=beta,
                left=partial(checks.edge, place=place),
            )
            for place, (name, one) in enumerate((("low", low), ("high", high)))
        ),
        Step(
            "adam",
            Eq(Symbol("moved"), f.adam_distance(), evaluate=False),
            "both running means, corrected, are those of a steady gradient",
            source=f"{KINGMA}, algorithm 1",
            domain={f.RATE: (0.001, 0.1), f.STEPS: (3, 30), f.GRADIENT: (0.1, 3.0), f.DAMPING: (0.001, 0.1)},
            left=checks.adam,
        ),
        Step(
            "hebb",
            Eq(Symbol("w_1"), f.hebb_component(), evaluate=False),
            "w' = C w in the eigenbasis of C",
            domain=_PLANE,
            left=checks.hebb,
        ),
        Step(
            "oja",
            Eq(Symbol("w_1"), f.oja_component(), evaluate=False),
            "w = e^(Ct) w_0/n with n n' = w_0' C e^(2Ct) w_0: Riccati's equation of |w|^2; A sums all eigenvectors",
            source=f"{OJA}, section 3",
            domain=_PLANE,
            left=checks.oja,
            right=checks.oja_total,
        ),
    )


def _discriminant(earlier: Mapping[str, Eq]) -> Eq:
    x = Symbol("x")
    found = discriminant(x**2 - earlier["momentum-trace"].rhs * x + f.MOMENTUM, x)
    return Eq(Symbol("discriminant"), found, evaluate=False)


def _statistics() -> tuple[Step, ...]:
    units = {f.UNITS: (2, 5)}
    return (
        Step(
            "accuracy",
            Eq(Symbol("P_right"), f.accuracy(), evaluate=False),
            "the better of two equally likely guesses is right with half of the integral of the larger density",
            source=f"{NAYEBI}, section 3",
            domain={f.DISTANCE: (0.5, 4.0)},
            left=checks.best_guess,
        ),
        Step(
            "separation",
            Eq(Symbol("D_squared"), f.separation(), evaluate=False),
            "a network's own deviation, and the mean of m units' independent noise",
            domain={f.DIFFERENCE: (0.5, 2.0), f.BETWEEN: (0.2, 1.0), f.NOISE: (0.5, 2.0), **units},
            left=checks.separated,
        ),
        Step(
            "variance-error",
            Eq(Symbol("relative_error"), f.variance_error(), evaluate=False),
            "the variance of a mean of squares is (kappa - 1) sigma^4/m",
            domain={f.KURTOSIS: (1.5, 5.0), **units},
            left=checks.spread_of_variance,
        ),
    )
