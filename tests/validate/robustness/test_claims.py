"""Claims of robustness: wrong theories are others, replicates are those of their seeds, figures draw."""

import numpy as np
import pytest

from widelimit.validate import claims
from widelimit.validate.claims import robustness as room
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import robustness as simulate

BY_ID = {one.id: one for one in claims.load("robustness")}
EXACT = (
    "flip",
    "accuracy",
    "kurtosis-order",
    "hoelder",
    "finite-ratio",
    "depth",
    "random-saturation",
    "fisher",
)
IDS = (*EXACT, "masking", "penalty")


def test_the_claims_of_the_note_are_there():
    assert {f"robustness.{name}" for name in IDS} == set(BY_ID)


@pytest.mark.parametrize("name", IDS)
def test_wrong_theories_are_others(name):
    claim = BY_ID[f"robustness.{name}"]
    for point in claim.plans["reference"].points:
        right = claim.predict(point)
        assert np.isfinite(right).all() and len(right) == len(claim.rows(point))
        for wrong in claim.counterfactuals:
            assert not np.allclose(wrong.predict(point), right, rtol=claim.margin)


@pytest.mark.parametrize("name", EXACT)
def test_replicates_are_those_of_their_seeds(name):
    claim = BY_ID[f"robustness.{name}"]
    plan = claim.plans["quick"]
    size = plan.sizes[0] if plan.sizes else 0
    both = claim.simulate(plan.points[0], size, [3, 4], Backend())
    assert both.shape == (2, len(claim.rows(plan.points[0]))) and np.isfinite(both).all()
    assert both[1] == pytest.approx(claim.simulate(plan.points[0], size, [4], Backend())[0], rel=1e-9)
    assert not np.allclose(both[0], both[1], rtol=1e-9)


def test_large_pre_activations_fool_one_attack_and_not_the_others():
    found = simulate.masked({"scale": 1000.0, "epochs": 8, "images": 60}, 0, [1, 2], Backend())
    single, best, zero = found.mean(0)
    assert single > 0.85 and best < 0.65 and zero > 0.8
    plain = simulate.masked({"scale": 1.0, "epochs": 8, "images": 60}, 0, [1], Backend()).mean(0)
    assert plain[0] < 0.75 and plain[2] < 0.01


def test_a_penalty_lowers_slopes():
    backend = Backend(precision="float32")
    slopes = []
    for net, data in simulate.train([0.0, 1.0], [1, 1], 8, backend):
        hidden = net[1](net[0](data[2]))
        slopes.append(float((hidden * (1 - hidden)).mean().detach()))
    assert slopes[1] < 0.9 * slopes[0]


def test_the_kurtosis_figure_draws():
    from matplotlib.figure import Figure

    arrays = room._compute_kurtosis("quick")
    axes = Figure().add_subplot()
    room._draw_kurtosis(arrays, axes)
    assert all((found[:, 1] >= found[:, 0] ** -0.5 - 1e-12).all() for found in arrays.values())
