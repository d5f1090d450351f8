"""The short form of claims: each feature, and what it refuses."""

import ast
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.cli import main
from widelimit.validate.harness import finding
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.claim import Claim, Integers, Interval
from widelimit.validate.harness.declare import (
    altered,
    another,
    declare,
    instead,
    largest,
    presets,
    row,
    spend,
    table,
    wrong,
)
from widelimit.validate.harness.declare.points import expected
from widelimit.validate.harness.provenance import fingerprint
from widelimit.validate.harness.statistics.limit import extrapolate
from widelimit.validate.harness.statistics.stages import replicates_for


@dataclass(frozen=True)
class Result:
    """Of the toy solver."""

    top: float
    list: tuple
    wrong_top: float = -1.0


def solver(a, depth=2, *, shift=0.0):
    return Result(a * 10 + shift, tuple(a + k for k in range(1, depth + 1)))


def one(inputs, size, seed, backend):
    return inputs["a"] + size + seed


POINTS = table("a depth", [(1.0, 2)], [(2.0, 3)])
BASE = {
    "title": "t",
    "statement": "s",
    "paper": "p",
    "domain": {"a": Interval(0.5, 3.0), "depth": Integers(1, 4)},
    "solver": solver,
    "rows": "top",
    "simulate": one,
    "points": POINTS,
    "within": 0.05,
    "sizes": (10, 20, 40),
}
AT = {"a": 1.0, "depth": 2}


def claim(**changes):
    return declare("toy.claim", **(BASE | changes))


def counterfactual(theory, **more):
    (found,) = claim(wrong=wrong("w", "e", theory), **more).counterfactuals
    return found


# --- rows ---------------------------------------------------------------------------------------------------------


def test_a_declared_claim_is_a_claim():
    made = claim(quantity="x", observable="y", exponent=0.5, location="median")
    assert isinstance(made, Claim) and (made.quantity, made.exponent, made.location) == ("x", 0.5, "median")
    assert made.margin == 0.05 and made.derivation is None  # no topic of widelimit
    assert made.predict(AT) == [10.0] and made.rows(AT) == ({},)


def test_rows_are_attributes_functions_numbers_and_arrays_over_an_index():
    rows = {
        "top": "top",
        "sum": lambda found, a: sum(found.list) + a,
        "one": 1.0,
        "list": row("list", over={"layer": "depth"}),
        "some": row("top", only=lambda a: a > 1.5),
    }
    made = claim(rows=rows, named="statistic")
    assert made.predict(AT).tolist() == [10.0, 6.0, 1.0, 2.0, 3.0]
    assert made.rows(AT)[2:] == (
        {"statistic": "one"},
        {"statistic": "list", "layer": 1},
        {"statistic": "list", "layer": 2},
    )
    other = {"a": 2.0, "depth": 1}
    assert made.rows(other)[-1] == {"statistic": "some"} and made.predict(other)[-1] == 20.0


@pytest.mark.parametrize("over", ["depth", (1, 2), lambda depth: range(1, depth + 1)])
def test_an_index_is_counted_listed_or_worked_out(over):
    made = claim(rows="list", over={"layer": over})
    assert made.rows(AT) == ({"layer": 1}, {"layer": 2}) and made.predict(AT).tolist() == [2.0, 3.0]


def test_two_indices_are_a_table():
    made = claim(rows=lambda found: np.arange(4).reshape(2, 2), over={"i": (0, 1), "j": ("x", "y")})
    assert made.rows(AT)[1:3] == ({"i": 0, "j": "y"}, {"i": 1, "j": "x"})
    assert made.predict(AT).tolist() == [0, 1, 2, 3]


def test_inputs_have_the_type_of_their_domain():
    kinds = claim(rows=lambda found, a, depth: float(isinstance(a, float) and isinstance(depth, int)))
    assert kinds.predict({"a": 1, "depth": 2.0}) == [1.0]


# --- solvers ------------------------------------------------------------------------------------------------------


def test_a_solver_of_numerics_by_name_with_what_is_given():
    made = claim(
        solver="residual.predict",
        given={"activation": "linear", "depth": lambda depth: depth + 1, "sigma_v": 1.0},
        rows=lambda found: found.second_moment[-1],
    )
    assert made.predict(AT) == [8.0]  # p doubles in each of three linear blocks


def test_an_input_that_means_something_else_is_given_otherwise():
    assert claim(given={"shift": lambda a: 5 * a}).predict(AT) == [15.0]
    assert claim(given={"depth": 1}, rows=lambda found: len(found.list)).predict(AT) == [1.0]


def test_an_option_called_inputs_is_no_input():
    def odd(a, inputs="auto"):
        return {"said": 1.0 if inputs == "auto" else 0.0}

    assert claim(solver=odd, rows="said").predict(AT) == [1.0]
    assert claim(solver=lambda inputs: {"said": inputs["a"]}, rows="said").predict(AT) == [1.0]


def test_a_point_is_solved_once():
    calls = []

    def counted(a):
        calls.append(a)
        return Result(a, ())

    made = claim(solver=counted, wrong=wrong("w", "e", instead("wrong_top")))
    made.predict(AT), made.counterfactuals[0].predict(AT), made.counterfactuals[0].applies(AT)
    assert calls == [1.0]


# --- wrong theories -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theory", "said"),
    [
        (altered(a=2.0), 20.0),
        (altered(a=lambda a, depth: a + depth), 30.0),
        (altered(lambda inputs: {**inputs, "a": 4.0}), 40.0),
        (altered(shift=3.0), 13.0),
        (instead("wrong_top"), -1.0),
        (instead(lambda found, a: found.top + 2 * a), 12.0),
        (another(solver, shift=3.0), 13.0),
        (another(lambda a: {"other": 7 * a}, "other"), 7.0),
        (lambda truth, result, a: truth + result.top + a, 21.0),
        (lambda: 1.0, 1.0),
    ],
)
def test_wrong_theories(theory, said):
    found = counterfactual(theory)
    assert found.predict(AT).tolist() == [said] and found.applies(AT)
    assert (found.name, found.explanation) == ("w", "e")


def test_a_wrong_theory_has_the_rows_of_the_point_not_of_the_altered_one():
    rows = {"list": row("list", over={"layer": "depth"}), "top": row("top", only=lambda a: a < 1.5)}
    found = counterfactual(altered(a=2.0), rows=rows)
    assert found.predict(AT).tolist() == [3.0, 4.0, 20.0]


def test_instead_changes_the_rows_that_it_names():
    found = counterfactual(instead({"E h": "wrong_top"}), rows={"E h": "top", "q": "top"})
    assert found.predict(AT).tolist() == [-1.0, 10.0]


@pytest.mark.parametrize(("off", "applies"), [(1.4, False), (1.6, True)])
def test_a_wrong_theory_applies_beyond_three_margins(off, applies):
    assert counterfactual(lambda truth: truth + off).applies(AT) is applies  # three margins of 10 are 1.5
    assert counterfactual(lambda truth: truth + off / 3, scale=None).applies(AT) is False
    assert counterfactual(lambda truth: truth + 2 * off, scale=20.0).applies(AT) is applies


def test_a_wrong_theory_applies_where_it_is_asked_and_has_an_answer():
    def nothing():
        raise DomainError("no fixed point")

    def said(**more):
        return claim(wrong=wrong("w", "e", lambda truth: truth + 1.0, **more)).counterfactuals[0].applies(AT)

    assert not said() and said(beyond=1.5) and not said(beyond=1.5, only=lambda a: a > 1)
    assert not counterfactual(nothing).applies(AT)
    assert counterfactual(lambda: float("nan")).applies(AT)  # for the run to refuse, not to be left out


# --- simulations, scales, conditions ------------------------------------------------------------------------------


def test_the_loop_over_seeds_is_written_once():
    made = claim()
    assert made.simulate(AT, 10, [1, 2], Backend()).tolist() == [[12.0], [13.0]]

    def batch(inputs, size, seeds, backend):
        return np.array([[seed, size] for seed in seeds])

    assert claim(simulate=batch).simulate(AT, 10, [1, 2], Backend()).tolist() == [[1, 10], [2, 10]]


def test_a_simulation_starts_from_theory_once():
    asked = []

    def start(inputs):
        asked.append(1)
        return {"q": 100.0}

    made = claim(simulate=lambda inputs, size, seed, backend, *, q: (q, seed), start=start)
    assert made.simulate(AT, 10, [1, 2], Backend()).tolist() == [[100.0, 1.0], [100.0, 2.0]] and asked == [1]


def test_scales_and_conditions():
    assert claim(scale=0.1).scale(np.array([0.01, -3.0])).tolist() == [0.1, 3.0]
    assert claim(scale=largest).scale(np.array([1.0, -3.0])).tolist() == [3.0, 3.0]
    assert claim().valid(AT) and not claim(valid=lambda depth: depth > 2).valid(AT)

    def nowhere(a):
        raise DomainError("outside")

    assert not claim(valid=nowhere).valid(AT)


def test_the_derivation_is_the_topic_s():
    made = declare("residual.toy", **BASE)
    assert made.derivation({"activation": "linear"}).steps
    assert declare("residual.toy", **BASE | {"derivation": None}).derivation is None


# --- points and plans ---------------------------------------------------------------------------------------------


def test_points_are_a_table():
    points = table("a, depth", [(1.0, 2)], [{"a": 3.0, "data": "x"}], start=1.0)
    assert points.of("quick") == ({"a": 1.0, "depth": 2, "start": 1.0},)
    assert points.of("deep")[1] == {"a": 3.0, "data": "x", "start": 1.0}
    assert table("network", ["zeros"]).quick == ({"network": "zeros"},)


def test_plans_follow_from_the_precision():
    plans = claim(noise=0.5).plans
    assert [plans[name].sizes for name in ("quick", "reference", "deep")] == [
        (10, 20, 40),
        (20, 40, 80),
        (40, 80, 160),
    ]
    assert len(plans["quick"].points) == 1 and len(plans["deep"].points) == 2
    for plan in plans.values():
        assert 8 <= plan.pilot <= plan.most // 2 and plan.most % plan.block == 0
    half = spend(POINTS, (10, 20, 40), within=0.025, noise=0.5)["quick"]
    assert half.most == pytest.approx(4 * plans["quick"].most, rel=0.1)
    assert claim(noise=0.5, sizes=()).plans["quick"].sizes == ()


def test_reference_plans_may_look_closer_than_quick_ones():
    plain = spend(POINTS, (10, 20, 40), within=0.05, noise=0.5)
    close = spend(POINTS, (10, 20, 40), within=0.05, noise=0.5, closer=3.0)
    assert close["quick"] == plain["quick"]
    for name in ("reference", "deep"):
        assert (plain[name].within, close[name].within) == (None, pytest.approx(0.05 / 3))
        assert close[name].most == pytest.approx(9 * plain[name].most, rel=0.1)  # 1/se^2
    refused(lambda: spend(POINTS, (10, 20, 40), within=0.05, noise=0.5, closer=0.0), "closer")


def test_plans_by_hand_are_taken_as_they_are():
    hand = presets(POINTS, ((1, 2, 3),) * 3, pilot=(2, 3, 4), most=(8, 9, 10), block=(1, 1, 2))
    assert claim(plans=hand, points=None).plans["deep"] == hand["deep"]
    assert (hand["deep"].pilot, hand["deep"].most, hand["deep"].block) == (4, 10, 2)


def test_as_many_replicates_resolve_the_margin_as_are_expected():
    # replicates whose scatter is what was declared: with them the limit's interval fits the margin as promised
    sizes, noise, within = (50, 100, 200), 0.8, 0.05
    count = round(expected(sizes, within=within, noise=noise))
    rng = np.random.default_rng(1)
    samples = [1 + noise / n**0.5 * rng.standard_normal((40 * count, 1)) for n in sizes]
    error = extrapolate(samples, sizes, 1.0).standard_error[0] * 40**0.5
    assert within / error == pytest.approx(1.645 + 2.326, rel=0.05)  # normal quantiles of 5 and of 1 per cent
    # and Stein's rule, asked for the same certainty, wants about as many
    pilot = [1 + noise / n**0.5 * rng.standard_normal((400, 1)) for n in sizes]
    asked = replicates_for(pilot, np.array([within]), sizes, most=4000, rows=5, location="mean", block=8)
    assert asked[-1] <= 816  # the pilot of 400 is more than enough


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        pytest.param("recurrence.gated", 0.45, marks=pytest.mark.slow),
        ("convolution.modes", 0.5),
        ("geometry.trajectory", 1.2),
        ("batchnorm.gradient", 0.65),
    ],
)
def test_declared_noise_is_what_replicates_show(name, noise):
    made = finding.find(name)
    sizes = made.plans["quick"].sizes
    aim, others = made.plans["quick"].within, made.plans["reference"].within
    closer = (aim or made.margin) / others if others else None
    planned = spend(POINTS, sizes, within=made.margin, noise=noise, target=aim, closer=closer)
    assert planned["deep"].most == made.plans["deep"].most
    inputs, size = made.plans["quick"].points[0], made.plans["quick"].sizes[0]
    samples = made.simulate(inputs, size, range(24), Backend())
    seen = (samples.std(0, ddof=1) / np.abs(made.predict(inputs))).max() * size**0.5
    assert noise / 2 < seen < 2 * noise  # a standard deviation of 24 is known to 15 %


# --- refusals -----------------------------------------------------------------------------------------------------


def refused(what, *said):
    with pytest.raises(ArgumentError) as caught:
        what()
    text = str(caught.value)
    assert text.startswith("Argument `") and " must " in text and ", but " in text
    for one in said:
        assert one in text, text


def test_a_row_that_names_no_attribute_is_refused():
    refused(
        lambda: claim(rows="tpo").predict(AT), "`rows`", "attributes of `Result`", "tpo", "It has list, top"
    )
    refused(lambda: claim(rows="_private").predict(AT), "`rows`")
    refused(lambda: claim(rows={"x": None}), "`rows`", "attributes or functions")
    refused(lambda: claim(solver=None).predict(AT), "`rows`", "attributes")


def test_a_solver_without_that_argument_is_refused():
    refused(
        lambda: claim(given={"shfit": 1.0}).predict(AT), "`given`", "parameters of `solver`", "shfit", "shift"
    )
    refused(lambda: claim(solver=lambda a, q: a).predict(AT), "`solver`", "asks for `q`", "a, depth")
    refused(lambda: claim(solver="residul.predict"), "`solver`", "residul.predict")
    refused(lambda: claim(solver="residual.predct").predict(AT), "`solver`", "residual.predct")
    refused(lambda: claim(solver=3), "`solver`")


def test_a_table_row_of_the_wrong_length_is_refused():
    refused(lambda: table("a depth", [(1.0,)]), "`table`", "2 values (a, depth)", "(1.0,)")
    refused(lambda: table("a depth", [(1.0, 2)], [(1.0, 2, 3)]), "`table`")
    refused(lambda: table("a depth", [1.0]), "`table`")


def test_what_does_not_fit_together_is_refused():
    refused(lambda: claim(rows="list", over={"layer": (1, 2, 3)}).predict(AT), "`rows`", "`list` has 2 for 3")
    refused(lambda: claim(rows="list", over={"layer": "width"}).rows(AT), "`over`", "width")
    refused(lambda: counterfactual(instead(chi="top"), rows={"q": "top"}).predict(AT), "`instead`", "chi")
    refused(lambda: wrong("w", "e", "text"), "`theory`")
    refused(lambda: claim(wrong=("text",)), "`wrong`")
    refused(lambda: claim(points=[AT]), "`points`", "table")
    refused(lambda: claim(valid=lambda width: True).valid(AT), "`valid`", "`width`")
    refused(lambda: claim(noise=-1.0), "`noise`")
    refused(lambda: claim(noise=float("nan")), "`noise`")
    refused(lambda: claim(within=0.0), "`within`")
    refused(lambda: claim(sizes=(10, 20)), "`sizes`")


MINE = """
import numpy as np
from widelimit.validate.claim import Choice, declare, instead, table, wrong

def solve(scale):
    return {{"m": 2 * scale}}

def simulate(inputs, size, seed, backend):
    return 2 * inputs["scale"] + np.random.default_rng(seed).standard_normal() / size

CLAIMS = (
    declare(
        "mine.claim", title="t", statement="s", paper="p", domain={{"scale": Choice((1.0, 0.5))}},
        solver={solver}, rows={rows}, simulate=simulate, points=table("scale", [1.0]), sizes=(20, 40, 80),
        within=0.1, noise=0.2, wrong=wrong("three", "3 for 2", {theory}),
    ),
)
"""


@pytest.fixture
def run(tmp_path, capsys):
    def run(solver="solve", rows='"m"', theory="lambda scale: 3 * scale"):
        path = tmp_path / "mine.py"
        path.write_text(MINE.format(solver=solver, rows=rows, theory=theory))
        argv = ["validate", "mine.*", "--claims-from", str(path), "--out", str(tmp_path / "out"), "--quiet"]
        status = main([*argv, "--jobs", "1", "--device", "cpu"])
        return status, " ".join(capsys.readouterr()), str(path)

    return run


def test_a_user_s_file_of_declared_claims_runs(run):
    status, text, _ = run()
    assert status == 0 and "agrees" in text and "1/1" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": '"n"'}, "must name attributes of `dict`, but is 'n'. It has m"),
        ({"solver": "lambda width: width"}, "asks for `width`"),
        ({"rows": "lambda found: 1 / 0"}, "ZeroDivisionError"),
        ({"theory": "lambda scale: 1 / 0"}, "ZeroDivisionError"),
        ({"theory": "instead(q='m')"}, "must name rows"),
        ({"solver": '"residual.predict"'}, "must name attributes of `Residual`"),
    ],
)
def test_what_a_user_declared_wrongly_is_the_user_s_to_mend(run, change, said):
    status, text, path = run(**change)
    assert status == 2 and said in text and "mine.claim" in text
    if change != {"solver": '"residual.predict"'}:
        assert path in text, text  # the line that fails


# --- provenance ---------------------------------------------------------------------------------------------------


def test_a_fingerprint_follows_the_simulation_and_no_wording():
    made = finding.find("recurrence.gated")
    told = replace(made, statement="Otherwise.", title="Else")
    assert fingerprint(told) == fingerprint(made)
    from widelimit.validate.harness.replicates import Replicates
    from widelimit.validate.simulate import recurrence, residual

    assert fingerprint(replace(made, simulate=Replicates(recurrence.gated))) == fingerprint(made)
    assert fingerprint(replace(made, simulate=Replicates(residual.residual))) != fingerprint(made)


def test_a_fingerprint_rests_on_the_files_that_simulate_and_on_no_file_of_claims(monkeypatch):
    from widelimit.validate.harness.provenance import code

    read = []
    real = code._code

    def noted(file):
        read.append(Path(file))
        return real(file)

    monkeypatch.setattr(code, "_code", noted)
    for name in ("recurrence.gated", "convolution.modes", "geometry.length", "meanfield.depth-scale"):
        read.clear()
        fingerprint(finding.find(name))
        names = {"/".join(file.parts[-2:]) for file in read}
        topic = name.partition(".")[0]
        assert any(f"simulate/{topic}" in str(file) for file in read), name
        assert not names & {f"claims/{topic}.py", f"{topic}/scales.py", "declare/declaration.py"}, name
        if name == "meanfield.depth-scale":  # networks start at the fixed point that the solver finds
            assert any("numerics/meanfield" in str(file) for file in read), name


def test_a_simulation_that_changes_in_the_file_changes_the_fingerprint(tmp_path):
    def made(text):
        file = tmp_path / "mine.py"
        file.write_text(text)
        names = {"__name__": "mine"}
        exec(compile(text, str(file), "exec"), names)
        return fingerprint(claim(simulate=names["simulate"]))

    text = "def simulate(inputs, size, seed, backend):\n    return {}\n"
    assert made(text.format("seed")) != made(text.format("size"))


def test_claims_travel_and_are_read_without_torch():
    made = finding.find("recurrence.tied")
    inputs = made.plans["quick"].points[0]
    again = pickle.loads(pickle.dumps(made.simulate))
    assert np.array_equal(again(inputs, 16, [3], Backend()), made.simulate(inputs, 16, [3], Backend()))


def test_no_claim_of_a_declared_room_is_made_by_hand():
    folder = Path(finding.__file__).parents[1] / "claims"
    for room in ("recurrence", "residual", "convolution", "batchnorm", "geometry", "fisher", "architecture"):
        tree = ast.parse((folder / f"{room}.py").read_text())
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        called = {function.id for function in calls if isinstance(function, ast.Name)}
        assert "declare" in called and not called & {"Claim", "Counterfactual"}, room
