"""Cells of a point: every replicate is in one cell, once, whatever block and stages are."""

from pathlib import Path

import pytest

from widelimit.validate.harness import finding
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Plan
from widelimit.validate.harness.running.points import Place
from widelimit.validate.harness.running.predictions import questions

PLACE = str(Path(__file__).parents[1] / "toy_claims.py")
TOY = finding.find("toy.true", [PLACE])
SIZES = (50, 100, 200)


@pytest.mark.parametrize(
    ("first", "last", "block"), [(0, 8, 8), (8, 29, 8), (5, 64, 7), (3, 4, 10), (0, 12, 5), (9, 9, 4)]
)
def test_cells_hold_each_replicate_once(first, last, block):
    plan = Plan(({"a": 1.0, "b": 2},), SIZES, pilot=2, most=64, block=block)
    here = Place(TOY, plan, 0, plan.points[0], Backend())
    cells = list(here.cells(first, last))
    for size in SIZES:
        own = [cell for cell in cells if cell.size == size]
        assert [one for cell in own for one in range(cell.start, cell.start + cell.count)] == list(
            range(first, last)
        )
        assert all(1 <= cell.count <= block * (SIZES[-1] / size) ** 1.5 for cell in own)  # as costly at most
    seeds = [seed for cell in cells for seed in cell.seeds]
    assert len(set(seeds)) == len(seeds) == len(SIZES) * (last - first)
    assert [cell.size for cell in cells] == sorted(
        (cell.size for cell in cells), reverse=True
    )  # slowest first


def test_a_topic_that_is_met_twice_is_asked_twice():
    """Claims of a user's own may bear a topic's name: two answers must not go under one key."""
    ids = ("meanfield.length-map", "toy.true", "meanfield.mine")
    plan = Plan(({"a": 1.0, "b": 2},), SIZES)
    places = [Place(finding.Source(PLACE, one), plan, 0, plan.points[0], Backend()) for one in ids]
    asked = questions(places)
    assert [one.topic for one in asked] == ["meanfield", "toy", "meanfield"]
    assert len({one.key for one in asked}) == 3
    assert [place for one in asked for place in one.places] == places
