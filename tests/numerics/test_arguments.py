"""What is refused at the door, and in which words."""

import datetime
import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pandas as pd
import pytest
import sympy
import torch
import xarray as xr

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


class Floating:
    """A thing with a value, which is no number for that."""

    def __float__(self):
        return 1.0


class Broken:
    """A container that fails when asked for its numbers."""

    def __array__(self, *_, **__):
        raise KeyError("no")


REFUSED = [
    {1, 2}, (i for i in [1.0]), [True, 2.0], [[1, 2], [True, 3]], np.array([True]), np.datetime64("2020"),
    bytearray(b"12"), memoryview(b"12"), Floating(), [Floating()], Broken(), object(), np.array([1, "a"], object),
    sympy.I,
    sympy.Symbol("x"), datetime.date(2020, 1, 1), np.timedelta64(1),
    np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    torch.tensor([True]), torch.tensor([1j]), pd.Series(["1", "2"]), pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    np.ma.array([1.0, 2.0], mask=[False, True]), lambda: 1, sympy.pi > 3, sympy.zoo,
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_foreign_things_are_refused_in_one_form(value):
    with pytest.raises(
        ArgumentError, match=r"^Argument `a` must be a real number or an array of them, but"
    ) as caught:
        arguments.real("a", value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        10**400, [1, 10**400], Fraction(10**400), Decimal("1e400"), sympy.Integer(10) ** 400, sympy.Float("1e400"),
        sympy.oo,
        mpmath.mpf("1e400"), np.longdouble("1e4000"), sympy.exp(sympy.exp(sympy.exp(10))), 10**5000,
        float("inf"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_no_float_holds_is_infinite(value):
    with pytest.raises(ArgumentError, match=r"^Argument `a` must be finite, but is inf\.$"):
        arguments.real("a", value)
    if not isinstance(value, list):
        with pytest.raises(ArgumentError, match=r"^Argument `a` must be finite, but is -inf\.$"):
            arguments.real("a", -value)


@pytest.mark.parametrize(
    ("value", "right"),
    [
        (torch.tensor([1.0, 2.0], requires_grad=True), [1, 2]), (torch.tensor([1.5], dtype=torch.bfloat16), [1.5]),
        (pd.Series([1.0, 2.0]), [1, 2]), (pd.DataFrame({"a": [1, 2]}), [[1], [2]]), (xr.DataArray([1.0, 2.0]), [1, 2]),
        (range(3), [0, 1, 2]), (2**70, 2.0**70), (1e-320, 1e-320), (sympy.sqrt(2), math.sqrt(2)),
        (np.float16(1.5), 1.5),
        (mpmath.mpf(1) / 3, 1 / 3), (Decimal("0.1"), 0.1), (np.ma.array([1.0, 2.0]), [1, 2]), (torch.tensor(3), 3),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_numbers_of_other_libraries(value, right):
    assert np.array_equal(arguments.real("a", value), np.array(right, dtype=float))


@pytest.mark.parametrize(
    "value", [pd.Series([1.0, None]), pd.array([1, None], dtype="Int64"), sympy.nan, Decimal("NaN")]
)
def test_missing_values_are_named(value):
    with pytest.raises(ArgumentError, match=r"must be a number, but (is|holds) NaN"):
        arguments.real("a", value)


def test_flags():
    assert arguments.flag("a", np.bool_(True)) is True
    with pytest.raises(ArgumentError, match="must be True or False, but is 'False'"):
        arguments.flag("a", "False")


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
