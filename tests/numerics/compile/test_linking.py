"""Functions that compiled code calls are linked into their callers, and are compiled when Python asks for them."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba import types
from numba.core import event

from widelimit.numerics.compile.cache.linking import Function, Linked, njit

NUMBER = types.float64
ONE = types.FunctionType(NUMBER(NUMBER))


def square():
    """A function that others call."""

    @njit(error_model="numpy")
    def squared(x):
        return x * x

    return squared


def sum_of(called):
    @njit
    def summed(values):
        total = 0.0
        for value in values:
            total += called(value)
        return total

    return summed


def is_linked(function, *args):
    return isinstance(function.overloads[args].library, Linked)


def test_a_callee_has_no_machine_code():
    inner = square()
    outer = sum_of(inner)
    assert outer(np.arange(4.0)) == 14.0
    assert is_linked(inner, NUMBER)
    assert not is_linked(outer, types.Array(NUMBER, 1, "C"))
    lowered = inner.overloads[NUMBER,]
    assert lowered.library.get_pointer_to_function(lowered.fndesc.llvm_cpython_wrapper_name) == 0
    assert lowered.library.get_pointer_to_function(lowered.fndesc.llvm_cfunc_wrapper_name) == 0


def test_python_gets_machine_code_where_a_callee_was():
    inner = square()
    outer = sum_of(inner)
    assert outer(np.arange(3.0)) == 5.0
    assert inner(3.0) == 9.0
    assert not is_linked(inner, NUMBER)
    assert outer(np.arange(5.0)) == 30.0
    assert sum_of(inner)(np.arange(4.0)) == 14.0  # an entry serves as a callee
    assert inner(2) == 4
    assert inner.py_func(2.0) == inner(2.0)


def test_the_address_of_a_callee_can_be_taken():
    inner = square()
    assert sum_of(inner)(np.arange(3.0)) == 5.0

    @njit
    def apply(function, x):
        return function(x) + 1.0

    taking = numba.njit(NUMBER(ONE, NUMBER))(lambda function, x: function(x) + 1.0)
    assert taking(inner, 3.0) == 10.0
    assert not is_linked(inner, NUMBER)
    assert apply(inner, 3.0) == 10.0


def test_chains_are_lowered_once_and_compiled_once():
    inner = square()

    @njit
    def fourth(x):
        return inner(inner(x))

    @njit
    def eighth(x):
        return inner(fourth(x))

    with event.install_recorder("numba:compile") as seen:
        assert eighth(2.0) == 256.0
        assert sum_of(eighth)(np.array([1.0, 2.0])) == 257.0
    names = [one.data["dispatcher"].__name__ for _, one in seen.buffer if one.is_start]
    assert names == ["eighth", "fourth", "squared", "summed"]
    assert is_linked(fourth, NUMBER)


def test_errors_arise_in_callees_and_callers_alike():
    @njit
    def checked(x):
        if x < 0:
            raise ValueError("x must not be negative")
        return np.sqrt(x)

    @njit
    def outer(x):
        return checked(x) + 1.0

    assert outer(4.0) == 3.0
    with pytest.raises(ValueError, match="x must not be negative"):
        outer(-1.0)
    with pytest.raises(ValueError, match="x must not be negative"):
        checked(-1.0)


def test_callees_find_their_python_objects(capfd):
    @njit
    def told(x):
        print("at", x)
        return x

    @njit
    def outer(x):
        return told(x) + 1

    assert outer(3) == 4
    assert told(5) == 5
    assert capfd.readouterr().out == "at 3\nat 5\n"


def test_a_callee_that_cannot_be_typed_is_named():
    @njit
    def wrong(x):
        return x.nothing

    @njit
    def outer(x):
        return wrong(x)

    with pytest.raises(numba.TypingError, match="nothing"):
        outer(1.0)
    with pytest.raises(numba.TypingError, match="nothing"):
        wrong(1.0)


def test_recursion():
    @njit
    def factorial(n):
        if n < 2:
            return 1
        return n * factorial(n - 1)

    @njit
    def outer(n):
        return factorial(n) + 1

    assert outer(5) == 121
    assert is_linked(factorial, types.int64)
    assert factorial(6) == 720


def test_keywords_defaults_and_arrays_of_callees():
    @njit
    def shifted(x, by=1.0):
        return np.cumsum(x) + by

    @njit
    def outer(x):
        return shifted(x).sum() + shifted(x, by=2.0).sum()

    assert outer(np.ones(3)) == 9.0 + 12.0
    assert shifted(np.ones(2), by=3.0).tolist() == [4.0, 5.0]


def test_threads_may_ask_for_both_at_once():
    for _ in range(3):
        inner = square()
        outer = sum_of(inner)
        with ThreadPoolExecutor(2) as pool:
            found = [pool.submit(outer, np.arange(3.0)), pool.submit(inner, 3.0)]
        assert [one.result() for one in found] == [5.0, 9.0]


def test_disabled_as_numba_is(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    plain = square()
    assert not isinstance(plain, Function)
    assert plain(3.0) == 9.0
