"""How long a run takes: learnt from earlier ones, told before the first cell, and silent where nobody knows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.validate import toy_claims

from widelimit.numerics.compile.cache import private
from widelimit.validate import run
from widelimit.validate.cli import progress
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.running.cells import Cell, Done
from widelimit.validate.harness.running.costs import NAME, Costs, Forecast
from widelimit.validate.harness.running.points import COST, Place
from widelimit.validate.harness.running.telling import Teller, Watcher

TOY = str(Path(toy_claims.__file__))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir(mode=0o700)
    monkeypatch.setenv("WIDELIMIT_CACHE", str(tmp_path / "cache"))


def claim(name="true"):
    return next(one for one in toy_claims.CLAIMS if one.id == f"toy.{name}")


def cell(size=100, count=4, start=0):
    return Cell(claim(), {"a": 1.0}, size, start, count, Backend())


def done(seconds):
    return Done(np.zeros((1, 1)), seconds)


class Listener:
    """Writes down all that it hears."""

    def __init__(self):
        self.stages, self.lefts, self.cells = [], [], []

    def __call__(self, *what):
        self.cells.append(what)

    def stage(self, name, work, forecast):
        self.stages.append((name, work, forecast))

    def left(self, seconds):
        self.lefts.append(seconds)


def test_costs_are_kept_and_halved_with_what_was_known():
    costs = Costs()
    costs.learn([(cell(), done(2.0)), (cell(start=4), done(4.0))])
    assert costs.of(cell(count=1)) == pytest.approx(6.0 / 8)
    costs.save()
    again = Costs.load()
    assert again == costs
    again.learn([(cell(), done(5.0))])
    assert again.of(cell(count=2)) == pytest.approx(2 * (6 / 8 + 5 / 4) / 2)


def test_other_sizes_cost_as_sizes_do_and_other_claims_devices_and_precisions_are_not_known():
    costs = Costs()
    costs.learn([(cell(), done(4.0))])
    assert costs.of(cell(size=200)) == pytest.approx(4 * 2**COST)
    assert costs.of(replace(cell(), claim=claim("small"))) is None if _has("small") else True
    assert costs.of(replace(cell(), backend=Backend(precision="float32"))) is None
    assert costs.of(cell(size=0)) is None


def _has(name):
    return any(one.id == f"toy.{name}" for one in toy_claims.CLAIMS)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"version": 9}', b'{"version": 1, "replicate": {"a": "x"}, "stages": {}}',
             b'{"version": 1, "replicate": {"a": NaN}, "stages": {}}', b"\xff"],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_an_empty_one(body):
    private.write(NAME, body)
    assert Costs.load() == Costs()
    Costs(replicate={"cpu:float64:a@1": 1.0}).save()
    assert Costs.load().replicate == {"cpu:float64:a@1": 1.0}


def points():
    one = claim()
    plan = one.plans["quick"]
    return [Place(one, plan, k, inputs, Backend()) for k, inputs in enumerate(plan.points)]


def test_a_forecast_says_nothing_before_it_means_something():
    made = points()
    missing = [c for one in made for c in one.cells(0, one.pilot)]
    costs = Costs()
    assert costs.forecast("quick", made, missing) is None
    costs.learn([(missing[0], done(1.0)) for _ in range(1)])
    found = costs.forecast("quick", made, missing)  # other sizes follow
    assert found is not None and found.least < found.most, "the second stage is bounded by the plan"
    pilots = sum(costs.of(c) for c in missing)
    assert found.least == pytest.approx(pilots)
    plan = made[0].plan
    assert found.most == pytest.approx(pilots * plan.most / plan.pilot)
    costs.learn_stages("quick", {"toy.true": 3.0}, {"toy.true": 2.0})
    known = costs.forecast("quick", made, missing)
    assert known.least == known.most == pytest.approx(1.5 * pilots)
    assert known.over(2).most == pytest.approx(0.75 * pilots)
    assert costs.forecast("quick", made, []) == Forecast(0.0, 0.0)


def test_a_run_tells_its_stages_and_the_next_one_how_long(tmp_path):
    first, second = Listener(), Listener()
    assert isinstance(first, Watcher)
    for index, watch in enumerate((first, second)):
        run.validate(
            ["toy.true"], out=tmp_path / str(index), device="cpu", jobs=1, claims_from=[TOY], progress=watch
        )
    assert [name for name, *_ in first.stages] == ["pilot", "main", "page"]
    assert first.stages[0][2] is None and first.stages[1][2] is not None, (
        "the first stage tells of the second"
    )
    assert second.stages[0][2] is not None
    worked = sum(work for _, work, _ in first.stages[:2])
    page = first.stages[2][1]
    assert len(first.cells) == worked + page + 1 and first.cells[-1][:2] == (page, page)
    assert all(left is None or left >= 0 for left in first.lefts)
    assert second.lefts[0] is not None
    assert json.loads(private.read(NAME))["stages"].keys() == {"quick:toy.true"}


def test_workers_are_asked_for_predictions_first_and_it_is_told(tmp_path):
    watch = Listener()
    run.validate("toy.true", out=tmp_path, device="cpu", jobs=2, claims_from=[TOY], progress=watch)
    assert [name for name, *_ in watch.stages] == ["theory", "pilot", "main", "page"]
    assert watch.stages[0][1] == 1, "a topic is one piece of work"


def test_a_plain_function_hears_of_cells_alone(tmp_path):
    heard = []
    run.validate(["toy.true"], out=tmp_path / "r", device="cpu", jobs=1, claims_from=[TOY],
                 progress=lambda *what: heard.append(what))  # fmt: skip
    assert [what[0] for what in heard] == list(range(1, len(heard) + 1)) and heard[-1][0] == heard[-1][1]


def test_a_repeated_run_has_nothing_to_do(tmp_path):
    settings = {"out": tmp_path / "r", "device": "cpu", "jobs": 1, "claims_from": [TOY]}
    run.validate(["toy.true"], **settings)
    before = private.read(NAME)
    run.validate(["toy.true"], progress=(watch := Listener()), **settings)
    assert [work for _, work, _ in watch.stages[:2]] == [0, 0] and watch.stages[0][2] == Forecast(0.0, 0.0)
    assert private.read(NAME) == before, "cells that were stored teach nothing"


def test_time_left_follows_the_pace_of_the_run():
    watch = Listener()
    teller = Teller(watch, "quick", 0.0, jobs=2)
    teller.costs.learn([(cell(), done(4.0))])
    cells = [cell(start=4 * k) for k in range(4)]
    teller.stage([], cells)
    teller.cell(cells[0], done(8.0), 1, 4, fresh=True)  # twice as slow as known
    assert watch.lefts == [pytest.approx(3 * 4.0 * 2 / 2)]


def test_the_command_line_says_it_in_a_sentence():
    known = progress.begun("pilot", 6, Forecast(61.0, 61.0))
    assert known.endswith(": 6 cells; the run takes about 1 min 1 s.")
    span = progress.begun("pilot", 1, Forecast(5.0, 90.0, ("a.b",)))
    assert span.endswith(": 1 cell; the run takes 5.0 s to 1 min 30 s, without 1 claim not seen before.")
    assert "not known yet" in progress.begun("pilot", 6, None)
    assert progress.begun("main", 2, Forecast(3.0, 3.0)) == "Second stage: 2 cells; it takes about 3.0 s."


def test_lines_tell_stages_apart_and_no_time_too_early(capsys):
    times = iter([0.0] + [30.0 * k for k in range(1, 9) for _ in (0, 1)])
    watch = progress._lines(lambda: next(times))
    watch.stage("pilot", 100, Forecast(1.0, 2.0))  # over before it is read
    watch.stage("pilot", 100, Forecast(30.0, 60.0))
    watch(1, 100, "first", 30.0)
    watch(20, 100, "second", 60.0)
    watch.left(7.0)
    watch(21, 100, "third", 90.0)
    watch.stage("page", 3, None)
    watch(1, 3, "section a", 95.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("100 cells; the run takes 30 s to 1 min 0 s.")
    assert lines[1] == "1/100 cells: first", "one cell of a hundred says nothing of the others"
    assert lines[2] == "20/100 cells, about 4 min 0 s left of the pilot stage: second"
    assert lines[3] == "21/100 cells, about 7.0 s left of the pilot stage: third"
    assert lines[4:] == ["1/3 parts of the page: section a"]
