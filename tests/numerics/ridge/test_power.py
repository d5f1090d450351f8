"""Power laws beside the exact sums over many modes, on both sides of b = 2a + 1."""

import math

import numpy as np
import pytest

from widelimit.numerics import ridge
from widelimit.theory.errors import ArgumentError


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (1.5, 3.0), (1.5, 5.5)])
def test_leading_behaviour_is_that_of_many_modes(a, b):
    # a hundred million modes, solved exactly; corrections fall as 1/N or slower (b near 2a + 1)
    samples, modes = 4000, 1e8
    spectrum = ridge.Spectrum.power_law(modes, a, b)
    found = ridge.solve(spectrum, sample_ratio=samples / modes)
    law = ridge.power_law(a, b, samples=samples)
    assert law.effective_ridge == pytest.approx(found.effective_ridge, rel=0.01)
    assert law.bias == pytest.approx(found.bias, rel=0.02)
    assert found.rho == pytest.approx(1 - 1 / a, rel=0.01)
    assert law.degrees_of_freedom == pytest.approx(samples, rel=1e-12)
    later = ridge.solve(spectrum, sample_ratio=4 * samples / modes)
    assert math.log(found.test_error / later.test_error, 4) == pytest.approx(law.error_exponent, abs=0.02)


def test_plateau_and_crossover_of_noise():
    a, b, noise = 2.0, 2.0, 1e-3
    modes = 1e8
    spectrum = ridge.Spectrum.power_law(modes, a, b)
    law = ridge.power_law(a, b, noise, samples=1e5)
    many = ridge.solve(spectrum, noise=noise, sample_ratio=1e5 / modes)
    assert law.plateau == pytest.approx(float(many.variance_of_noise), rel=0.01)
    # bias sinks below what noise adds within a constant of the crossover
    ratios = np.geomspace(10, 1e5, 60)
    found = ridge.solve(spectrum, noise=noise, sample_ratio=ratios / modes)
    meets = ratios[np.argmax(found.bias + found.variance_of_inputs < found.variance_of_noise)]
    assert 1 / 5 < meets / law.crossover < 5
    assert law.crossover == pytest.approx(1 / noise)  # sigma^(-2/mu), mu = 1
    assert ridge.power_law(a, b, samples=10).crossover == math.inf


def test_the_best_penalty_falls_with_its_exponent():
    a, b, noise, modes = 2.0, 2.5, 0.1, 1e8
    spectrum = ridge.Spectrum.power_law(modes, a, b)
    law = ridge.power_law(a, b, noise, samples=1e5)
    one, two = (ridge.optimal_penalty(spectrum, noise=noise, sample_ratio=n / modes) for n in (1e4, 1e5))
    assert math.log10(one.penalty / two.penalty) == pytest.approx(law.penalty_exponent, abs=0.02)
    excess = (one.test_error - noise) / (two.test_error - noise)
    assert math.log10(excess) == pytest.approx(law.noisy_exponent, abs=0.02)


@pytest.mark.parametrize("change", [{"exponent": 1.0}, {"signal_exponent": 0.5}, {"signal_exponent": 5.0}])
def test_exponents_that_have_no_such_law_are_refused(change):
    with pytest.raises(ArgumentError, match="must"):
        ridge.power_law(**({"exponent": 2.0, "signal_exponent": 2.0} | change), samples=100)
