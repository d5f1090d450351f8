"""The engine of the numeric floor: SymPy expressions become compiled functions of floats.

compiler    `compile`: expressions become a module of Python that numba compiles, a `Compiled`
request     what is to be compiled, and the key of its module
printing    expressions as Python source, common subexpressions shared
special     special functions for nopython code
expected    expressions that contain Gaussian expectations: quadrature feeds the compiled rest
scalar      the same inside nopython code
quadrature, pair    adaptive Gaussian quadrature in one and two variables, with error bounds
cancellation        up to which variance closed forms keep their digits
features    where an integrand has kinks and scales
cache       generated modules and what was derived for them, kept between processes
"""

from widelimit.numerics.compile import (
    cache,
)
from widelimit.numerics.compile.compiler import (
    Array,
    Compiled,
    compile,
    write_source,
)
from widelimit.numerics.compile.request import Request

__all__ = [
    "Array",
    "Compiled",
    "Request",
    "cache",
    "compile",
    "write_source",
]
