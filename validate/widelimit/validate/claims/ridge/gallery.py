"""Figures of the phenomena: sample complexity, multiple descent, transitions of error, landscape and best penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.report.gallery import Arrays, GalleryFigure
from widelimit.validate.report.look import BLUE, GREEN, INK, ORANGE, PURPLE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SOURCE = "mel2021anisotropic"
_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE)
_REPLICATES = {"quick": 24, "reference": 100, "deep": 400}
_JUMP: dict[str, Any] = {
    "eigenvalues": [1, 0.01],
    "weights": [0.1, 0.9],
    "signal": [0.5, 0.49],
    "noise": 0.01,
}
_NEGATIVE: dict[str, Any] = {"eigenvalues": [1, 0.1], "weights": [0.1, 0.9], "signal": [1, 0], "noise": 0.001}


def _measured(
    s: np.ndarray, u: np.ndarray, noise: float, samples: int, penalty: float, times: int
) -> np.ndarray:
    """Test errors of `times` fits."""
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.ridge import Population, test_errors

    return test_errors(Population(s, np.sqrt(u / s), noise), samples, [penalty], range(times), Backend())[
        :, 0
    ]


def _ticks(axes: Axes, places: tuple[float, ...]) -> None:
    """A few plain numbers along a short logarithmic axis."""
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()


# --- sample complexity --------------------------------------------------------------------------------------------

_FRACTIONS = (1.0, 0.25, 0.1, 0.05)


def compute_alignment(preset: str) -> Arrays:
    """Unexplained variance at the best penalty, signal on a fraction of strong directions; fits at P = 160."""
    from widelimit.numerics import ridge

    ratios = np.geomspace(0.01, 3, 120)
    sampled = np.array([0.05, 0.15, 0.5, 1.5])
    curves, medians = [], []
    for fraction in _FRACTIONS:
        if fraction == 1.0:
            given: dict[str, Any] = {"eigenvalues": 1.0, "signal": 1.0}
        else:
            given = {"eigenvalues": [1, 1e-3], "weights": [fraction, 1 - fraction], "signal": [1, 0]}
        curves.append(ridge.optimal_penalty(**given, noise=0.05, sample_ratio=ratios).unexplained)
        strong = round(160 * fraction)
        s = np.repeat([1.0, 1e-3], [strong, 160 - strong])
        u = np.repeat([1 / strong, 0.0], [strong, 160 - strong])
        best = ridge.optimal_penalty(**given, noise=0.05, sample_ratio=sampled).penalty
        runs = [
            _measured(s, u, 0.05, round(160 * r), b, _REPLICATES[preset])
            for r, b in zip(sampled, best, strict=True)
        ]
        medians.append([np.median(run) / 1.05 for run in runs])
    return {"ratio": ratios, "theory": np.array(curves), "sampled": sampled, "measured": np.array(medians)}


def draw_alignment(arrays: Arrays, axes: Axes) -> None:
    """Curves and medians of fits."""
    for k, fraction in enumerate(_FRACTIONS):
        axes.semilogx(
            arrays["ratio"], arrays["theory"][k], color=_COLOURS[k], label=f"signal on {100 * fraction:g} %"
        )
        axes.plot(arrays["sampled"], arrays["measured"][k], "o", color=_COLOURS[k], ms=4)
    axes.set_xlabel("samples per dimension N/P")
    axes.set_ylabel("fraction of variance unexplained")
    axes.legend()


# --- multiple descent ---------------------------------------------------------------------------------------------

_SCALES = ([1, 1e-2, 1e-4], [0.1, 0.3, 0.6], [0.5, 0.3, 0.15], 0.05)


def compute_descent(preset: str) -> Arrays:
    """Unexplained variance of the interpolating fit with three scales; medians of fits at P = 200."""
    from widelimit.numerics import ridge

    below = np.geomspace(0.02, 0.995, 400)
    ratios = np.concatenate([below, np.geomspace(1.005, 3, 150)])
    sampled = np.array([0.05, 0.1, 0.15, 0.25, 0.4, 0.5, 0.7, 0.9, 1.2, 1.6, 2.5])
    counts = np.round(200 * np.array(_SCALES[1])).astype(int)
    s, u = np.repeat(_SCALES[0], counts), np.repeat(np.array(_SCALES[2]) / counts, counts)
    medians = [np.median(_measured(s, u, 0.05, round(200 * r), 0.0, _REPLICATES[preset])) for r in sampled]
    found = ridge.peaks(*_SCALES, low=0.02)
    return {
        "ratio": ratios,
        "theory": np.asarray(ridge.solve(*_SCALES, sample_ratio=ratios).unexplained),
        "one scale": np.asarray(ridge.solve(0.1, signal=0.95, noise=0.05, sample_ratio=ratios).unexplained),
        "sampled": sampled,
        "measured": np.array(medians),
        "peaks": found.peak_ratio,
    }


def draw_descent(arrays: Arrays, axes: Axes) -> None:
    """Three peaks where one eigenvalue has one."""
    axes.loglog(arrays["ratio"], arrays["theory"], color=BLUE, label="scales 1, 0.01, 0.0001")
    axes.plot(arrays["ratio"], arrays["one scale"], color=SOFT, ls="--", label="one scale")
    axes.plot(arrays["sampled"], arrays["measured"], "o", color=BLUE, ms=4, label="fits, median")
    for ratio in arrays["peaks"]:
        axes.axvline(ratio, color=SOFT, lw=0.6, ls=":")
    axes.set_ylim(0.1, 5)
    axes.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    _ticks(axes, (0.03, 0.1, 0.3, 1, 3))
    axes.set_xlabel("samples per dimension N/P")
    axes.set_ylabel("fraction of variance unexplained")
    axes.legend()


# --- landscape ----------------------------------------------------------------------------------------------------


def compute_landscape(preset: str) -> Arrays:
    """Edges of the Hessian's bulks and eigenvalues of draws, scales 1 and 0.1 on halves of the dimensions."""
    from widelimit.numerics import ridge

    given = ([1, 0.1], [0.5, 0.5])
    ratios = np.geomspace(0.3, 8, 160)
    edges = np.full((160, 4), np.nan)
    for k, ratio in enumerate(ratios):
        gaps = ridge.hessian_gaps(*given, sample_ratio=ratio)
        edges[k, [0, 3]] = gaps.upper[0], gaps.lower[-1]
        if gaps.lower.size == 2:
            edges[k, 1:3] = gaps.lower[0], gaps.upper[1]
    random = np.random.default_rng(0)
    sampled = np.array([0.5, 0.8, 1.25, 2.0, 4.0])
    P = {"quick": 120, "reference": 400, "deep": 800}[preset]
    values = np.full((sampled.size, P), np.nan)
    for k, ratio in enumerate(sampled):
        X = random.standard_normal((round(ratio * P), P)) * np.sqrt(np.repeat(given[0], P // 2))
        found = np.linalg.eigvalsh(X.T @ X / len(X))[::-1][: min(P, len(X))]
        values[k, : found.size] = found
    return {
        "ratio": ratios,
        "edges": edges,
        "sampled": sampled,
        "values": values,
        "threshold": ridge.gap_thresholds(*given),
    }


def draw_landscape(arrays: Arrays, axes: Axes) -> None:
    """Bulks as bands, eigenvalues as ticks."""
    ratio, edges = arrays["ratio"], arrays["edges"]
    closed = np.isnan(edges[:, 1])
    axes.fill_between(ratio[closed], edges[closed, 3], edges[closed, 0], color=BLUE, alpha=0.25, lw=0)
    axes.fill_between(ratio[~closed], edges[~closed, 1], edges[~closed, 0], color=BLUE, alpha=0.25, lw=0)
    axes.fill_between(ratio[~closed], edges[~closed, 3], edges[~closed, 2], color=BLUE, alpha=0.25, lw=0)
    for where, values in zip(arrays["sampled"], arrays["values"], strict=True):
        axes.plot(np.full(values.shape, where), values, "_", color=INK, ms=6, mew=0.4)
    axes.axvline(float(arrays["threshold"][0]), color=VERMILLION, lw=1, ls="--", label="gap opens")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(1e-4, 6)
    _ticks(axes, (0.3, 1, 3))
    axes.set_xlabel("samples per dimension N/P")
    axes.set_ylabel("eigenvalues of the Hessian")
    axes.legend(loc="lower right")


# --- best penalty -------------------------------------------------------------------------------------------------


def compute_penalty(preset: str) -> Arrays:
    """The best penalty along two learning curves: one where it jumps, one where it is negative."""
    from widelimit.numerics import ridge

    ratios = np.geomspace(0.05, 2, 400)
    jumping = ridge.optimal_penalty(**_JUMP, sample_ratio=ratios)
    negative = ridge.optimal_penalty(**_NEGATIVE, sample_ratio=ratios)
    transitions = ridge.phase_transitions(**_JUMP, low=0.05, high=2)
    return {
        "ratio": ratios,
        "jumping": np.asarray(jumping.penalty),
        "negative": np.asarray(negative.penalty),
        "jump": np.array([jump.sample_ratio for jump in transitions.jumps]),
    }


def draw_penalty(arrays: Arrays, axes: Axes) -> None:
    """Symmetric-log penalties."""
    before = arrays["ratio"] < arrays["jump"][0]
    for part, label in ((before, "scales 1, 0.01: jumps"), (~before, None)):
        axes.plot(arrays["ratio"][part], arrays["jumping"][part], color=BLUE, label=label)
    axes.plot(arrays["ratio"], arrays["negative"], color=VERMILLION, label="scales 1, 0.1, aligned: negative")
    axes.axvline(float(arrays["jump"][0]), color=SOFT, lw=0.6, ls=":")
    axes.axhline(0, color=SOFT, lw=0.6)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.set_xlabel("samples per dimension N/P")
    axes.set_ylabel("best penalty")
    axes.legend()


# --- real data ----------------------------------------------------------------------------------------------------


def compute_digits(preset: str) -> Arrays:
    """Learning curves of digits from their population estimated on half of the images, and fits to the other half."""
    from widelimit.numerics import ridge
    from widelimit.validate.simulate.ridge.real import data_set, errors_of

    X, y = data_set("digits")
    order = np.random.default_rng(0).permutation(len(y))
    known, rest = order[: len(y) // 2], order[len(y) // 2 :]
    theory = ridge.from_data(X[known], y[known])
    penalties = np.array([0.02, 0.2, 2.0]) * float(theory.eigenvalues @ theory.multiplicities) / theory.rank
    samples = np.unique(np.geomspace(25, 600, 24).astype(int))
    curve = theory.learning_curve(samples=samples, penalty=penalties)
    sampled = np.array([30, 60, 120, 250, 500])
    measured = np.zeros((sampled.size, penalties.size))
    times = _REPLICATES[preset]
    for k, n in enumerate(sampled):
        for replicate in range(times):
            rows = np.random.default_rng(replicate).permutation(rest)
            train, test = rows[:n], rows[n:]
            measured[k] += errors_of(X[train], y[train], X[test], y[test], penalties) / times
    return {
        "samples": samples,
        "theory": curve.test_error.values,
        "error": curve.test_error_standard_error.values,
        "sampled": sampled,
        "measured": measured,
    }


def draw_digits(arrays: Arrays, axes: Axes) -> None:
    """Bands of one standard error around predictions, means of fits."""
    for k, name in enumerate(("0.02", "0.2", "2")):
        mean, error = arrays["theory"][:, k], arrays["error"][:, k]
        axes.plot(arrays["samples"], mean, color=_COLOURS[k], label=f"penalty {name} mean eigenvalues")
        axes.fill_between(arrays["samples"], mean - error, mean + error, color=_COLOURS[k], alpha=0.2, lw=0)
        axes.plot(arrays["sampled"], arrays["measured"][:, k], "o", color=_COLOURS[k], ms=4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _ticks(axes, (30, 100, 300))
    axes.set_yticks([4, 6, 10], ["4", "6", "10"])
    axes.set_xlabel("images in the training set")
    axes.set_ylabel("mean squared error of the digit's value")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "alignment",
        "Alignment lowers the sample complexity",
        "The fewer strong directions carry the target, the fewer samples it takes. Lines: theory at "
        "the best penalty; points: "
        "medians of fits at P = 160.",
        _SOURCE,
        compute_alignment,
        draw_alignment,
    ),
    GalleryFigure(
        "multiple-descent",
        "Multiple descent",
        "The interpolating fit's error has a peak at each cumulative fraction of dimensions "
        "(dotted). Lines: theory; points: "
        "medians of fits at P = 200.",
        _SOURCE,
        compute_descent,
        draw_descent,
    ),
    GalleryFigure(
        "landscape",
        "The Hessian's spectrum splits",
        "Bands: the bulks of the Hessian's spectrum by theory. Ticks: eigenvalues of one draw. The "
        "gap opens at the dashed line.",
        _SOURCE,
        compute_landscape,
        draw_landscape,
    ),
    GalleryFigure(
        "best-penalty",
        "The best penalty jumps, and can be negative",
        "Blue: two minima of the error exchange depth and the best penalty jumps (dotted). Red: an "
        "aligned target with little "
        "noise wants a negative penalty.",
        _SOURCE,
        compute_penalty,
        draw_penalty,
    ),
    GalleryFigure(
        "digits",
        "A learning curve predicted from data",
        "One half of the images predicts fits to the other half, without cross-validation. Bands: "
        "one standard error of the "
        "prediction; points: means of fits.",
        "mel2021anisotropic; loureiro2021learning",
        compute_digits,
        draw_digits,
    ),
)
