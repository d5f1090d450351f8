"""Zero padding and depthwise filters: counts by torch's own convolution of ones, closed forms, bad input."""

import math

import pytest
import torch

from widelimit.numerics.convolution import coverage, depthwise_kurtosis
from widelimit.theory import convolution as theory
from widelimit.theory.errors import ArgumentError


def test_the_derivation_checks_itself():
    assert all(step.passed for step in theory.derive().check(dps=20, points=2))


@pytest.mark.parametrize("given", [
    (8, 3, 1, 1, 1), (8, 4, 1, 1, 2), (9, 3, 2, 1, 1), (16, 5, 3, 2, 4), (7, 2, 2, 1, 0), (6, 6, 1, 1, 5),
    (5, 7, 1, 1, 3),
])  # fmt: skip
def test_shares_are_those_of_a_convolution_of_ones(given):
    n, size, stride, dilation, padding = given
    ones = torch.ones(1, 1, n), torch.ones(1, 1, size)
    want = torch.nn.functional.conv1d(*ones, stride=stride, dilation=dilation, padding=padding)[0, 0] / size
    found = coverage(n, size, stride=stride, dilation=dilation, padding=padding)
    assert found.share.tolist() == pytest.approx(want.tolist(), rel=1e-6)
    assert found.mean == pytest.approx(float(want.mean()), rel=1e-6)


def test_kurtosis():
    assert depthwise_kurtosis(5.0, 9) == pytest.approx(14 / 3, rel=1e-14)
    assert depthwise_kurtosis(2.0, 1) == 9.0  # a product of two Gaussians
    assert depthwise_kurtosis(0.0, 4) == 3.0


@pytest.mark.parametrize("call", [
    lambda: coverage(0, 3), lambda: coverage(8, 0), lambda: coverage(8, 3, stride=0),
    lambda: coverage(8, 3, padding=-1),
    lambda: coverage(8, 3, dilation=0), lambda: coverage(4, 9), lambda: coverage(8.0, 3), lambda: coverage(10**400, 3),
    lambda: coverage(8, 3, padding=10**400), lambda: coverage(10**7, 10**6), lambda: coverage(True, 3),
    lambda: depthwise_kurtosis(-1.0, 9), lambda: depthwise_kurtosis(math.nan, 9), lambda: depthwise_kurtosis(5.0, 0),
    lambda: depthwise_kurtosis(1e300, 9), lambda: depthwise_kurtosis(5.0, 10**400), lambda: depthwise_kurtosis("5", 9),
])  # fmt: skip
def test_bad_arguments(call):
    with pytest.raises(ArgumentError):
        call()
