"""`derive`: path integrals of gradients, their tails and noise, and what penalties on parameters cost."""

from __future__ import annotations

from sympy import Eq, Symbol, oo

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.synapses import checks
from widelimit.theory.synapses import formulas as f

ZENKE, EWC, BENZING = "zenke2017continual", "kirkpatrick2017overcoming", "benzing2022unifying"
_PATH = {
    f.FIRST: (0.5, 1.5),
    f.SECOND: (0.5, 1.5),
    f.START_A: (-1.0, 1.0),
    f.START_B: (-1.0, 1.0),
    f.RATE: (0.1, 0.5),
    f.MOMENTUM: (0.1, 0.8),
}
_ONE = {f.CURVATURE: (0.5, 1.5), f.RATE: (0.1, 0.5), f.MOMENTUM: (0.1, 0.8)}
_TASKS = {f.ASPECT: (0.2, 0.9), f.PENALTY: (0.2, 2.0)}
_ASSUMPTIONS = (
    "losses are quadratic",
    "two tasks in high dimension: curvatures are independent Wishart matrices of mean I, optima a unit vector apart",
)


def derive() -> Derivation:
    """Synaptic intelligence, its noise and tails, and forgetting between quadratic tasks.

    >>> derive()["diagonal"].name
    'diagonal'
    """
    return Derivation(
        "Importance of parameters and forgetting", (*_paths(), *_tails(), *_noise(), *_tasks()), _ASSUMPTIONS
    )


def _paths() -> tuple[Step, ...]:
    return (
        Step(
            "path-integral",
            Eq(Symbol("omega_ab"), f.path_entry(), evaluate=False),
            "sums of products of two geometric paths, from P = A P B' + d d'",
            source=f"{ZENKE}, eq. (3)",
            domain=_PATH,
            left=checks.entry,
        ),
        Step(
            "energy",
            Eq(
                -Symbol("g_Delta"),
                Symbol("E_before") - Symbol("E_after") + Symbol("Delta_H_Delta") / 2,
                evaluate=False,
            ),
            "E_1 = E_0 + g Delta + Delta' H Delta / 2, whatever the step: omega counts too much at a finite step",
            domain={f.START_A: (-1.0, 1.0), f.START_B: (-1.0, 1.0)},
            left=checks.taylor,
            right=checks.drop,
        ),
        Step(
            "importance",
            Eq(Symbol("Omega"), f.importance(), evaluate=False),
            "the share of the loss over the squared displacement",
            source=f"{ZENKE}, eq. (5)",
            domain={f.PATH: (0.1, 1.0), f.START: (-1.0, 1.0), f.DAMPING: (0.01, 0.5)},
            left=checks.ratio,
        ),
        Step(
            "diagonal",
            Eq(Symbol("Omega_k"), f.diagonal_importance(), evaluate=False),
            "one parameter alone, without damping",
            domain=_ONE,
            left=checks.one_dimension,
        ),
    )


def _tails() -> tuple[Step, ...]:
    return (
        Step(
            "tail",
            Eq(Symbol("P_x"), f.tail(), evaluate=False),
            "P(|q|/d^2 > x) = P(|d| < sqrt(|q|/x)), and the density of d is flat there",
            kind="limit",
            limit=(f.THRESHOLD, oo, 1),
            domain={f.DENSITY: (0.2, 0.6), f.ROOT_MEAN: (0.3, 1.0)},
            left=checks.exceeds,
        ),
        Step(
            "damped-mean",
            Eq(Symbol("E_Omega"), f.damped_mean().subs(f.DAMPING, f.WIDTH**2), evaluate=False),
            "the integral of 1/(d^2 + xi) is pi/sqrt(xi); xi = w^2",
            kind="limit",
            limit=(f.WIDTH, 0, 1),
            domain={f.DENSITY: (0.2, 0.6), f.PATH: (0.3, 1.0)},
            left=checks.damped,
        ),
        Step(
            "root-mean",
            Eq(Symbol("E_root"), f.root_mean_density(), evaluate=False),
            "the integral of (1 - cos(q u^2)) / u^2 is sqrt(pi |q| / 2); here of lambda z^2, integrated over u",
            domain={f.CURVATURE: (0.5, 2.0)},
            left=checks.root_of_square,
            right=checks.root_integral,
        ),
    )


def _noise() -> tuple[Step, ...]:
    noisy = {f.CURVATURE: (0.5, 1.5), f.RATE: (0.1, 0.5), f.NOISE: (0.2, 1.0)}
    return (
        Step(
            "noise",
            Eq(Symbol("E_omega"), f.noisy_path(), evaluate=False),
            "second moments of an autoregressive path",
            source=f"{BENZING}, section 4",
            domain={**noisy, f.START: (0.5, 1.5), f.STEPS: (3, 6)},
            left=checks.noisy,
        ),
        Step(
            "noise-rate",
            Eq(Symbol("omega_step"), f.noise_rate(), evaluate=False),
            "the same in the long run: proportional to the variance of the gradient",
            source=f"{BENZING}, section 4",
            domain=noisy,
            left=checks.noisy_step,
        ),
        Step(
            "adam",
            Eq(Symbol("omega_adam"), f.adam_rate(), evaluate=False),
            "E g m = (1 - beta_1) s^2, over the root s of the running mean square: proportional to the deviation",
            source=f"{BENZING}, section 4",
            domain={f.RATE: (0.01, 0.1), f.BETA_1: (0.3, 0.9), f.NOISE: (0.2, 2.0)},
            left=checks.adam,
        ),
    )


def _tasks() -> tuple[Step, ...]:
    known = {f.FITTED: f.fitted().subs(f.EDGE, f.edge()), f.EDGE: f.edge()}
    return (
        Step(
            "pull",
            Eq(Symbol("theta") - f.OPTIMUM_A, f.pull(), evaluate=False),
            "the gradients of the new loss and of the penalty cancel",
            source=f"{EWC}, eq. (3)",
            domain={f.SHARE: (0.1, 0.9), f.OPTIMUM_A: (-1.0, 1.0), f.OPTIMUM_B: (-1.0, 1.0)},
            left=checks.between,
        ),
        Step(
            "loss",
            Eq(Symbol("E"), f.loss(), evaluate=False),
            "of one coordinate in the eigenbasis",
            domain={f.CURVATURE: (0.5, 1.5), f.START: (0.3, 1.0)},
            left=checks.energy,
        ),
        Step(
            "edge",
            Eq(f.EDGE**2, f.edge() ** 2, evaluate=False),
            "(1 + gamma + kappa)^2 - 4 gamma, the discriminant of gamma f^2 - (1 + gamma + kappa) f + 1",
            domain=_TASKS,
            left=checks.discriminant,
        ),
        Step(
            "fitted",
            Eq(f.FITTED, f.fitted().subs(f.EDGE, f.edge()), evaluate=False),
            "the mean of h/(h + kappa) over the law of Marchenko and Pastur",
            domain=_TASKS,
            left=checks.mean_share,
        ),
        Step(
            "forgetting",
            Eq(Symbol("E_A"), f.forgetting_price().subs(known), evaluate=False),
            "the old curvature is independent of the pull h/(h + kappa) of the new one: E (h/(h + kappa))^2 / 2",
            domain=_TASKS,
            left=checks.old_loss,
        ),
        Step(
            "new-loss",
            Eq(Symbol("E_B"), f.new_loss_price().subs(known), evaluate=False),
            "E h kappa^2/(h + kappa)^2 / 2",
            domain=_TASKS,
            left=checks.new_loss,
        ),
        Step(
            "joint",
            Eq(Symbol("E_joint"), f.joint_price(), evaluate=False),
            "the parallel sum of two free Wishart matrices: S u (1 - u), u a compressed projection of variance gamma/8",
            domain={f.ASPECT: (0.2, 0.9)},
            left=checks.joint_loss,
        ),
    )
