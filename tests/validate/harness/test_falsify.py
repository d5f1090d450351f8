"""The search for counterexamples: nothing where there is none, the simplest one where there are many."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.harness import finding
from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.domains import grid, inputs_strategy, roundest, strategy_of
from widelimit.validate.harness.falsify import falsify

TOY = str(Path(__file__).parents[1] / "toy_claims.py")


def toy(name, **changes):
    return replace(finding.find(f"toy.{name}", [TOY]), **changes)


def test_true_claim_is_not_falsified():
    found = falsify("toy.true", 40, device="cpu", claims_from=[TOY])
    assert found.counterexample is None and found.rows == ()
    assert 20 <= found.tried <= 40 and found.skipped == 0
    assert found.level == 0.05


def test_claim_that_is_wrong_in_part_is_shrunk_to_the_edge():
    """Wrong by 10 % for a > 2: the simplest counterexample is just beyond, with the smallest b."""
    seen = []
    found = falsify(
        "toy.half-true", 40, device="cpu", claims_from=[TOY], progress=lambda *args: seen.append(args)
    )
    assert found.counterexample["b"] == 1
    assert 2.0 < found.counterexample["a"] <= 2.01
    assert {row.verdict for row in found.rows} >= {"disagrees"}
    assert len(seen) == found.tried <= 80
    again = falsify("toy.half-true", 40, device="cpu", claims_from=[TOY])
    assert (again.counterexample, again.tried, again.rows) == (found.counterexample, found.tried, found.rows)


def test_claim_that_is_wrong_everywhere_is_shrunk_to_the_simplest_point():
    found = falsify("toy.false", 20, device="cpu", claims_from=[TOY])
    assert found.counterexample == {"a": 1.0, "b": 1}


def test_points_outside_the_theory_are_skipped():
    true = finding.find("toy.true", [TOY])

    def predict(inputs):
        if inputs["a"] > 1:
            raise DomainError("no theory here")
        return true.predict(inputs)

    found = falsify(toy("true", predict=predict), 30, device="cpu")
    assert found.counterexample is None and found.skipped > 0
    allowed = falsify(toy("false", valid=lambda inputs: inputs["b"] >= 4), 10, device="cpu")
    assert allowed.counterexample == {"a": 1.0, "b": 4}


def test_noise_is_not_chased():
    """With a margin far below the noise one point in twenty disagrees at first; fresh replicates clear them all."""
    firsts = []
    claim = toy("true", margin=1e-6)
    for seed in range(2):
        found = falsify(claim, 40, device="cpu", seed=seed, progress=lambda *args: firsts.append(args[3]))
        assert found.counterexample is None
    assert len(firsts) > 60


def test_seconds_end_the_search():
    found = falsify("toy.slow", 1000, seconds=1.0, device="cpu", claims_from=[TOY])
    assert found.counterexample is None and 1 <= found.tried < 10


@pytest.mark.parametrize(
    ("claim", "changes", "says"),
    [
        ("toy.tru", {}, "Argument `claims` must match a claim, but is 'toy.tru'"),
        ("toy.*", {}, "Argument `claim` must be the id of one claim"),
        (
            "toy.true",
            {"budget": 0},
            "Argument `budget` must be a whole number of points, 1 or more, but is 0",
        ),
        ("toy.true", {"seconds": -1}, "Argument `seconds` must be positive, but is -1"),
        ("toy.true", {"preset": "deep"}, "Argument `preset` must be one that toy.true has a plan for"),
    ],
)
def test_requests_that_cannot_be_met(claim, changes, says):
    with pytest.raises(ArgumentError) as caught:
        falsify(claim, device="cpu", claims_from=[TOY], **changes)
    assert says in str(caught.value)


def test_domain_without_valid_points():
    with pytest.raises(ArgumentError, match="must have valid points in its domain"):
        falsify(toy("true", valid=lambda inputs: False), 5, device="cpu")
    with pytest.raises(ArgumentError, match="must have a domain to search"):
        falsify(toy("true", domain={}), 5, device="cpu")


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e4))
@example(1.2222584737616992e-276, 0.0010000000000000002)  # the simplest value lies next to an end
@example(0.0010000000000000002, 0.0078125)
@settings(max_examples=200, deadline=None, database=None)
def test_grid_stays_inside_and_holds_the_ends(low, width):
    value, least, most = grid(Interval(low, low + width))
    assert (value(least), value(most)) == (low, low + width)
    assert value(0) == roundest(low, low + width)
    assert most - least >= 490
    middle = [value(number) for number in range(least, most + 1, max(1, (most - least) // 50))]
    assert middle == sorted(middle) and low <= middle[0] and middle[-1] <= low + width


def test_numbers_are_readable():
    value, least, most = grid(Interval(1e-6, 10.0))
    assert value(least) == 1e-6 and value(most) == 10.0
    assert all(float(f"{value(number):.3g}") == value(number) for number in range(least, most + 1))
    assert [roundest(*ends) for ends in ((0.5, 4), (-3, -0.2), (3, 3), (0.011, 0.019))] == [
        1.0,
        -1.0,
        3.0,
        0.011,
    ]


def test_strategies_shrink_to_the_simplest():
    domain = {"s": Interval(0.5, 4.0, simplest=1.5), "n": Integers(2, 9), "phi": Choice(("tanh", "relu"))}
    strategy = inputs_strategy(domain, {"depth": 3}, lambda inputs: True)
    quiet = settings(database=None)
    assert find(strategy, lambda inputs: True, settings=quiet) == {
        "depth": 3,
        "s": 1.5,
        "n": 2,
        "phi": "tanh",
    }
    assert find(strategy, lambda inputs: inputs["s"] > 2.345, settings=quiet)["s"] == pytest.approx(2.346)
    for ends in ((2.0, 1.0), (0.0, float("inf"))):
        with pytest.raises(ArgumentError, match="must have a domain with finite ends"):
            strategy_of("sigma_w", Interval(*ends))
    with pytest.raises(ArgumentError, match="must lie in its interval"):
        strategy_of("sigma_w", Interval(1.0, 2.0, simplest=3.0))
