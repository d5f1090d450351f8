"""How a linear mode learns by one rule or another, and what statistics of networks tell about the rule.

A mode is a chain of two weights, v below (the first layer) and w above, that learns a strength s by the loss
(s - w v)^2 / 2, in flow time: steps times learning rate. b is the weight that carries the error back to v.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, atan, diff, erf, exp, log, sqrt

from widelimit.theory.alignment import coupled
from widelimit.theory.alignment import rules as aligned
from widelimit.theory.calculus import exact

MODE_RULES = ("sgd", "feedback_alignment", "kolen_pollack", "information_alignment")

STRENGTH = Symbol("s", positive=True)
START = Symbol("u_0", positive=True)  # w v at time 0, w = v
TIME = Symbol("t", nonnegative=True)
DECAY = Symbol("lambda", nonnegative=True)  # of weights, and of feedback
FIRST, SECOND = Symbol("v", real=True), Symbol("w", real=True)
FEEDBACK = Symbol("b", positive=True)
SHARE = Symbol("x", positive=True)  # of where a quantity ends
REMAINING = Symbol("z", negative=True)  # log(1 - x)
RATE = Symbol("eta", positive=True)
DROP = Symbol("h", positive=True)  # learning rate times curvature
MOMENTUM = Symbol("beta", nonnegative=True)
STEPS = Symbol("n", integer=True, nonnegative=True)
GRADIENT, DAMPING = Symbol("g", positive=True), Symbol("epsilon", nonnegative=True)
EIGENVALUE, LARGEST = Symbol("l", nonnegative=True), Symbol("l_max", nonnegative=True)
COMPONENT = Symbol("a", real=True)  # of the start along an eigenvector
TOTAL = Symbol("A", nonnegative=True)
DISTANCE = Symbol("D", nonnegative=True)
DIFFERENCE = Symbol("delta", positive=True)
BETWEEN, NOISE = Symbol("Sigma", nonnegative=True), Symbol("N", nonnegative=True)
UNITS = Symbol("m", integer=True, positive=True)
KURTOSIS = Symbol("kappa", positive=True)


def flow(rule: str) -> tuple[Expr, Expr, Expr]:
    """The flows of v, w and b: weights descend the loss and decay, v by the error that b brings back.

    sgd: b = w. feedback_alignment: b stays. kolen_pollack: b gets the step of w and decays as w does.
    information_alignment: b' = w - w^2 b - lambda b (that of `theory.alignment`, alpha = beta = 1, gamma = lambda),
    and weights do not decay.

    >>> flow("feedback_alignment")[0]
    b*(s - v*w) - lambda*v
    """
    name = exact.one_of("rule", rule, MODE_RULES)
    error = STRENGTH - SECOND * FIRST
    held = Integer(0) if name == "information_alignment" else DECAY
    upper = FIRST * error - held * SECOND
    back = SECOND if name == "sgd" else FEEDBACK
    feedback = {
        "sgd": Integer(0),
        "feedback_alignment": Integer(0),
        "kolen_pollack": FIRST * error - DECAY * FEEDBACK,
        "information_alignment": _information(),
    }
    return back * error - held * FIRST, upper, feedback[name]


def _information() -> Expr:
    """The flow of the feedback by information alignment, of one entry."""
    moved = aligned.drive("information") * SECOND - aligned.rate("information") * FEEDBACK
    return _plain(moved).subs(aligned.IMAGE, SECOND**2)


def _plain(expr: Expr) -> Expr:
    """White inputs, alpha = beta = 1, gamma = lambda."""
    return expr.subs({aligned.ALPHA: 1, aligned.BETA: 1, aligned.GAMMA: DECAY, aligned.MODE: 1})


def sgd_product() -> Expr:
    """w v at time t by gradient descent, w = v at the start: u' = 2 u (s - lambda - u) (saxe2014exact).

    >>> sgd_product().subs({DECAY: 0, STRENGTH: 2, START: 1, TIME: 0})
    1
    """
    grown = {coupled.START: sqrt(START), coupled.GROWTH: STRENGTH - DECAY, coupled.SATURATION: 1}
    return coupled.squared_value().subs({**grown, coupled.TIME: TIME})


def sgd_passage() -> Expr:
    """Time at which w v is a share x of s by gradient descent without decay: log[x (s/u_0 - 1)/(1 - x)]/(2 s)."""
    return log(SHARE * (STRENGTH / START - 1) / (1 - SHARE)) / (2 * STRENGTH)


def sgd_delay() -> Expr:
    """log(s/u_0)/(2 s), the plateau of gradient descent from a small start."""
    return log(STRENGTH / START) / (2 * STRENGTH)


def feedback_end() -> Expr:
    """k = (2 b s)^(1/3), where v ends by feedback alignment from zero: w = v^2/(2 b), w v = s."""
    return (2 * FEEDBACK * STRENGTH) ** (Integer(1) / 3)


def feedback_second() -> Expr:
    """v^2/(2 b), which w has gained on the way from v = 0: w - v^2/(2 b) is an invariant of feedback alignment."""
    return FIRST**2 / (2 * FEEDBACK)


def feedback_unit() -> Expr:
    """k/(b s), the time of which `feedback_clock` counts units."""
    return feedback_end() / (FEEDBACK * STRENGTH)


def feedback_clock() -> Expr:
    """F(x) = integral of 1/(1 - y^3) from 0 to x = v/k, as sum of positive terms; z = log(1 - x) is given beside x.

    F(x) = -log(1 - x)/3 + log(1 + x + x^2)/6 + atan((2 x + 1)/sqrt 3)/sqrt 3 - pi/(6 sqrt 3): the last two terms are
    one arcus tangens, which does not cancel at small x.

    >>> feedback_clock().subs({REMAINING: 0, SHARE: 0})
    0
    """
    x = SHARE
    return -REMAINING / 3 + log(1 + x * (1 + x)) / 6 + atan(sqrt(3) * x / (2 + x)) / sqrt(3)


def imbalance() -> Expr:
    """exp(-lambda t), what is left at time t of w - b by Kolen and Pollack's rule."""
    return exp(-DECAY * TIME)


def resting_weight() -> Expr:
    """sqrt(s - lambda), where v, w and b end by Kolen and Pollack's rule, and v, w by gradient descent from w = v."""
    return sqrt(STRENGTH - DECAY)


def information_rest() -> Expr:
    """s/(s^2 + lambda), where the feedback of a weight s ends by information alignment (alpha = beta = 1).

    >>> information_rest()
    s/(lambda + s**2)
    """
    return STRENGTH * _plain(aligned.fixed_point("information")).subs(aligned.IMAGE, STRENGTH**2)


def norm_exponent(rule: str) -> Expr:
    """d log |v| / d log s of where v ends without decay; of the feedback for information alignment whose W follows.

    1/2 by gradient descent and Kolen and Pollack's rule, 1/3 by feedback alignment from zero, 0 for feedback that comes
    to sqrt((alpha - gamma)/beta) whatever the strength.

    >>> norm_exponent("feedback_alignment")
    1/3
    """
    ends = {
        "sgd": resting_weight().subs(DECAY, 0),
        "feedback_alignment": feedback_end(),
        "kolen_pollack": resting_weight().subs(DECAY, 0),
        "information_alignment": coupled.resting_value(),
    }
    end = ends[exact.one_of("rule", rule, MODE_RULES)]
    return (STRENGTH * diff(log(end), STRENGTH)).simplify()


def momentum_trace() -> Expr:
    """1 + beta - h, the sum of the roots of the heavy ball x'' = (1 + beta - h) x' - beta x; their product is beta."""
    return 1 + MOMENTUM - DROP


def momentum_edges() -> tuple[Expr, Expr]:
    """(1 -+ sqrt beta)^2, between which h has to lie for descent to oscillate."""
    return (1 - sqrt(MOMENTUM)) ** 2, (1 + sqrt(MOMENTUM)) ** 2


def momentum_discriminant() -> Expr:
    """(trace^2 - 4 beta), as a product that does not cancel: (edge - h)(other edge - h)."""
    low, high = momentum_edges()
    return (low - DROP) * (high - DROP)


def adam_distance() -> Expr:
    """eta n/(1 + epsilon/g): how far Adam goes in n steps of a steady gradient g, whatever its size."""
    return RATE * STEPS / (1 + DAMPING / GRADIENT)


def hebb_component() -> Expr:
    """a e^(l t), the component along an eigenvector by Hebb's rule w' = C w."""
    return COMPONENT * exp(EIGENVALUE * TIME)


def oja_term() -> Expr:
    """a^2 e^(2 (l - l_max) t) (1 - e^(-2 l t)), what an eigenvector adds to the squared norm below Oja's fraction."""
    inside = exp(2 * (EIGENVALUE - LARGEST) * TIME)
    return COMPONENT**2 * inside * (1 - exp(-2 * EIGENVALUE * TIME))


def oja_component() -> Expr:
    """a e^((l - l_max) t) / sqrt(e^(-2 l_max t) + A), A the sum of `oja_term`: Oja's w' = C w - (w'C w) w.

    That is e^(Ct) w_0 / sqrt(1 + w_0'(e^(2Ct) - I) w_0), both sides of the fraction times e^(-l_max t), which keeps
    them in the range of floats.
    """
    return COMPONENT * exp((EIGENVALUE - LARGEST) * TIME) / sqrt(exp(-2 * LARGEST * TIME) + TOTAL)


def accuracy() -> Expr:
    """Phi(D/2), the best accuracy between two Gaussian laws with means D standard deviations apart.

    >>> accuracy().subs(DISTANCE, 0)
    1/2
    """
    return (1 + erf(DISTANCE / (2 * sqrt(2)))) / 2


def separation() -> Expr:
    """delta^2/(Sigma + N/m), the squared distance D^2 along one direction, of m recorded units."""
    return DIFFERENCE**2 / (BETWEEN + NOISE / UNITS)


def variance_error() -> Expr:
    """sqrt((kappa - 1)/m), the relative standard error of a variance of m independent entries about a known mean."""
    return sqrt((KURTOSIS - 1) / UNITS)
