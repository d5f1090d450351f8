"""Inputs at the ends of floating point: a right value or one of our sentences, never NaN or a foreign exception."""

import numpy as np
import pytest

from widelimit.numerics import ridge
from widelimit.theory.errors import ArgumentError, WidelimitError


def test_units_do_not_matter():
    plain = ridge.solve([1, 0.01], [0.1, 0.9], [1, 0], 0.1, sample_ratio=0.5, penalty=0.01)
    for unit in (2.0**-900, 2.0**900):
        got = ridge.solve(
            np.array([1, 0.01]) * unit, [0.1, 0.9], [1, 0], 0.1, sample_ratio=0.5, penalty=0.01 * unit
        )
        assert got.test_error == plain.test_error
        assert got.effective_ridge == plain.effective_ridge * unit


def test_no_fit_in_closed_form():
    # lambda far above all eigenvalues, or next to no samples: the error is the variance of y
    for ratio, penalty in ((2.0, 1e300), (1e-300, 0.1), (1e-60, 0.0)):
        got = ridge.solve([1.0], signal=[0.7], noise=0.3, sample_ratio=ratio, penalty=penalty)
        assert got.test_error == pytest.approx(1.0, rel=1e-15)
        assert got.effective_ridge == pytest.approx(penalty + 1 / ratio, rel=1e-15)


def test_best_penalty_of_a_faint_signal():
    # isotropic: lambda = sigma^2/(N w^2) exactly
    got = ridge.optimal_penalty([1.0], [1.0], [1e-300], 0.3, sample_ratio=2)
    assert got.penalty == pytest.approx(0.15e300, rel=1e-9)
    assert got.test_error == pytest.approx(0.3, rel=1e-15)


def test_best_penalty_a_rounding_error_below_one_sample_a_dimension():
    got = ridge.optimal_penalty([1.0], signal=[1.0], sample_ratio=1 - 1e-16)
    assert got.test_error == pytest.approx(0.0, abs=1e-15)  # E = u (1 - alpha) without noise
    for call in (ridge.optimal_penalty, ridge.minima):
        with pytest.raises(ArgumentError, match="must carry some variance"):
            call([1.0], signal=[0.0], sample_ratio=2.0)


@pytest.mark.parametrize(
    "eigenvalues", [[1e-300], [1e300], [1e-320], [1.0, 1e-300], [1e150, 1e-150], [1.0, 0.0]]
)
@pytest.mark.parametrize("noise", [0.0, 0.3, 1e300])
def test_our_words_or_numbers(eigenvalues, noise):
    signal = (np.array(eigenvalues) > 0) * 1.0
    for call in (
        lambda: ridge.peaks(eigenvalues, signal=signal, noise=noise, penalty=1e-300),
        lambda: ridge.peaks(eigenvalues, signal=signal, noise=noise, penalty=1e300),
        lambda: ridge.hessian_gaps(eigenvalues, sample_ratio=1e-300),
        lambda: ridge.minima(eigenvalues, signal=signal, noise=noise, sample_ratio=0.999),
        lambda: ridge.solve(eigenvalues, signal=signal, noise=noise, sample_ratio=1.0, penalty=1e-300),
        lambda: ridge.random_features(
            eigenvalues, signal=signal, noise=noise, sample_ratio=2.0, feature_ratio=0.1, penalty=1e-300
        ),
    ):
        try:
            found = call()
        except WidelimitError:
            continue
        for one in found if isinstance(found, tuple) else (found,):
            assert not any(np.isnan(np.asarray(value, float)).any() for value in vars(one).values())


def test_gaps_do_not_see_scales_without_weight():
    assert ridge.gap_thresholds([1, 0.5, 0.1], [0.5, 0.0, 0.5]) == pytest.approx(
        ridge.gap_thresholds([1, 0.1])
    )
