"""Predictions at finite size: sizes are pooled, the limit is a check, and the limit alone is a wrong theory."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness import finding
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Integers, Interval, Plan
from widelimit.validate.harness.declare import at_size, declare, row
from widelimit.validate.harness.faults import ClaimError
from widelimit.validate.harness.running.points import Place, predicted
from widelimit.validate.harness.statistics.limit import extrapolate
from widelimit.validate.report import machine, remarks, write
from widelimit.validate.run import validate

TOY = str(Path(__file__).parents[1] / "toy_claims.py")
LIMIT = finding.find("toy.true", [TOY])
BIAS = 1.5  # of the toy system, relative, times 1/N


def at(inputs, size, bias=BIAS, curve=0.0):
    return LIMIT.predict(inputs) * (1 + bias / size + curve / size**2)


def claim(**changes):
    plan = Plan(LIMIT.plans["quick"].points, (50, 100, 200), pilot=32, most=2048, block=32)
    standard = {"predict_at": at, "margin": 0.003, "plans": {"quick": plan}, "id": "toy.finite"}
    return replace(LIMIT, **(standard | changes))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    found = {}
    for name, made in (
        ("finite", claim()),
        ("free", claim(predict_at=None, counterfactuals=LIMIT.counterfactuals)),
    ):
        folder = tmp_path_factory.mktemp(name)
        found[name] = validate(claims=[made], out=folder, device="cpu", jobs=1, report=False), folder
    return found


def price(outcome):
    return sum(size.replicates * size.size**1.5 for one in outcome.rows for size in one.sizes)


def test_sizes_are_pooled_and_the_limit_is_a_check(judged):
    (finite,), (free,) = (judged[name][0].claims for name in ("finite", "free"))
    assert (finite.verdict, finite.too_weak) == ("agrees", False)
    assert max(finite.within, free.within) < 0.003 and price(free) > 4 * price(finite)
    for one in finite.rows:
        assert (
            one.slope == pytest.approx(BIAS * one.predicted, abs=5 * one.slope_error) and one.slope_error > 0
        )
        assert (
            abs(one.free - one.predicted) < 4 * one.free_error and one.free_error > 1.7 * one.standard_error
        )
        for size in one.sizes:
            assert size.predicted == pytest.approx(one.predicted * (1 + BIAS / size.size), rel=1e-12)
            assert abs(size.mean - size.predicted) < 4.5 * size.standard_error
        errors = np.array([size.standard_error for size in one.sizes])
        assert one.standard_error == pytest.approx((errors**-2.0).sum() ** -0.5, rel=0.2)
    assert all(one.free is None and one.sizes[0].predicted is None for one in free.rows)


def test_infinite_size_is_a_wrong_theory(judged):
    found = {one.name: one for one in judged["finite"][0].claims[0].counterfactuals}
    assert found["infinite width"].rejected and found["infinite width"].rows_tested == 4
    said = [one.counterfactuals[-1] for one in judged["finite"][0].claims[0].rows]
    for one, wrong in zip(judged["finite"][0].claims[0].rows, said, strict=True):
        # as if sizes had no shifts, their mean, between 1/50 and 1/200 of the bias, would be off by that much
        assert one.predicted * BIAS / 200 < one.predicted - wrong.predicted < one.predicted * BIAS / 50


def test_infinite_size_is_not_asked_where_it_hardly_differs(tmp_path):
    wide = claim(plans={"quick": replace(claim().plans["quick"], sizes=(400, 800, 1600))})
    (found,) = validate(claims=[wide], out=tmp_path, device="cpu", jobs=1, report=False).claims
    assert [one.name for one in found.counterfactuals] == [
        LIMIT.counterfactuals[0].name
    ] and not found.too_weak


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        pytest.param({"bias": 2.0}, "disagrees", id="correction a third too large"),
        pytest.param({"bias": 0.0}, "disagrees", id="no correction"),
    ],
)
def test_a_wrong_correction_is_caught(tmp_path, wrong, verdict):
    made = claim(predict_at=partial(at, **wrong))
    (found,) = validate(claims=[made], out=tmp_path, device="cpu", jobs=1, report=False).claims
    assert found.verdict == verdict


def test_the_next_order_is_found_and_counted():
    """A bias that falls as 1/N^2 is flagged, and the limit is widened by what it moves the limit by."""
    sizes = (20, 40, 80)
    samples = [np.full((4, 1), 1 + 3 / n + 50 / n**2) + 1e-4 * np.arange(4)[:, None] for n in sizes]
    shifts = np.array([[3 / n] for n in sizes])
    found = extrapolate(samples, sizes, shifts=shifts)
    weights = np.array(sizes) / sum(sizes)
    moved = 50 * (weights / np.array(sizes) ** 2.0).sum()
    assert found.lack_of_fit[0] < 1e-6
    np.testing.assert_allclose([found.limit[0], found.shift[0]], [1 + 1.5e-4 + moved, moved], rtol=1e-9)
    one = extrapolate(samples[:1], sizes[:1], shifts=shifts[:1])
    np.testing.assert_allclose(one.limit, 1 + 1.5e-4 + 50 / 400, rtol=1e-12)


def test_json_keeps_what_sizes_should_show(judged):
    outcome, folder = judged["finite"]
    back = machine.read(folder)
    assert (
        back.claims[0].rows == outcome.claims[0].rows
        or machine.dump(back) == (folder / machine.NAME).read_text()
    )
    for kept, one in zip(back.claims[0].rows, outcome.claims[0].rows, strict=True):
        predicted = [size.predicted for size in one.sizes]
        assert [size.predicted for size in kept.sizes] == pytest.approx(predicted, rel=1e-9)
        assert kept.free == one.free
    content = json.loads((folder / machine.NAME).read_text())
    old = json.loads(json.dumps(content))
    for one in old["claims"][0]["points"]:
        del one["free"], one["free_error"]
        one["sizes"] = [size[:4] for size in one["sizes"]]
    earlier = machine.parse(json.dumps(old)).claims[0].rows[0]
    assert earlier.free is None and earlier.sizes[0].predicted is None
    for name, value in (("free", "much"), ("free_error", [1.0])):
        content["claims"][0]["points"][0][name] = value
        with pytest.raises(ValueError, match=name):
            machine.parse(json.dumps(content))
        content["claims"][0]["points"][0][name] = None


@pytest.mark.parametrize(
    ("predict_at", "says"),
    [
        pytest.param(lambda inputs, size: np.zeros(3), "returned numbers of shape", id="too many"),
        pytest.param(lambda inputs, size: at(inputs, size) * np.inf, "not finite", id="infinite"),
        pytest.param(lambda inputs: at(inputs, 1), "raised TypeError", id="no size"),
        pytest.param(lambda inputs, size: 1 / (size - 100) + at(inputs, size), "size 100", id="fails"),
    ],
)
def test_faults_of_a_users_prediction_are_theirs(predict_at, says):
    made = claim(predict_at=predict_at)
    with pytest.raises(ClaimError, match=says):
        predicted(Place(made, made.plans["quick"], 0, made.plans["quick"].points[0], Backend()))


def test_only_functions_predict():
    with pytest.raises(ArgumentError, match="`predict_at` must be a function"):
        claim(predict_at=3.0)


def test_the_page_shows_the_limit_beside_the_pooled_sizes(judged, tmp_path):
    outcome, _ = judged["finite"]
    write(outcome, tmp_path, [claim()])
    assert (tmp_path / "index.html").read_text().count("limit alone") == 4
    write(judged["free"][0], tmp_path, [claim()])
    assert "limit alone" not in (tmp_path / "index.html").read_text()
    one = outcome.claims[0]
    said = remarks.of(replace(one, law=replace(one.law, off=True)))
    assert any("what theory predicts of each" in sentence for sentence in said)


# --- declared -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    top: float
    list: tuple
    other: float = 7.0


def solver(a, depth=2, width=None):
    extra = 0.0 if width is None else 1 / width
    return Result(a + extra, tuple(a * k + extra for k in range(1, depth + 1)))


def declared(finite, **changes):
    base = {
        "title": "t",
        "statement": "s",
        "paper": "p",
        "domain": {"a": Interval(0.5, 3.0), "depth": Integers(1, 4)},
        "solver": solver,
        "rows": {"top": "top", "list": row("list", over={"layer": "depth"})},
        "simulate": lambda inputs, size, seed, backend: 0.0,
        "plans": {},
        "within": 0.05,
    }
    return declare("toy.claim", finite=finite, **(base | changes))


AT = {"a": 1.0, "depth": 2}


@pytest.mark.parametrize(
    ("finite", "expected"),
    [
        pytest.param("width", [1.1, 1.1, 2.1], id="the solver's parameter"),
        pytest.param(at_size(width=lambda size, a: 2 * a * size), [1.05, 1.05, 2.05], id="a function of the size"),
        pytest.param(at_size({"top": "other"}), [7.0, 1.0, 2.0], id="another attribute"),
        pytest.param(at_size({"top": lambda found, size: found.top * size}), [10.0, 1.0, 2.0], id="a reader"),
        pytest.param(
            at_size({"top": lambda found: found[0], "list": lambda found: found}, solver=lambda size: (size, 3)),
            [10.0, 10.0, 3.0],
            id="another solver",
        ),
    ],
)  # fmt: skip
def test_rows_at_a_size(finite, expected):
    made = declared(finite)
    assert made.predict(AT).tolist() == [1.0, 1.0, 2.0]
    np.testing.assert_allclose(made.predict_at(AT, 10), expected, rtol=1e-15)
    assert [one.name for one in made.counterfactuals] == ["infinite width"]


def test_a_single_row_at_a_size():
    made = declared(at_size(lambda size, a: a + 2 / size), rows="top", solver=None, size_name="samples")
    assert made.predict_at is not None and made.counterfactuals[0].name == "infinite samples"


@pytest.mark.parametrize("wrong", [3, at_size({"bottom": "top"}), at_size(heigth=3)])
def test_what_fits_nothing_is_refused(wrong):
    with pytest.raises(ArgumentError):
        declared(wrong).predict_at(AT, 10)


# --- plans are targets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("within", [0.005, 0.0025])
def test_a_plan_resolves_its_target_by_what_sizes_cost(tmp_path, within):
    plan = replace(claim().plans["quick"], within=within, pilot=8, most=100_000, block=8)
    made = claim(margin=0.01, plans={"quick": plan})
    (found,) = validate(claims=[made], out=tmp_path, device="cpu", jobs=1, report=False).claims
    assert within / 3 < found.within < within and found.margin == 0.01
    for one in found.rows:
        counts = [size.replicates for size in one.sizes]
        assert (
            counts[0] > 1.9 * counts[1] > 3.6 * counts[2] >= 3.6 * 2 * plan.pilot
        )  # small sizes are worth most


def test_a_target_is_a_share():
    with pytest.raises(ArgumentError, match="`within` must be a positive number"):
        replace(claim().plans["quick"], within=0.0)
