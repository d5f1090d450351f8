"""Figures of 1711.04735 and 1802.09979 that show a law or a curve, theory over simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from widelimit.validate.claims.jacobian.speed import CURVES
from widelimit.validate.report.gallery import GalleryFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from widelimit.numerics.freeprob import SpectralLaw

Arrays = Mapping[str, np.ndarray]
_WIDTH = {"quick": 120, "reference": 400, "deep": 1000}
_DEPTHS = (2, 8, 32)
_APPROACH = (4, 32, 256, 2048)
_SIMULATED = (1, 3, 10, 30)  # depths at which the largest singular value is also simulated


def _critical(activation: str, q: float) -> tuple[float, float]:
    from widelimit.numerics import meanfield

    line = meanfield.critical_line(activation, q_star=q)
    return float(line.sigma_w), float(line.sigma_b)


def _sampled(inputs: Mapping, q: float, preset: str, networks: int = 6) -> np.ndarray:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.jacobian import singular_values

    return np.concatenate(list(singular_values(inputs, q, _WIDTH[preset], range(1, networks + 1), Backend())))


def _law_and_sample(
    activation: str, q: float, depth: int, weights: str, preset: str
) -> dict[str, np.ndarray]:
    from widelimit.numerics import jacobian

    sigma_w, sigma_b = (
        _critical(activation, q)
        if activation not in ("relu", "linear")
        else ((2**0.5 if activation == "relu" else 1.0), 0.0)
    )
    law = jacobian.spectrum(activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, weights=weights)
    s = np.linspace(1e-3, 1.02 * np.exp(law.log_largest / 2), 400)
    inputs = {
        "activation": activation,
        "sigma_w": sigma_w,
        "sigma_b": sigma_b,
        "depth": depth,
        "weights": weights,
    }
    return {
        "s": s,
        "density": np.asarray(law.singular(s)),
        "sample": _sampled(inputs, q, preset),
        "atoms": _atoms(law),
    }


def _atoms(law: SpectralLaw) -> np.ndarray:
    """Singular values at which the law has atoms above zero."""
    return np.exp([location / 2 for location, _ in law.log_atoms if location > -np.inf])


def _densities(preset: str, cases: tuple, depths: tuple[int, ...]) -> Arrays:
    arrays: dict[str, np.ndarray] = {}
    for activation, q, weights in cases:
        for depth in depths:
            for name, values in _law_and_sample(activation, q, depth, weights, preset).items():
                arrays[f"{activation}|{weights}|{depth}|{name}"] = values
    return arrays


def _draw_densities(arrays: Arrays, axes: Axes) -> None:
    """Lines: density of the continuous part; dotted: atoms; filled steps: simulated networks."""
    keys = [key.rsplit("|", 1)[0] for key in arrays if key.endswith("|s")]
    ends, tops = [], []
    for index, key in enumerate(keys):
        activation, weights, depth = key.split("|")
        colour = f"C{index % 10}"
        sample, s = arrays[f"{key}|sample"], arrays[f"{key}|s"]
        density = arrays[f"{key}|density"]
        bins = np.linspace(1e-3, float(s[-1]), 51)
        heights = np.histogram(sample, bins)[0] / (sample.size * (bins[1] - bins[0]))
        axes.stairs(heights, bins, fill=True, alpha=0.25, color=colour)
        axes.plot(s, density, color=colour, label=f"{activation}, {weights}, L = {depth}")
        for location in arrays[f"{key}|atoms"]:
            axes.axvline(location, color=colour, linestyle=":")
        tops.append(float(np.percentile(density, 90)))
        ends.append(max(float(s[_visible_end(density)]), *arrays[f"{key}|atoms"], 0.0))
    axes.set_ylim(0, 1.6 * max(tops))
    axes.set_xlim(0, 1.05 * max(ends))
    axes.set_xlabel("singular value s")
    axes.set_ylabel("density")
    axes.legend()


def _visible_end(density: np.ndarray) -> int:
    """Index up to which a density can be told from zero in a picture."""
    return int(np.flatnonzero(density > 0.004 * np.median(density[density > 0]))[-1])


_BY_ACTIVATION = (("relu", 1.0, "orthogonal"), ("hard_tanh", 0.2, "orthogonal"))


def compute_piecewise(preset: str) -> Arrays:
    """Spectra of 1711.04735: ReLU and hard-tanh, orthogonal weights."""
    return _densities(preset, _BY_ACTIVATION, (2, 8))


def compute_gaussian(preset: str) -> Arrays:
    """Spectra of 1711.04735: Gaussian weights."""
    return _densities(preset, (("linear", 1.0, "gaussian"), ("relu", 1.0, "gaussian")), (2, 8))


def compute_smooth(preset: str) -> Arrays:
    """Spectra of 1711.04735: tanh at several depths."""
    return _densities(preset, (("tanh", 0.2, "orthogonal"),), _DEPTHS)


def compute_largest(preset: str) -> Arrays:
    """s_max of 1711.04735 over depth on the critical line."""
    from widelimit.numerics import jacobian

    depths = np.unique(np.round(np.geomspace(1, 1000, 25)).astype(int))
    arrays: dict[str, np.ndarray] = {"depth": depths}
    for activation in ("tanh", "hard_tanh", "relu"):
        for weights in ("orthogonal", "gaussian"):
            sigma_w, sigma_b = _critical(activation, 0.1) if activation != "relu" else (2**0.5, 0.0)
            arrays[f"{activation}, {weights}"] = np.array(
                [
                    np.exp(
                        jacobian.spectrum(
                            activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=int(d), weights=weights
                        ).log_largest
                        / 2
                    )
                    for d in depths
                ]
            )
            inputs = {"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, "weights": weights}
            arrays[f"{activation}, {weights}|simulated"] = np.array(
                [
                    np.mean(_sampled({**inputs, "depth": d}, 0.1, preset, 2).reshape(2, -1).max(axis=1))
                    for d in _SIMULATED
                ]
            )
    return arrays


def _draw_largest(arrays: Arrays, axes: Axes) -> None:
    names = [name for name in arrays if name != "depth" and not name.endswith("|simulated")]
    for index, name in enumerate(names):
        line = "-" if "orth" in name else "--"
        axes.loglog(arrays["depth"], arrays[name], color=f"C{index}", label=name, linestyle=line)
        axes.loglog(_SIMULATED, arrays[f"{name}|simulated"], "o", color=f"C{index}", markersize=4)
    axes.set_xlabel("depth L")
    axes.set_ylabel("largest singular value")
    axes.legend()


def _at_strength(activation: str, depth: int, strength: float) -> tuple[float, float, float]:
    from scipy.optimize import brentq

    from widelimit.numerics import jacobian

    def excess(log_q: float) -> float:
        slopes = jacobian.slopes(activation, float(np.exp(log_q)))
        return depth * (slopes.moment(2) / slopes.moment(1) ** 2 - 1) - strength

    q = float(np.exp(brentq(excess, np.log(1e-6), np.log(20.0), xtol=1e-12)))
    return q, *_critical(activation, q)


def compute_classes(preset: str) -> Arrays:
    """The two universality classes of 1802.09979 over networks of depth 64."""
    from widelimit.numerics import jacobian

    arrays: dict[str, np.ndarray] = {}
    for activation, law in (
        ("tanh", jacobian.smooth_class(0.25)),
        ("hard_tanh", jacobian.bernoulli_class(0.25)),
    ):
        q, sigma_w, sigma_b = _at_strength(activation, 64, 0.25)
        s = np.linspace(1e-3, 1.05 * law.largest**0.5, 400)
        inputs = {
            "activation": activation,
            "sigma_w": sigma_w,
            "sigma_b": sigma_b,
            "depth": 64,
            "weights": "orthogonal",
        }
        key = f"{activation}|orthogonal|64"
        arrays |= {
            f"{key}|s": s,
            f"{key}|density": np.asarray(law.singular(s)),
            f"{key}|sample": _sampled(inputs, q, preset, 4),
            f"{key}|atoms": _atoms(law),
        }
    return arrays


def compute_approach(preset: str) -> Arrays:
    """Laws at finite depth and fixed s_0^2 = 1/4 tend to those of their class."""
    from widelimit.numerics import jacobian

    s = np.linspace(1e-3, 1.7, 500)
    arrays: dict[str, np.ndarray] = {"s": s}
    for activation, limit in (
        ("erf_s", jacobian.smooth_class(0.25)),
        ("shifted_relu", jacobian.bernoulli_class(0.25)),
    ):
        for depth in _APPROACH:
            _, sigma_w, sigma_b = _at_strength(activation, depth, 0.25)
            law = jacobian.spectrum(activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth)
            arrays[f"{activation}, L = {depth}"] = np.asarray(law.singular(s))
        arrays[f"{activation}, limit"] = np.asarray(limit.singular(s))
    return arrays


def _draw_approach(arrays: Arrays, axes: Axes) -> None:
    names = [name for name in arrays if name != "s"]
    for index, name in enumerate(names):
        colour = "C0" if name.startswith("erf") else "C1"
        place = index % (len(_APPROACH) + 1)
        limit = name.endswith("limit")
        axes.plot(
            arrays["s"],
            arrays[name],
            color=colour,
            alpha=1.0 if limit else 0.3 + 0.15 * place,
            linestyle="-" if limit else ("--", "-.", ":", "--")[place % 4],
            label=name,
        )
    axes.set_ylim(0, 2.0)
    axes.set_xlim(0, 3.3)  # room for the legend
    axes.set_xlabel("singular value s")
    axes.set_ylabel("density of the continuous part")
    axes.legend(loc="right")


def compute_spread(preset: str) -> Arrays:
    """1711.04735, eq. (22): variance against q* on the critical line, orthogonal weights, L = 20."""
    from widelimit.numerics import jacobian

    q = np.geomspace(0.01, 4.0, 40)
    arrays: dict[str, np.ndarray] = {"q": q}
    for activation in ("tanh", "erf_s", "hard_tanh", "shifted_relu", "sin"):
        found = [jacobian.slopes(activation, float(v)) for v in q]
        arrays[activation] = np.array([20 * (f.moment(2) / f.moment(1) ** 2 - 1) for f in found])
    return arrays


def _draw_spread(arrays: Arrays, axes: Axes) -> None:
    for index, (name, values) in enumerate((k, v) for k, v in arrays.items() if k != "q"):
        axes.loglog(arrays["q"], np.maximum(values, 1e-12), color=f"C{index}", label=name)
    axes.set_ylim(1e-3, 60)
    axes.set_xlabel("q*")
    axes.set_ylabel("variance of squared singular values, L = 20")
    axes.legend()


GALLERY: tuple[GalleryFigure, ...] = (
    GalleryFigure(
        "gaussian-weights",
        "Gaussian weights",
        "Singular values of linear and ReLU networks; histograms: simulated networks.",
        "pennington2017resurrecting, deep spectra at criticality",
        compute_gaussian,
        _draw_densities,
    ),
    GalleryFigure(
        "piecewise-linear",
        "Piecewise linear activations",
        "Orthogonal weights. Hard-tanh keeps an atom (dotted) above its bulk while L(1 - p) < 1.",
        "pennington2017resurrecting, deep spectra at criticality",
        compute_piecewise,
        _draw_densities,
    ),
    GalleryFigure(
        "smooth",
        "Smooth activations",
        "Orthogonal tanh networks on the edge of chaos at q* = 0.2; histograms: simulated networks.",
        "pennington2017resurrecting, deep spectra at criticality",
        compute_smooth,
        _draw_densities,
    ),
    GalleryFigure(
        "largest",
        "Largest singular value with depth",
        "On the edge of chaos at q* = 0.1; points: simulated networks. Only orthogonal weights stay near one.",
        "pennington2017resurrecting, on the largest singular value",
        compute_largest,
        _draw_largest,
    ),
    GalleryFigure(
        "spread",
        "Variance on the edge of chaos",
        "L (mu_2/mu_1^2 - 1) at L = 20: it falls with q*, for ReLU it cannot.",
        "pennington2017resurrecting, eq. (22)",
        compute_spread,
        _draw_spread,
    ),
    GalleryFigure(
        "universality",
        "Two universality classes",
        "Lines: S = exp(-s0^2 m) and exp(-s0^2 m/(1+m)), s0^2 = 1/4; histograms: networks of depth 64.",
        "pennington2018emergence, section 4",
        compute_classes,
        _draw_densities,
    ),
    GalleryFigure(
        "approach",
        "Approach to the universality classes",
        "Exact laws at finite depth, s0^2 = 1/4, and their limits: corrections fall as 1/sqrt(L) for smooth slopes.",
        "pennington2018emergence, section 4",
        compute_approach,
        _draw_approach,
    ),
    CURVES,
)
