"""Claims about power-law spectra and about random features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.ridge.shared import derivation, presets
from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Interval

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

# --- ridge.power-law ----------------------------------------------------------------------------------------------

_WIDTH = 8  # dimensions per sample: with N and P grown together the cut tail cancels from the exponent
_SPAN = 4  # exponents are measured between N and this times N


def exponent_rows(inputs: Inputs) -> Sequence[Inputs]:
    """Local exponents of the excess error between N and 4 N."""
    return (
        {"penalty": "none", "noise": 0.0},
        {"penalty": "N^-ell, best ell", "noise": float(inputs["noise"])},
    )


def _mu(inputs: Inputs) -> float:
    return min(float(inputs["signal_exponent"]) - 1, 2 * float(inputs["exponent"]))


def predict_exponents(inputs: Inputs) -> np.ndarray:
    """mu without noise or penalty; mu/(1 + mu) with noise, at penalties that fall as N^(-a/(1 + mu))."""
    return np.array([_mu(inputs), _mu(inputs) / (1 + _mu(inputs))])


def simulate_exponents(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """log4 of the excess error at N = size over that at 4 N; penalties are N^-ell."""
    from widelimit.validate.simulate.ridge import Population, test_errors

    a, b = float(inputs["exponent"]), float(inputs["signal_exponent"])
    ell = a / (1 + _mu(inputs))
    logs = []
    for k, samples in enumerate((size, _SPAN * size)):
        own = [seed + k for seed in seeds]
        dimensions = _WIDTH * samples
        clean = test_errors(Population.power_law(dimensions, a, b, 0.0), samples, [0.0], own, backend)
        noisy = Population.power_law(dimensions, a, b, float(inputs["noise"]))
        penalty = float(inputs["level"]) * samples**-ell
        excess = test_errors(noisy, samples, [penalty], own, backend) - noisy.noise
        logs.append(np.log(np.concatenate([clean, excess], axis=1)))
    return (logs[0] - logs[1]) / np.log(_SPAN)


def _spectrum_alone(inputs: Inputs) -> np.ndarray:
    other = {**inputs, "signal_exponent": inputs["exponent"]}
    return predict_exponents(other)


def _no_noise(inputs: Inputs) -> np.ndarray:
    return np.full(2, _mu(inputs))


def _parametric(inputs: Inputs) -> np.ndarray:
    return np.array([_mu(inputs), 1.0])


POWER_LAW = Claim(
    id="ridge.power-law",
    title="Power laws of the learning curve",
    statement=(
        "s_k = k^-a and u_k = k^-b give an excess error N^-mu, mu = min(b - 1, 2a); with noise "
        "N^(-mu/(1+mu)) at best."
    ),
    paper="Cui et al., NeurIPS 2021; Bordelon et al., ICML 2020",
    domain={
        "exponent": Interval(1.6, 2.5, simplest=2.0),
        "signal_exponent": Interval(1.5, 2.5, simplest=2.0),
        "noise": Interval(0.05, 0.5, simplest=0.1),
        "level": Choice((1.0, 2.0)),
    },
    plans=presets(
        ({"exponent": 2.0, "signal_exponent": 2.5, "noise": 0.2, "level": 1.0},),
        ({"exponent": 2.0, "signal_exponent": 1.6, "noise": 0.1, "level": 1.0},),
        sizes=((16, 32, 64), (32, 64, 128), (64, 128, 256, 512)),
        most=(96, 128, 192),
    ),
    predict=predict_exponents,
    simulate=simulate_exponents,
    rows=exponent_rows,
    derivation=derivation("power-law"),
    margin=0.1,
    scale=np.ones_like,  # an exponent, to a tenth
    size_name="samples",
    quantity="exponent of the excess error",
    observable="logarithm to base 4 of the excess test error at N over that at 4 N",
    counterfactuals=(
        Counterfactual(
            "spectrum alone",
            "exponents from the eigenvalues, as if the target's were the same",
            _spectrum_alone,
            lambda inputs: abs(float(inputs["exponent"]) - float(inputs["signal_exponent"])) > 0.4,
        ),
        Counterfactual("noise forgotten", "the noiseless exponent for noisy data", _no_noise),
        Counterfactual("parametric rate", "1/N for noisy data, as in fixed dimension", _parametric),
    ),
)

# --- ridge.random-features ----------------------------------------------------------------------------------------

_PENALTIES = (0.02, 0.2)


def feature_rows(inputs: Inputs) -> Sequence[Inputs]:
    """One row a penalty."""
    return tuple({"penalty": penalty} for penalty in _PENALTIES)


def _spectrum(inputs: Inputs) -> dict[str, list[float]]:
    upper = float(inputs["upper"])
    share = float(inputs["share"])
    return {"eigenvalues": [upper, 2 - upper], "weights": [0.5, 0.5], "signal": [share, 1 - share]}


def predict_features(inputs: Inputs) -> np.ndarray:
    """E at each penalty."""
    from widelimit.numerics import ridge

    given = {key: float(inputs[key]) for key in ("noise", "sample_ratio", "feature_ratio")}
    activation = str(inputs["activation"])
    found = ridge.random_features(**_spectrum(inputs), **given, penalty=_PENALTIES, activation=activation)
    return np.asarray(found.test_error)


def simulate_features(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Errors of ridge fits on random features of Gaussian inputs."""
    from widelimit.validate.simulate import ridge as simulate

    given = _spectrum(inputs)
    s = np.repeat(given["eigenvalues"], size // 2)
    u = np.repeat(given["signal"], size // 2) / (size // 2)
    population = simulate.Population(s, np.sqrt(u / s), float(inputs["noise"]))
    counts = round(float(inputs["sample_ratio"]) * size), round(float(inputs["feature_ratio"]) * size)
    features = simulate.erf_features if inputs["activation"] == "erf" else simulate.linear_features
    return features(population, *counts, _PENALTIES, seeds, backend)


def _inputs_themselves(inputs: Inputs) -> np.ndarray:
    from widelimit.numerics import ridge

    given = {key: float(inputs[key]) for key in ("noise", "sample_ratio")}
    return np.asarray(ridge.solve(**_spectrum(inputs), **given, penalty=_PENALTIES).test_error)


def _linearised(inputs: Inputs) -> np.ndarray:
    return predict_features({**inputs, "activation": "linear"})


def _features(
    activation: str, upper: float, share: float, noise: float, sample_ratio: float, feature_ratio: float
) -> Inputs:
    return {
        "activation": activation,
        "upper": upper,
        "share": share,
        "noise": noise,
        "sample_ratio": sample_ratio,
        "feature_ratio": feature_ratio,
    }


RANDOM_FEATURES = Claim(
    id="ridge.random-features",
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
    plans=presets(
        (
            _features("erf", 1.5, 0.8, 0.1, 1.0, 0.5),
            _features("linear", 1.8, 0.3, 0.1, 0.5, 1.0),
        ),
        (_features("erf", 1.8, 0.3, 0.3, 2.0, 2.0),),
        most=(256, 384, 512),
    ),
    predict=predict_features,
    simulate=simulate_features,
    rows=feature_rows,
    derivation=derivation("random-features"),
    margin=0.05,  # 2 % of it is what neuron norms fluctuate by at a few hundred inputs
    size_name="dimensions",
    quantity="E",
    observable="test error of a fit on features, averaged over new inputs in closed form",
    counterfactuals=(
        Counterfactual("inputs themselves", "as if the features were the inputs", _inputs_themselves),
        Counterfactual(
            "linearised",
            "the linear part alone, of full power",
            _linearised,
            lambda inputs: inputs["activation"] == "erf",
        ),
    ),
)

SCALING_CLAIMS = (POWER_LAW, RANDOM_FEATURES)
