"""Each mean-field claim end to end at small size: theory and simulation agree, wrong theories do not."""

import numpy as np
import pytest

from widelimit.validate.claims import meanfield as claims
from widelimit.validate.claims.meanfield import theory
from widelimit.validate.claims.meanfield.plans import point
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Interval
from widelimit.validate.harness.statistics.limit import extrapolate

CLAIMS = {claim.id.split(".")[1]: claim for claim in claims.CLAIMS}
SIZES = (48, 96, 192)
SMALL = [
    ("length-map", point("tanh", 2.5, depth=3, q0=2.0)),
    ("length-map", point("x/sqrt(1 + x**2)", 2.0, 0.3, depth=2, data="digits:3:17", weights="orthogonal")),
    ("correlation-map", point("relu", 1.2, 0.4, depth=3, q0=1.0, one_minus_c0=0.6)),
    ("fixed-point", point("tanh", 9.0, 1.0, depth=16, window=6, q0=1.0, c0=0.4)),
    ("depth-scale", point("tanh", 4.0)),
    ("depth-scale", point("tanh", 1.0)),
    ("gradient-norm", point("tanh", 4.0, distance=6)),
    ("gradient-norm", point("relu", 1.2, 0.4, distance=6, weights="orthogonal")),
    ("dropout", point("tanh", 1.76095, keep=0.8, depth=3)),
    (
        "critical-decay",
        {"activation": "tanh", "sigma_b": 0.223607, "depth": 8, "one_minus_c0": 0.5, "weights": "gaussian"},
    ),
    (
        "critical-decay",
        {"activation": "relu", "sigma_b": 0.0, "depth": 4, "one_minus_c0": 1.0, "weights": "orthogonal"},
    ),
]


def measured(claim, inputs, sizes=SIZES, replicates=32):
    samples = [claim.simulate(inputs, n, range(n, n + replicates), Backend()) for n in sizes]
    return extrapolate(samples, sizes, claim.exponent)


def scale(claim, predicted):
    return claim.scale(predicted) if claim.scale else np.abs(predicted)


@pytest.mark.parametrize(("name", "inputs"), SMALL, ids=lambda value: value if isinstance(value, str) else "")
def test_simulation_agrees_with_theory_in_the_limit(name, inputs):
    claim = CLAIMS[name]
    predicted = claim.predict(inputs)
    estimate = measured(claim, inputs)
    z = (estimate.limit - predicted) / estimate.standard_error
    assert len(claim.rows(inputs)) == len(predicted)
    # four standard errors at each of forty rows, and two per cent for what 1/N^2 leaves at width 48
    assert np.all(np.abs(z) < 4 + 0.02 * scale(claim, predicted) / estimate.standard_error), (
        z,
        estimate.limit,
    )


@pytest.mark.parametrize(
    ("name", "inputs"), SMALL[::2], ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_replicate_depends_on_its_seed_alone(name, inputs):
    claim = CLAIMS[name]
    together = claim.simulate(inputs, 50, [1, 2, 3], Backend())
    alone = claim.simulate(inputs, 50, [3], Backend())
    assert together.shape == (3, len(claim.rows(inputs)))
    assert np.allclose(together[2], alone[0], rtol=1e-7)


@pytest.mark.parametrize("name", [name for name in CLAIMS if name != "trainability"])
def test_every_counterfactual_is_another_theory_somewhere_in_the_quick_plan(name):
    claim = CLAIMS[name]
    for wrong in claim.counterfactuals:
        if wrong.predict_at is not None:  # infinite width is asked where it differs at the sizes of a plan
            continue
        distances = []
        for inputs in claim.plans["quick"].points:
            if wrong.applies(inputs):
                truth = claim.predict(inputs)
                off = np.abs(wrong.predict(inputs) - truth) / scale(claim, truth) / claim.margin
                assert off.shape == truth.shape
                distances.append(off.max())
        assert max(distances, default=0) > 3, wrong.name


def test_every_point_of_every_plan_is_within_the_theory():
    for claim in claims.CLAIMS:
        for plan in claim.plans.values():
            assert plan.sizes == () or len(plan.sizes) >= 3
            for inputs in plan.points:
                predicted = claim.predict(inputs)
                assert np.isfinite(predicted).all() and len(claim.rows(inputs)) == len(predicted)


def test_domains_hold_points_that_are_valid():
    rng = np.random.default_rng(3)
    for claim in claims.CLAIMS[:-1]:
        found = 0
        for _ in range(60):
            inputs = {}
            for name, one in claim.domain.items():
                if isinstance(one, Interval):
                    inputs[name] = float(rng.uniform(one.low, one.high))
                elif hasattr(one, "options"):
                    inputs[name] = one.options[rng.integers(len(one.options))]
                else:
                    inputs[name] = int(rng.integers(one.low, one.high + 1))
            if claim.valid(inputs):
                found += 1
                predicted = claim.predict(inputs)
                assert np.isfinite(predicted).all() and len(claim.rows(inputs)) == len(predicted), inputs
            if found == 2:
                break
        assert found >= 1, claim.id


def test_the_step_of_wrong_theories_is_the_solver_s_without_the_mistake():
    inputs = point("gelu", 1.5, 0.3, depth=4, keep=0.9, q0=0.7, one_minus_c0=0.4)
    ours, theirs = theory.wrong_history(inputs, theory.Mistake()), theory.history(inputs)
    for a, b in zip(ours, theirs, strict=True):
        assert np.allclose(a, b, rtol=1e-9)
    pair = point("erf_s", 2.0, 0.3, depth=4, data="digits:3:17")
    for a, b in zip(theory.wrong_history(pair, theory.Mistake()), theory.history(pair), strict=True):
        assert np.allclose(a, b, rtol=1e-9)


def test_predictions_have_the_published_numbers():
    # 1611.01232's setting, sigma_b^2 = 0.05; worked by two independent integrations
    found = theory.solution(point("tanh", 2.5, 0.05**0.5))
    assert float(found.q_star) == pytest.approx(1.06395838, rel=1e-5)
    assert theory.rates(point("tanh", 2.5, 0.05**0.5)) == pytest.approx(
        [1 / 11.79559752, 1 / 1.17987292], rel=1e-5
    )
    # hard tanh in dropout, and ReLU's decay: (9 pi^2 / 2) / l^2 is the limit of l times the last row
    relu = CLAIMS["critical-decay"].predict(
        {"activation": "relu", "sigma_b": 0.0, "depth": 2000, "one_minus_c0": 1.0}
    )
    assert relu[-1] * 2000 == pytest.approx(4.5 * np.pi**2, rel=0.02)


def test_one_per_cent_in_the_length_map_is_seen_at_the_reference_resolution():
    # variance of a replicate at width 500 from a small run, scaled to the reference plan
    claim, inputs = CLAIMS["length-map"], point("tanh", 2.5, depth=5, q0=4.0)
    estimate = measured(claim, inputs, sizes=(64, 128, 192), replicates=32)
    error = estimate.standard_error / estimate.limit * (32 / 256) ** 0.5 * (64 / 500) ** 0.5
    assert np.all(error < 0.0025)  # four standard errors are one per cent


def test_trainability_at_toy_size():
    inputs = point("tanh", 1.0, neurons=16, steps=8, batch=16, rate=0.1, deepest=9)
    claim = CLAIMS["trainability"]
    result = claim.simulate(inputs, 0, [1, 2], Backend())
    assert result.shape == (2, 4) and np.isfinite(result).all()
    assert np.allclose(result[1], claim.simulate(inputs, 0, [2], Backend())[0], rtol=1e-3)
    assert len(claim.rows(inputs)) == 4


def test_finite_width_is_predicted_at_every_point_of_every_plan():
    for name in ("length-map", "correlation-map", "dropout"):
        claim = CLAIMS[name]
        for plan in claim.plans.values():
            for inputs in plan.points:
                limit, narrow, wide = (
                    claim.predict(inputs),
                    *(claim.predict_at(inputs, n) for n in (64, 640)),
                )
                assert np.isfinite(narrow).all()
                np.testing.assert_allclose(narrow - limit, 10 * (wide - limit), rtol=1e-6, atol=1e-12)
                straight = inputs["activation"] == "relu" and name == "length-map"  # its length map is a line
                assert straight or np.abs(narrow - limit).max() > 1e-4
