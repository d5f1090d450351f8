"""What the fuzz hands to public functions: ordinary values by a parameter's name and annotation, and hostile ones.

Ordinary values are cheap: activations whose moments are in closed form, small depths and short lists. Hostile ones are
made fresh for each call, as some of them can be used once.
"""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy
from hypothesis import strategies as st

from widelimit.theory import Activation
from widelimit.theory.freeprob import marchenko_pastur, semicircle

x, z = sympy.Symbol("x", real=True), sympy.Symbol("z")
half = sympy.Rational(1, 2)


class Odd:
    """An object whose every conversion fails in a way of its own."""

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __array__(self, *args: Any, **more: Any) -> Any:
        raise RuntimeError("no array")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __repr__(self) -> str:
        return "Odd()"


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


NUMBERS: list[Callable[[], Any]] = [
    *(
        lambda value=value: value
        for value in (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, -1.0, 1.0)
    ),
    *(
        lambda value=value: value
        for value in (5e-324, 1e-200, 1e-9, 1 - 1e-16, 1 + 1e-12, 1e8, 1e200, 1.7e308)
    ),
    *(lambda value=value: value for value in (0, -1, 2, 3, 10**6, 10**12, 2**63, 10**400, -(10**400))),
    *(lambda value=value: value for value in (True, False, None, 1j, complex("nan"), 1 + 0j)),
    lambda: np.float64("nan"),
    lambda: np.float32(0.1),
    lambda: np.int64(3),
    lambda: np.bool_(True),
    lambda: np.complex128(1j),
    lambda: np.datetime64("2020-01-01"),
    lambda: Fraction(1, 3),
    lambda: Decimal("0.5"),
    lambda: Decimal("NaN"),
    lambda: mpmath.mpf("0.5"),
    lambda: mpmath.mpf("nan"),
    lambda: mpmath.mpc(0, 1),
]
TEXTS: list[Callable[[], Any]] = [
    *(
        lambda value=value: value
        for value in ("", "text", "1", "nan", "0.5", "x", "x.__class__", "\udc80", "\x00")
    ),
    *(
        lambda value=value: value
        for value in ("relu", "x**3", "1/x", "exp(x**2)", "log(x)", "x^2", "σ", "x" * 9999)
    ),
    *(
        lambda value=value: value
        for value in ("(" * 300, "__import__('os')", "9**9**9", "lambda: 0", "orthogonal")
    ),
    *(lambda value=value: value for value in (b"x", bytearray(b"1"))),
]
ARRAYS: list[Callable[[], Any]] = [
    *(
        lambda value=value: value
        for value in ([], [1], [-1.0], [0], [float("nan")], [1, 2, 3], [[1, 2], [3]])
    ),
    *(
        lambda value=value: value
        for value in ([["a"]], [None], [[]], (), ((0.0, 1.0),), [(1, "a")], [10**400])
    ),
    *(
        lambda value=value: value
        for value in ([(1.0, 0.5), (4.0, 0.5)], [(0.0, 2.0)], [[0.0, 1.0], [1.0, 0.0]])
    ),
    lambda: np.array([]),
    lambda: np.array([1.0, np.nan]),
    lambda: np.array([np.inf]),
    lambda: np.array(2.0),
    lambda: np.zeros((2, 0, 3)),
    lambda: np.zeros((2, 2)),
    lambda: np.ones((3, 2)),
    lambda: np.array(["a"]),
    lambda: np.array([1j, 2]),
    lambda: np.array([True]),
    lambda: np.array([1, None], dtype=object),
    lambda: np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    lambda: _nested(70),
]
SYMBOLIC: list[Callable[[], Any]] = [
    *(
        lambda value=value: value
        for value in (sympy.nan, sympy.oo, -sympy.oo, sympy.zoo, sympy.I, half, z, x)
    ),
    *(
        lambda value=value: value
        for value in (sympy.Integer(10) ** 400, sympy.Float("nan"), sympy.pi, sympy.true)
    ),
    *(lambda value=value: value for value in (x**2, 1 / x, sympy.exp(x**2), z * x, sympy.sqrt(-1 - x**2))),
    lambda: sympy.Function("f")(x),
    lambda: sympy.Matrix([[1, 2]]),
    lambda: sympy.Eq(x, 1, evaluate=False),
    lambda: sympy.Piecewise((x, x > 0)),
]
OBJECTS: list[Callable[[], Any]] = [
    dict,
    set,
    object,
    Odd,
    lambda: {"a": 1},
    lambda: range(3),
    lambda: (i for i in (1, 2)),
    lambda: lambda value: value,
    lambda: int,
    lambda: datetime.date(2020, 1, 1),
    lambda: Ellipsis,
    lambda: NotImplemented,
    semicircle,
    lambda: Activation.of("relu"),
]
FINITE = [
    make
    for make in SYMBOLIC
    if isinstance(make(), sympy.Expr) and make().is_finite is not False and make() != sympy.nan
]
HOSTILE = [*NUMBERS, *TEXTS, *ARRAYS, *SYMBOLIC, *OBJECTS]
# Arguments that other functions of ours make: engine parts, spoiled by other expressions that are finite, and no more.
INNER = ("Expr", "Expr | None", "Activation", "Symbol", "tuple[Expr, ...]")

_ACTIVATIONS = ("relu", "tanh", "linear", "erf")
_NAMED: dict[str, tuple[Any, ...]] = {
    "activation": _ACTIVATIONS,
    "activations": (["relu"], ["relu", "linear"]),
    "a": (Activation.of("relu"),),
    "sigma_w": (1.0, 1.3, 0.7),
    "sigma_b": (0.1, 0.0, 0.4),
    "sigma_v": (0.5, 1.0),
    "sigma_a": (0.1,),
    "keep": (1.0, 0.9),
    "depth": (1, 2, 4),
    "steps": (3,),
    "points": (33,),
    "order": (1, 2, 3),
    "k": (1, 2),
    "n": (3, 4),
    "size": (3,),
    "batch": (8, 16),
    "factors": (1, 2),
    "layers": (1, 3),
    "samples": (10, 30),
    "outputs": (1, 3),
    "positions": (8,),
    "filter_size": (3,),
    "width": (100, 50.0),
    "eigenvalues": ([1.0, 0.1], [2.0, 1.0, 0.5]),
    "weights": (None,),
    "signal": ([1.0, 0.5],),
    "noise": (0.1, 0.0),
    "sample_ratio": (0.5, 2.0),
    "feature_ratio": (0.5, 2.0),
    "penalty": (0.1, 0.0),
    "low": (0.1,),
    "high": (3.0,),
    "p": (0.5, half),
    "ratio": (0.5, 1),
    "rate": (0.5, 2),
    "ratios": ([1, 2],),
    "lengths": ([1.0],),
    "t": (0.5, 1),
    "atoms": ([(0, half), (1, half)], [(-1.0, 0.5), (1.0, 0.5)]),
    "first": ([(-1.0, 0.5), (1.0, 0.5)],),
    "second": ([(0.0, 0.5), (1.0, 0.5)],),
    "law": ([(0.0, 0.5), (1.0, 0.5)],),
    "given": (semicircle(), marchenko_pastur(half)),
    "kept": (0.5,),
    "exponent": (2.0, 1.5),
    "kind": ("smooth", "bernoulli", "uniform"),
    "s0_squared": (0.3, 0.5),
    "strength": (0.3,),
    "q": (1.0, 0.5),
    "c": (0.5, 1.0),
    "widths": ([3, 4, 5],),
    "input_moment": (1.0,),
    "input_overlap": (0.5, 0.1),
    "start": ([1.0, 0.2],),
    "end": ([0.1, 1.0],),
    "x": ([0.5, 1.0],),
    "x1": ([[1.0, 0.0], [0.6, 0.8]],),
    "x2": (None, [[0.0, 1.0]]),
    "x_train": ([[1.0, 0.0], [0.0, 1.0]],),
    "y_train": ([1.0, -1.0],),
    "x_test": ([[0.6, 0.8]],),
    "X": (np.random.default_rng(0).standard_normal((12, 3)),),
    "y": (np.random.default_rng(1).standard_normal(12),),
    "ntk": (np.eye(2),),
    "nngp": (np.eye(2),),
    "targets": ([1.0, 0.0],),
    "test_ntk": (np.ones((1, 2)) / 2,),
    "test_nngp": (np.ones((1, 2)) / 2,),
    "test_test_nngp": (np.ones((1, 1)),),
    "result": ("test-error", "bias-variance"),
    "value": ([[1.0, 2.0]],),
    "name": ("x1",),
    "S": (1 / (1 + sympy.Symbol("m")),),
    "f": (x**2,),
    "slope": (half,),
    "v": ((half, half),),
}
_TYPED: dict[str, tuple[Any, ...]] = {
    "float": (0.5, 1.0),
    "int": (2, 3),
    "str": ("relu",),
    "bool": (False, True),
}


def ordinary(parameter: inspect.Parameter) -> st.SearchStrategy[Any]:
    """Values that a parameter is meant for, by its name, else by its annotation, else its default."""
    if parameter.annotation == "Propagation":
        return st.builds(_propagation)
    if parameter.name in _NAMED:
        return st.sampled_from(_NAMED[parameter.name])
    if str(parameter.annotation) in INNER:
        return st.just(sympy.Symbol(parameter.name, positive=True))
    for kind, values in _TYPED.items():
        if re.search(rf"(?<!\w){kind}\b", str(parameter.annotation)):
            return st.sampled_from(values)
    return st.just(None if parameter.default is parameter.empty else parameter.default)


def _propagation() -> Any:
    from widelimit.numerics import fisher

    return fisher.propagation(
        "relu", sigma_w=1.0, sigma_b=0.1, widths=[3, 4, 5], input_moment=1.0, input_overlap=0.5
    )


def hostile(parameter: inspect.Parameter) -> st.SearchStrategy[Any]:
    """Values that a parameter is not meant for, and some that it can do with."""
    if str(parameter.annotation) in INNER:
        return st.sampled_from(FINITE).map(lambda make: make())
    made = st.sampled_from(HOSTILE).map(lambda make: make())
    return st.one_of(made, made, made, st.floats(), st.integers(), st.lists(st.floats(), max_size=3))


@st.composite
def arguments(draw: st.DrawFn, function: Callable[..., Any]) -> dict[str, Any]:
    """Arguments by name: ordinary ones, of which one or two are spoiled."""
    parameters = [
        one
        for one in inspect.signature(function).parameters.values()
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    needed = [one.name for one in parameters if one.default is one.empty]
    open_ = [
        one.name for one in parameters if one.annotation != "Propagation"
    ]  # a result of ours is made by us
    spoiled = draw(st.sets(st.sampled_from(open_), max_size=2))
    return {
        one.name: draw(hostile(one) if one.name in spoiled else ordinary(one))
        for one in parameters
        if one.name in spoiled or one.name in needed
    }
