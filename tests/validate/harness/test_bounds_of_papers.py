"""Claims of papers that are bounds, or quote a number: what is tested is the number itself, not one cut at it."""

import numpy as np
import pytest

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.finding import find
from widelimit.validate.harness.running.points import Place
from widelimit.validate.harness.running.points import predicted as theory_at
from widelimit.validate.harness.statistics import judge
from widelimit.validate.harness.statistics.limit import extrapolate

SMALL = {"task": "digits", "train": 100, "test": 300, "width": 16, "depth": 1}
RACE = {"depth": 2, "width": 16, "steps": 40, "sigma_w": 1.0247, "sigma_b": 0.00448}
BOUNDS = {  # id -> toy inputs, what is predicted, on which side
    "jacobian.learning-speed": (RACE, [10.0, 10.0], ["at least"] * 2),
    "kernel.learned-kernel": (SMALL, [3.0], ["at least"]),
    "kernel.velocity": (SMALL, [5.0, 1.0, 1.0], ["at least", "equal", "equal"]),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_compared_on_one_side(name):
    inputs, predicted, sides = BOUNDS[name]
    claim = find(name)
    here = theory_at(Place(claim, claim.plans["reference"], 0, inputs, Backend()))
    assert here.predicted.tolist() == predicted and list(here.compare) == sides
    found = claim.simulate(inputs, 0, [1, 2], Backend())
    assert found.shape == (2, len(predicted)) and np.isfinite(found).all() and (found > 0).all()
    np.testing.assert_allclose(found[1:], claim.simulate(inputs, 0, [2], Backend()), rtol=1e-3)
    # the median of the replicates is asked, so that one race given up late decides nothing
    assert claim.location == "median"


@pytest.mark.parametrize(("ratio", "verdict"), [(6.0, "disagrees"), (9.9, "agrees"), (12.0, "agrees")])
def test_races_given_up_at_twelve_are_judged_at_ten(ratio, verdict):
    """Eight replicates as in the reference plan, scattered by a tenth and cut at twelve."""
    claim = find("jacobian.learning-speed")
    plan = claim.plans["reference"]
    assert plan.pilot == plan.most == 8
    spread = np.exp(0.1 * np.linspace(-1.5, 1.5, 8))[:, None]
    estimate = extrapolate([np.minimum(ratio * spread, 12.0)], location=claim.location)
    found = judge(estimate, np.full(1, 10.0), np.full(1, 10 * claim.margin), side=1)
    assert found.verdict(0) == verdict


def test_about_six_bears_a_quarter():
    """8.3 and 4.4 xi_c, as a reference run found, are not about 6 xi_c."""
    claim = find("meanfield.trainability")
    inputs = claim.plans["reference"].points[0]
    assert claim.margin == 0.25 and claim.predict(inputs).tolist() == [1.0, 6.0, 1.0, 6.0]
    wobble = np.linspace(-1, 1, 6)[:, None]
    samples = np.array([0.58, 8.3, 0.84, 4.4]) + wobble * np.array([0.1, 0.3, 0.3, 0.4])
    found = judge(extrapolate([samples]), claim.predict(inputs), 0.25 * claim.predict(inputs))
    assert [found.verdict(row) for row in range(4)] == ["disagrees", "disagrees", "inconclusive", "disagrees"]


def test_the_deepest_networks_are_deeper_than_the_rule_and_its_margin():
    """Else a depth that is cut at the deepest would count against the rule."""
    from widelimit.validate.claims.meanfield import theory
    from widelimit.validate.claims.meanfield.trainability import DEPTHS, PHASES, VARIANCES

    claim = find("meanfield.trainability")
    for plan in claim.plans.values():
        for inputs in plan.points:
            scales = [
                float(theory.solution(theory.altered(inputs, sigma_w=variance**0.5)).xi_c)
                for phase in PHASES
                for variance in VARIANCES[phase]
            ]
            assert inputs["deepest"] in DEPTHS and inputs["deepest"] > 1.25 * 6 * max(scales)
