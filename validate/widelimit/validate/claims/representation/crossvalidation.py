"""What cross-validated PCA reads of a spectrum, and what the correction makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval, Plan
from widelimit.validate.harness.declare import declare, row, table, wrong
from widelimit.validate.simulate.representation import codes as simulate

if TYPE_CHECKING:
    from widelimit.numerics.representation import ExpectedExponents, ExpectedPCA
    from widelimit.validate.harness.backend import Backend

_MANY = 2000  # units that stand for the limit
_WINDOWS = [f"{low:g} to {high:g}" for low, high in simulate.WINDOWS]


def _expected(exponent: float, noise: float, aspect: float) -> ExpectedPCA:
    from widelimit.numerics import representation

    spectrum = (np.arange(1, _MANY + 1) / _MANY) ** -exponent
    return representation.expected_cvpca(spectrum, noise=noise, stimuli=round(_MANY / aspect))


def _true(exponent: float) -> np.ndarray:
    """Means of the true spectrum over windows of ranks."""
    return simulate.windows((np.arange(1, _MANY + 1) / _MANY) ** -exponent, _MANY)


def _unbiased(exponent: float, truth: np.ndarray) -> np.ndarray:
    return np.concatenate([np.log(_true(exponent)), truth[len(_WINDOWS) :]])


def _without_noise(noise: float, exponent: float, truth: np.ndarray) -> np.ndarray:
    """Plain PCA less the variance of the noise, taken for the signal; plain PCA as if it had been that."""
    less = np.exp(truth[len(_WINDOWS) :]) - noise
    return np.concatenate([np.log(np.maximum(less, 1e-9)), np.log(_true(exponent) + noise)])


CVPCA_BIAS = declare(
    "representation.cvpca-bias",
    title="Cross-validated PCA is biased",
    statement="Cross-validated eigenvalues tend to an exact limit that is not the spectrum of the signal.",
    paper="new; directions follow arXiv:0911.3010",
    domain={
        "exponent": Interval(0.8, 2.0, simplest=1.0),
        "noise": Interval(0.2, 4.0, simplest=1.0),
        "aspect": Interval(0.5, 2.0, simplest=1.0),
    },
    solver=_expected,
    rows={
        "log cross-validated": row(
            lambda found: np.log(simulate.windows(found.cross_validated, _MANY)), over={"ranks": _WINDOWS}
        ),
        "log plain": row(
            lambda found: np.log(simulate.windows(found.sample, _MANY)), over={"ranks": _WINDOWS}
        ),
    },
    simulate=simulate.bias,
    points=table("exponent noise aspect", [(1.04, 1.0, 1.25)], [(1.5, 2.0, 0.5), (0.8, 0.5, 2.0)]),
    sizes=(60, 120, 180),
    within=0.06,
    scale=lambda predicted: np.ones_like(predicted),
    noise=0.5,
    size_name="units",
    quantity="logarithm of the mean over ranks, as shares of the units",
    observable="(X_1 u_n).(X_2 u_n)/T and |X_1 u_n|^2/T, Gaussian signal and noise",
    wrong=[
        wrong("unbiased", "cross-validated eigenvalues are those of the signal", _unbiased),
        wrong("less the noise", "plain PCA less the variance of the noise is the signal", _without_noise),
    ],
)
CVPCA_SPIKE = declare(
    "representation.cvpca-spike",
    title="One direction of signal",
    statement="Of one direction of variance l in white noise, cross-validation reads l - beta sigma^4/l, beta = N/T.",
    paper="new; plain PCA: Baik, Ben Arous and Peche",
    domain={
        "variance": Interval(2.0, 8.0, simplest=4.0),
        "noise": Interval(0.5, 1.0, simplest=1.0),
        "aspect": Interval(1.0, 3.0, simplest=2.0),
    },
    solver="representation.spike",
    rows={"cross-validated": "cross_validated", "plain": "sample"},
    simulate=simulate.spike,
    points=table("variance noise aspect", [(3.0, 1.0, 3.0)], [(4.0, 1.0, 2.0), (2.5, 0.8, 3.0)]),
    sizes=(90, 180, 360),
    valid=lambda variance, noise, aspect: variance > 1.6 * noise * aspect**0.5,  # the threshold is rounded
    within=0.14,
    closer=1.6,
    noise=4.0,
    size_name="units",
    quantity="eigenvalue of the first rank",
    observable="cross-validated and plain PCA of the first rank",
    wrong=[
        wrong("unbiased", "l itself", lambda variance, truth: np.array([variance, truth[1]])),
        wrong(
            "less the noise",
            "l - beta sigma^2",
            lambda variance, noise, aspect, truth: np.array([variance - aspect * noise, truth[1]]),
            only=lambda noise: noise == 1.0,
        ),
    ],
)


def correct(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Correct the exponent of one drawn recording, and see whether the interval covers the truth."""
    from widelimit.numerics import representation

    data = simulate.recording(inputs, seed, backend)
    counted = inputs["asked"] == "coverage"
    found = representation.corrected(
        *data, first_rank=_RANKS[0], last_rank=_RANKS[1], draws=12 if counted else 5, seed=seed % 2**32
    )
    if not counted:
        return np.array([found.exponent])
    low, high = found.interval
    return np.array([found.exponent, float(low < float(inputs["exponent"]) < high)])


_RANKS = (5, 40)
_ASKED: dict[str, Any] = {"exponent": 1.04, "noise": 0.03, "units": 200, "stimuli": 150, "asked": "coverage"}


def _raw(exponent: float, units: int, stimuli: int, noise: float) -> ExpectedExponents:
    from widelimit.numerics import representation

    return representation.predict(
        exponent=exponent,
        units=units,
        stimuli=stimuli,
        noise=noise,
        first_rank=_RANKS[0],
        last_rank=_RANKS[1],
    )  # type: ignore[return-value]


def _read_as_it_is(exponent: float, units: int, stimuli: int, noise: float, asked: str) -> np.ndarray:
    raw = _raw(exponent, units, stimuli, noise)
    return np.array([raw.cross_validated, 0.0][: 1 + (asked == "coverage")])


CORRECTED = declare(
    "representation.corrected-exponent",
    title="Corrected exponents",
    statement="Corrected for the bias of cross-validated PCA, exponents are right, and 95 % intervals cover the truth.",
    paper="new",
    domain={
        "exponent": Interval(0.9, 1.2, simplest=1.0),
        "noise": Interval(0.01, 0.05, simplest=0.05),
        "units": Choice((100, 200)),
        "stimuli": Choice((150, 300)),
        "asked": Choice(("mean", "coverage")),
    },
    rows={
        "exponent": lambda exponent: exponent,
        "share of intervals": row(0.95, only=lambda asked: asked == "coverage"),
    },
    simulate=correct,
    plans={
        "quick": Plan(({**_ASKED, "noise": 0.05, "asked": "mean"},), (), pilot=8, most=24, block=8),
        "reference": Plan((_ASKED,), (), pilot=200, most=200, block=20),
        "deep": Plan((_ASKED, {**_ASKED, "exponent": 1.1}), (), pilot=200, most=400, block=20),
    },
    within=0.045,
    scale=lambda predicted: np.ones_like(predicted),
    derivation=None,
    quantity="exponent; share of intervals that cover it",
    observable="numerics.representation.corrected of drawn recordings, ranks 5 to 40",
    wrong=wrong("raw exponent", "what cross-validated PCA reads", _read_as_it_is),
)
CLAIMS = (CVPCA_BIAS, CVPCA_SPIKE, CORRECTED)
