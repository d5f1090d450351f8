"""What claims predict is what networks do, at points that no plan visits; the wrong theories are elsewhere."""

import numpy as np
import pytest

from widelimit.validate.claims.rules import CLAIMS
from widelimit.validate.harness.backend import Backend
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
    assert simulate(inputs, 1, 5, Backend()) == pytest.approx(truth, rel=tolerance)
    for other in claim.counterfactuals:
        assert not np.allclose(other.predict(inputs), truth, rtol=0.05)


def test_networks_and_neurons_come_near_their_laws():
    inputs = {"strength": 1.4, "start": 0.05, "t": 1.0}
    drawn = np.mean([linear.descended(inputs, 100, seed, Backend()) for seed in range(6)])
    assert drawn == pytest.approx(BY_ID["rules.sgd-mode"].predict(inputs)[0], rel=0.1)
    inputs = {"t": 1.5, "length": 0.8}
    drawn = np.mean([linear.neurons(inputs, 200, seed, Backend()) for seed in range(4)], axis=0)
    assert drawn == pytest.approx(BY_ID["rules.oja"].predict(inputs), rel=0.08)


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
