"""What `theory.ssl` states, compiled.

A compiled function takes its arguments in the order of its tuple of symbols; `MODE` are the constants of a mode that
all of them end with.
"""

from __future__ import annotations

from sympy import Symbol, exp

from widelimit.numerics.compile import compile
from widelimit.theory.ssl import formulas as t

MODE = (t.TAU, t.SIGNAL, t.SPREAD, t.DECAY)
LOG_S = Symbol("log_s", real=True)
_AT = {t.S: exp(LOG_S)}

CRITICAL = compile((t.critical_weight_decay(), t.gap()), MODE, name="critical")
POINTS = compile((t.upper(), t.lower()), (t.GAP, *MODE), name="points")
TANGENT = compile((t.tangent(), t.slope().subs(t.U, 0)), (t.P, t.EXPONENT, *MODE), name="tangent")
TRANSVERSE = compile(t.transverse(), (t.DECAY,), name="transverse")
LEARNED = compile(t.parabola(), (t.P, t.RATE), name="parabola")
DIRECT = compile(t.direct_covariance(), (t.U, t.EXPONENT), name="direct_covariance")
STEP = compile(t.largest_step(), (t.EIGENVALUE,), name="largest_step")
ALIGNMENT = compile(t.alignment_rate(), (t.P, t.S, t.RATE, *MODE), name="alignment_rate")
DYING = compile(
    (t.no_stop_gradient_rate(), t.no_predictor_rate()), (t.P, t.SIGNAL, t.SPREAD, t.DECAY), name="dying"
)
BORDER = compile(t.separatrix_slope(), (t.P, *MODE), name="border")

PASSAGE = compile(
    (*t.passage_ratios(), *t.passage_excesses()), (t.START, t.P, t.GAP, *MODE), name="passage_ratios"
)
PASSED = compile(t.passage_time(), (t.ELL_1, t.ELL_2, t.START, t.P, t.EXPONENT, t.GAP, *MODE), name="passage")
COLLAPSED = compile(t.collapse_time(), (t.FROM, t.TO, t.EXPONENT, t.GAP, *MODE), name="collapse")
BOTTLENECK = compile(t.bottleneck_time(), (t.EXPONENT, t.GAP, *MODE), name="bottleneck")

_GROWTH = (t.covariance_mode() / t.S).expand()
FLOW = compile(
    tuple(e.subs(_AT) for e in (t.predictor_mode(), _GROWTH, t.target_mode(), t.alignment_rate())),
    (t.P, LOG_S, t.RATE, t.EMA, *MODE),
    name="flow",
)
DIRECT_FLOW = compile(
    ((t.direct_mode() / t.U).expand(), t.target_mode().subs(t.P, t.U)),
    (t.U, t.EXPONENT, t.EMA, *MODE),
    name="direct_flow",
)
INVARIANT = compile(t.invariant_decay(), (t.TIME, t.DECAY), name="invariant_decay")
JACOBIAN = compile((t.ema_trace(), t.ema_determinant()), (t.P, t.EXPONENT, t.EMA, *MODE), name="ema")
DIRECTION = compile(t.ema_slope(), (t.MU, t.P, t.EXPONENT, *MODE), name="ema_direction")

RANK_ONE = compile(t.rank_one_threshold(), (t.CROSS, t.NORM, t.TOTAL), name="rank_one")
PENCIL = compile(t.pencil_threshold(), (t.KAPPA, t.TOP), name="pencil")
EPSILONS = compile((t.largest_root(), t.critical_epsilon()), (t.EPSILON, t.GAP, *MODE), name="epsilons")
