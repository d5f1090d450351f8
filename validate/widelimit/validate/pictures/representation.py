"""Spectra of neural codes by rank, with the power laws that they are read as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.pictures.kit import lines, swept
from widelimit.validate.report.look import BLUE, GREEN, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _laws(axes: Axes, ranks: tuple[float, float], laws: dict[str, tuple[float, str]]) -> None:
    """Straight lines through logarithms, from the same first rank."""
    n = np.geomspace(ranks[0], ranks[1], 40)
    for name, (exponent, colour) in laws.items():
        axes.loglog(n, (n / n[0]) ** -float(exponent), color=colour, label=f"{name} {float(exponent):.4g}")
    axes.set_xlabel("rank")
    axes.set_ylabel("eigenvalue, over the first of the fit")
    axes.legend()


def _expected(result: Any, axes: Axes) -> None:
    """What the true law is read as, by cross-validated and by plain PCA."""
    laws = {
        "true": (result.exponent, BLUE),
        "cross-validated reads": (result.cross_validated, GREEN),
        "plain PCA reads": (result.sample, VERMILLION),
    }
    if result.bound is not None:
        laws["smooth from"] = (result.bound, SOFT)
    _laws(axes, (result.first_rank, result.last_rank), laws)


def _recorded(result: Any, axes: Axes) -> None:
    """The exponent of a recording with its interval, the raw one, and the bound of smooth codes."""
    low, high = (result.low, result.high) if hasattr(result, "low") else result.interval
    value = float(result.exponent)
    axes.errorbar(
        [value],
        [1],
        xerr=[[max(value - float(low), 0)], [max(float(high) - value, 0)]],
        fmt="o",
        color=BLUE,
        ms=6,
    )
    axes.plot([float(result.raw_exponent)], [0], "x", color=VERMILLION, ms=8)
    bound = getattr(result, "bound", None)
    if bound is not None:
        axes.axvline(float(bound), color=SOFT, ls="--", lw=1, label="smooth above")
        axes.legend()
    axes.set_yticks([0, 1], ["as it reads", "corrected"])
    axes.set_ylim(-0.7, 1.7)
    axes.set_xlabel("exponent of the spectrum")


def _pca(result: Any, axes: Axes) -> None:
    """Variances by rank."""
    names = ("signal", "total", "noise") if hasattr(result, "signal") else ("cross_validated", "sample")
    curves = {name.replace("_", " "): np.asarray(getattr(result, name), float) for name in names}
    size = len(next(iter(curves.values())))
    lines(axes, np.arange(1, size + 1), curves, x_label="rank", y_label="variance", log="xy")


def _fit(result: Any, axes: Axes) -> None:
    exponent, intercept = float(result.exponent), float(result.intercept)
    n = np.geomspace(1, max(int(result.ranks), 2), 40)
    mean = np.exp(intercept) * n**-exponent
    axes.loglog(n, mean, color=BLUE, label=f"exponent {exponent:.4g} ± {float(result.standard_error):.2g}")
    axes.set_xlabel("rank")
    axes.set_ylabel("eigenvalue, fitted")
    axes.legend()


def _kernel(result: Any, axes: Axes) -> None:
    """Eigenvalues of a kernel by rank, each as often as it is multiple, with its power law."""
    values, times = np.asarray(result.eigenvalues, float), np.asarray(result.multiplicities, float)
    last = np.cumsum(times)
    first = last - times + 1
    good = values > 0
    axes.hlines(values[good], first[good], last[good], color=BLUE, lw=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rank")
    axes.set_ylabel("eigenvalue of the kernel")
    axes.set_title(f"exponent {float(result.exponent):.4g}, smooth above {float(result.bound):.4g}")


PICTURES = {
    "ExpectedExponents": _expected,
    "RecordedExponent": _recorded,
    "CorrectedExponent": _recorded,
    "CrossValidatedPCA": _pca,
    "ExpectedPCA": _pca,
    "PowerLawFit": _fit,
    "KernelSpectrum": _kernel,
    "Spike": swept("sample", "cross_validated", "threshold"),
}
NO_PICTURE: dict[str, str] = {}
