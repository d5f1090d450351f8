"""`derive`: filters and how well they are known, ceilings of models, noise in a cell, adaptation to contrast."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sympy import Derivative, Eq, S, Symbol, acos, cos, exp, oo, pi, sin

from widelimit.theory.calculus.derivation import Derivation, Step
from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF
from widelimit.theory.retina import checks, noise, sampling, subunits

CHICHILNISKY, MCINTOSH, SAHANI, SCHOPPE = (
    "chichilnisky2001simple", "mcintosh2016deep", "sahani2003linear", "schoppe2016measuring",
)  # fmt: skip
_CELL = {sampling.SCALE: (0.5, 1.5), sampling.GAIN: (0.5, 1.5)}
_DRIVE = {sampling.DRIVE_VARIANCE: (sampling.SCALE * sampling.GAIN) ** 2}
_ASSUMPTIONS = (
    "stimuli are Gaussian; white, of standard deviation s, where dimensions are counted",
    "noise is independent between samples and trials",
)


def derive() -> Derivation:
    """Linear-nonlinear cells of Gaussian stimuli: filters, ceilings, noise and adaptation.

    >>> derive()["cosine"].name
    'cosine'
    """
    steps = (*_filters(), *_likelihood(), *_subunits(), *_noise(), *_repeats(), *_adaptation())
    return Derivation("What recordings of a cell tell about it", steps, _ASSUMPTIONS)


def _filters() -> tuple[Step, ...]:
    slope = sampling.rate_slope("softplus(x)").subs(_DRIVE)
    return (
        Step(
            "spike-triggered-average",
            Eq(Symbol("STA"), sampling.sta_length().subs(sampling.SLOPE, slope), evaluate=False),
            "Stein's identity, E x f(kappa x) = s^2 E d f(kappa x)/dx; here of a softplus",
            source=CHICHILNISKY,
            domain=_CELL,
            left=checks.softplus_average,
        ),
        Step(
            "rate",
            Eq(Symbol("E_f"), sampling.rate_mean("exp(x)"), evaluate=False),
            "the mean of an exponential",
            domain={sampling.DRIVE_VARIANCE: (0.1, 1.5)},
            left=checks.exponential,
        ),
        Step(
            "rate-variance",
            Eq(
                sampling.rate_variance("exp(x)"),
                exp(2 * sampling.DRIVE_VARIANCE) - 2 * sampling.RATE * exp(sampling.DRIVE_VARIANCE / 2)
                + sampling.RATE**2,
                evaluate=False,
            ),
            "and its square about any number",
            domain={sampling.DRIVE_VARIANCE: (0.1, 1.0), sampling.RATE: (0.5, 2.0)},
        ),
        Step(
            "counts",
            Eq(Symbol("Var_r"), sampling.counted_variance(), evaluate=False),
            "variances within and between rates add",
            domain={sampling.RATE: (1.0, 2.0), sampling.RATE_VARIANCE: (0.1, 0.9)},
            left=checks.mixture,
        ),
        Step(
            "off-filter",
            Eq(Symbol("Var_STA"), sampling.off_filter_variance(), evaluate=False),
            "across the filter stimulus and response are independent",
            domain={sampling.SCALE: (0.5, 1.5), sampling.RESPONSE_VARIANCE: (0.5, 2.0), sampling.SAMPLES: (2, 4)},
            left=checks.off_filter,
        ),
        Step(
            "signal-to-noise",
            Eq(Symbol("SNR"), sampling.signal_to_noise(), evaluate=False),
            "the average along the filter against its noise across it, of one sample",
            kind="derived",
            by=_signal_to_noise,
            domain={**_CELL, sampling.SLOPE: (0.3, 1.0), sampling.RESPONSE_VARIANCE: (0.5, 2.0)},
        ),
        Step(
            "cosine",
            Eq(Symbol("cos"), sampling.expected_cosine(), evaluate=False),
            "P - 1 entries of noise beside one of signal; fluctuations of the lengths are O(1/n) and O(1/P)",
            domain={sampling.DIMENSIONS: (3, 60), sampling.SAMPLES: (50, 5000), sampling.SNR: (0.05, 0.5)},
            left=checks.angle,
        ),
        Step(
            "samples",
            Eq(
                sampling.COSINE,
                sampling.expected_cosine().subs(sampling.SAMPLES, sampling.samples_needed()),
                evaluate=False,
            ),
            "solved for n",
            domain={sampling.DIMENSIONS: (3, 60), sampling.COSINE: (0.2, 0.95), sampling.SNR: (0.05, 0.5)},
        ),
    )  # fmt: skip


def _signal_to_noise(earlier: Mapping[str, Eq]) -> Eq:
    slope = sampling.rate_slope("softplus(x)").subs(_DRIVE)
    length = earlier["spike-triggered-average"].rhs.subs(slope, sampling.SLOPE)
    return Eq(Symbol("SNR"), length**2 / (sampling.SAMPLES * earlier["off-filter"].rhs), evaluate=False)


def _variance_ratio(earlier: Mapping[str, Eq]) -> Eq:
    average = earlier["off-filter"].rhs / (sampling.SCALE**2 * sampling.SLOPE) ** 2
    return Eq(Symbol("ratio"), average / earlier["likelihood-variance"].rhs, evaluate=False)


def _likelihood_snr(earlier: Mapping[str, Eq]) -> Eq:
    noise_of_one = sampling.SAMPLES * earlier["likelihood-variance"].rhs
    return Eq(Symbol("SNR_ML"), sampling.GAIN**2 / noise_of_one, evaluate=False)


def _likelihood() -> tuple[Step, ...]:
    q = sampling.DRIVE_VARIANCE
    mean = exp(q / 2)
    exponential = {
        sampling.RESPONSE_VARIANCE: mean**2 * (exp(q) - 1) + mean,
        sampling.INFORMATION: mean,
        sampling.SLOPE: mean,
    }
    return (
        Step(
            "information",
            Eq(Symbol("I_u"), sampling.information_density(), evaluate=False),
            "the mean square of the score f' (r/f - 1) of a Poisson count",
            domain={sampling.LOCAL_RATE: (0.3, 3.0), sampling.LOCAL_SLOPE: (0.2, 1.5)},
            left=checks.score,
        ),
        Step(
            "slope-square",
            Eq(Symbol("I_g"), sampling.slope_square("erf(x)"), evaluate=False),
            "the same of Gaussian noise of variance 1; here of an error function",
            domain={q: (0.1, 2.0)},
            left=checks.error_square,
        ),
        Step(
            "likelihood-variance",
            Eq(Symbol("Var_ML"), sampling.likelihood_variance(), evaluate=False),
            "the inverse of n s^2 I; what is left is O(P/n)",
            source=CHICHILNISKY,
            domain={sampling.SCALE: (0.5, 1.5), sampling.SAMPLES: (10, 50), sampling.INFORMATION: (0.2, 2.0)},
            left=checks.curvature,
        ),
        Step(
            "variance-ratio",
            Eq(Symbol("ratio"), sampling.variance_ratio(), evaluate=False),
            "the average over s^2 E f' against the filter of maximum likelihood",
            kind="derived",
            by=_variance_ratio,
            domain={
                sampling.INFORMATION: (0.2, 2.0), sampling.RESPONSE_VARIANCE: (0.5, 2.0), sampling.SLOPE: (0.3, 1.0),
            },
        ),
        Step(
            "exponential-ratio",
            Eq(sampling.variance_ratio().subs(exponential), 1 + mean * (exp(q) - 1), evaluate=False),
            "of an exponential, whose information and slope are its mean",
            domain={q: (0.1, 1.5)},
        ),
        Step(
            "likelihood-snr",
            Eq(Symbol("SNR_ML"), sampling.likelihood_snr(), evaluate=False),
            "the filter's square against its noise",
            kind="derived",
            by=_likelihood_snr,
            domain={**_CELL, sampling.INFORMATION: (0.2, 2.0)},
        ),
        Step(
            "overfitting",
            Eq(Symbol("dL"), sampling.excess_likelihood(), evaluate=False),
            "half a nat for each parameter in training; the test likelihood falls short by as much",
            kind="limit",
            limit=(sampling.SAMPLES, oo, 1),
            domain={sampling.DIMENSIONS: (1, 3)},
            left=checks.fitted,
        ),
    )  # fmt: skip


def _subunits() -> tuple[Step, ...]:
    pair = {subunits.FIRST: (-1.0, 1.5), subunits.SECOND: (-1.0, 1.5), subunits.CORRELATION: (-0.8, 0.8)}
    rho = subunits.CORRELATION
    origin = {subunits.FIRST: S.Zero, subunits.SECOND: S.Zero}
    return (
        Step(
            "passing",
            Eq(Symbol("P_t"), subunits.passing(), evaluate=False),
            "the filter of a cell is sum_j a_j P(u_j > theta_j) k_j in every ensemble (Stein)",
            source=MCINTOSH,
            domain={subunits.FIRST: (-2.0, 2.0)},
            left=checks.rectified_slope,
        ),
        Step(
            "product",
            Eq(Symbol("m_12"), subunits.rectified_product(), evaluate=False),
            "E of two rectified Gaussians",
            domain=pair,
            left=checks.product_of_two,
        ),
        Step(
            "covariance-slope",
            Eq(
                Derivative(subunits.rectified_product(), rho),
                BivariateNormalCDF(-subunits.FIRST, -subunits.SECOND, rho),
                evaluate=False,
            ),
            "Price's identity: its derivative by the correlation is the share of the time in which both pass",
            domain=pair,
        ),
        Step(
            "without-thresholds",
            Eq(
                subunits.rectified_product().subs(origin),
                (sin(acos(rho)) + (pi - acos(rho)) * cos(acos(rho))) / (2 * pi),
                evaluate=False,
            ),
            "at thresholds of zero, with the angle between filters; less 1/(2 pi) it is the covariance",
            source="cho2009kernel, eq. (6)",
            domain={rho: (-0.9, 0.9)},
        ),
        Step(
            "reflection",
            Eq(Symbol("m_back"), subunits.reflected_product(), evaluate=False),
            "[z]_+ = z + [-z]_+, where the correlation is near -1",
            domain={**pair, rho: (0.1, 0.8)},
            left=checks.reflected,
            written=_opposite,
        ),
    )


def _opposite(expr: object) -> object:
    """Write out m_12 in `reflected_product`: E [y - t_1]_+ [z + t_2]_+ at rho."""
    if not hasattr(expr, "subs"):
        return expr
    back = subunits.rectified_product().subs(subunits.SECOND, -subunits.SECOND)
    return expr.subs(subunits.PRODUCT, back)


def _noise() -> tuple[Step, ...]:
    near, far = {noise.RATIO: (-2.0, 2.0)}, {noise.BELOW: (6.0, 9.0)}
    return (
        Step(
            "rectified-mean",
            Eq(Symbol("m"), noise.rectified_mean(), evaluate=False),
            "noise before a rectifier",
            source=MCINTOSH,
            domain=near,
            left=partial(checks.moment, 1),
        ),
        Step(
            "rectified-square",
            Eq(Symbol("m2"), noise.rectified_square(), evaluate=False),
            "and its square",
            domain=near,
            left=partial(checks.moment, 2),
        ),
        Step(
            "rectified-variance",
            Eq(Symbol("v"), noise.rectified_variance(), evaluate=False),
            "the variance; over the mean, the Fano factor",
            domain=near,
            left=checks.spread,
        ),
        Step(
            "high-variance",
            Eq(noise.rectified_variance(), noise.high_variance(), evaluate=False),
            "the same where most of the noise passes, without a difference of squares",
            domain={noise.RATIO: (0.1, 3.0)},
        ),
        Step(
            "tail-mean",
            Eq(noise.rectified_mean().subs(noise.RATIO, -noise.BELOW), noise.tail_mean(), evaluate=False),
            "the same where little passes: moments obey A_(k+1) = k A_(k-1) - y A_k, and their ratio is minimal",
            domain=far,
        ),
        Step(
            "tail-ratio",
            Eq(Symbol("A_2") / Symbol("A_1"), noise.tail_ratio(2), evaluate=False),
            "the continued fraction of that recursion",
            domain=far,
            left=checks.ratio_below,
        ),
        Step(
            "tail-fano",
            Eq(Symbol("F"), noise.tail_fano(), evaluate=False),
            "2/|q| far below threshold",
            domain=far,
            left=checks.fano_below,
        ),
        Step(
            "counted-fano",
            Eq(Symbol("F_counts"), noise.counted_fano(), evaluate=False),
            "a Poisson stage after it adds 1: sub-Poisson counts have none",
            domain={noise.FANO: (0.05, 0.8)},
            left=checks.counted,
        ),
    )


def _repeats() -> tuple[Step, ...]:
    return (
        Step(
            "signal-power",
            Eq(Symbol("SP"), noise.signal_power(), evaluate=False),
            "independent noise adds its variance over T to the mean over trials, all of it to single trials",
            source=SAHANI,
            domain={noise.TRIALS: (2, 3), noise.MEAN_VARIANCE: (1.0, 1.2), noise.TRIAL_VARIANCE: (1.2, 1.8)},
            left=checks.trials,
        ),
        Step(
            "ceiling",
            Eq(Symbol("CC_max"), noise.ceiling(), evaluate=False),
            "the correlation of the signal with the mean over trials",
            source=SCHOPPE,
            domain={noise.SIGNAL: (0.3, 1.0), noise.MEAN_VARIANCE: (1.0, 2.0)},
            left=checks.best_correlation,
        ),
    )


def _adaptation() -> tuple[Step, ...]:
    return (
        Step(
            "recovery",
            Eq(Symbol("tau_m"), subunits.recovery(), evaluate=False),
            "tau dm/dt = -m + E [s z - w m - b]_+ about its rest; the gain there is Phi(-q), q = (w m + b)/s",
            source=MCINTOSH,
            domain={subunits.TAU: (0.5, 2.0), subunits.FEEDBACK: (0.5, 3.0), subunits.PASSED: (0.1, 0.9)},
            left=checks.relaxed,
        ),
        Step(
            "static-gain",
            Eq(Symbol("gain"), subunits.static_gain(), evaluate=False),
            "a static nonlinearity's gain falls with contrast, without adaptation",
            domain={subunits.WIDTH: (0.5, 2.0), subunits.DRIVE_DEVIATION: (0.5, 2.0)},
            left=checks.error_slope,
        ),
    )
