"""`derive`: losses of spike trains, what they are by chance, firing rates, and what surrogates differentiate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Eq, Integral, Symbol, exp, expand, oo

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.spiking import checks
from widelimit.theory.spiking import gradients as g
from widelimit.theory.spiking import kernels as k
from widelimit.theory.spiking import rates as r
from widelimit.theory.spiking import statistics as s
from widelimit.theory.spiking import surrogates as u

ZENKE, ROSSUM = "zenke2018superspike", "vanrossum2001novel"
SIEGERT = "siegert1951first"
_KERNEL = {k.DECAY: (0.8, 1.2), k.RISE: (0.3, 0.6)}
_LAGGED = {**_KERNEL, k.LAG: (0.2, 1.5)}
_TRACES = {**_KERNEL, k.EXPONENTIAL: (-1.0, 1.0), k.FILTERED: (-1.0, 1.0)}
_NEURON = {
    r.DRIVE: (0.5, 1.5), r.THRESHOLD: (1.6, 2.0), r.RESET: (-0.5, 0.2), r.TAU: (0.5, 2.0), r.REFRACTORY: (0.1, 0.5),
}  # fmt: skip
_ASSUMPTIONS = (
    "the kernel is two exponentials in a row, without normalisation",
    "spikes of trains that are compared lie well inside the recording",
)


def derive() -> Derivation:
    """Losses and windows of the double exponential kernel, rates of neurons, noise and limits of surrogates.

    >>> derive()["energy-lost"].kind
    'derived'
    """
    return Derivation(
        "Spike trains and surrogate gradients",
        (*_kernels(), *_windows(), *_chance(), *_rates(), *_surrogates(), *_sharp()),
        _ASSUMPTIONS,
    )


def _kernels() -> tuple[Step, ...]:
    sums = {k.SLOW: exp(-k.LAG / k.DECAY), k.FAST: exp(-k.LAG / k.RISE)}
    change_e, change_f = k.trace_changes()
    shrunk, risen = k.time_passed()
    passed = {**_TRACES, k.TIME: (0.2, 1.5)}
    return (
        Step(
            "response",
            Eq(Symbol("alpha"), k.response(), evaluate=False),
            "the potential of a leaky integrator whose input is that of another",
            source=f"{ZENKE}, the neuron",
            domain={**_KERNEL, k.TIME: (0.5, 2.0)},
            left=checks.convolved,
        ),
        Step(
            "overlap-at-zero",
            Eq(Symbol("C_0"), k.overlap_at_zero(), evaluate=False),
            "the integral of alpha squared",
            domain=_KERNEL,
            left=checks.at_once,
        ),
        Step(
            "overlap",
            Eq(Symbol("C"), k.overlap(), evaluate=False),
            "the integral of alpha(t) alpha(t + D)",
            source=f"{ROSSUM}, with a kernel of two exponentials",
            domain=_LAGGED,
            left=checks.overlapping,
        ),
        Step(
            "overlap-in-exponentials",
            Eq(k.overlap_of_sums().subs(sums), k.overlap(), evaluate=False),
            "the same as a difference of two exponentials, which is 0/0 at a = b",
            domain=_LAGGED,
        ),
        Step(
            "overlap-slope",
            Eq(Symbol("C'"), k.overlap_slope(), evaluate=False),
            "the integral of alpha(t) alpha'(t + D)",
            domain=_LAGGED,
            left=checks.slope_of_overlap,
        ),
        Step(
            "energy",
            Eq(Symbol("Q"), k.energy(), evaluate=False),
            "the integral of (F exp(-t/b) + E alpha(t))^2 over all later times",
            domain=_TRACES,
            left=checks.energy_to_come,
        ),
        Step(
            "shrunk",
            Eq(k.SHRUNK, shrunk, evaluate=False),
            "what an exponential trace loses in a time t",
            domain={**_KERNEL, k.TIME: (0.2, 1.5)},
            left=checks.shrunk,
        ),
        Step(
            "risen",
            Eq(k.RISEN, risen, evaluate=False),
            "the integral of exp(-d x) up to t, d = 1/b - 1/a",
            domain={**_KERNEL, k.TIME: (0.2, 1.5)},
            left=checks.risen,
        ),
        Step(
            "change-of-E",
            Eq(k.CHANGE_E, change_e, evaluate=False),
            "E' = -E/a",
            domain=passed,
            left=partial(checks.changes, 0),
            right=partial(checks.changes_by_formula, 0),
        ),
        Step(
            "change-of-F",
            Eq(k.CHANGE_F, change_f, evaluate=False),
            "F' = E - F/b: two integrators in a row",
            domain=passed,
            left=partial(checks.changes, 1),
            right=partial(checks.changes_by_formula, 1),
        ),
        Step(
            "energy-lost",
            Eq(Symbol("Q_lost"), k.energy_lost(), evaluate=False),
            "what Q is less when E and F have changed",
            domain={**_TRACES, k.CHANGE_E: (-0.5, 0.5), k.CHANGE_F: (-0.5, 0.5)},
            kind="derived",
            by=_lost,
        ),
        Step(
            "energy-between",
            Eq(Symbol("Q_t"), k.energy_lost(), evaluate=False),
            "the integral of the squared curve between two spikes, never below 0",
            domain={**_TRACES, k.TIME: (0.5, 1.5)},
            left=checks.energy_between,
            right=checks.lost_in_time,
        ),
    )


def _lost(earlier: Mapping[str, Eq]) -> Eq:
    whole = earlier["energy"].rhs
    later = {k.EXPONENTIAL: k.EXPONENTIAL + k.CHANGE_E, k.FILTERED: k.FILTERED + k.CHANGE_F}
    return Eq(Symbol("Q_lost"), expand(whole - whole.subs(later, simultaneous=True)), evaluate=False)


def _windows() -> tuple[Step, ...]:
    return (
        Step(
            "window-after",
            Eq(Symbol("K_+"), k.window_after(), evaluate=False),
            "int alpha(t - D) (alpha * alpha)(t) dt, the target D after the presynaptic spike",
            source=f"{ZENKE}, the rule",
            domain=_LAGGED,
            left=checks.window_after,
        ),
        Step(
            "window-before",
            Eq(Symbol("K_-"), k.window_before(), evaluate=False),
            "the same, the target D before it",
            domain=_LAGGED,
            left=checks.window_before,
        ),
    )


def _chance() -> tuple[Step, ...]:
    trains = {**_KERNEL, s.RATE_A: (0.05, 0.1), s.RATE_B: (0.05, 0.15)}
    jitter = {**_KERNEL, s.JITTER: (0.3, 0.8)}
    return (
        Step(
            "overlap-square",
            Eq(Symbol("I"), s.overlap_square(), evaluate=False),
            "the integral of C squared over all lags",
            domain=_KERNEL,
            left=checks.square_of_overlap,
        ),
        Step(
            "poisson-mean",
            Eq(Symbol("m_L"), s.poisson_mean(), evaluate=False),
            "independent Poisson trains: shot noise, by all numbers of spikes on a ring",
            domain=trains,
            left=checks.mean_of_trains,
        ),
        Step(
            "poisson-variance",
            Eq(Symbol("v_L"), s.poisson_variance(), evaluate=False),
            "the variance a second of the integral of the squared shot noise, in the same way",
            domain=trains,
            left=checks.variance_of_trains,
        ),
        Step(
            "jitter",
            Eq(Symbol("L_1"), s.jitter_loss(), evaluate=False),
            "the mean of C(0) - C(D) over D ~ N(0, s^2)",
            domain=jitter,
            left=checks.jittered,
        ),
        Step(
            "jitter-by-frequency",
            Eq(s.jitter_loss(), Integral(s.jitter_density(), (s.FREQUENCY, 0, oo)), evaluate=False),
            "Parseval: the power of alpha, and what jitter of its phase takes away",
            domain=jitter,
            right=checks.by_frequency,
        ),
    )


def _rates() -> tuple[Step, ...]:
    return (
        Step(
            "rate",
            Eq(Symbol("nu_0"), r.deterministic_rate(), evaluate=False),
            "the time that tau V' = mu - V takes from reset to threshold",
            domain={**_NEURON, r.DRIVE: (2.2, 4.0)},
            left=checks.time_to_threshold,
        ),
        Step(
            "passage",
            Eq(Symbol("nu"), r.noisy_rate(), evaluate=False),
            "the mean first passage of the diffusion from reset to threshold (here sigma = 1)",
            source=SIEGERT,
            domain=_NEURON,
            left=checks.mean_passage,
            right=checks.siegert,
        ),
        Step(
            "passage-both",
            Eq(Symbol("W_2"), r.passage_both(), evaluate=False),
            "the passage from a drive below threshold to one above, by as much",
            domain={r.DISTANCE: (0.5, 2.0)},
            left=checks.passage_both,
        ),
        Step(
            "passage-far",
            Eq(Symbol("W"), r.passage_far(), evaluate=False),
            "the series of erfc far out, integrated term by term (here from v to 2v)",
            domain={r.DISTANCE: (30, 50)},
            left=checks.passage_out,
            right=checks.passage_far,
        ),
    )


def _surrogates() -> tuple[Step, ...]:
    steps: list[Step] = []
    for name in u.NAMES:
        at = {u.SLOPE: (0.8, 1.4)}
        words = name.replace("_", " ")
        steps += [
            Step(
                f"scale-{name}",
                Eq(Symbol("Z"), u.surrogate_scale(name), evaluate=False),
                f"the integral of the {words}",
                domain=at,
                left=partial(checks.scale_of, name),
            ),
            Step(
                f"probability-{name}",
                Eq(Symbol("P"), u.firing_probability(name), evaluate=False),
                "the probability that u + noise > 0, the noise of density s/Z",
                domain={**at, u.POTENTIAL: (-0.6, 0.6)},
                left=partial(checks.probability_of, name),
            ),
        ]
        if u.noise_variance(name) is not oo:
            steps.append(
                Step(
                    f"variance-{name}",
                    Eq(Symbol("v"), u.noise_variance(name), evaluate=False),
                    "the second moment of s/Z",
                    domain=at,
                    left=partial(checks.variance_of, name),
                )
            )
    steps.append(
        Step(
            "layers",
            Eq(Symbol("G_L"), u.gradient_scale(), evaluate=False),
            "each layer multiplies the gradient of expected spikes by Z",
            domain={u.SCALE: (0.1, 2.0), u.DEPTH: (1, 6)},
            left=checks.through_layers,
        )
    )
    return tuple(steps)


def _sharp() -> tuple[Step, ...]:
    moving = {**_LAGGED, g.POTENTIAL_AT: (0.2, 0.5), g.SPEED: (0.5, 1.5)}
    return (
        Step(
            "spike-time",
            Eq(Symbol("t*"), g.spike_time().subs(k.DECAY, 2 * k.RISE), evaluate=False),
            "w alpha(t) = theta is quadratic in exp(-t/a) where a = 2b",
            domain={k.RISE: (0.5, 1.0), g.WEIGHT: (4.0, 6.0), g.LEVEL: (0.5, 0.9)},
            left=checks.crossing,
        ),
        Step(
            "true-gradient",
            Eq(Symbol("L_w"), g.loss_slope(), evaluate=False),
            "a weight moves the spike by dt*/dw = -epsilon/V, and the loss is C(0) - C(D)",
            domain=moving,
            left=checks.true_slope,
        ),
        Step(
            "surrogate-gradient",
            Eq(Symbol("L_w^sur"), g.surrogate_pull(), evaluate=False),
            "half of the surrogate lies below threshold and is passed at speed V; then the neuron is reset",
            source=f"{ZENKE}, the surrogate",
            domain={**moving, u.SLOPE: (5.0, 20.0)},
            left=checks.pulled,
        ),
    )
