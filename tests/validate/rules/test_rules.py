"""Statistics by hand, networks against autograd, tables of users, banks that come back, and what they tell."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate import rules
from widelimit.validate.rules import banks, observables, telling
from widelimit.validate.rules.training import RULES, Networks

SMALL = {"networks": 10, "widths": (20,), "steps": 60, "snapshots": 3}


@pytest.fixture(scope="module")
def bank():
    return rules.bank(**SMALL)


@pytest.fixture(scope="module")
def table(bank):
    names = [name for name in bank.columns if ".raw." in name]
    row = dict(zip(bank.columns, bank.values[3].T, strict=True))
    return {name: row[name].tolist() for name in names}


def test_statistics_against_scipy():
    x = np.random.default_rng(0).standard_normal((3, 57)) ** 3
    found = rules.summaries(x)
    for k, y in enumerate((x, np.abs(x), x**2)):
        part = found[:, 7 * k : 7 * k + 7].T
        assert part[0] == pytest.approx(np.linalg.norm(y, axis=1), rel=1e-13)
        assert part[1] == pytest.approx(y.mean(1), rel=1e-12) and part[4] == pytest.approx(
            y.var(1), rel=1e-12
        )
        assert part[2:4] == pytest.approx(np.quantile(y, [0.5, 0.75], axis=1), rel=1e-13)
        assert part[5] == pytest.approx(stats.skew(y, axis=1), rel=1e-10)
        assert part[6] == pytest.approx(stats.kurtosis(y, axis=1, fisher=False), rel=1e-10)
    assert np.isfinite(rules.summaries(np.full((1, 4), 0.1))).all()


def test_names_of_columns():
    assert len(set(rules.columns())) == 7 * 3 * (3 + 2 + 2)
    assert {observables.column(name) for name in rules.columns()} == set(rules.columns())
    assert observables.column("Layer1 gradavg SQUARED third_quartile") == "change.sq.q3.1"
    for bad, says in [
        ("act.entropy.1", "known statistics"), ("act.mean", "measure, statistic and layer"),
        ("act.mean.3", "layers"), ("weight.mean.0", "layers"), ("", "measure"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=says):
            observables.column(bad)


def test_a_step_of_each_rule_against_autograd():
    nets = Networks(2, 6, torch.Generator().manual_seed(3), torch.device("cpu"))
    before = [w.clone() for w in nets.weights]
    back = [b.clone() for b in nets.back]
    drawn = nets.generator.get_state()
    nets.step()
    generator = torch.Generator()
    generator.set_state(drawn)
    rows = torch.randint(64, len(nets.images), (8, 32), generator=generator)
    for k, rule in enumerate(np.repeat(RULES, 2)):
        one, two, three = (w[k].clone().requires_grad_() for w in before)
        x, y = nets.images[rows[k]], nets.labels[rows[k]]
        h = (x @ one.T).tanh()
        m = (h @ two.T).tanh()
        torch.nn.functional.cross_entropy(m @ three.T, y).backward()
        moved = [(old[k] - new[k]) / nets.rates[k] for old, new in zip(before, nets.weights, strict=True)]
        if rule == "adam":  # the first step is a sign
            assert torch.allclose(moved[1], two.grad / (two.grad.abs() + 1e-8), atol=2e-3)
            continue
        assert torch.allclose(moved[2], three.grad, atol=1e-5)
        if rule == "sgd":
            assert torch.allclose(moved[0], one.grad, atol=1e-5) and torch.allclose(
                moved[1], two.grad, atol=1e-5
            )
            continue
        out = torch.nn.functional.one_hot(y, 10)
        delta = (m @ three.T).softmax(1).detach() - out
        below = (delta @ back[2][k]) * (1 - m.detach() ** 2)
        assert torch.allclose(moved[1], below.T @ h.detach() / 32, atol=1e-5)
        same = torch.equal(nets.back[2][k], back[2][k])
        assert same == (rule == "feedback_alignment")


def test_information_alignment_comes_to_the_regularised_inverse():
    nets = Networks(1, 12, torch.Generator().manual_seed(0), torch.device("cpu"))
    at = nets.rule("information_alignment")
    x = torch.randn(1, 400, 12, generator=torch.Generator().manual_seed(1))
    for _ in range(200):
        nets._inform(2, x, at)
    w, b = nets.weights[2][at][0], nets.back[2][at][0]
    c = x[0].T @ x[0] / 400
    wanted = torch.linalg.solve(w @ c @ w.T + torch.eye(10), w @ c)
    assert torch.allclose(b, wanted, atol=1e-3)


def test_banks_come_back_from_the_cache(bank, monkeypatch):
    monkeypatch.setattr(banks, "observed", None)
    again = rules.bank(**SMALL)
    assert again == bank and bank.values.shape == (40, 3, 147) and np.isfinite(bank.values).all()
    assert str(bank).startswith("bank of 40 networks (adam 10, sgd 10")
    assert set(bank.rules) == set(RULES) and bank.dropped == {}


def test_networks_that_diverge_are_dropped(monkeypatch):
    from widelimit.validate.rules import training

    monkeypatch.setitem(training.RATES, "sgd", 1e4)
    found = banks.observed(3, (8,), 30, [(None, 0.0)], 1, banks_backend(), 2)
    assert found[0].dropped.get("sgd") == 3 and "sgd" not in found[0].rules
    assert np.isfinite(found[0].values).all()


def banks_backend():
    from widelimit.validate.harness.backend import Backend

    return Backend()


def test_views_of_few_units_and_noise():
    whole, few, noisy = banks.observed(
        2, (12,), 20, [(None, 0.0), (5, 0.0), (None, 1.0)], 4, banks_backend(), 2
    )
    place = whole.columns.index("weight.raw.var.2")
    assert noisy.values[:, :, place] == pytest.approx(2 * whole.values[:, :, place], rel=0.5)
    norm = whole.columns.index("act.raw.norm.1")
    assert (few.values[:, :, norm] < whole.values[:, :, norm]).all() and few.units == 5 and noisy.noise == 1.0


def test_left_out_is_what_leaving_out_gives():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 10)
    x = rng.standard_normal((20, 6)) + 1.2 * (labels == "a")[:, None] * np.array([1, 0, 0, 0, 0, 0])
    scaled = telling.Scale.of(x)(x)
    centred = scaled - scaled.mean(0)
    penalty = np.trace(centred @ centred.T) / 20
    right = 0
    for k in range(20):  # the same penalty; the mean of all networks counts as known
        rest = np.delete(np.arange(20), k)
        design = np.hstack([np.ones((20, 1)), centred])
        wanted = telling.one_hot(labels, np.array(["a", "b"]))
        held = np.diag([0.0] + [penalty] * 6)
        weights = np.linalg.solve(design[rest].T @ design[rest] + held, design[rest].T @ wanted[rest])
        right += np.array(["a", "b"])[(design[k] @ weights).argmax()] == labels[k]
    assert telling.left_out(x, labels)[0] == pytest.approx(right / 20)
    permuted = telling.left_out(x, labels, 200, seed=1)
    assert permuted[0] > 0.6 and abs(permuted[1:].mean() - 0.5) < 0.1
    assert telling.transferred(x, labels, x + 1e-9, labels) >= 0.7


def test_identify_names_a_rule_of_the_bank_and_its_odds(bank, table, tmp_path):
    found = rules.identify(table, bank=bank)
    assert found.networks == 40 and not found.abstains and found.snapshots == 3 and len(found.columns) == 49
    assert sum(found.probabilities.values()) == pytest.approx(1, rel=1e-12)
    assert found.rule == max(found.probabilities, key=found.probabilities.get) == "adam"
    assert "bank of 40 networks" in str(found) and found.accuracy > 0.4
    assert found.calibration.counts.sum() == 40 * 4 and found.calibration.error < 0.15
    path = tmp_path / "recorded.csv"
    rows = zip(*table.values(), strict=True)
    path.write_text("\n".join(",".join(map(repr, row)) for row in [*rows]).replace("'", ""))
    lines = path.read_text()
    path.write_text(",".join(table) + "\n" + lines + "\n")
    assert rules.identify(path, bank=bank).probabilities == pytest.approx(found.probabilities, rel=1e-9)
    import pandas

    assert rules.identify(pandas.DataFrame(table), bank=bank) == found


def test_networks_that_the_bank_has_not_seen_are_told(bank):
    other = rules.bank(3, widths=(20,), steps=60, snapshots=3, seed=11)
    names = [name for name in bank.columns if name.startswith("change.raw")]
    right = alarms = 0
    for recorded, rule in zip(other.values, other.rules, strict=True):
        row = dict(zip(other.columns, recorded.T, strict=True))
        found = rules.identify({name: row[name] for name in names}, bank=bank)
        right += found.rule == rule
        alarms += found.abstains
    assert right >= 6 and alarms <= 2  # of 12; 3 by chance


@pytest.mark.parametrize("classifier", ["forest", "svm"])
def test_other_classifiers_tell_new_networks_too(bank, classifier):
    other = rules.bank(3, widths=(20,), steps=60, snapshots=3, seed=11)
    names = [name for name in bank.columns if name.startswith("change.raw")]
    right = 0
    for recorded, rule in list(zip(other.values, other.rules, strict=True))[::3]:
        row = dict(zip(other.columns, recorded.T, strict=True))
        found = rules.identify({name: row[name] for name in names}, bank=bank, classifier=classifier)
        right += max(found.probabilities, key=found.probabilities.get) == rule
        assert sum(found.probabilities.values()) == pytest.approx(1, rel=1e-12)
        assert found.classifier == classifier and f"({classifier})" in str(found)
    assert right >= 3  # of 4; by chance 1
    assert found.accuracy > 0.5 and found.calibration.error < 0.2


def test_it_abstains_outside_the_bank(bank, table):
    for changed in (
        {name: 50 * np.array(part) for name, part in table.items()},
        {name: np.array(part)[::-1] * np.linspace(1, 9, 3) for name, part in table.items()},
        {name: np.array(part) + 7 for name, part in table.items()},
    ):
        found = rules.identify(changed, bank=bank)
        assert (
            found.abstains and found.rule is None and found.inside < 0.03 and "outside the bank" in str(found)
        )


def test_times_are_read(bank, table):
    plain = rules.identify(table, bank=bank)
    timed = rules.identify({"step": [20, 40, 60], **table}, bank=bank)
    assert timed == plain
    four = {name: np.interp([0, 0.5, 1, 2], [0, 1, 2], part) for name, part in table.items()}
    late = rules.identify({"epoch": [0.0, 1.0, 2.0, 4.0], **four}, bank=bank)
    assert late.snapshots == 3 and late.probabilities == pytest.approx(plain.probabilities, abs=1e-9)
    two = rules.identify({k: [v[0], v[2]] for k, v in table.items()}, bank=bank)
    assert two.snapshots == 2


def bad(table):
    name = next(iter(table))
    yield {**table, name: [1.0] * 3}, "constant"
    yield {**table, name: [1.0, float("nan"), 2.0]}, "NaN"
    yield {key: part[:1] for key, part in table.items()}, "two snapshots"
    yield {**table, "act.entropy.1": [1, 2, 3]}, "known statistics"
    yield {**table, "act.mean.7": [1, 2, 3]}, "layers"
    yield {**table, "WEIGHT raw NORM 1": [1, 2, 3]}, "once"
    yield {**table, name: [1.0, 2.0]}, "one length"
    yield {**table, name: ["a", "b", "c"]}, "real number"
    yield {**table, name: [1.0, float("inf"), 2.0]}, "within"
    yield {**table, name: [1, 2, 10**400]}, "finite|within"
    yield {"step": [1, 2, 3]}, "columns of statistics"
    yield {"step": [3, 2, 1], **table}, "rise"
    yield {"step": [1, 2, 3], "t": [1, 2, 3], **table}, "one column of times"
    yield {}, "map names"
    yield {3: [1, 2]}, "map names"
    yield np.eye(3), "named columns"
    yield None, "named columns"
    yield "nowhere.csv", "exists"


@pytest.mark.parametrize("place", range(18))
def test_bad_tables(bank, table, place):
    given, says = next(itertools.islice(bad(table), place, None))
    with pytest.raises(ArgumentError, match=says):
        rules.identify(given, bank=bank)


def test_bad_banks(table):
    for given in (
        {"networks": 1}, {"networks": 3, "widths": (20, 30)}, {"widths": ()}, {"widths": "50"}, {"widths": (1,)},
        {"steps": 0}, {"snapshots": 1}, {"steps": 3, "snapshots": 4}, {"units": 1}, {"noise": -1.0},
        {"noise": float("nan")},
        {"seed": -1}, {"device": "tpu"}, {"networks": 10**9}, {"widths": (10**9,)},
    ):  # fmt: skip
        with pytest.raises(WidelimitError):
            rules.bank(**{**SMALL, **given})
    with pytest.raises(ArgumentError, match="Bank"):
        rules.identify(table, bank="bank")
    with pytest.raises(ArgumentError, match="classifier"):
        rules.identify(table, classifier="trees")
