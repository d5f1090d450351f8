"""Spectra of sample covariance matrices as falsifiable claims: edges, outliers, detection, fluctuations, shrinkage."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Interval
from widelimit.validate.harness.declare import at_size, declare, presets, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import spectra as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]
_LEVEL = 0.01


def _number(expression: Any, **values: float) -> float:
    """A formula of `theory.spectra` at values of its symbols, which are called by the names that they have there."""
    from widelimit.theory import spectra as theory

    return float(expression.subs({getattr(theory, name): value for name, value in values.items()}))


def _edge(ratio: float) -> np.ndarray:
    """Power of n, and mean over deviation of the largest eigenvalue's law."""
    from widelimit.numerics.spectra import tracy_widom
    from widelimit.theory import spectra as theory

    law = tracy_widom(1)
    scale = [
        _number(theory.largest_scale(), SAMPLES=n, DIMENSIONS=ratio * n, SPREAD=0, NOISE=1)
        for n in (1e12, 4e12)
    ]
    return np.array([math.log(scale[0] / scale[1], 4.0), law.mean / math.sqrt(law.variance)])


def _edge_at(ratio: float, size: int) -> list[float]:
    """The same at n = size and 4 size, by Johnstone's centre and width of n - 1/2 and p - 1/2."""
    from widelimit.numerics.spectra import tracy_widom
    from widelimit.theory import spectra as theory

    law = tracy_widom(1)
    few, many = (
        {"SAMPLES": n, "DIMENSIONS": round(ratio * n), "SPREAD": 0, "NOISE": 1} for n in (size, 4 * size)
    )
    narrow, wide = (_number(theory.largest_scale(), **at) for at in (many, few))
    shift = _number(theory.largest_centre(), **many) - _number(
        theory.bulk_edge(), RATIO=ratio, SPREAD=0, NOISE=1
    )
    return [math.log(wide / narrow, 4.0), (law.mean + shift / narrow) / math.sqrt(law.variance)]


def _upper(inputs: Any) -> Mapping[str, Any]:
    from widelimit.theory import spectra as theory

    return {"edge": _number(theory.bulk_edge(), RATIO=inputs["ratio"], SPREAD=0, NOISE=1)}


def _detection(inputs: Any) -> Mapping[str, Any]:
    """Critical eigenvalue of the test and the spike whose outlier is there, as functions of the dimensions."""
    from widelimit.numerics.spectra import tracy_widom
    from widelimit.theory import spectra as theory

    score = float(tracy_widom(1).quantile(1 - _LEVEL))

    @functools.cache
    def critical(size: int) -> float:
        at = {"SAMPLES": size / inputs["ratio"], "DIMENSIONS": size, "SPREAD": 0, "NOISE": 1}
        centre, scale = (_number(one, **at) for one in (theory.largest_centre(), theory.largest_scale()))
        return centre + score * scale

    @functools.cache
    def spike(size: int) -> float:
        at = {"VALUE": critical(size), "RATIO": inputs["ratio"], "SPREAD": 0, "NOISE": 1}
        return _number(theory.spike_behind(), **at)

    return {"critical": critical, "spike": spike}


def _sums(ratio: float) -> list[float]:
    """Variances of tr S and tr S^2 by Chebyshev coefficients of x and x^2 on the support of unit noise."""
    from widelimit.theory import freeprob

    root = math.sqrt(ratio)
    squares = {1: (2 * root) ** 2}, {1: (4 * root * (1 + ratio)) ** 2, 2: (2 * ratio) ** 2}
    return [
        sum(float(freeprob.statistic_variance().subs(freeprob.ORDER, k)) * value for k, value in one.items())
        for one in squares
    ]


def _independent(ratio: float) -> np.ndarray:
    """The same of 100 independent numbers of the law."""
    return 100 * np.array([ratio, 4 * ratio + 10 * ratio**2 + 4 * ratio**3])


def _mixture(ratio: float, spread: float) -> np.ndarray:
    from widelimit.theory import spectra as theory

    mean, second = (1 + spread) / 2, (1 + spread**2) / 2
    dispersion, scatter = second - mean**2, ratio * mean**2
    values = {"DISPERSION": dispersion, "SCATTER": scatter}
    return np.array([_number(one, **values) for one in (theory.intensity(), theory.linear_risk())])


EDGE = declare(
    "spectra.edge",
    title="Fluctuations at the edge",
    statement="The largest eigenvalue of noise scatters by n^(-2/3), around a mean below the edge: Tracy-Widom.",
    paper="Johnstone, Annals of Statistics 29, 295 (2001), theorem 1.1",
    domain={"ratio": Choice((0.5, 1.0))},
    rows=_edge,
    over={"row": ("power", "mean over deviation")},
    simulate=simulate.edge,
    start=_upper,
    plans={  # what a quick run can afford does not resolve the margin
        name: plan
        for name, plan in presets(
            table("ratio", [0.5], [1.0]),
            ((12, 24, 48), (64, 128, 256), (128, 256, 512)),
            pilot=(8, 16, 16),
            most=(20, 160, 160),
            block=(4, 8, 8),
            within=(None, 0.04, 0.04),
        ).items()
        if name != "quick"
    },
    exponent=1 / 3,
    finite=at_size(_edge_at),
    within=0.12,
    size_name="samples",
    quantity="power of n; mean over standard deviation",
    observable="100 largest eigenvalues at n and at 4 n",
    notes="Each size is compared with Johnstone's centre and width at n - 1/2 and p - 1/2, whose error is of order "
    "n^(-2/3): at 24 samples the power is 0.03 below them, at 96 0.01.",
    wrong=wrong(
        "central limit",
        "an average: spread n^(-1/2), no shift of the mean",
        lambda: np.array([0.5, 0.0]),
    ),
)
OUTLIER = declare(
    "spectra.bbp",
    title="Outliers of spiked matrices",
    statement="x = l (1 + c/(l - 1)) and cos^2 = (1 - c/(l - 1)^2)/(1 + c/(l - 1)) for l above 1 + sqrt c.",
    paper="Baik and Silverstein, Journal of Multivariate Analysis 97, 1382 (2006), theorem 1.1",
    domain={"ratio": Interval(0.25, 1.0, simplest=0.5), "spike": Interval(2.5, 8.0, simplest=4.0)},
    solver="spectra.bbp",
    rows={"eigenvalue": "eigenvalue", "overlap": "overlap"},
    simulate=simulate.outlier,
    points=table("ratio spike", [(0.5, 4.0)], [(1.0, 3.0), (0.25, 8.0)]),
    sizes=(20, 40, 80),
    within=0.06,
    noise=2.0,
    size_name="dimensions",
    quantity="outlier, squared cosine",
    observable="top eigenvalue and eigenvector of X'X/n",
    wrong=wrong(
        "consistent",
        "as for few dimensions: the sample's eigenvalue and eigenvector are the population's",
        lambda spike: np.array([spike, 1.0]),
    ),
)
DETECTION = declare(
    "spectra.detection",
    title="What a test can find",
    statement="The spike whose outlier is at the critical eigenvalue of Johnstone's test is found half of the time.",
    paper="new (Tracy-Widom quantile through the outlier's equation)",
    domain={"ratio": Choice((0.5, 1.0))},
    rows=0.5,
    simulate=simulate.found,
    start=_detection,
    plans=presets(
        table("ratio", [0.5], [1.0]),
        ((10, 20, 40), (20, 40, 80), (40, 80, 160)),
        pilot=(24, 32, 32),
        most=(64, 640, 640),
        block=(8, 16, 16),
        within=(None, 0.06, 0.06),
    ),
    exponent=1 / 3,
    within=0.15,
    scale=1.0,
    size_name="dimensions",
    quantity="share found",
    observable="40 matrices with one spike each",
    wrong=wrong(
        "all above the threshold",
        "every spike above 1 + sqrt c is found",
        lambda: np.array([1.0]),
    ),
)
STATISTICS = declare(
    "spectra.linear-statistics",
    title="Fluctuations of traces",
    statement="tr S and tr S^2 scatter by O(1): variances 2c and 8c(1 + c)^2 + 4c^2.",
    paper="Bai and Silverstein, Annals of Probability 32, 553 (2004), theorem 1.1",
    domain={"ratio": Choice((0.5, 1.0))},
    rows=_sums,
    over={"power": (1, 2)},
    simulate=simulate.sums,
    points=table("ratio", [0.5], [1.0]),
    sizes=(10, 20, 40),
    within=0.12,
    closer=2.5,
    noise=1.0,
    size_name="dimensions",
    derivation=lambda _: _fluctuations(),
    quantity="variance",
    observable="over 60 matrices",
    wrong=(
        wrong("complex matrices", "half of it", lambda truth: truth / 2),
        wrong("independent eigenvalues", "those of 100 independent numbers of the law", _independent),
    ),
)
SHRINKAGE = declare(
    "spectra.shrinkage",
    title="Risk of the best mixture",
    statement="The best share of the mean is b/(a + b), and its squared error a b/(a + b).",
    paper="Ledoit and Wolf, Journal of Multivariate Analysis 88, 365 (2004), theorem 2.1",
    domain={"ratio": Interval(0.25, 2.0, simplest=0.5), "spread": Interval(2.0, 6.0, simplest=3.0)},
    rows=_mixture,
    over={"row": ("share", "risk")},
    simulate=simulate.mixture,
    points=table("ratio spread", [(0.5, 3.0)], [(2.0, 3.0), (0.5, 6.0)]),
    sizes=(20, 40, 80),
    within=0.05,
    noise=1.0,
    size_name="dimensions",
    quantity="share of the mean; E |C - Sigma|^2/p",
    observable="the best mixture for each sample, the population known",
    wrong=wrong(
        "sample covariance",
        "no share of the mean, and the sample's own error",
        lambda ratio, spread: np.array([0.0, ratio * ((1 + spread) / 2) ** 2]),
    ),
)
CLAIMS = (EDGE, OUTLIER, DETECTION, STATISTICS, SHRINKAGE)


def _fluctuations() -> Any:
    from widelimit.theory import freeprob

    return freeprob.derive_fluctuations()


# --- the gallery ---------------------------------------------------------------------------------------------------


def _factors(preset: str) -> Arrays:
    """Returns of 200 stocks over 600 days: a market, two sectors, noise of variance 1/4."""
    from widelimit.numerics import spectra

    random = np.random.default_rng(1)
    loading = np.zeros((200, 3))
    loading[:, 0] = 0.1
    loading[:70, 1] = loading[140:, 2] = 0.16
    data = random.standard_normal((600, 3)) @ loading.T + 0.5 * random.standard_normal((600, 200))
    found = spectra.fit(data)
    x = np.linspace(*found.edges, 400)
    return {
        "eigenvalues": found.eigenvalues,
        "x": x,
        "density": np.asarray(found.law.density(x)) * (1 - found.components / found.dimensions),
        "outliers": found.outliers,
        "spikes": found.spikes,
        "p_values": found.p_values,
    }


def _draw_factors(arrays: Arrays, axes: Axes) -> None:
    inside = arrays["eigenvalues"][len(arrays["outliers"]) :]
    share = inside.size / arrays["eigenvalues"].size
    axes.hist(inside, bins=40, density=True, color="#c8cdd2", label="eigenvalues")
    axes.plot(arrays["x"], arrays["density"] / share, color="#0072b2", label="noise that was fitted")
    top = float(arrays["density"].max())
    for k, (x, spike, p) in enumerate(
        zip(arrays["outliers"], arrays["spikes"], arrays["p_values"], strict=True)
    ):
        axes.plot([x, x], [0, 0.25 * top], color="#d55e00", label="components" if k == 0 else None)
        axes.plot(spike, 0.02 * top, "v", color="#009e73", label="population, corrected" if k == 0 else None)
        text = f"p = {p:.0e}" if p > 0 else "p < 1e-280"
        axes.annotate(text, (x, 0.27 * top), rotation=90, fontsize=7, ha="center", va="bottom")
    axes.set(xlabel="eigenvalue", ylabel="density")
    axes.legend()


GALLERY = (
    GalleryFigure(
        "spectrum-of-returns",
        "Noise and components",
        "Eigenvalues of the covariance of 200 returns made of three factors and noise, over 600 days. Blue: the noise "
        "that was fitted. Red: eigenvalues above it, with the chance of one as large in noise; triangles: the "
        "population's.",
        "johnstone2001distribution",
        _factors,
        _draw_factors,
    ),
)
