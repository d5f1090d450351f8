"""Power series at zero: moments from S and from free cumulants, Taylor coefficients of compiled functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from widelimit.theory.errors import DomainError
from widelimit.theory.freeprob.series import moments_from_cumulants

EXACT = 4  # moments taken from the Taylor series of a compiled transform


def log_s_series(moments: np.ndarray) -> np.ndarray:
    """Series of log S from moments m_1 = 1, m_2, ...: reversion by Lagrange, then the logarithm."""
    order = moments.size
    psi = np.concatenate((moments, [0.0]))[:order]
    chi = np.array([exp_series(-k * log_series(psi), k)[k - 1] / k for k in range(1, order + 1)])
    powers = np.arange(1, order)
    result = log_series(chi)
    result[1:] += -((-1.0) ** powers) / powers
    return result


def log_series(a: np.ndarray) -> np.ndarray:
    """Logarithm of a power series that starts with 1."""
    result = np.zeros(a.size)
    for n in range(1, a.size):
        result[n] = a[n] - sum(k * result[k] * a[n - k] for k in range(1, n)) / n
    return result


def exp_series(a: np.ndarray, order: int) -> np.ndarray:
    """Exponential of a power series without constant."""
    result = np.zeros(max(order, 1))
    result[0] = 1.0
    for n in range(1, order):
        result[n] = sum(k * a[k] * result[n - k] for k in range(1, n + 1)) / n
    return result


def taylor(function: Callable, name: str, order: int = EXACT) -> np.ndarray:
    """Taylor coefficients at zero by Cauchy's formula on the circle that agrees best with half its radius."""
    count = 64
    angles = np.exp(2j * np.pi * np.arange(count) / count)
    results = []
    for radius in 0.5 ** np.arange(1, 14):
        with np.errstate(all="ignore"):
            try:
                values = np.asarray(function(radius * angles)) * np.ones(count)
            except ZeroDivisionError:
                values = np.full(count, np.nan)
        if np.isfinite(values).all():
            results.append((np.fft.fft(values) / count)[: order + 1] / radius ** np.arange(order + 1))
        else:
            results.append(np.full(order + 1, np.nan))
    scores = [np.abs(a - b).max() / max(np.abs(a).max(), 1e-300) for a, b in itertools.pairwise(results)]
    if not np.isfinite(scores).any() or np.nanmin(scores) > 1e-6:
        raise DomainError(
            f"The {name}-transform is not analytic at 0, so the law has no moments"
            + (" or its mean is zero: give its R-transform." if name == "S" else ".")
        )
    best = results[int(np.nanargmin(scores))]
    if np.abs(best.imag).max() > 1e-8 * max(1.0, np.abs(best).max()):
        if (
            name == "S"
            and abs(best[0].imag) > 1e-8
            and np.abs(best[1:].imag).max(initial=0.0) < 1e-8 * np.abs(best).max()
        ):
            raise DomainError(
                "The S-transform is negative or not real at 0, but S(0) = 1/mean of a law on [0, oo) is positive."
            )
        raise DomainError(f"The {name}-transform is not real near 0, so it belongs to no law.")
    return best.real


def moments_of_log(coefficients: np.ndarray, order: int = EXACT) -> Callable[[int], float]:
    """Lagrange inversion from the series of log(1/S)."""
    exponent = coefficients[:order].copy()
    log_mean = exponent[0]
    powers = np.arange(1, order)
    exponent[1:] += -((-1.0) ** powers) / powers
    exponent[0] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [np.log(exp_series(k * exponent, k)[k - 1] / k) for k in range(1, order + 1)]
    if not np.isfinite(values).all():
        raise DomainError(
            "The S-transform implies a negative moment of a positive law, so it belongs to no law."
        )
    return lambda k: k * log_mean + float(values[k - 1])


def moments_of_cumulants(cumulants: np.ndarray) -> list[float]:
    """First moments from free cumulants."""
    return moments_from_cumulants([float(c) for c in cumulants[:EXACT]], EXACT)
