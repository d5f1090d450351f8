"""What is refused at the door, and in which words."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError


@pytest.mark.parametrize(
    "value", ["1", b"1", None, True, [1, "2"], ["1"], 1j, {}, [[1], [1, 2]], [None, 1.0]]
)
def test_what_is_no_number(value):
    with pytest.raises(
        ArgumentError, match=r"^Argument `a` must be a real number or an array of them, but is"
    ):
        arguments.real("a", value)


@pytest.mark.parametrize(
    ("checker", "value", "words"),
    [
        (arguments.positive, 0.0, r"must be positive, but is 0\.0"),
        (arguments.positive, [1.0, -2.0], "must be positive, but is -2.0"),
        (arguments.non_negative, -1, "must not be negative, but is -1.0"),
        (arguments.finite, float("inf"), "must be finite, but is inf"),
        (arguments.finite, [1.0, float("nan")], "must be a number, but holds NaN"),
        (arguments.probability, 1.5, "must be above 0 and at most 1, but is 1.5"),
        (arguments.correlation, -1.1, r"must lie in \[-1, 1\], but is -1.1"),
        (arguments.vector, [], "must be a non-empty list of numbers"),
        (arguments.increasing, [1.0, 1.0], "must be strictly increasing"),
        (arguments.count, 2.0, "must be an integer of at least 1, but is 2.0"),
        (arguments.count, True, "must be an integer"),
    ],
)
def test_ranges(checker, value, words):
    with pytest.raises(ArgumentError, match=words):
        checker("a", value, help="") if checker is not arguments.count else checker("a", value)


def test_what_passes():
    assert arguments.real("a", Fraction(1, 4)) == 0.25
    assert arguments.real("a", [sympy.Rational(1, 2), 1]).tolist() == [0.5, 1.0]
    assert arguments.count("n", np.int64(3)) == 3
    assert arguments.scalar(np.array(2.0)) == 2.0 and isinstance(arguments.scalar(np.array(2.0)), float)
    assert arguments.choice("a", "x", ("x", "y")) == "x"
    with pytest.raises(ArgumentError, match="one of 'x', 'y'"):
        arguments.choice("a", "z", ("x", "y"))
    with pytest.raises(ArgumentError, match="broadcast"):
        arguments.broadcast(a=np.ones(2), b=np.ones(3))
