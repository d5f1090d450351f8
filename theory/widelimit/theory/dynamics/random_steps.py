"""Steps of `derive` for random networks: continuous time, Euler's steps, discrete time, rank one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Eq, Symbol, log, symbols

from widelimit.theory import jacobian
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.dynamics import random as f
from widelimit.theory.dynamics import random_checks as checks

SCS, ENGELKEN, SCHUECKER = "sompolinsky1988chaos", "engelken2020lyapunov", "schuecker2018optimal"
_G = {f.DISORDER: (0.5, 1.5)}


def steps(activation: str | Activation = "tanh") -> tuple[Step, ...]:
    """Steps of all results on random networks; E phi^2 and the like are those of `activation`."""
    return (*_continuous(), *_discrete(Activation.of(activation)), *_rank_one(Activation.of(activation)))


def _continuous() -> tuple[Step, ...]:
    slope = {**_G, f.SLOPE: (0.1, 0.4)}
    return (
        Step(
            "kick",
            Eq(Symbol("r_0^2"), f.kick(), evaluate=False),
            "white noise bends the correlation at zero lag",
            source=f"{SCHUECKER}, with noise",
            domain={f.NOISE: (0.2, 1.0), f.VARIANCE: (1.0, 2.0), f.FROZEN: (0.1, 0.5)},
            left=checks.set_out,
        ),
        Step(
            "pace",
            Eq(Symbol("r^2"), f.pace(), evaluate=False),
            "Delta'' = Delta - g^2 C(Delta) is Newton's law: energy kept, over the square of the distance to Delta_inf",
            source=f"{SCS}, potential of the correlation",
            domain={**_G, f.VARIANCE: (1.0, 2.0)},
            left=checks.paced,
            right=checks.pace_of_terms,
        ),
        Step(
            "tail-rate",
            Eq(Symbol("kappa_tail"), f.tail_rate(), evaluate=False),
            "the force is linear where the correlation has nearly faded",
            source=f"{SCS}, potential of the correlation",
            domain=slope,
            left=checks.fading,
        ),
        Step(
            "well",
            Eq(Symbol("W"), f.well(), evaluate=False),
            "a small difference of two replicas obeys the force's slope along Delta(tau)",
            source=f"{SCS}, two replicas",
            domain=slope,
            left=checks.force_slope,
        ),
        Step(
            "continuous-exponent",
            Eq(Symbol("lambda_c"), f.continuous_exponent(), evaluate=False),
            "squares of differences grow with (1 + lambda)^2 = 1 - E_0",
            source=f"{SCS}, two replicas",
            domain={f.LEVEL: (-1.0, 0.9)},
            left=checks.growth_of_pair,
        ),
        Step(
            "lattice",
            Eq(Symbol("F_k"), f.lattice_balance(), evaluate=False),
            "Euler's step makes x' - (1 - alpha) x equal to alpha J phi",
            source="new",
            domain={
                **_G, f.STEP: (0.1, 1.0), f.BEFORE: (0.5, 1.0), f.HERE: (0.5, 1.0), f.BEHIND: (0.5, 1.0),
                f.RATES: (0.1, 0.5),
            },
            left=checks.lattice,
        ),
    )  # fmt: skip


def _discrete(phi: Activation) -> tuple[Step, ...]:
    at = {**_G, f.VARIANCE: (0.5, 2.0)}
    return (
        Step(
            "noise-edge",
            Eq(Symbol("sigma^2"), f.noise_edge(phi), evaluate=False),
            "a unit sums many independent inputs, and noise adds to their variance; states of different times are "
            "uncorrelated for odd phi",
            source=f"{ENGELKEN}, discrete time",
            domain=at,
            left=partial(checks.noise_kept, phi),
        ),
        Step(
            "step-exponent",
            Eq(Symbol("lambda_1"), f.step_exponent(phi), evaluate=False),
            "a small difference is multiplied by J diag(phi')",
            source=f"{ENGELKEN}, discrete time",
            domain=at,
            left=partial(checks.stepped_growth, phi),
        ),
        Step(
            "spectrum",
            Eq(Symbol("lambda(t)"), f.spectrum_exponent(), evaluate=False),
            "-log(S(t - 1))/2 of one layer's Jacobian, S(m) = (1 + m)/(m z): powers of an R-diagonal element have the "
            "moduli of products of free copies, so that tied weights obey it too",
            source="haagerup2000brown, Brown measure of R-diagonal elements; pennington2018emergence, eq. (14)",
            domain={**_G, f.FRACTION: (0.1, 0.9), f.ZETA: (-3.0, -0.5)},
            kind="derived",
            by=_spectrum,
        ),
        Step(
            "mean-exponent",
            Eq(Symbol("lambda_mean"), f.mean_exponent(), evaluate=False),
            "log |det| of a product is the sum of logs: Newman's law of J, and the slopes",
            source="newman1986distribution, triangle law",
            domain={**_G, f.LOG_SLOPE: (-1.0, 0.5)},
            left=checks.mean_of_linear,
        ),
    )


def _spectrum(earlier: Mapping[str, Eq]) -> Eq:
    w, zeta = symbols("w zeta")
    m = f.FRACTION - 1
    z = jacobian.curve("gaussian").subs({jacobian.depth: 1, jacobian.sigma_w: f.DISORDER, zeta: f.ZETA, w: m})
    return Eq(Symbol("lambda(t)"), -log((1 + m) / (m * z)) / 2, evaluate=False)


def _rank_one(phi: Activation) -> tuple[Step, ...]:
    return (
        Step(
            "rank-one",
            Eq(Symbol("F"), f.rank_one_excess(phi), evaluate=False),
            "x settles along m, and Stein's identity takes n.phi(x) to the mean slope",
            source="mastrogiuseppe2018linking, rank one",
            domain={f.OVERLAP: (1.1, 3.0), f.KAPPA: (0.5, 2.0)},
            left=partial(checks.rank_one_pull, phi),
        ),
        Step(
            "rank-one-time",
            Eq(Symbol("tau"), f.rank_one_time(), evaluate=False),
            "near rest the network is linear with one eigenvalue sigma_mn - 1",
            source="mastrogiuseppe2018linking, rank one",
            domain={f.OVERLAP: (0.2, 0.9)},
            left=checks.rank_one_rest,
        ),
    )
