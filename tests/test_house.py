"""The house follows its plan: engines, one room a topic on each floor, contracts in the order of the topics."""

import ast
import tomllib
from pathlib import Path

import pytest

from widelimit.theory.topics import EXTENDS, TOPICS

ROOT = Path(__file__).parents[1]
ENGINES = {
    "theory": {"calculus", "errors", "topics"},
    "numerics": {
        "compile",
        "cells",
        "intervals",
        "orbits",
        "files",
        "arguments",
        "costs",
        "results",
        "labelled",
        "threads",
        "estimation",
    },
    "validate": {
        "harness",
        "claims",
        "simulate",
        "network",
        "autograd",
        "report",
        "cli",
        "run",
        "together",
        "claim",
        "modules",
        "pictures",
    },
}


def rooms(folder):
    """Names of the files and packages of a folder."""
    return {
        one.stem for one in folder.iterdir() if one.suffix == ".py" or (one / "__init__.py").is_file()
    } - {"__init__"}


@pytest.mark.parametrize("floor", ENGINES)
def test_a_floor_is_an_engine_and_topics(floor):
    found = rooms(ROOT / floor / "widelimit" / floor)
    assert ENGINES[floor] <= found
    assert found - ENGINES[floor] <= {*TOPICS, *EXTENDS}


@pytest.mark.parametrize("column", ["claims", "simulate"])
def test_claims_and_simulations_are_rooms_of_topics(column):
    assert rooms(ROOT / "validate" / "widelimit" / "validate" / column) <= {*TOPICS, *EXTENDS}


def test_what_is_extended_is_a_topic():
    assert set(EXTENDS.values()) <= set(TOPICS)
    assert not set(EXTENDS) & set(TOPICS)


def test_contracts_name_every_topic_in_its_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    seen = 0
    for contract in contracts:
        layers = [layer.strip("()") for layer in contract.get("layers", ()) if layer.startswith("(")]
        if layers:
            seen += 1
            assert [layer for layer in reversed(layers) if layer not in EXTENDS] == list(TOPICS), contract[
                "name"
            ]
    assert seen == 3


def test_a_room_with_several_files_says_what_is_where():
    """The face of a room of ours: a docstring that names each of its files."""
    silent = []
    for floor in ENGINES:
        for face in (ROOT / floor / "widelimit" / floor).rglob("__init__.py"):
            text = face.read_text()
            said = text.split('"""')[1]
            files = rooms(face.parent)
            if face.parent.name != floor and not {"claims", "simulate", "pictures"} & {face.parent.name}:
                silent += [f"{face.parent.relative_to(ROOT)}: {name}" for name in files if name not in said]
    assert not silent, silent


def test_no_name_of_a_face_hides_a_file():
    """``geometry.line`` is a function or a file: what the face exports must not bear a file's name, or it is lost."""
    hidden = []
    for floor in ENGINES:
        for face in (ROOT / floor / "widelimit" / floor).rglob("__init__.py"):
            exported = {
                alias.asname or alias.name
                for node in ast.parse(face.read_text()).body
                if isinstance(node, ast.ImportFrom) and not (node.module or "").endswith(face.parent.name)
                for alias in node.names
            } | {node.name for node in ast.parse(face.read_text()).body if isinstance(node, ast.FunctionDef)}
            hidden += [f"{face.parent.relative_to(ROOT)}: {name}" for name in exported & rooms(face.parent)]
    assert not hidden, hidden
