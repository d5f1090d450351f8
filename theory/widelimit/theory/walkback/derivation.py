"""`derive`: the bound of variational walkback, entropy production, and what annealing costs."""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Eq, Symbol, simplify

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.walkback import checks
from widelimit.theory.walkback import formulas as f

GOYAL, SEKIMOTO = "goyal2017variational", "sivak2012thermodynamic"
_TURN = {f.CONTRACTION: (0.2, 0.8), f.ANGLE: (0.2, 1.2)}
_ANNEALED = {f.CONTRACTION: (0.3, 0.8), f.FACTOR: (1.1, 1.6)}
_ASSUMPTIONS = (
    "operators are Markov chains, or linear with Gaussian noise whose variance is the temperature times D",
)


def derive() -> Derivation:
    """Entropy production of chains and linear-Gaussian operators, and the cost of annealing.

    >>> derive()["rotation"].kind
    'derived'
    """
    return Derivation("Walking away and back", (*_chains(), *_gaussians(), *_annealing()), _ASSUMPTIONS)


def _chains() -> tuple[Step, ...]:
    ring = {f.THERE: (0.3, 0.6), f.BACK: (0.05, 0.2)}
    return (
        Step(
            "chain",
            Eq(Symbol("EP"), f.edge_entropy(), evaluate=False),
            "log of a stationary path's probability over its reverse's, summed over transitions; here a ring of three",
            source=f"{GOYAL}, section 4",
            domain=ring,
            left=checks.ring_paths,
            right=checks.ring_edges,
        ),
    )


def _gaussians() -> tuple[Step, ...]:
    many = {f.SQUARE: (4.0, 6.0), f.DIMENSION: (2, 3)}
    return (
        Step(
            "way-back",
            Eq(Symbol("E_log_ratio"), f.way_back(), evaluate=False),
            "both densities have one normalisation; residuals of the way there have mean square n",
            domain=many,
            left=checks.backwards,
        ),
        Step(
            "prior",
            Eq(Symbol("E_log_p"), f.log_density(), evaluate=False),
            "the mean of a Gaussian log density over any law of these second moments",
            domain={**many, f.DETERMINANT: (0.5, 2.0)},
            left=checks.gaussian_mean_log,
        ),
        Step(
            "rotation-residual",
            Eq(f.SQUARE, f.rotation_residual(), evaluate=False),
            "E |s - A s'|^2 with s' = A s + n and covariance 1/(1 - a^2)",
            domain=_TURN,
            left=checks.residual_of_rotation,
        ),
        Step(
            "rotation",
            Eq(Symbol("EP_R"), f.rotation_entropy(), evaluate=False),
            "half of the residual less the dimension",
            source=f"{GOYAL}, section 4",
            domain=_TURN,
            kind="derived",
            by=_rotation,
        ),
        Step(
            "rotation-measured",
            Eq(Symbol("EP_R"), f.rotation_entropy(), evaluate=False),
            "the same by the sum of covariances, step by step",
            domain=_TURN,
            left=checks.entropy_of_rotation,
        ),
        Step(
            "diffusion",
            Eq(Symbol("EP_dot"), f.diffusion_entropy(), evaluate=False),
            "entropy production of short steps over their length; here of a spiral in the plane",
            domain={f.DRIVE: (3.0, 5.0), f.TRACE: (1.0, 2.0)},
            left=checks.diffusion,
        ),
    )


def _rotation(earlier: Mapping[str, Eq]) -> Eq:
    found = earlier["way-back"].rhs.subs({f.DIMENSION: 2, f.SQUARE: earlier["rotation-residual"].rhs})
    return Eq(Symbol("EP_R"), simplify(found), evaluate=False)


def _annealing() -> tuple[Step, ...]:
    return (
        Step(
            "log-excess",
            Eq(Symbol("e"), f.log_excess().subs(f.KEPT, 1 - f.LAG), evaluate=False),
            "- log(1 - x) - x by its series, so that short steps keep their digits",
            kind="limit",
            limit=(f.LAG, 0, 14),
            left=checks.log_excess,
        ),
        Step(
            "steady-excess",
            Eq(Symbol("rho") - 1, f.steady_excess(), evaluate=False),
            "S' = a^2 S + T' keeps S proportional to T where T' = r T",
            domain=_ANNEALED,
            left=checks.steady_excess,
        ),
        Step(
            "annealing",
            Eq(Symbol("g_step"), f.annealing_cost(), evaluate=False),
            "entropy log r / 2 that a step gains, less the heat that it takes up over its temperature (Clausius)",
            domain=_ANNEALED,
            left=checks.annealed_step,
        ),
        Step(
            "end",
            Eq(Symbol("g_end"), f.end_cost(), evaluate=False),
            "the walk lags behind the prior of the last temperature by the ratio rho",
            domain={f.CONTRACTION: (0.7, 0.8), f.FACTOR: (1.1, 1.6)},  # where the series is not asked
            left=checks.annealed_end,
        ),
        Step(
            "steps",
            Eq(f.STEPS, f.steps_needed(), evaluate=False),
            "many small steps: dissipation falls as 1/K (finite-time thermodynamics)",
            source=f"{SEKIMOTO}, eq. (12)",
            domain={f.CONTRACTION: (0.3, 0.8), f.RATIO: (2.0, 5.0)},
            kind="limit",
            limit=(f.GAP, 0, 1),
            left=checks.steps_of_gap,
        ),
    )
