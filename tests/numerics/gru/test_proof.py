"""The homoclinic orbit with proof: what is proven is true, and what is false is not proven."""

from __future__ import annotations

import math

import numpy as np
import pytest

from widelimit.numerics import gru
from widelimit.numerics.gru import proven
from widelimit.theory.errors import ArgumentError, ConvergenceError

BIAS = -1.0942366847757135812  # Taylor steps of order 30 at 34 digits
SLOPE = 1.0323637  # of the splitting there
WORKED = {"gain": 2.0, "angle": math.pi / 6, "bias_2": -0.16, "bracket": (-1.0945, -1.0940)}


def test_worked_orbit_is_proven():
    proof = gru.homoclinic_proof(**WORKED)
    low, high = proof.bias_1
    assert low < BIAS < high and proof.radius < 2e-12 and proof.stable is True
    for end, (below, above) in zip(proof.bias_1, proof.splitting, strict=True):
        assert below * above > 0 and below - 1e-15 < SLOPE * (end - BIAS) < above + 1e-15
    saddle = np.array([0.30395649656806, -0.88164169797446])
    assert (proof.saddle[0] < saddle + 1e-14).all() and (saddle - 1e-14 < proof.saddle[1]).all()
    assert np.ptp(proof.saddle, axis=0).max() < 1e-11
    assert proof.lambda_u[0] < 0.36577791343748 < proof.lambda_u[1]
    assert proof.lambda_s[0] < -0.408009077245 < proof.lambda_s[1] and proof.steps > 100


@pytest.mark.parametrize(
    "gain,angle,bias_2,bracket",
    [
        (1.8, 0.4, -0.07871204142941221, (-0.7898, -0.7877)),
        (2.0, math.pi / 6, 0.624, (-0.5753, -0.5732)),
    ],
)
def test_other_orbits_are_proven(gain, angle, bias_2, bracket):
    proof = gru.homoclinic_proof(gain, angle, bias_2=bias_2, bracket=bracket)
    found = gru.homoclinic(gain, angle, bias_2=bias_2, bracket=bracket)
    assert proof.bias_1[0] < found.bias_1 < proof.bias_1[1] and proof.radius < 2e-11
    assert bracket[0] <= proof.bias_1[0] and proof.bias_1[1] <= bracket[1]
    below, above = proof.splitting
    assert below[1] * above[0] < 0 and proof.stable is (found.lambda_u + found.lambda_s < 0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda field: field * np.array([1.0, 1.0, 1.0 + 1e-8]),  # biases off by 1e-8
        lambda field: np.concatenate([field[..., :2] * (1 - 1e-9), field[..., 2:]], -1),  # a smaller gain
        lambda field: -field[::-1],  # the sign flipped
        lambda field: np.stack([field[0] - 1e-9, field[1] + 1e-9]),  # known too coarsely
    ],
)
def test_a_wrong_field_is_not_proven(monkeypatch, wrong):
    right = proven._field
    monkeypatch.setattr(proven, "_field", lambda *args: np.ascontiguousarray(wrong(right(*args))))
    with pytest.raises(ConvergenceError, match="No homoclinic orbit could be proven"):
        gru.homoclinic_proof(**WORKED)


def test_the_field_holds_the_decimals():
    low, high = proven._field(2.0, math.pi / 6, -0.16, -1.1, -1.0)
    exact = np.array([[math.sqrt(3.0), -1.0, -1.05], [1.0, math.sqrt(3.0), -0.16]])
    assert (low < exact).all() and (exact < high).all() and np.delete(high - low, 2, 1).max() < 3e-15
    assert (low[0, 2], high[0, 2]) == (-1.1, -1.0)


def test_bad_input_is_refused_as_by_homoclinic():
    with pytest.raises(ArgumentError, match=r"must change the sign|must hold biases"):
        gru.homoclinic_proof(**WORKED | {"bracket": (-1.09, -1.08)})
    with pytest.raises(ArgumentError, match="angle"):
        gru.homoclinic_proof(**WORKED | {"angle": 2.0})
    with pytest.raises(ArgumentError, match="bias_2"):
        gru.homoclinic_proof(**WORKED | {"bias_2": math.nan})
