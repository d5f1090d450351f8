"""Claims about power-law spectra and about random features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from widelimit.validate.claims.ridge.shared import derivation, plans
from widelimit.validate.harness.claim import Choice, Inputs, Interval
from widelimit.validate.harness.declare import altered, another, at_size, declare, instead, table, wrong

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

# --- ridge.power-law ----------------------------------------------------------------------------------------------

_WIDTH = 8  # dimensions per sample: with N and P grown together the cut tail cancels from the exponent
_SPAN = 4  # exponents are measured between N and this times N


def simulate_exponents(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log4 of the excess error at N = size over that at 4 N, without noise or penalty and at the best penalty."""
    from widelimit.validate.simulate.ridge import Population
    from widelimit.validate.simulate.ridge.scans import excess_errors

    exponents = float(inputs["exponent"]), float(inputs["signal_exponent"])
    logs = []
    for k, samples in enumerate((size, _SPAN * size)):
        population = Population.power_law(_WIDTH * samples, *exponents, float(inputs["noise"]))
        logs.append(np.log(excess_errors(population, samples, [seed + k for seed in seeds], backend)))
    return (logs[0] - logs[1]) / np.log(_SPAN)


class Exponents(NamedTuple):
    """Exponents of the excess error between a number of samples and `_SPAN` times it."""

    error_exponent: float
    noisy_exponent: float


def exponents_at(inputs: Inputs) -> Exponents:
    """The same of means over training sets in as many dimensions as are drawn, whose spectrum is summed as it is."""
    from widelimit.numerics import ridge

    noise = float(inputs["noise"])
    logs = []
    for samples in (int(inputs["size"]), _SPAN * int(inputs["size"])):
        dimensions = _WIDTH * samples
        spectrum = ridge.Spectrum.power_law(
            dimensions, float(inputs["exponent"]), float(inputs["signal_exponent"]), exact=dimensions
        )
        counts: Any = {"sample_ratio": samples / dimensions, "samples": samples}
        clean = ridge.at_samples(spectrum, **counts).test_error
        noisy = ridge.optimal_at_samples(spectrum, noise=noise, **counts).test_error - noise
        logs.append(np.log([clean, noisy]))
    return Exponents(*((logs[0] - logs[1]) / np.log(_SPAN)))


POWER_LAW = declare(
    "ridge.power-law",
    title="Power laws of the learning curve",
    statement="s_k = k^-a and u_k = k^-b give an excess error N^-mu, mu = min(b - 1, 2a); with noise N^(-mu/(1+mu)) at "
    "best.",
    paper="Cui et al., NeurIPS 2021; Bordelon et al., ICML 2020",
    domain={
        "exponent": Interval(1.6, 2.5, simplest=2.0),
        "signal_exponent": Interval(1.5, 2.5, simplest=2.0),
        "noise": Interval(0.05, 0.5, simplest=0.1),
    },
    solver="ridge.power_law",
    given={"samples": 100},  # which exponents do not depend on
    named="fit",
    rows={"no noise, no penalty": "error_exponent", "noise, best penalty": "noisy_exponent"},
    simulate=simulate_exponents,
    plans=plans(
        table("exponent signal_exponent noise", [(2.0, 2.5, 0.2)], [(2.0, 1.6, 0.1)]),
        (128, 256, 192),
        ((32, 64), (32, 64, 96), (64, 128, 256)),
        target=0.02,
    ),
    derivation=derivation("power-law", "finite-samples"),
    finite=at_size(solver=exponents_at),
    within=0.02,
    scale=np.ones_like,  # an exponent, to a fiftieth
    size_name="samples",
    quantity="exponent of the excess error",
    observable="logarithm to base 4 of the excess test error at N over that at 4 N, each averaged exactly over label "
    "noise and signs of the target; with noise at the penalty that a scan finds best",
    notes="At finite N the slope between N and 4 N is not yet the exponent: it is compared with that of the very "
    "spectrum in 8 N dimensions, corrections of order 1/N included. The exponents themselves are then a theory that is "
    "rejected.",
    wrong=(
        wrong(
            "spectrum alone",
            "exponents from the eigenvalues, as if the target's were the same",
            altered(signal_exponent=lambda exponent: exponent),
            only=lambda exponent, signal_exponent: abs(exponent - signal_exponent) > 0.4,
            beyond=0.0,
        ),
        wrong(
            "noise forgotten",
            "the noiseless exponent for noisy data",
            instead({"noise, best penalty": "error_exponent"}),
            beyond=0.0,
        ),
        wrong(
            "parametric rate",
            "1/N for noisy data, as in fixed dimension",
            instead({"noise, best penalty": 1.0}),
            beyond=0.0,
        ),
    ),
)

# --- ridge.random-features ----------------------------------------------------------------------------------------

_PENALTIES = (0.02, 0.2)
_SPECTRUM: dict[str, Any] = {
    "eigenvalues": lambda upper: (upper, 2 - upper),
    "weights": (0.5, 0.5),
    "signal": lambda share: (share, 1 - share),
    "penalty": _PENALTIES,
}


def simulate_features(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Errors of ridge fits on random features of Gaussian inputs."""
    from widelimit.validate.simulate import ridge as simulate

    upper, share, half = float(inputs["upper"]), float(inputs["share"]), size // 2
    s = np.repeat([upper, 2 - upper], half)
    u = np.repeat([share, 1 - share], half) / half
    population = simulate.Population(s, np.sqrt(u / s), float(inputs["noise"]))
    counts = round(float(inputs["sample_ratio"]) * size), round(float(inputs["feature_ratio"]) * size)
    features = simulate.erf_features if inputs["activation"] == "erf" else simulate.linear_features
    return features(population, *counts, _PENALTIES, seeds, backend)


RANDOM_FEATURES = declare(
    "ridge.random-features",
    title="Ridge on random features",
    statement="Random features act as their linear part plus noise: the effective ridge applies twice.",
    paper="Mel & Pennington, ICLR 2022",
    domain={
        "activation": Choice(("linear", "erf")),
        "upper": Interval(1.0, 1.8, simplest=1.5),
        "share": Interval(0.1, 0.9, simplest=0.5),
        "noise": Interval(0.02, 0.5, simplest=0.1),
        "sample_ratio": Choice((1.0, 0.5, 2.0)),
        "feature_ratio": Choice((1.0, 0.5, 2.0)),
    },
    solver="ridge.random_features",
    given=_SPECTRUM,
    rows="test_error",
    over={"penalty": _PENALTIES},
    simulate=simulate_features,
    plans=plans(
        table(
            "activation upper share noise sample_ratio feature_ratio",
            [("erf", 1.5, 0.8, 0.1, 1.0, 0.5), ("linear", 1.8, 0.3, 0.1, 0.5, 1.0)],
            [("erf", 1.8, 0.3, 0.3, 2.0, 2.0)],
        ),
        (256, 384, 512),
    ),
    derivation=derivation("random-features"),
    within=0.05,  # 2 % of it is what neuron norms fluctuate by at a few hundred inputs
    size_name="dimensions",
    quantity="E",
    observable="test error of a fit on features, averaged over new inputs in closed form",
    wrong=(
        wrong(
            "inputs themselves",
            "as if the features were the inputs",
            another("ridge.solve", **_SPECTRUM),
            beyond=0.0,
        ),
        wrong(
            "linearised",
            "the linear part alone, of full power",
            altered(activation="linear"),
            only=lambda activation: activation == "erf",
            beyond=0.0,
        ),
    ),
)
SCALING_CLAIMS = (POWER_LAW, RANDOM_FEATURES)
