"""Results pickle, copy and compare: every record of every floor that can hold an array, and real ones of each topic."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import re

import numpy as np
import pytest
import torch

import widelimit.numerics
import widelimit.theory
import widelimit.validate
from widelimit.theory.topics import TOPICS
from widelimit.validate.cli import options

ARRAYS = re.compile(r"ndarray|\bArray\b|Tensor")
FLOORS = (widelimit.theory, widelimit.numerics, widelimit.validate)


def modules():
    for floor in FLOORS:
        for found in pkgutil.walk_packages(floor.__path__, floor.__name__ + "."):
            yield importlib.import_module(found.name)


def may_hold_arrays(field):
    text = str(field.type)
    return text == "Any" or bool(ARRAYS.search(text) and "Callable" not in text)


@pytest.fixture(scope="module")
def records():
    """All dataclasses of all floors with a field that can hold an array."""
    return [
        value
        for module in modules()
        for value in vars(module).values()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and dataclasses.is_dataclass(value)
        and any(map(may_hold_arrays, dataclasses.fields(value)))
    ]


def filled(cls, array):
    """An instance whose every field holds an array, whatever its constructor would say to that."""
    made = object.__new__(cls)
    for field in dataclasses.fields(cls):
        object.__setattr__(made, field.name, array)
    return made


def pickled(value):
    return pickle.loads(pickle.dumps(value))


def test_the_walk_finds_what_it_should(records):
    names = {cls.__name__ for cls in records}
    assert {"MeanField", "Kernels", "DataTheory", "Propagation", "Judgement", "PairMoments"} <= names
    assert len(names) > 35


def test_records_of_arrays_compare_by_value(records):
    for cls in records:
        one = filled(cls, np.array([1.0, np.nan]))
        for other in (pickled(one), copy.deepcopy(one), filled(cls, np.array([1.0, np.nan]))):
            assert (one == other) is True and (one != other) is False, cls
        for array in (np.array([1.0, 2.0]), np.array([[1.0, np.nan]]), np.array(1.0), 1.0, None):
            assert (one == filled(cls, array)) is False and (filled(cls, array) == one) is False, cls
        assert (one == "text") is False and (one == None) is False, cls  # noqa: E711
        with pytest.raises(TypeError, match="unhashable"):
            hash(one)


def test_tensors_and_nested_parts_compare():
    from widelimit.numerics.results import same

    assert same(torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")]))
    assert not same(torch.ones(2), torch.ones(3))
    assert same({"a": [np.ones(2), (float("nan"),)]}, {"a": [np.ones(2), (float("nan"),)]})
    assert not same({"a": [np.ones(2)]}, {"a": [np.zeros(2)]})
    assert same(np.array(["x", "y"]), np.array(["x", "y"])) and not same(np.ones(2), np.array(["x", "y"]))
    assert not same(np.ones(2), 1.0) and same(np.float64(1), 1.0) and not same((1,), [1])


def test_records_of_numbers_hash_as_they_compare():
    from widelimit.numerics.batchnorm import BatchNorm

    one, other = (BatchNorm(float("nan"), None, 2.0) for _ in range(2))
    assert one == other and hash(one) == hash(other) and one != BatchNorm(1.0, None, 2.0)


NEEDED = {
    "ridge": {"eigenvalues": [1.0, 0.1], "signal": [1.0, 0.5], "sample_ratio": 0.5},
    "ssl": {"weight_decay": 0.04, "augmentation": 0.5},
    "pruning": {"widths": [10, 20, 5]},
    "spectra": {"eigenvalues": [9.0, 2.0, 1.0, 0.5], "samples": 20},
}


@pytest.mark.parametrize("topic", TOPICS)
def test_predictions_of_every_topic(topic):
    function = options.topic_function(topic, "numerics", "predict")
    one = function(**options.bind(function, [], topic), **NEEDED.get(topic, {}))
    if not dataclasses.is_dataclass(one):
        pytest.skip("a labelled table")
    for other in (pickled(one), copy.deepcopy(one)):
        assert type(other) is type(one) and (one == other) is True
    name = next(f.name for f in dataclasses.fields(one) if isinstance(getattr(one, f.name), float))
    assert (one == dataclasses.replace(one, **{name: -17.25})) is False


def results():
    """Results with arrays in them, one a kind."""
    from widelimit.numerics import fisher, kernel, meanfield, ridge
    from widelimit.numerics.meanfield import trajectories

    yield lambda: meanfield.solve("erf", sigma_w=[0.5, 1.2], sigma_b=0.3)
    yield lambda: trajectories.propagate("erf", sigma_w=1.2, sigma_b=0.3, q0=1.0, c0=0.5, depth=3)
    yield lambda: kernel.nngp_ntk(np.eye(2), activation="relu", sigma_w=1.5, sigma_b=0.1, depth=2)
    yield lambda: fisher.propagation(
        "relu", sigma_w=1.0, sigma_b=0.1, widths=[3, 4, 5], input_moment=1.0, input_overlap=0.1
    )
    yield lambda: ridge.solve(
        eigenvalues=[1, 0.1], signal=[1, 1], noise=0.1, sample_ratio=0.5, penalty=[0, 1]
    )
    yield lambda: ridge.from_data(*_data())
    yield lambda: kernel.predict(np.eye(2), [1.0, 2.0], np.ones((1, 2)), activation="relu", sigma_w=1.0)


def _data():
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((40, 5))
    return rows, rows[:, 0] + draw.standard_normal(40)


@pytest.mark.parametrize("make", list(results()))
def test_results_of_solvers(make):
    one = make()
    for other in (pickled(one), copy.deepcopy(one), make()):
        assert (one == other) is True


@pytest.mark.parametrize("topic", TOPICS)
def test_derivations_of_every_topic(topic):
    function = options.topic_function(topic, "theory", "derive")
    one = function(**options.bind(function, [], topic))
    for other in (pickled(one), copy.deepcopy(one), function(**options.bind(function, [], topic))):
        assert (one == other) is True
        assert other.latex() == one.latex(), "SymPy evaluates an equation that it rebuilds"


@pytest.mark.parametrize("result", ["separated-scales", "penalty-jump", "power-law"])
def test_derivations_with_numerics_of_their_own(result):
    from widelimit.theory import ridge

    one = ridge.derive(result)
    assert (pickled(one) == one) is True and (copy.deepcopy(one) == one) is True


def counted(values, dps):
    """What five stands for."""
    return len("fiver")


def test_equations_survive_a_copy():
    from sympy import Eq, Integer, Symbol

    from widelimit.theory import Step

    five = Eq(Integer(5), Integer(5), evaluate=False)
    step = Step("five", five, "it is", domain={Symbol("a"): (0, 1)}, left=counted)
    for other in (pickled(step), copy.deepcopy(step)):
        assert isinstance(other.equation, Eq) and other == step
