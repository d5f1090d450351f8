"""What changed between two reports, and verdicts as test results."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.validate.made_outcomes import claim, row, run

from widelimit.theory.errors import StoreError
from widelimit.validate.cli import main
from widelimit.validate.report import junit, machine
from widelimit.validate.report.differences import compare

OLD = Path(__file__).with_name("schema1.json")


def shifted(claim_, by, index=0):
    """The same claim with one number moved by so many of its standard errors."""
    rows = list(claim_.rows)
    one = rows[index]
    rows[index] = replace(one, measured=one.measured + by * one.standard_error)
    return replace(claim_, rows=tuple(rows))


def test_a_report_does_not_differ_from_itself():
    found = compare(run(), run())
    assert (found.flipped, found.moved, found.added, found.removed) == ((), (), (), ())
    assert (found.claims, found.numbers, found.unmatched, found.settings) == (("made.up",), 8, 0, ())


def test_flips_of_claims_and_of_numbers():
    rows = [row(0, 1), row(0, 2, verdict="disagrees"), row(0, 3)]
    new = claim(rows=rows, verdict="disagrees")
    old = claim(rows=[row(0, n) for n in (1, 2, 3)])
    first, second = compare(run(old), run(new)).flipped
    assert (first.claim, first.old, first.new, first.inputs) == ("made.up", "agrees", "disagrees", None)
    assert (second.old, second.new, second.inputs["layer"]) == ("agrees", "disagrees", 2)
    (weak,) = compare(run(claim()), run(claim(too_weak=True))).flipped
    assert weak.new == "agrees, too weak"


@pytest.mark.parametrize(("by", "moved"), [(1.0, 0), (3.0, 0), (8.0, 1), (-8.0, 1)])
def test_numbers_move_by_more_than_both_errors(by, moved):
    """Both runs have 20 degrees of freedom; at 5 % over eight numbers Student's t asks for 3.05 of sqrt(2) errors."""
    found = compare(run(claim()), run(shifted(claim(), by)))
    assert len(found.moved) == moved and found.flipped == ()
    if moved:
        (move,) = found.moved
        assert move.what == "measured" and move.errors == pytest.approx(8 / math.sqrt(2), rel=1e-9)
        assert move.new - move.old == pytest.approx(by * 0.01)


def test_the_bar_is_students_t_over_all_numbers():
    from scipy.stats import t

    bar = t.isf(0.05 / 8 / 2, 20.0) * math.sqrt(2)
    assert compare(run(claim()), run(shifted(claim(), 0.99 * bar))).moved == ()
    assert len(compare(run(claim()), run(shifted(claim(), 1.01 * bar))).moved) == 1


def test_exact_numbers_and_predictions_move_when_they_are_others():
    exact = claim(rows=[row(0, n, error=0.0, off=0.0) for n in (1, 2, 3)])
    other = replace(exact, rows=(replace(exact.rows[0], measured=1.5), *exact.rows[1:]))
    (move,) = compare(run(exact), run(other)).moved
    assert (move.what, move.errors) == ("measured", math.inf)
    said = replace(claim(), rows=(replace(claim().rows[0], predicted=1.0001), *claim().rows[1:]))
    (move,) = compare(run(claim()), run(said)).moved
    assert (move.what, move.old, move.new) == ("predicted", 1.0, 1.0001)
    rounded = replace(claim(), rows=(replace(claim().rows[0], predicted=1.0 + 1e-13), *claim().rows[1:]))
    assert compare(run(claim()), run(rounded)).moved == ()
    undefined = replace(claim(), rows=tuple(replace(r, measured=math.nan) for r in claim().rows))
    assert compare(run(undefined), run(undefined)).moved == ()
    assert len(compare(run(claim()), run(undefined)).moved) == 8


def test_claims_and_numbers_without_a_partner_and_other_settings():
    few = claim(rows=[row(0, n) for n in (1, 2, 3)])
    found = compare(run(few, claim("made.gone")), run(claim(), claim("made.new"), seed=3))
    assert (found.added, found.removed, found.claims) == (("made.new",), ("made.gone",), ("made.up",))
    assert (found.numbers, found.unmatched) == (3, 5)
    assert found.settings == ("seed 0 and 3",) and found.flipped == ()


def written(folder, outcome):
    folder.mkdir()
    (folder / "report.json").write_text(machine.dump(outcome))
    return folder


def test_the_command_says_what_changed_and_its_status_whether_a_verdict_did(tmp_path, capsys):
    a = written(tmp_path / "a", run(claim()))
    b = written(tmp_path / "b", run(shifted(claim(verdict="differs"), 8.0)))
    assert main(["diff", str(a), str(a)]) == 0
    assert "No verdict flipped." in capsys.readouterr().out
    assert main(["diff", str(a), str(b / "report.json")]) == 1
    out = capsys.readouterr().out
    assert "1 verdict flipped:" in out and "agrees -> differs" in out and "the claim" in out
    assert "1 number moved by more than the errors:" in out and "5.66 s.e." in out
    moved = written(tmp_path / "c", run(shifted(claim(), 8.0)))
    assert main(["diff", str(a), str(moved)]) == 0, "a number that moves is told, and is no flip"
    capsys.readouterr()
    assert main(["diff", str(a), str(b), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["flipped"] == [{"claim": "made.up", "old": "agrees", "new": "differs", "inputs": None}]
    assert found["moved"][0]["inputs"]["layer"] == 1 and found["numbers"] == 8


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_what_is_no_report_is_refused(tmp_path, capsys, damage):
    a = written(tmp_path / "a", run(claim()))
    b = tmp_path / "b"
    if damage != "missing":
        written(b, run(claim()))
        (b / "report.json").write_text({"cut": '{"schema": 2, ', "foreign": "[1, 2]"}[damage])
    assert main(["diff", str(a), str(b)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "report.json" in err


def test_a_report_of_schema_1_is_compared_with_one_of_schema_2(tmp_path, capsys):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "report.json").write_text(OLD.read_text())
    new = written(tmp_path / "new", machine.read(tmp_path / "old"))
    assert json.loads((new / "report.json").read_text())["schema"] == 2
    assert main(["diff", str(tmp_path / "old"), str(new)]) == 0
    assert "No number moved" in capsys.readouterr().out


# --- JUnit --------------------------------------------------------------------------------------------------------

# What Ant's schema (the stricter of the two in use) says: attributes, and children in this order.
ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {
        "name",
        "package",
        "id",
        "timestamp",
        "hostname",
        "tests",
        "failures",
        "errors",
        "skipped",
        "time",
    },
    "properties": set(),
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
    "system-err": set(),
}


def valid(text):
    """Parse a file of test results and see that it is one."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites" and not root.attrib
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag], element.tag
    names = set()
    for suite in root:
        tags = [child.tag for child in suite]
        cases = [child for child in suite if child.tag == "testcase"]
        assert tags == ["properties", *["testcase"] * len(cases), "system-out", "system-err"]
        assert int(suite.get("tests")) == len(cases) > 0
        assert int(suite.get("failures")) == sum(len(c.findall("failure")) for c in cases)
        assert int(suite.get("skipped")) == sum(len(c.findall("skipped")) for c in cases)
        assert len(suite.get("timestamp")) == 19 and float(suite.get("time")) >= 0
        for case in cases:
            assert len(case) <= 1
            names.add((case.get("classname"), case.get("name")))
    assert len(names) == sum(int(suite.get("tests")) for suite in root)
    return root


def test_verdicts_are_test_results():
    outcome = run(
        claim("a.good"),
        claim("a.small", verdict="differs"),
        claim("a.bad", [row(0, 1, verdict="disagrees"), row(0, 2)], verdict="disagrees"),
        claim("b.open", [row(0, 1, verdict="inconclusive", needed_replicates=77)], verdict="inconclusive"),
        claim("b.weak", too_weak=True),
        started="2026-11-22T10:42:15+01:00",
    )
    root = valid(junit.verdicts(outcome))
    first, second = root
    assert [s.get("name") for s in root] == ["a", "b"] and first.get("timestamp") == "2026-11-22T09:42:15"
    good, small, bad = first.findall("testcase")
    assert len(good) == len(small) == 0 and good.get("time") == "12.000" and good.get("name") == "good"
    (failure,) = bad
    assert failure.tag == "failure" and failure.get("message") == "1 number of 2 disagree with the prediction"
    assert "layer = 1: predicted" in failure.text.replace(", layer", ", layer").replace(
        "layer = 1:", "layer = 1:"
    )
    undecided, weak = second.findall("testcase")
    assert "77 replicates would decide" in undecided.find("skipped").get("message")
    assert len(weak) == 0 and "too weak" in second.find("system-out").text


def test_hostile_words_stay_valid_xml():
    name = 'x"<&>\x1b]]>\x00'
    bad = claim(
        "made.up", [row(0, 1, inputs={name: name, "layer": 1}, verdict="disagrees")], verdict="disagrees"
    )
    valid(junit.verdicts(run(bad, started="not a time")))


def test_no_claims_no_suites():
    assert len(valid(junit.document([]))) == 0


def test_the_commands_write_test_results(tmp_path, capsys):
    a = written(tmp_path / "a", run(claim()))
    b = written(tmp_path / "b", run(claim(verdict="disagrees", rows=[row(0, 1, verdict="disagrees")])))
    target = tmp_path / "new" / "verdicts.xml"
    assert main(["report", str(b), "--junit", str(target)]) == 1
    assert len(valid(target.read_text()).findall(".//failure")) == 1
    assert main(["diff", str(a), str(b), "--junit", str(target)]) == 1
    assert valid(target.read_text()).find(".//failure").get("message") == "2 verdicts flipped"
    assert main(["diff", str(a), str(a), "--junit", str(target)]) == 0
    assert valid(target.read_text()).find(".//failure") is None
    assert [p.name for p in target.parent.iterdir()] == ["verdicts.xml"], "no temporary file is left"
    capsys.readouterr()
    assert main(["diff", str(a), str(b), "--junit", str(tmp_path)]) == 2
    assert "Argument `junit` must be a file" in capsys.readouterr().err


def test_a_run_writes_test_results(tmp_path, capsys):
    toy = str(Path(__file__).parents[1] / "toy_claims.py")
    target = tmp_path / "verdicts.xml"
    words = ["validate", "toy.true", "--claims-from", toy, "--jobs", "1", "--device", "cpu", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "run"), "--junit", str(target)]) == 0
    (case,) = valid(target.read_text()).iter("testcase")
    assert (case.get("classname"), case.get("name"), len(case)) == ("widelimit.toy", "true", 0)
    capsys.readouterr()


def test_reading_a_file_that_is_no_report(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(StoreError, match="cannot be read"):
        machine.read(tmp_path / "x.json")
