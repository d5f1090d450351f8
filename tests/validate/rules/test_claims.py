"""What claims predict is what networks do, at points that no plan visits; the wrong theories are elsewhere."""

import numpy as np
import pytest

from widelimit.validate.claims.rules import CLAIMS
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.replicates import Replicates
from widelimit.validate.simulate.rules import linear

BY_ID = {claim.id: claim for claim in CLAIMS}


@pytest.mark.parametrize(
    ("name", "inputs", "simulate", "tolerance"),
    [
        ("feedback-invariant", {"strength": 1.1, "feedback": 0.6, "t": 0.8}, linear.gained, 1e-6),
        ("norm-exponent", {"rule": "feedback_alignment", "least": 0.7, "feedback": 0.9}, linear.slopes, 1e-4),
        ("kolen-pollack", {"strength": 1.3, "decay": 0.4, "t": 0.7}, linear.kolen_pollack, 1e-7),
        (
            "momentum",
            {"steps": 31, "curvature": 1.7, "learning_rate": 0.05, "momentum": 0.7},
            linear.heavy_ball,
            1e-11,
        ),
        ("adam", {"steps": 5, "learning_rate": 1e-2, "decades": 3.5}, linear.adams, 1e-9),
    ],
)
def test_exact_claims_elsewhere(name, inputs, simulate, tolerance):
    claim = BY_ID[f"rules.{name}"]
    truth = np.atleast_1d(claim.predict(inputs))
    found = Replicates(simulate)(inputs, 1, [5, 6], Backend())
    assert found == pytest.approx(np.stack([truth, truth]), rel=tolerance)
    for other in claim.counterfactuals:
        assert not np.allclose(other.predict(inputs), truth, rtol=0.05)


def test_networks_and_neurons_come_near_their_laws():
    inputs = {"strength": 1.4, "start": 0.05, "t": 1.0}
    drawn = linear.descended(inputs, 100, range(6), Backend()).mean()
    assert drawn == pytest.approx(BY_ID["rules.sgd-mode"].predict(inputs)[0], rel=0.1)
    inputs = {"t": 1.5, "length": 0.8}
    drawn = linear.neurons(inputs, 200, range(4), Backend()).mean(0)
    assert drawn == pytest.approx(BY_ID["rules.oja"].predict(inputs), rel=0.08)


@pytest.mark.parametrize(
    ("measured", "inputs"),
    [
        (linear.descended, {"strength": 1.4, "start": 0.05, "t": 0.5}),
        (linear.neurons, {"t": 0.5, "length": 0.8}),
        (linear.gained, {"strength": 1.1, "feedback": 0.6, "t": 0.8}),
        (linear.slopes, {"rule": "sgd", "least": 0.7, "feedback": 0.9}),
        (linear.kolen_pollack, {"strength": 1.3, "decay": 0.5, "t": 0.7}),
    ],
)
def test_a_seed_does_not_know_the_others(measured, inputs):
    together = measured(inputs, 20, [3, 4], Backend())
    alone = [measured(inputs, 20, [seed], Backend())[0] for seed in (3, 4)]
    assert together == pytest.approx(np.array(alone), rel=1e-13, abs=0.0)
    assert not np.array_equal(together[0], together[1])


def test_every_claim_of_the_note_is_there():
    assert set(BY_ID) >= {
        f"rules.{name}"
        for name in (
            "sgd-mode", "feedback-invariant", "norm-exponent", "kolen-pollack", "oja", "momentum", "identifiable",
            "activity-over-weights", "held-out-width", "noise-robustness",
        )
    }  # fmt: skip
    assert all(claim.counterfactuals for claim in CLAIMS)
    trained = [claim.id for claim in CLAIMS if "quick" not in claim.plans]
    assert len(trained) == 4  # networks that take seconds stand in the reference preset alone
