"""Formulas of pruning against counts, sums and worked values from outside."""

import math
from itertools import combinations

import pytest
from sympy import Rational

from widelimit.theory import pruning as t


def test_the_derivation_checks_itself():
    found = t.derive()
    assert all(step.passed for step in found.check(dps=20))
    assert {"tanaka2020pruning", "he2015delving"} <= set(found.sources)


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 4, 3), (3, 3)])
def test_survival_counts_all_choices(counts):
    layer = [index for index, count in enumerate(counts) for _ in range(count)]
    for kept in range(sum(counts) + 1):
        chosen = list(combinations(layer, kept))
        good = sum(set(one) == set(range(len(counts))) for one in chosen)
        assert t.survival(counts, kept) == Rational(good, len(chosen))


def test_sets_of_layers_are_counted_with_their_signs():
    sums = t.signed_sums((2, 3, 2))
    assert sums == {0: 1, 2: -2, 3: -1, 4: 1, 5: 2, 7: -1}


def test_mean_size_of_he_weights():
    growth = t.layer_growth().subs({t.UNITS: 40, t.FAN_IN: 10, t.GAIN: 2})
    assert float(growth) == pytest.approx(40 * math.sqrt(4 / (10 * math.pi)), rel=1e-14)


def test_truncated_binomial():
    count, share = 7, 0.13
    chance = [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
    alive = 1 - chance[0]
    mean = sum(k * one for k, one in enumerate(chance)) / alive
    square = sum(k * k * one for k, one in enumerate(chance)) / alive
    at = {t.COUNT: count, t.SHARE: share}
    assert float(t.layer_survives().subs(at)) == pytest.approx(alive, rel=1e-13)
    assert float(t.kept_mean().subs(at)) == pytest.approx(mean, rel=1e-13)
    spread = t.kept_variance().subs({**at, t.MEAN: mean})
    assert float(spread) == pytest.approx(square - mean**2, rel=1e-12)


def test_both_schedules_end_at_the_compression():
    at = {t.COMPRESSION: 32, t.ROUND: 5, t.ROUNDS: 5}
    assert float(t.kept_fraction().subs(at)) == float(t.kept_fraction_linear().subs(at)) == 1 / 32
