"""One-sided statements from the declaration to the report, on claims about averages that are known."""

import math
from functools import partial

import numpy as np
import pytest
from tests.validate import toy_claims

from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.harness.declare import declare, row, table
from widelimit.validate.harness.judging import verdict_of
from widelimit.validate.report import machine
from widelimit.validate.run import validate


def ran(tmp_path, *claims):
    validate(claims=list(claims), out=tmp_path, device="cpu", jobs=1, report=False)
    return {one.id: one for one in machine.read(tmp_path).claims}


@pytest.mark.parametrize(
    ("by", "compare", "verdict"),
    [
        (-0.5, "at least", "agrees"),  # the truth is twice what is claimed, or more
        (-0.02, "at least", "agrees"),
        (0.5, "at least", "disagrees"),
        (0.5, "at most", "agrees"),
        (-0.5, "at most", "disagrees"),
        (-0.5, "equal", "disagrees"),
        (0.02, "at least", "differs"),
        (-0.02, "equal", "differs"),
    ],
)
def test_verdicts_from_simulation(tmp_path, by, compare, verdict):
    claim = toy_claims.claim(
        "bound",
        predict=partial(toy_claims.shifted, by=by),
        simulate=partial(toy_claims.simulate, noise=0.02),
        compare=compare,
    )
    found = ran(tmp_path, claim)["toy.bound"]
    assert found.verdict == verdict, [row.verdict for row in found.rows]
    assert all(row.compare == compare for row in found.rows)
    assert math.isinf(found.rows[0].low) + math.isinf(found.rows[0].high) == (compare != "equal")
    assert (found.within <= 0.03) == (verdict in ("agrees", "differs"))
    assert (found.residuals is None) == (compare != "equal")  # room to spare is no residual


def test_rows_of_a_claim_may_be_compared_in_their_own_ways(tmp_path):
    half = partial(toy_claims.shifted, by=-0.5)
    claim = toy_claims.claim("mixed", predict=half, compare=lambda inputs: ("at least", "equal"))
    found = ran(tmp_path, claim)["toy.mixed"]
    assert [row.verdict for row in found.rows] == ["agrees", "disagrees"] * 2


def test_a_declaration_names_the_rows_that_are_one_sided():
    def declared(**changes):
        return declare(
            "made.up",
            title="t",
            statement="s",
            paper="p",
            domain={},
            rows={"speed": 10.0, "share": row(1.0, over={"layer": "depth"})},
            simulate=lambda inputs, size, seed, backend: np.ones(3),
            within=0.1,
            points=table("depth", [2]),
            **changes,
        )

    assert declared(compare={"speed": "at least"}).compare({"depth": 2}) == ("at least", "equal", "equal")
    assert declared(compare={"share": "at most"}).compare({"depth": 2}) == ("equal", "at most", "at most")
    assert declared(compare="at most").compare == "at most" and declared().compare == "equal"
    for wrong in ("more", {"speed": "more"}, {"pace": "at least"}, 3):
        with pytest.raises(ArgumentError, match="Argument `compare` must"):
            declared(compare=wrong)


@pytest.mark.parametrize("found", [("equal",), ("equal", "more"), 3])
def test_comparisons_that_fit_no_row_are_told(tmp_path, found):
    with pytest.raises(WidelimitError, match="compare"):
        ran(tmp_path, toy_claims.claim("odd", compare=lambda inputs: found))


def test_a_wrong_theory_that_shares_a_bound_is_not_rejected_by_it(tmp_path):
    """Twice the bound is no evidence against a wrong theory with the same bound at that number."""
    half = partial(toy_claims.shifted, by=-0.5)

    def same_sum(inputs):
        return half(inputs) * np.array([1.0, 0.5])

    wrong = toy_claims.Counterfactual("half the product", "wrong in one number", same_sum)
    claim = toy_claims.claim("shared", predict=half, compare="at least", counterfactuals=(wrong,))
    found = ran(tmp_path, claim)["toy.shared"]
    assert [row.counterfactuals[0].rejected for row in found.rows] == [False, True] * 2


def test_the_worst_row_names_the_claim():
    assert verdict_of(["agrees"] * 3) == "agrees"
    assert verdict_of(["agrees", "differs", "agrees"]) == "differs"
    assert verdict_of(["inconclusive", "differs"]) == "inconclusive"
    assert verdict_of(["inconclusive", "disagrees", "differs"]) == "disagrees"


def test_correlated_rows_count_for_less(tmp_path):
    """Both numbers of a point from one draw: worth one, not two."""

    def together(inputs, size, seeds, backend):
        z = [np.random.default_rng(seed).standard_normal() for seed in seeds]
        return toy_claims.truth(inputs) * (1 + 1.5 / size + 0.2 * size**-0.5 * np.array(z)[:, None])

    found = ran(tmp_path, toy_claims.claim("twins", simulate=together), toy_claims.claim("true"))
    twins, true = found["toy.twins"], found["toy.true"]
    assert twins.residuals.numbers == true.residuals.numbers == 4
    assert twins.residuals.degrees == pytest.approx(2, abs=0.01)  # two points
    assert true.residuals.degrees > 3
    assert twins.law.degrees == pytest.approx(2, abs=0.01) and not twins.law.off and not true.residuals.off


def test_a_bent_law_is_told(tmp_path):
    def bent(inputs, size, seeds, backend):
        return toy_claims.simulate(inputs, size, seeds, backend, noise=0.002) + 400.0 / size**2

    found = ran(tmp_path, toy_claims.claim("bent", simulate=bent))["toy.bent"]
    assert found.law.off and found.law.chi2 > 10 and found.law.p_value < 1e-6
