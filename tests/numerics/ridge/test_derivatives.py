"""Derivatives of the test error against differences of `solve`, and where there are none."""

import numpy as np
import pytest

from widelimit.numerics import ridge
from widelimit.theory.errors import ArgumentError, ConvergenceError

NAMES = ("eigenvalues", "weights", "signal", "noise", "sample_ratio", "penalty")
POINTS = [
    dict(zip(NAMES, values, strict=True))
    for values in (
        ([1.0], [1.0], [1.0], 0.1, 0.9, 0.3),
        ([1, 0.01], [0.1, 0.9], [1, 0.3], 0.1, 0.5, 0.02),
        ([1e6, 1e4, 0], [0.1, 0.5, 0.4], [1, 0.3, 0], 0.2, 2.0, -50.0),
        ([1, 1e-3], [0.5, 0.5], [1, 1], 0.0, 3.0, 100.0),
    )
]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: str(point["eigenvalues"]))
def test_derivatives_are_limits_of_differences(point):
    found, step = ridge.sensitivity(**point), 1e-4

    def error(**changed):
        return ridge.solve(**{**point, **changed}).test_error

    ratio, penalty = point["sample_ratio"], point["penalty"]
    more, fewer = (np.log(error(sample_ratio=ratio * (1 + k * step))) for k in (1, -1))
    assert found.by_samples == pytest.approx((more - fewer) / (2 * step), rel=1e-5)
    apart = step * abs(penalty)
    up, down = (error(penalty=penalty + k * apart) for k in (1, -1))
    assert found.by_penalty == pytest.approx((up - down) / (2 * apart), rel=1e-5)
    assert found.test_error == error()


def test_at_the_best_penalty_the_error_is_flat_and_data_help():
    given = {
        "eigenvalues": [1, 0.01],
        "weights": [0.1, 0.9],
        "signal": [1, 0.3],
        "noise": 0.1,
        "sample_ratio": 0.5,
    }
    best = ridge.optimal_penalty(**given)
    found = ridge.sensitivity(**given, penalty=best.penalty)
    assert abs(found.by_penalty) < 1e-9
    assert found.by_samples < 0


def test_an_infinite_error_has_no_derivative():
    with pytest.raises(ArgumentError, match="infinite"):
        ridge.sensitivity([1.0], [1.0], [1.0], 0.1, sample_ratio=1.0)


@pytest.mark.parametrize(("ratio", "penalty"), [(1e-300, 0.0), (1e300, 0.0), (0.5, 1e300)])
def test_what_no_float_holds_is_refused(ratio, penalty):
    with pytest.raises(ConvergenceError, match="beyond what floats hold"):
        ridge.sensitivity([1, 0.1], [0.5, 0.5], [1, 1], 0.1, sample_ratio=ratio, penalty=penalty)
