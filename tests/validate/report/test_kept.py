"""What is kept between pages: the same page without drawing, never a stale one, and no page is lost over it."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from widelimit.numerics.compile.cache import private
from widelimit.validate import report
from widelimit.validate.report import explained, gallery, kept, model, studio
from widelimit.validate.report.failures import Failures
from widelimit.validate.report.figures import Panel

REFERENCE = Path(__file__).parents[3] / "reports" / "reference" / "report.json"
PANEL = Panel("<svg/>", "title", "alt")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(private.VARIABLE, str(folder))
    return folder


@pytest.fixture(scope="module")
def one():
    return next(one for one in report.read(REFERENCE).claims if one.id == "meanfield.length-map")


class Drawer:
    """Stands for what draws a section, and counts how often it is asked."""

    def __init__(self, failed=()):
        self.asked, self.failed = 0, tuple(failed)

    def __call__(self, one, claim, prefix):
        self.asked += 1
        return (PANEL,), (PANEL, PANEL), self.failed


def test_a_section_is_drawn_once(one, monkeypatch):
    monkeypatch.setattr(studio, "_section", drawer := Drawer())
    first = studio._known(one, "c1")
    assert studio._known(one, "c1") == first == ((PANEL,), (PANEL, PANEL), ())
    assert drawer.asked == 1


def test_other_numbers_prefixes_or_code_are_drawn_anew(one, monkeypatch):
    monkeypatch.setattr(studio, "_section", drawer := Drawer())
    studio._known(one, "c1")
    moved = replace(one.rows[0], measured=float(np.nextafter(one.rows[0].measured, np.inf)))
    studio._known(replace(one, rows=(moved, *one.rows[1:])), "c1")
    studio._known(one, "c2")
    monkeypatch.setattr(kept, "code", lambda: "another version")
    studio._known(one, "c1")
    assert drawer.asked == 4


def test_what_failed_is_tried_again(one, monkeypatch):
    monkeypatch.setattr(studio, "_section", drawer := Drawer(["It failed."]))
    assert studio._known(one, "c1")[2] == ("It failed.",) == studio._known(one, "c1")[2]
    assert drawer.asked == 2


def test_claims_that_are_not_ours_are_not_kept(one, monkeypatch, own_cache):
    monkeypatch.setattr(studio, "_section", drawer := Drawer())
    theirs = replace(one, id="mine.own")
    studio._known(theirs, "c1")
    studio._known(theirs, "c1")
    assert drawer.asked == 2 and not list(own_cache.rglob("*"))


def test_a_changed_file_is_drawn_again(one, monkeypatch, own_cache):
    monkeypatch.setattr(studio, "_section", drawer := Drawer())
    studio._known(one, "c1")
    (file,) = (own_cache / "pages").iterdir()
    file.write_bytes(file.read_bytes().replace(b"title", b"other"))
    assert studio._known(one, "c1")[0] == (PANEL,) and drawer.asked == 2


def test_a_cache_that_takes_nothing_costs_no_picture(one, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private, "replace", full)
    monkeypatch.setattr(studio, "_section", drawer := Drawer())
    assert studio._known(one, "c1") == studio._known(one, "c1") and drawer.asked == 2


def test_others_cannot_put_pictures_there(one, monkeypatch, own_cache):
    """The folder is refused as it would be for code, and pictures are drawn."""
    own_cache.mkdir()
    own_cache.chmod(0o777)
    monkeypatch.setattr(studio, "_section", drawer := Drawer())
    studio._known(one, "c1")
    assert studio._known(one, "c1")[0] == (PANEL,) and drawer.asked == 2


def test_the_longest_unused_goes_first(own_cache):
    for age, name in enumerate(["new", "middle", "old"]):
        kept.keep(name, b"x" * 1000)
        os.utime(own_cache / "pages" / name, (1e9 - age, 1e9 - age))
    assert kept.recall("old") == b"x" * 1000  # used: now "middle" has not been used for longest
    kept.prune(2500)
    assert kept.recall("middle") is None and kept.recall("old") and kept.recall("new")


def test_names_of_sections_differ_and_do_not_depend_on_the_page():
    ids = [one.id for one in report.read(REFERENCE).claims]
    assert len({studio.prefix_of(one) for one in ids}) == len(ids)
    assert all(studio.prefix_of(one).isidentifier() for one in ids)


# derivations ----------------------------------------------------------------------------------------------------------


def test_a_derivation_is_kept_whole(one, monkeypatch):
    claim = studio.definition(one.id)
    first = explained.explained(claim, one, {}, True, Failures())
    assert first.view.steps and all("<math" in step.mathml for step in first.view.steps)
    monkeypatch.setattr(explained, "_derived", None)
    assert explained.explained(claim, one, {}, True, Failures()) == first
    assert explained.explained(claim, one, {}, False, said := Failures()) is None and said.sentences


def test_one_without_steps_is_not_printed_as_a_whole_one(one):
    claim = studio.definition(one.id)
    printed = {explained._derived(claim.derivation, model.labels.point_inputs(one.rows[0])).title: "a.b"}
    brief = explained.explained(claim, one, printed, True, Failures())
    assert not brief.view.steps and explained.first_printing(one, brief, printed).same_as == "a.b"
    assert explained.explained(claim, one, {}, True, Failures()).view.steps


def test_a_step_is_printed_once(one):
    """Of a second derivation that shares steps with the first, those say where they stand."""
    whole = explained.explained(studio.definition(one.id), one, {}, True, Failures())
    other = replace(whole, view=replace(whole.view, title="Another", steps=whole.view.steps[:2]))
    changed = replace(other.view.steps[1], because="Another reason.")
    other = replace(other, view=replace(other.view, steps=(other.view.steps[0], changed)))
    printed = {}
    assert explained.first_printing(one, whole, printed) == whole.view
    again, new = explained.first_printing(replace(one, id="a.b"), other, printed).steps
    assert (again.same_as, again.mathml, again.name) == (one.id, "", whole.view.steps[0].name)
    assert new == changed


# figures of papers ----------------------------------------------------------------------------------------------------


def counted(monkeypatch):
    """A figure of ours whose arrays are counted."""
    calls = []

    def compute(preset):
        calls.append(preset)
        return {"y": np.arange(3.0)}

    def draw(arrays, axes):
        axes.plot(arrays["y"])

    compute.__module__ = draw.__module__ = "widelimit.validate.claims.meanfield"
    figure = gallery.GalleryFigure("line", "A line", "caption", "key, fig. 1", compute, draw)
    monkeypatch.setattr(gallery, "figures_of", lambda topic: (figure,))
    return calls


def test_arrays_of_one_run_serve_the_next(tmp_path, monkeypatch):
    calls = counted(monkeypatch)
    ((_, first),) = gallery.gallery(["toy"], "quick", tmp_path / "a")
    ((_, then),) = gallery.gallery(["toy"], "quick", tmp_path / "b")
    assert calls == ["quick"] and first == then
    assert (tmp_path / "b" / "gallery" / "toy.line.quick.npz").is_file()  # the folder stays whole by itself
    gallery.gallery(["toy"], "deep", tmp_path / "b")
    assert calls == ["quick", "deep"]


def test_arrays_of_a_strangers_folder_are_drawn_as_they_are(tmp_path, monkeypatch):
    counted(monkeypatch)
    ((_, ours),) = gallery.gallery(["toy"], "quick", tmp_path / "a")
    (tmp_path / "b" / "gallery").mkdir(parents=True)
    np.savez_compressed(tmp_path / "b" / "gallery" / "toy.line.quick.npz", y=np.array([0.0, 5.0, 1.0]))
    ((_, theirs),) = gallery.gallery(["toy"], "quick", tmp_path / "b")
    ((_, again),) = gallery.gallery(["toy"], "quick", tmp_path / "a")
    assert theirs.svg != ours.svg and again == ours
