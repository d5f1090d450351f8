"""Derivatives of ridge regression against mpmath's, of errors that it solves for itself on two scales."""

import numpy as np
import pytest
from mpmath import diff, findroot, mpf, workdps

from widelimit.numerics import ridge
from widelimit.theory.errors import DomainError, WidelimitError

SCALES = ((1.0, 0.1, 1.0), (0.1, 0.5, 0.3), (0.0, 0.4, 0.0))  # eigenvalue, fraction, signal
SPECTRUM = [list(one) for one in zip(*SCALES, strict=True)]


def solved(noise, ratio, penalty, strength, near):
    """The fields of the solution, by hand (Mel and Ganguli 2021)."""
    scales = [(mpf(s), mpf(p), strength * mpf(u)) for s, p, u in SCALES if s]
    kappa = findroot(lambda k: k * (1 - sum(p * s / (s + k) for s, p, _ in scales) / ratio) - penalty, near)
    fitted, twice = (sum(p * (s / (s + kappa)) ** n for s, p, _ in scales) for n in (1, 2))
    bias = sum(u * (kappa / (s + kappa)) ** 2 for s, _, u in scales)
    rho = twice / ratio
    error = (bias + noise) / (1 - rho)
    total = sum(u for _, _, u in scales) + noise
    return {
        "effective_ridge": kappa, "test_error": error, "training_error": (1 - fitted / ratio) ** 2 * error,
        "unexplained": error / total, "bias": bias, "variance": error - bias - noise,
        "variance_of_inputs": bias * rho / (1 - rho), "variance_of_noise": noise * rho / (1 - rho), "rho": rho,
    }  # fmt: skip


@pytest.mark.parametrize("penalty", [0.05, -1e-3])
@pytest.mark.parametrize("ratio", [0.3, 2.0])
def test_against_mpmath(ratio, penalty):
    at = {"noise": 0.2, "sample_ratio": ratio, "penalty": penalty}
    found = ridge.gradient(*SPECTRUM, **at)
    near = found.value.effective_ridge
    at["strength"] = 1.0
    with workdps(30):
        for index, name in enumerate(at):
            point = [mpf(value) for value in at.values()]
            for field in solved(*point, near):

                def along(x, field=field, index=index, point=point):
                    return solved(*point[:index], x, *point[index + 1 :], near)[field]

                want = float(diff(along, point[index]))
                got = getattr(getattr(found, name), field)
                assert got == pytest.approx(want, rel=1e-11, abs=1e-15), (name, field)


def test_isotropic_best_penalty():
    """noise/(alpha signal), and the error there, by mpmath."""
    noise, ratio, signal = np.array([0.2, 0.7]), 1.7, 1.3
    found = ridge.optimal_gradient([2.0], None, [signal], noise, sample_ratio=ratio)
    assert found.value.penalty == pytest.approx(2 * noise / (ratio * signal), rel=1e-9)
    assert found.noise.penalty == pytest.approx([2 / (ratio * signal)] * 2, rel=1e-9)
    assert found.sample_ratio.penalty == pytest.approx(-2 * noise / (ratio**2 * signal), rel=1e-9)

    def least(noise, ratio):  # in units of the eigenvalue
        lam = noise / (ratio * signal)
        k = findroot(lambda k: k * (1 - 1 / (1 + k) / ratio) - lam, 1)
        return (signal * (k / (1 + k)) ** 2 + noise) / (1 - 1 / (1 + k) ** 2 / ratio)

    with workdps(30):
        for k, one in enumerate(noise):
            by_noise = float(diff(lambda x: least(x, mpf(ratio)), mpf(float(one))))
            by_ratio = float(diff(lambda x, one=one: least(mpf(float(one)), x), mpf(ratio)))
            assert found.noise.test_error[k] == pytest.approx(by_noise, rel=1e-9)
            assert found.sample_ratio.test_error[k] == pytest.approx(by_ratio, rel=1e-9)


def test_best_penalty_of_two_scales_moves_as_the_best_penalty_does():
    """To second order in a step, at which 1e-9 of the best penalties themselves is left."""
    at = {"noise": 0.2, "sample_ratio": 0.55}
    found, step = ridge.optimal_gradient(*SPECTRUM, **at), 1e-4
    for name in at:
        low, high = (
            ridge.optimal_penalty(*SPECTRUM, **{**at, name: at[name] + side * step}) for side in (-1, 1)
        )
        for field in ("penalty", "test_error", "effective_ridge", "unexplained"):
            want = (getattr(high, field) - getattr(low, field)) / (2 * step)
            assert getattr(getattr(found, name), field) == pytest.approx(want, rel=1e-6)


def test_units_and_shapes():
    """Eigenvalues and penalty a thousand times as large: the error by the penalty is a thousandth."""
    small = ridge.gradient(
        [1.0, 0.1], None, [1.0, 0.2], 0.1, sample_ratio=[[0.4], [3.0]], penalty=[0.01, 0.1, 1.0]
    )
    large = ridge.gradient(
        [1e3, 1e2], None, [1.0, 0.2], 0.1, sample_ratio=[[0.4], [3.0]], penalty=[10.0, 1e2, 1e3]
    )
    assert small.penalty.test_error.shape == (2, 3)
    assert large.penalty.test_error * 1e3 == pytest.approx(small.penalty.test_error, rel=1e-12)
    assert large.sample_ratio.effective_ridge == pytest.approx(
        1e3 * small.sample_ratio.effective_ridge, rel=1e-12
    )
    one = ridge.sensitivity([1.0, 0.1], None, [1.0, 0.2], 0.1, sample_ratio=0.4, penalty=0.1)
    assert small.penalty.test_error[0, 1] == pytest.approx(one.by_penalty, rel=1e-12)


def test_no_derivative():
    with pytest.raises(DomainError, match="peak"):
        ridge.gradient([1.0], None, [1.0], 0.1, sample_ratio=1.0)
    found = ridge.gradient([1.0], None, [1.0], 0.1, sample_ratio=[1.0, 2.0])
    assert np.isnan(found.noise.test_error).tolist() == [True, False]
    learnt = ridge.optimal_gradient([1.0], None, [1.0], [0.0, 0.1], sample_ratio=2.0)
    assert np.isnan(learnt.noise.penalty).tolist() == [True, False]


@pytest.mark.parametrize(
    "wrong", [{"noise": -1.0}, {"sample_ratio": 0.0}, {"penalty": -9.0}, {"signal": None}]
)
def test_bad_input(wrong):
    given = {"signal": [1.0], "noise": 0.1, "sample_ratio": 0.5, "penalty": 0.1, **wrong}
    with pytest.raises(WidelimitError):
        ridge.gradient([1.0], **given)


@pytest.mark.parametrize("noise", [[], [[]]])
def test_no_points_are_no_derivatives(noise):
    found = ridge.optimal_gradient([1.0, 0.1], signal=[1.0, 0.2], noise=noise, sample_ratio=0.5)
    assert found.value.penalty.size == found.noise.penalty.size == 0


def test_the_strength_of_the_signal_by_eulers_theorem():
    """Errors are of first degree in signal and noise together, penalties and shares of none."""
    at = {"noise": np.array([0.1, 0.4]), "sample_ratio": 1.4}
    found = ridge.gradient(*SPECTRUM, **at, penalty=0.03)
    for field, degree in (("test_error", 1), ("bias", 1), ("unexplained", 0), ("effective_ridge", 0)):
        whole = at["noise"] * getattr(found.noise, field) + getattr(found.strength, field)
        assert whole == pytest.approx(degree * getattr(found.value, field), rel=1e-11, abs=1e-14), field
    best = ridge.optimal_gradient(*SPECTRUM, **at)
    for field, degree in (("test_error", 1), ("penalty", 0), ("unexplained", 0), ("effective_ridge", 0)):
        whole = at["noise"] * getattr(best.noise, field) + getattr(best.strength, field)
        assert whole == pytest.approx(degree * getattr(best.value, field), rel=1e-9, abs=1e-9), field
    step, (s, p, u) = 1e-4, SPECTRUM
    near = [ridge.optimal_penalty(s, p, [k * one for one in u], **at).penalty for k in (1 - step, 1 + step)]
    assert best.strength.penalty == pytest.approx((near[1] - near[0]) / (2 * step), rel=1e-6)
