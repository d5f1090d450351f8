"""Pictures that workers draw are those that this process draws, and a worker that dies costs no picture."""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from widelimit.validate import report
from widelimit.validate.harness.running.executors import open_executor
from widelimit.validate.report import studio

REFERENCE = Path(__file__).parents[3] / "reports" / "reference" / "report.json"


@pytest.fixture(scope="module")
def claims():
    return report.read(REFERENCE).claims[:2]


def test_workers_draw_the_same(claims):
    with open_executor(jobs=2) as workers:
        asked = [
            studio.Studio(workers).section(one, studio.definition(one.id), studio.definition(one.id), "c0")
            for one in claims
        ]
        there = [take() for take in asked]
    here = [
        studio.Studio().section(one, studio.definition(one.id), studio.definition(one.id), "c0")()
        for one in claims
    ]
    assert there == here and all(panels for panels, _, _ in here)


class Broken(Executor):
    """Takes work, and its workers die."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_exception(BrokenProcessPool("killed"))
        return future


def test_a_dead_worker_costs_no_picture(claims):
    ours = studio.definition(claims[0].id)
    panels, evidence, failed = studio.Studio(Broken()).section(claims[0], ours, ours, "c0")()
    assert panels and evidence and not failed


def test_claims_of_users_are_drawn_in_this_process(claims):
    mine = object()  # what a user's module holds under an id of ours
    take = studio.Studio(Broken()).section(claims[0], mine, None, "c0")
    assert take.func is studio._section


def test_few_sections_need_no_workers():
    with studio.studio(jobs=4, sections=studio.FEWEST - 1) as drawing:
        assert drawing._executor is None


def test_a_figure_that_fails_in_a_worker_is_told(claims, tmp_path, monkeypatch):
    def failing(room, preset, folder, said=None):
        said.sentences.append("Gallery figure failed: it did.")
        return []

    monkeypatch.setattr(studio, "gallery", failing)
    found, sentences = studio.Studio().figures("meanfield", "quick", tmp_path)()
    assert found == [] and sentences == ("Gallery figure failed: it did.",)
