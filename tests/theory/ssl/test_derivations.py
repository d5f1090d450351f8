"""The derivations of non-contrastive learning hold, and words of matrices mean what NumPy says that they do."""

import mpmath
import numpy as np
import pytest

from widelimit.theory import ssl
from widelimit.theory.errors import ArgumentError
from widelimit.theory.ssl import formulas as t
from widelimit.theory.ssl import words


@pytest.mark.parametrize("result", ssl.RESULTS)
def test_all_steps_hold_at_other_points(result):
    derivation = ssl.derive(result)
    assert all(one.passed for one in derivation.check(dps=20, points=2, seed=7))
    assert derivation.sources and derivation.latex() and derivation.mathml()


@pytest.mark.parametrize("result", ["", "collapse", None, 3])
def test_other_results_are_refused(result):
    with pytest.raises(ArgumentError, match="`result` must be one of modes, flow"):
        ssl.derive(result)


def test_the_ensemble_has_the_moments_of_its_views():
    means, deviations = words.ensemble()
    signal, spread = words.moments()
    views = np.array(
        [
            np.array((m + s * d).tolist(), float).ravel()
            for m, d in zip(means, deviations, strict=True)
            for s in (-1, 1)
        ]
    )
    np.testing.assert_allclose(views.T @ views / 6, np.array((signal + spread).tolist(), float), atol=1e-15)
    first, second = (np.array(words.drawn(*one).tolist(), float) for one in ((2, 3, 5), (2, 2, 6)))
    at = {
        t.W: words.drawn(2, 3, 5),
        t.WT: words.drawn(2, 3, 5).T,
        t.WP: words.drawn(2, 2, 6),
        t.DECAY: mpmath.mpf(3),
    }
    word = (t.WP - 1) ** 2 * t.W * t.WT / 2 + t.DECAY
    expected = np.linalg.matrix_power(second - np.eye(2), 2) @ first @ first.T / 2 + 3 * np.eye(2)
    np.testing.assert_allclose(np.array(words.value(word, at).tolist(), float), expected, rtol=1e-13)


def test_modes_are_those_of_the_paper():
    x, c = t.SIGNAL, t.C
    assert (t.predictor_mode() - (t.RATE * t.S * (t.TAU * x - c * t.P) - t.DECAY * t.P)).expand() == 0
    grown = t.P * (t.TAU * x - c * t.P) - t.DECAY
    assert (t.covariance_mode() - 2 * t.S * grown).expand() == 0
    assert (t.target_mode() - (t.EMA * (1 - t.TAU) - t.TAU * grown)).expand() == 0
    assert (t.direct_mode() - 2 * t.EXPONENT * t.U * (t.U * (t.TAU * x - c * t.U) - t.DECAY)).expand() == 0
    assert (
        t.alignment_rate() - (c * (t.RATE * t.S / 2 + t.P**2) - t.TAU * x * t.P + 3 * t.DECAY / 2)
    ).expand() == 0
