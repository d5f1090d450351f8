"""widelimit is a namespace of three portions; an `__init__.py` in one of them would hide the others."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_init_in_the_namespace_itself():
    for floor in ("theory", "numerics", "validate"):
        assert not (ROOT / floor / "widelimit" / "__init__.py").exists()
        assert (ROOT / floor / "widelimit" / floor / "__init__.py").exists()
        assert (ROOT / floor / "widelimit" / floor / "py.typed").exists()


def test_rooms_by_attribute_are_imported_when_asked_for():
    """In a fresh process: start-up loads neither numba nor torch, and `dir` names what is there."""
    code = (
        "import sys; from widelimit import numerics, theory, validate;"
        "assert not {'numba', 'torch'} & set(sys.modules);"
        "assert {'meanfield', 'ridge', '__version__'} <= set(dir(numerics)) & set(dir(theory));"
        "assert theory.meanfield.derive and numerics.arguments.real and not hasattr(numerics, 'nothing');"
        "assert theory.__version__ == numerics.__version__ == validate.__version__; print(theory.__version__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip()[0].isdigit()


def test_public_names_of_the_theory_floor():
    from widelimit.theory import Activation, Derivation, Expectation, Step

    assert {Activation, Derivation, Expectation, Step}
