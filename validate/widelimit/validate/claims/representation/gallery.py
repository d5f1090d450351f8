"""Figures: what cross-validated PCA reads of a power law, and exponents of recordings before and after correction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from widelimit.validate.report.gallery import GalleryFigure

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

Arrays = Mapping[str, "np.ndarray"]

_BLUE, _GREEN, _RED, _GREY = "#0072b2", "#009e73", "#d55e00", "#6b6f73"
_UNITS, _STIMULI, _NOISE, _RANKS = 300, 240, 0.03, (6, 60)
_EXPONENTS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)


def _recorded(exponent: float, seed: int) -> np.ndarray:
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.representation.codes import recording

    inputs = {"exponent": exponent, "noise": _NOISE, "units": _UNITS, "stimuli": _STIMULI}
    return recording(inputs, seed, Backend())


def _spectra(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import representation

    exponent = 1.04
    true = np.arange(1, _UNITS + 1.0) ** -exponent
    expected = representation.expected_cvpca(true, noise=_NOISE, stimuli=_STIMULI)
    drawn = representation.cvpca(*_recorded(exponent, 0))
    return {
        "true": true[:_STIMULI],
        "cross_validated": expected.cross_validated,
        "sample": expected.sample,
        "dots": drawn.signal,
        "dots_sample": drawn.total,
    }


def _draw_spectra(arrays: Arrays, axes: Axes) -> None:
    import numpy as np

    shown = np.unique(np.geomspace(1, len(arrays["dots"]), 40).round().astype(int)) - 1
    n = np.arange(1, len(arrays["true"]) + 1)
    axes.plot(n, arrays["true"], "--", color=_GREY, label="signal, $n^{-1.04}$")
    for name, dots, colour, label in (
        ("sample", "dots_sample", _BLUE, "PCA"),
        ("cross_validated", "dots", _RED, "cross-validated PCA"),
    ):
        axes.plot(n, arrays[name], color=colour, linewidth=1.2, label=label)
        positive = shown[arrays[dots][shown] > 0]
        axes.plot(positive + 1, arrays[dots][positive], "o", color=colour, markersize=3)
    axes.set(xscale="log", yscale="log", ylim=(3e-4, 3), xlabel="rank $n$", ylabel="variance")
    axes.legend()


def _exponents(preset: str) -> Arrays:
    import numpy as np

    from widelimit.numerics import representation

    first, last = _RANKS
    raw, corrected, low, high, line = [], [], [], [], []
    for place, exponent in enumerate(_EXPONENTS):
        found = representation.corrected(
            *_recorded(exponent, 10 + place),
            first_rank=first,
            last_rank=last,
            draws=12 if preset == "quick" else 40,
        )
        raw.append(found.raw_exponent)
        corrected.append(found.exponent)
        low.append(found.interval[0])
        high.append(found.interval[1])
        expected = representation.predict(
            exponent=exponent, units=_UNITS, stimuli=_STIMULI, noise=_NOISE, first_rank=first, last_rank=last
        )
        line.append(getattr(expected, "cross_validated"))  # noqa: B009 without a recording there is one
    names = {"true": _EXPONENTS, "raw": raw, "corrected": corrected, "low": low, "high": high, "line": line}
    return {name: np.array(values) for name, values in names.items()}


def _draw_exponents(arrays: Arrays, axes: Axes) -> None:
    true = arrays["true"]
    axes.plot(true, true, "--", color=_GREY, label="truth")
    axes.plot(true, arrays["line"], color=_RED, linewidth=1.2, label="theory of the raw exponent")
    axes.plot(true, arrays["raw"], "o", color=_RED, markersize=4, label="raw")
    errors = [arrays["corrected"] - arrays["low"], arrays["high"] - arrays["corrected"]]
    axes.errorbar(
        true,
        arrays["corrected"],
        yerr=errors,
        fmt="o",
        color=_BLUE,
        markersize=4,
        capsize=2,
        label="corrected",
    )
    axes.set(xlabel="true exponent", ylabel="exponent of a recording")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "spectra",
        "What PCA reads of a power law",
        "300 units, 240 stimuli, white noise of variance 0.03 (Gaussian). Lines: the exact limit. Dots: one recording. "
        "Cross-validation removes the noise of the eigenvalues, not that of the directions.",
        "stringer2019high, fig. 2",
        _spectra,
        _draw_spectra,
    ),
    GalleryFigure(
        "exponents",
        "Raw against corrected exponents",
        "One recording of 300 units and 240 stimuli at each true exponent, ranks 6 to 60, noise of variance 0.03; "
        "bars: 95 % intervals.",
        "stringer2019high, fig. 2",
        _exponents,
        _draw_exponents,
    ),
)
