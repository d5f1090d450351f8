"""Claims of alignment, and that their simulations do what they say: by hand, without the rules of widelimit."""

import numpy as np
import pytest

from widelimit.numerics import alignment
from widelimit.validate import claims
from widelimit.validate.claims.alignment import shared
from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import alignment as simulate

BY_ID = {one.id: one for one in claims.load("alignment")}
IDS = (
    "fixed-point", "decoder", "noise-floor", "invariant", "isometry", "kolen-pollack", "information-cosine",
    "mirror-relu", "step", "depth",
)  # fmt: skip


def test_the_claims_of_the_note_are_there():
    assert {f"alignment.{name}" for name in IDS} <= set(BY_ID)


@pytest.mark.parametrize("name", IDS)
def test_theories_and_wrong_theories_differ_at_their_points(name):
    claim = BY_ID[f"alignment.{name}"]
    for point in claim.plans["reference"].points:
        right = claim.predict(point)
        assert np.isfinite(right).all() and len(right) == len(claim.rows(point))
        assert claim.derivation is not None
    quick = claim.plans["quick"].points
    for wrong in claim.counterfactuals:
        assert any(wrong.applies(point) for point in quick) or wrong.name in ("white inputs",)
        for point in quick:
            if wrong.applies(point):
                assert not np.allclose(wrong.predict(point), claim.predict(point), rtol=claim.margin)


@pytest.mark.parametrize("name", IDS)
def test_replicates_are_those_of_their_seeds(name):
    claim = BY_ID[f"alignment.{name}"]
    plan = claim.plans["quick"]
    point = {**plan.points[0], **({"steps": 40} if "steps" in plan.points[0] else {})}
    size = plan.sizes[0] if plan.sizes else 0
    both = claim.simulate(point, size, [3, 4], Backend())
    assert both.shape == (2, len(claim.rows(point))) and np.isfinite(both).all()
    assert both[1] == pytest.approx(claim.simulate(point, size, [4], Backend())[0], rel=1e-9)
    assert not np.allclose(both[0], both[1], rtol=1e-9)


def test_wide_layers_come_to_their_formulas():
    """Finite layers, near their limits: simulations know none of the formulas."""
    drawn = simulate.information({"aspect": 0.5, "sigma_w": 1.0, "ratio": 0.1}, 200, [0, 1, 2, 3], Backend())
    assert drawn.mean() == pytest.approx(0.798, abs=0.01)
    signal = simulate.deep({"layers": 3, "cosine": 0.8, "activation": "relu"}, 200, range(8), Backend())
    assert signal.mean() == pytest.approx(0.512, abs=0.05)
    exact = simulate.deep({"layers": 3, "cosine": 1.0, "activation": "relu"}, 50, [0], Backend())
    assert exact == pytest.approx(1.0, abs=1e-12)
    mirror = simulate.mirror({"fan_in": 40, "samples_per_input": 100}, 100, range(4), Backend())
    assert mirror.mean(0) == pytest.approx(
        [alignment.cosine("mirror", inputs="relu", fan_in=40), 1.0], abs=0.02
    )


def test_a_layer_has_the_moment_that_is_asked_for():
    w, root = shared.layer(6, 4, 0.6)
    modes = np.linalg.eigvalsh(root @ root.T)
    assert (
        w.shape == (4, 6)
        and modes.mean() == pytest.approx(1.0)
        and modes[0] / modes[-1] == pytest.approx(1 / 16)
    )
    assert shared.layer(6, 4, 0.0)[1] @ shared.layer(6, 4, 0.0)[1].T == pytest.approx(np.eye(6))
