"""Theory made fast: SymPy expressions become compiled functions of floats.

    request     expressions + arguments: safe argument names and a key, the hash of all that matters
    write       a request -> the source of a self-contained Python module (common subexpressions shared)
    expected    an Expectation without closed form becomes quadrature: compiled integrands, compiled rest
    cache       puts it in a file named by the key; numba caches its machine code beside it
    Compiled    what comes out: called with arrays, used by name in @njit code, compared with its own mpmath oracle

Every process after the first skips `write` and the compilation. Nothing can be stale: the key holds the
expressions, the versions of numba, NumPy, SciPy and Python, and a hash of the modules that make the code.
"""

from __future__ import annotations

import keyword
import logging
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import sympy
from numba import types
from numba.core.registry import cpu_target
from numba.extending import typeof_impl
from sympy import Expr, Symbol

from widelimit.numerics import threads
from widelimit.numerics.compile import cache, expected, scalar
from widelimit.numerics.compile.printing import arithmetic, body
from widelimit.numerics.compile.request import Request
from widelimit.theory.calculus.exact import plain
from widelimit.theory.errors import InputError

Array = np.ndarray
# numba imports most of itself at the first call: here instead, with the other imports
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
_log = logging.getLogger(__name__)
_FEW = 5000  # rows of plain arithmetic that NumPy works out before machine code is found
_RESERVED = {
    "scalar",
    "math",
    "cmath",
    "numpy",
    "special",
    "njit",
    "out",
    "abs",
    "max",
    "min",
    "function",
    "fill",
    "range",
}


class Compiled:
    """A compiled function of its arguments in order, made by `compile`.

    `compiled(*arrays)` broadcasts and returns floats or arrays (a tuple if several expressions were given);
    `compiled.njit` is the numba function of scalars, and the object itself can be called in @njit code;
    `compiled.source` is the generated Python; `compiled.mpmath(dps)` evaluates the same expressions to `dps`
    digits; `compiled.error(*arrays)` bounds the error of quadrature (0 for closed forms).
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.name = request.name
        self.arguments = tuple(str(symbol) for symbol in request.arguments)
        self._plan = expected.plan(request, Compiled) if expected.needed(request.expressions) else None

    @cached_property
    def _module(self) -> ModuleType:
        def write() -> str:
            start = time.perf_counter()
            text = write_source(self._request, self._plan)
            _log.debug(
                "wrote %s: %d lines in %.3f s", self.name, text.count("\n"), time.perf_counter() - start
            )
            return text

        return cache.module(self._request.key, write)

    @property
    def source(self) -> str:
        """The generated Python source."""
        return self._module.SOURCE

    @property
    def njit(self) -> Any:
        """The numba function of scalars: a float, or a tuple where several expressions were compiled."""
        return self._module.function

    @property
    def expressions(self) -> tuple[Expr, ...]:
        """The expressions that were compiled."""
        return self._request.expressions

    def __repr__(self) -> str:
        return f"<Compiled {self.name}({', '.join(self.arguments)})>"

    def __call__(self, *values: Any) -> Any:
        """Evaluate on numbers or arrays that broadcast against each other."""
        if len(values) != len(self.arguments):
            raise TypeError(f"{self!r} takes {len(self.arguments)} arguments, but {len(values)} were given")
        shape, flat = self._flat(values)
        return self._shaped(self.evaluate(*flat)[0], shape)

    def error(self, *values: Any) -> Any:
        """Return a bound of the quadrature error, shaped like the result."""
        shape, flat = self._flat(values)
        return self._shaped(self.evaluate(*flat)[1], shape)

    def evaluate(self, *flat: Array, missing: bool = False) -> tuple[Array, Array]:
        """Return (values, error bounds), both (expressions, n), at one-dimensional arguments of equal length.

        An expectation that does not exist raises `InfiniteMomentError`, or comes back as inf with `missing=True`.
        """
        if self._plan is not None:
            return self._plan.evaluate(flat, missing)
        out: Array = np.empty((len(self.expressions), flat[0].size if flat else 1), self._dtype)
        fill = self._module.fill
        if out.shape[1] <= _FEW:
            fill = getattr(self._module, "few", fill)
        parts = threads.chunks(out.shape[1])
        if len(parts) > 1:  # compile before the threads start
            fill(*(array[:1] for array in flat), out[:, :1])
        threads.each(lambda part: fill(*(array[part] for array in flat), out[:, part]), parts)
        return out, np.zeros(out.shape)

    @property
    def _dtype(self) -> type:
        return np.complex128 if self._request.complex_ else np.float64

    def _flat(self, values: Sequence[Any]) -> tuple[tuple[int, ...], list[Array]]:
        arrays = np.broadcast_arrays(*(np.asarray(value, self._dtype) for value in values))
        return arrays[0].shape if arrays else (), [
            np.array(array, order="C").reshape(-1)
            for array in arrays  # copies: NumPy warns of views of one element
        ]

    def _shaped(self, rows: Array, shape: tuple[int, ...]) -> Any:
        results = [row.reshape(shape) if shape else row[0].item() for row in rows]
        return results[0] if self._request.single else tuple(results)

    def mpmath(self, dps: int) -> Callable[..., Any]:
        """Return the same function evaluated by mpmath to `dps` digits, from the same expressions."""
        from widelimit.theory.calculus.precision import evaluate

        def oracle(*values: Any) -> Any:
            with mpmath.workdps(dps):
                point = dict(zip(self._request.arguments, map(mpmath.mpmathify, values), strict=True))
                results = tuple(evaluate(expr, point, dps) for expr in self.expressions)
            return results[0] if self._request.single else results

        return oracle


@typeof_impl.register(Compiled)
def _typeof_compiled(value: Compiled, _context: Any) -> types.Type:
    return types.Dispatcher(value.njit)


def compile(
    expressions: Expr | Sequence[Expr], arguments: Sequence[Symbol], *, name: str = "f", dtype: type = float
) -> Compiled:
    """Compile expressions of `arguments` to one function that returns them all.

    Common subexpressions are shared; inverse sines and bivariate normal probabilities are evaluated from 1 - rho
    and 1 + rho simplified symbolically, so that they keep their digits where the correlation is next to 1.
    `dtype=complex` compiles for complex arguments. Raises `InputError`, naming it, for a symbol that is no
    argument; a function without nopython code raises on first use.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> f = compile([x * sympy.exp(y), sympy.exp(y)], [x, y])
    >>> f(2.0, 0.0)
    (2.0, 1.0)
    """
    single = not isinstance(expressions, Sequence | sympy.Tuple)
    given = tuple(plain("expressions", e) for e in ([expressions] if single else expressions))
    symbols = tuple(arguments)
    renamed = {symbol: _safe(symbol, index) for index, symbol in enumerate(symbols)}
    request = Request(
        tuple(e.xreplace(renamed) for e in given), tuple(renamed.values()), name, dtype is complex, single
    )
    if missing := set().union(*(e.free_symbols for e in request.expressions)) - set(request.arguments):
        names = ", ".join(sorted(f"`{symbol}`" for symbol in missing))
        raise InputError(
            f"Expression {name} contains {names}, which is no argument of the compiled function."
        )
    return Compiled(request)


def _safe(symbol: Symbol, index: int) -> Symbol:
    """Return a symbol with the same assumptions whose name Python accepts (not `lambda`) and no source uses (`_i`)."""
    name = symbol.name
    if (
        not name.isidentifier()
        or keyword.iskeyword(name)
        or name in _RESERVED
        or name.startswith("_")
        or isinstance(symbol, sympy.Dummy)
    ):
        cleaned = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
        return Symbol(f"a{index}_{cleaned}", **symbol._assumptions_orig)
    return symbol


_MODULE = '''"""Generated by widelimit.numerics.compile; the file name is a hash of what made it."""

import cmath
import math

import numpy

from widelimit.numerics.compile import scalar, special
from widelimit.numerics.compile.cache.linking import njit
{functions}

@njit(cache=True, nogil=True, error_model="numpy")
def function({arguments}):
{body}
    return {results}


@njit(cache=True, nogil=True, error_model="numpy")
def fill({rows}{comma}out):
    for _i in range(out.shape[1]):
{loop}
'''
_UNCOMPILED = """

def few({arguments}{comma}out):
    with numpy.errstate(all="ignore"):
{whole}
"""


def write_source(request: Request, plan: expected.Plan | None = None) -> str:
    """Return the source of the module that evaluates `request`; expectations become functions of their own."""
    functions, before = ("", []) if plan is None else scalar.functions(plan)
    expressions = request.expressions if plan is None else plan.rest.expressions
    assignments, results = body(expressions, complex_=request.complex_)
    assignments = [*before, *assignments]
    convert = "complex" if request.complex_ else "float"
    values = ", ".join(f"{convert}({result})" for result in results)
    names = [str(symbol) for symbol in request.arguments]
    whole = [*assignments, *(f"out[{k}] = {result}" for k, result in enumerate(results))]
    more = _UNCOMPILED if not request.complex_ and arithmetic(whole) else ""
    # the loop holds the assignments once more: to compile it is cheaper than to compile and link `function`
    loop = [f"{name} = _rows_{name}[_i]" for name in names] + assignments
    loop += [f"out[{k}, _i] = {convert}({result})" for k, result in enumerate(results)]
    return (_MODULE + more).format(
        functions=functions,
        arguments=", ".join(names),
        rows=", ".join(f"_rows_{name}" for name in names),
        comma=", " if names else "",
        body="\n".join(f"    {line}" for line in assignments) or "    pass",
        results=values if request.single else f"({values},)",
        loop="\n".join(f"        {line}" for line in loop),
        whole="\n".join(f"        {line}" for line in whole),
    )
