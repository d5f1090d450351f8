"""Derivations in notebooks: LaTeX whose lines of words fit, and a table with the same equations."""

import re

import pytest

from widelimit.theory import meanfield


@pytest.fixture(scope="module")
def derivation():
    return meanfield.derive("relu")


def test_reasons_are_wrapped_and_complete(derivation):
    lines = re.findall(r"\\quad\\text\{((?:[^{}]|\{\})*)\}", derivation._repr_latex_())
    plain = [
        re.sub(r"\\text(ascii)?(backslash|circum|tilde)\{\}", "^", line).replace("\\", "") for line in lines
    ]
    assert max(map(len, plain)) <= 84
    said = "".join("".join(plain).split())
    for step in derivation:
        assert "".join(step.because.replace("~", "^").split()) in said


def test_the_table_has_every_step(derivation):
    html = derivation._repr_html_()
    for step in derivation:
        assert f">{step.name}</td>" in html
    assert html.count("$\\displaystyle ") == len(derivation)
    assert "<script" not in html
