"""Spectra of users' matrices: eigenvalues, the bulk of noise, what stands above it; laws of the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import PictureError
from widelimit.validate.pictures.kit import bars, swept
from widelimit.validate.report.look import BLUE, LINE, SOFT, VERMILLION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _fit(result: Any, axes: Axes) -> None:
    """Eigenvalues as a histogram with the law of the bulk that was fitted; components as marks above."""
    values = np.asarray(getattr(result, "eigenvalues", ()), float)
    low, high = (float(end) for end in result.edges)
    if values.size:
        inside = values[(values > 1e-12 * values.max()) & (values <= high * 1.05)]
        bins = int(np.clip(2 * inside.size ** (1 / 3), 8, 60))
        axes.hist(inside, bins=bins, density=True, color=LINE, label=f"{values.size} eigenvalues")
    else:
        axes.axvspan(low, high, color=LINE, alpha=0.6, lw=0, label="bulk of noise")
    if float(result.spread) == 0:
        _marchenko_pastur(axes, result, low, high)
    found = np.asarray(result.outliers, float)
    if found.size:
        axes.plot(
            found,
            np.zeros(found.size),
            "v",
            color=VERMILLION,
            ms=8,
            clip_on=False,
            label=f"{found.size} above the bulk",
        )
    axes.axvline(high, color=SOFT, lw=0.8, ls=":", label="edge")
    axes.set_xlabel("eigenvalue")
    axes.set_yticks([])
    axes.set_title(f"noise {float(result.noise):.4g}, components {result.components}")
    axes.legend()


def _marchenko_pastur(axes: Axes, result: Any, low: float, high: float) -> None:
    """The density of white noise, of the eigenvalues that are not zero."""
    noise, ratio = float(result.noise), float(result.ratio)
    x = low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, 300))) / 2
    x = x[x > 0]
    with np.errstate(invalid="ignore"):
        y = np.sqrt(np.maximum((high - x) * (x - low), 0)) / (2 * np.pi * noise * ratio * x)
    axes.plot(x, y * max(ratio, 1.0), color=BLUE, label="law of the noise")


def _cleaned(result: Any, axes: Axes) -> None:
    """Eigenvalues after cleaning over those of the sample; on the line nothing has been changed."""
    sample, values = np.asarray(result.sample_eigenvalues, float), np.asarray(result.eigenvalues, float)
    good = sample > 0
    if not good.any():
        raise PictureError("All eigenvalues are zero: there is nothing to be drawn.")
    ends = [sample[good].min(), sample.max()]
    axes.plot(ends, ends, color=SOFT, lw=0.8)
    axes.loglog(sample[good], np.maximum(values[good], 1e-300), "o", color=BLUE, ms=4)
    axes.set_xlabel("eigenvalue of the sample covariance")
    axes.set_ylabel("after cleaning")
    axes.set_title(f"{result.method}: risk {float(result.risk):.4g}, before {float(result.sample_risk):.4g}")


def _edge(result: Any, axes: Axes) -> None:
    """The density of the largest eigenvalue of noise, in its own units."""
    middle, width = float(result.mean), float(result.variance) ** 0.5
    s = np.linspace(middle - 4 * width, middle + 5 * width, 241)
    axes.plot(s, np.asarray(result.pdf(s), float), color=BLUE)
    for chance in (0.95, 0.99):
        place = float(result.quantile(chance))
        axes.axvline(place, color=SOFT, lw=0.8, ls=":")
        axes.annotate(
            f"{100 * chance:g} %", (place, 0), (2, 40), textcoords="offset points", fontsize=9.5, rotation=90
        )
    axes.set_xlabel("largest eigenvalue, centred and scaled")
    axes.set_ylabel("density")


def _spike(result: Any, axes: Axes) -> None:
    """One spike: the squared cosine between its eigenvector in the sample and in the population."""
    overlap = float(np.ravel(result.overlap)[0])
    bars(
        axes,
        {"seen": overlap, "lost in noise": 1 - overlap},
        x_label="squared length of the population's eigenvector",
    )
    axes.set_title(f"sample eigenvalue {float(np.ravel(result.eigenvalue)[0]):.4g}")


def _beside(result: Any, axes: Axes) -> None:
    """Eigenvalues of a finite module, largest first, beside those of its limit where it has any."""
    for name, values, colour in (
        ("this module", result.eigenvalues, BLUE), ("its limit", result.limit_eigenvalues, VERMILLION),
    ):  # fmt: skip
        if values is not None and np.size(values):
            found = np.sort(np.asarray(values, float))[::-1]
            axes.semilogy(
                np.arange(1, found.size + 1), np.where(found > 0, found, np.nan), color=colour, label=name
            )
    if result.limit_eigenvalues is None and result.limit_mean > 0:  # the mean alone is known
        axes.axhline(float(result.limit_mean), color=VERMILLION, ls="--", label="mean of its limit")
    axes.set_xlabel("rank")
    axes.set_ylabel(f"eigenvalue, {result.what}")
    axes.legend()


def _mixture(result: Any, axes: Axes) -> None:
    """The density of all inputs together, atoms as stems of their mass."""
    low, high = result.edges
    x = low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, 402)[1:-1])) / 2
    if high > low:
        y = np.asarray(result.density(x), float)
        axes.plot(x, y, color=BLUE, label="limit's law")
        inside = y[np.isfinite(y)]
        axes.set_ylim(0, 1.05 * float(np.quantile(inside, 0.98)) or 1.0)
    for place, mass in result.atoms:
        axes.axvline(place, color=VERMILLION, label=f"{mass:.3g} of all at {place:.4g}")
    axes.set_xlabel("squared singular value")
    axes.set_ylabel("density")
    axes.legend()


def _tail(result: Any, axes: Axes) -> None:
    """The fitted law of the tail: the share of eigenvalues above x."""
    start = float(result.start)
    x = np.geomspace(start, 100 * start, 60)
    axes.loglog(x, (x / start) ** (1 - float(result.alpha)), color=BLUE)
    axes.set_xlabel("eigenvalue")
    axes.set_ylabel("share of the tail above it")
    axes.set_title(
        f"exponent {float(result.alpha):.4g} ± {float(result.error):.2g}, {result.count} eigenvalues"
    )


PICTURES = {
    "SpectrumFit": _fit,
    "SpectrumSummary": _fit,
    "Cleaned": _cleaned,
    "Comparison": _beside,
    "LimitLaw": _mixture,
    "PowerTail": _tail,
    "TracyWidom": _edge,
    "Outlier": swept("eigenvalue", "overlap", one=_spike),
    "SpikePrediction": _spike,
}
NO_PICTURE = {"ModuleSpectra": "it is a table of matrices; draw the fit of one of them"}
