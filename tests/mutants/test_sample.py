"""The sampler of mutants changes what computes, and finds the tests that should see it."""

import ast
import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("mutants_sample", Path(__file__).with_name("sample.py"))
sample = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = sample  # dataclasses look their module up
_spec.loader.exec_module(sample)

TEXT = '''"""Text of 1 + 1 is no code."""
__all__ = ["f"]


def f(x: int = 2) -> "1 + 1":
    """Return x*3, ä."""
    if x <= (1) and not x:
        raise ValueError("1" + str(x - 1))
    return (x + 0.5)**2 - x
'''


def test_all_that_computes_is_changed_and_nothing_else():
    found = sample.mutants(Path("a.py"), TEXT)
    assert {(one.old, one.new) for one in found} == {
        ("2", "3"), ("<=", "<"), ("1", "2"), ("and", "or"), ("+", "-"), ("0.5", "0.75"), ("**", "*"), ("-", "+"),
    }  # fmt: skip
    for one in found:
        ast.parse(one.written(TEXT))
        assert one.written(TEXT) != TEXT


def test_every_mutant_of_the_sources_parses():
    for floor in sample.FLOORS:
        for file in sorted((sample.ROOT / floor).rglob("*.py"))[::9]:
            text = file.read_text()
            for one in sample.mutants(file, text)[::7]:
                ast.parse(one.written(text))


def test_tests_of_a_room_are_found():
    found = sample.judges(Path("numerics/widelimit/numerics/geometry/line.py"))
    assert any("geometry" in one for one in found)
    claims = sample.judges(Path("validate/widelimit/validate/claims/ridge/curves.py"))
    assert claims and all("ridge" in one or "claims" in Path(one).read_text() for one in claims)
