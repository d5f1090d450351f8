"""widelimit is a namespace of three portions; an `__init__.py` in one of them would hide the others."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_init_in_the_namespace_itself():
    for floor in ("theory", "numerics", "validate"):
        assert not (ROOT / floor / "widelimit" / "__init__.py").exists()
        assert (ROOT / floor / "widelimit" / floor / "__init__.py").exists()
        assert (ROOT / floor / "widelimit" / floor / "py.typed").exists()


def test_public_names_of_the_theory_floor():
    from widelimit.theory import Activation, Derivation, Expectation, Step

    assert {Activation, Derivation, Expectation, Step}
