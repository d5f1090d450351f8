"""The engine of the numeric floor: SymPy expressions become compiled functions of floats.

compiler    freeze, write, import: `compile` returns a `Compiled`
printing    expressions as Python source, common subexpressions shared
special     special functions for nopython code
expected    expressions that contain Gaussian expectations: quadrature feeds the compiled rest
scalar      the same inside nopython code
quadrature, pair    adaptive Gaussian quadrature in one and two variables, with error bounds
features    where an integrand has kinks and scales
cache       generated modules and what was derived for them, kept between processes
"""

from widelimit.numerics.compile import (
    cache,
)
from widelimit.numerics.compile.compiler import (
    Array,
    Compiled,
    Request,
    compile,
    write_source,
)

__all__ = [
    "Array",
    "Compiled",
    "Request",
    "cache",
    "compile",
    "write_source",
]
