"""Every public result draws itself or says why not, and shows itself as a table."""

import importlib
import inspect
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from widelimit.theory.calculus import pictured
from widelimit.theory.errors import ArgumentError, PictureError
from widelimit.theory.topics import EXTENDS, TOPICS
from widelimit.validate import pictures
from widelimit.validate.pictures.drawing import function_of

ROOT = Path(__file__).parents[3]
# What public functions return that is no result: tools and parts of solvers.
NO_RESULTS = {"Compiled", "Activation", "Architecture", "Derivation", "Law", "Cell", "Expr"}


def returned():
    """Classes of ours that public functions of topics return, by their annotations."""
    found = {}
    for floor in ("numerics", "validate"):
        for topic in [*TOPICS, *EXTENDS, "network"]:
            if not find_spec(f"widelimit.{floor}.{topic}"):
                continue
            module = importlib.import_module(f"widelimit.{floor}.{topic}")
            for name, value in vars(module).items():
                if name.startswith("_") or not inspect.isfunction(value):
                    continue
                space = vars(sys.modules[value.__module__])
                for word in re.findall(r"\w+", str(value.__annotations__.get("return", ""))):
                    cls = space.get(word)
                    if (
                        inspect.isclass(cls)
                        and cls.__module__.startswith("widelimit.")
                        and not issubclass(cls, Exception)
                    ):
                        found.setdefault(cls, f"{floor}.{topic}.{name}")
    return found


def test_every_public_result_has_a_picture_or_a_reason():
    found = returned()
    assert len(found) > 80
    unknown = []
    for cls, name in found.items():
        if cls.__name__ in NO_RESULTS and cls.__module__.split(".")[2] != "retina":
            continue
        if pictures.reason_against(cls) is None:
            try:
                function_of(cls)
            except PictureError:
                unknown.append(f"{name} -> {cls.__module__}.{cls.__name__}")
        if not (callable(getattr(cls, "plot", None)) or cls.__name__ == "Portrait"):
            unknown.append(f"{cls.__name__} has no plot")
        if not callable(getattr(cls, "_repr_html_", None)):
            unknown.append(f"{cls.__name__} has no table")
    assert not unknown, unknown


def test_tables_of_pictures_name_classes_that_exist():
    """A class that was renamed would silently lose its picture."""
    from importlib.resources import files

    here = files("widelimit.validate.pictures")
    tools = {"__init__", "commands", "drawing", "files", "kit", "labelled", "layerwise", "notation", "tables"}
    rooms = {path.name.removesuffix(".py") for path in here.iterdir() if path.name.endswith(".py")} - tools
    assert len(rooms) > 20
    for room in rooms:
        table = importlib.import_module(f"widelimit.validate.pictures.{room}")
        said = set(table.PICTURES) | set(table.NO_PICTURE)
        assert not set(table.PICTURES) & set(table.NO_PICTURE), room
        known = set()
        for floor in ("theory", "numerics", "validate"):
            for one in [
                ROOT / floor / "widelimit" / floor / f"{room}.py",
                ROOT / floor / "widelimit" / floor / room,
            ]:
                for path in one.rglob("*.py") if one.is_dir() else [one] * one.is_file():
                    known |= set(re.findall(r"^class (\w+)", path.read_text(), re.M))
        assert said <= known, (room, said - known)


def test_one_clear_error_where_the_floor_that_draws_is_missing(monkeypatch):
    from widelimit.numerics import batchnorm

    one = batchnorm.predict("relu")
    monkeypatch.setattr(pictured, "PICTURES", "widelimit.validate.no_such_room")
    with pytest.raises(PictureError, match=r"A `BatchNorm` cannot be drawn here: .* is missing\. Install"):
        one.plot()
    assert one._repr_html_() is None


def test_numerics_does_not_import_matplotlib():
    import subprocess

    code = (
        "import sys; from widelimit.numerics import meanfield; meanfield.solve('tanh', sigma_w=1.5);"
        "print('matplotlib' in sys.modules, 'widelimit.validate' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.fixture
def point():
    from widelimit.numerics import meanfield

    return meanfield.solve("tanh", sigma_w=1.5, sigma_b=0.1)


def test_wrong_axes_and_options_are_refused_by_name(point):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    with pytest.raises(ArgumentError, match=r"Argument `ax` must be Matplotlib's axes, but is 3\."):
        point.plot(3)
    with pytest.raises(
        ArgumentError, match=r"Argument `color` must be no option here.* It takes x, label, depth\."
    ):
        point.plot(color="red")
    with pytest.raises(ArgumentError, match=r"Argument `x` must hold 3 numbers"):
        from widelimit.numerics import meanfield

        meanfield.solve("tanh", sigma_w=[1.0, 1.2, 1.5], sigma_b=0.1).plot(x=[1.0, 2.0])
    assert pyplot.get_fignums() == before  # a figure that came to nothing is closed


def test_a_single_point_that_is_no_picture_says_what_to_do():
    from widelimit.numerics import coding

    with pytest.raises(
        PictureError, match=r"This `CriticalBalance` is a single point, .* Solve for an array"
    ):
        coding.critical_balance("tanh", delay=0.1, noise=0.75).plot()
