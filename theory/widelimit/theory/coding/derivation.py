"""`derive`: bias, closed loop, limits of strong balance, thresholds of delay and disorder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Eq, S, Symbol, cos, diff, erf, exp, pi, simplify, sin, sqrt

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.equations import residual
from widelimit.theory.coding import checks
from widelimit.theory.coding import formulas as f
from widelimit.theory.dynamics import DISORDER, NOISE, VARIANCE

KADMON = "kadmon2020predictive"
_AT = {f.DRIVE: (0.1, 0.8), VARIANCE: (0.2, 1.5)}
_LOOP = {f.LOOP: (1.2, 6.0), f.MODE: (1, 3)}
_ASSUMPTIONS = (
    "N goes to infinity; J has independent entries of variance 1/N, w_i are fair signs",
    "phi increases",
    "sigma multiplies dW: a unit by itself has the variance sigma^2/2",
)


def derive(activation: str | Activation = "tanh") -> Derivation:
    """The error of a balanced predictive code and its thresholds.

    Args:
        activation: a catalogue name or an expression in x, increasing.

    >>> derive()["best-phase"].kind
    'derived'
    """
    phi = Activation.of(activation)
    steps = (*_averages(phi), *_loops(), *_limits(), *_thresholds(phi), *_delays(), *_erf())
    return Derivation("Predictive coding in a balanced network", steps, _ASSUMPTIONS)


def _averages(phi: Activation) -> tuple[Step, ...]:
    return (
        Step(
            "estimate",
            Eq(f.ESTIMATE, f.estimate(phi), evaluate=False),
            "x_hat averages w phi over units, whose mean is w m",
            source=f"{KADMON}, mean field",
            domain=_AT,
            left=partial(checks.decoded, phi),
        ),
        Step(
            "gain",
            Eq(f.GAIN, f.gain(phi), evaluate=False),
            "the slope of x_hat in m",
            source=f"{KADMON}, mean field",
            domain=_AT,
            left=partial(checks.decoded_slope, phi),
        ),
        Step(
            "slope-square",
            Eq(f.SQUARE, f.slope_square(phi), evaluate=False),
            "dC/dDelta at zero lag",
            domain=_AT,
            left=partial(checks.slope, phi, 2),
        ),
        Step(
            "rate-square",
            Eq(f.RATES, f.rate_square(phi), evaluate=False),
            "C at zero lag, of both signs of w",
            domain=_AT,
            left=partial(checks.square, phi),
        ),
    )


def _loops() -> tuple[Step, ...]:
    return (
        Step(
            "drive",
            Eq(f.DRIVE, f.drive(), evaluate=False),
            "units are driven by w times b times the error",
            source=f"{KADMON}, mean field",
            domain={f.BALANCE: (1.0, 9.0), f.SIGNAL: (0.1, 0.5), f.ESTIMATE: (0.1, 0.5)},
            left=checks.error_of_units,
        ),
        Step(
            "bias",
            Eq(Symbol("epsilon"), f.bias(), evaluate=False),
            "the error that keeps the drive up",
            source=f"{KADMON}, mean field",
            domain={f.DRIVE: (0.1, 0.5), f.BALANCE: (1.0, 9.0)},
            left=checks.error,
        ),
        Step(
            "loop-gain",
            Eq(f.LOOP, f.loop_gain(), evaluate=False),
            "x_hat falls by A for each b of its own excess",
            domain={f.BALANCE: (1.0, 9.0), f.GAIN: (0.3, 1.0)},
            left=checks.response,
        ),
        Step(
            "mode",
            Eq(Symbol("v_k"), f.mode_variance(), evaluate=False),
            "the spectrum of rates over |1 + G/(1 + i omega)|^2, integrated",
            source=f"{KADMON}, closed loop; sum over modes new",
            domain=_LOOP,
            left=checks.passed,
        ),
        Step(
            "closed-loop",
            Eq(Symbol("v"), f.closed_loop(), evaluate=False),
            "any correlation is a mixture of exponentials; C(0) less (a - 1/a) times its Laplace transform, by parts",
            domain={f.LOOP: (1.2, 6.0), f.RATES: (0.5, 1.0), f.FADING: (0.05, 0.3)},
            left=checks.passed_of_any,
        ),
        Step(
            "quenched",
            Eq(Symbol("v_J"), f.quenched_variance(), evaluate=False),
            "what does not fade differs between networks, and passes the static loop",
            domain={f.STILL: (0.3, 0.5), f.ESTIMATE: (0.1, 0.5), f.LOOP: (1.2, 6.0)},
            left=checks.loop_of_networks,
        ),
    )


def _limits() -> tuple[Step, ...]:
    at = {f.GAIN: (0.3, 1.0), f.SQUARE: (0.3, 1.0)}
    return (
        Step(
            "noise-limit",
            Eq(Symbol("b v"), f.noise_coefficient(), evaluate=False),
            "-C'(0+)/a leads, and C'(0+) = -B sigma^2/2 whatever the disorder",
            source=f"{KADMON}, scaling with balance",
            domain={**at, NOISE: (0.3, 1.0)},
            kind="limit",
            limit=(f.BALANCE, S.Infinity, 1),
            left=checks.noisy_loop,
        ),
        Step(
            "chaos-limit",
            Eq(Symbol("b^2 v"), f.chaos_coefficient(), evaluate=False),
            "without noise C is smooth at zero lag, and the next term leads",
            source=f"{KADMON}, scaling with balance",
            domain={
                **at,
                VARIANCE: (0.2, 0.4),
                DISORDER: (1.2, 1.6),
                f.RATES: (0.6, 0.9),
                f.STILL: (0.05, 0.1),
            },
            kind="limit",
            limit=(f.BALANCE, S.Infinity, 1),
            left=checks.smooth_loop,
        ),
    )


def _thresholds(phi: Activation) -> tuple[Step, ...]:
    return (
        Step(
            "onset",
            Eq(Symbol("F_c"), residual(f.onset_condition(phi)), evaluate=False),
            "Delta_0 = g^2 E phi^2 and g^2 E phi'^2 = 1",
            source=f"{KADMON}, chaos",
            domain=_AT,
            left=partial(checks.onset, phi),
        ),
        Step(
            "onset-disorder",
            Eq(Symbol("g_c"), f.onset_disorder(), evaluate=False),
            "small differences are multiplied by g^2 E phi'^2",
            source=f"{KADMON}, chaos",
            domain={f.SQUARE: (0.2, 1.0)},
            left=checks.unstable,
        ),
        Step(
            "hopf-gain",
            Eq(Symbol("G_c"), f.hopf_gain(), evaluate=False),
            "1 + lambda + G exp(-lambda d) vanishes at i omega",
            source=f"{KADMON}, delays",
            domain={f.FREQUENCY: (1.0, 20.0)},
            left=checks.turned,
        ),
        Step(
            "hopf-condition",
            Eq(Symbol("F_omega"), residual(f.hopf_condition()), evaluate=False),
            "its phase",
            source=f"{KADMON}, delays",
            domain={f.FREQUENCY: (1.0, 20.0), f.DELAY: (0.05, 0.5)},
            left=checks.turned_phase,
        ),
        Step(
            "oscillation",
            Eq(Symbol("F_R"), residual(f.harmonic_balance()), evaluate=False),
            "the loop filters all but the first harmonic, whose gain is a_1/R in place of A",
            domain={
                f.BALANCE: (1.0, 9.0),
                f.HARMONIC: (0.2, 1.0),
                f.AMPLITUDE: (0.2, 2.0),
                f.LOOP: (1.2, 6.0),
            },
            left=checks.harmonic,
        ),
    )


def _delays() -> tuple[Step, ...]:
    return (
        Step(
            "delayed-mode",
            Eq(Symbol("v_k(d)"), f.delayed_mode(), evaluate=False),
            "the lag equation on [0, d], differentiated once, is an oscillator of frequency l",
            source="new",
            domain={**_LOOP, f.LOOP: (1.2, 2.0), f.DELAY: (0.2, 0.6)},
            left=checks.lagged,
            right=checks.lag_formula,
        ),
        Step(
            "delay-floor",
            Eq(Symbol("v(d)"), f.delay_floor(), evaluate=False),
            "short delays see rates as white noise of strength -2 C'(0+) = 2 Delta_0 B",
            source="new",
            domain={VARIANCE: (0.2, 1.0), f.SQUARE: (0.3, 1.0), f.PHASE: (0.5, 1.0)},
            kind="limit",
            limit=(f.DELAY, 0, 1),
            left=checks.short_delay,
        ),
        Step(
            "best-phase",
            Eq(Symbol("F_y"), residual(f.best_phase()), evaluate=False),
            "the slope of the floor in y, over a positive factor",
            source="new",
            domain={f.PHASE: (0.3, 1.2)},
            kind="derived",
            by=_best,
        ),
    )


def _best(earlier: Mapping[str, Eq]) -> Eq:
    y = f.PHASE
    floor = earlier["delay-floor"].rhs / (VARIANCE * f.SQUARE * f.DELAY)
    positive = (1 + sin(y)) / (y * cos(y)) ** 2
    return Eq(Symbol("F_y"), simplify(diff(floor, y) / positive), evaluate=False)


def _erf() -> tuple[Step, ...]:
    wide, wider = 1 + pi * VARIANCE / 2, 1 + pi * VARIANCE
    closed = (
        ("erf-estimate", f.estimate("erf_s"), erf(sqrt(pi) * f.DRIVE / (2 * sqrt(wide)))),
        ("erf-gain", f.gain("erf_s"), exp(-pi * f.DRIVE**2 / (4 * wide)) / sqrt(wide)),
        ("erf-slope-square", f.slope_square("erf_s"), exp(-pi * f.DRIVE**2 / (2 * wider)) / sqrt(wider)),
    )
    return tuple(
        Step(name, Eq(average, value, evaluate=False), "a Gaussian convolved with a Gaussian", domain=_AT)
        for name, average, value in closed
    )
