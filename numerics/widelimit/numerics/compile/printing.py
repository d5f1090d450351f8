"""SymPy leaves by this door: expressions become Python source that numba compiles.

prepare    rewrite what floating point would spoil: 1 - rho inside inverse sines and bivariate probabilities,
           exp(u) - 1, log(1 + u), 1 - erf(u), logistic functions
cse        common subexpressions of all results together (SymPy's)
Printer    one method a node; a function without nopython code is an error that names it
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import sympy
from sympy import Add, Expr, Function, Mul, Pow, Symbol
from sympy.codegen.cfunctions import expm1, log1p
from sympy.printing.pycode import PythonCodePrinter

from widelimit.numerics.compile import special
from widelimit.theory.calculus.exact import plain
from widelimit.theory.calculus.gaussian.special import BivariateNormalCDF
from widelimit.theory.errors import InputError

_INERT = {name: Function(name) for name in ("log1pexp", "expit", "bvn", "arctan2", "ndtr")}
_BOTH = (
    "exp",
    "log",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
)
_MATH = (*_BOTH, "erf", "erfc", "gamma", "expm1", "log1p", "floor")
REAL = {
    **{name: f"math.{name}" for name in _MATH},
    **{name: f"special.{name}" for name in (*special.SCIPY, "log1pexp", "expit", "bvn", "sign")},
    **{
        "loggamma": "math.lgamma",
        "arctan2": "math.atan2",
        "atan2": "math.atan2",
        "Heaviside": "special.heaviside",
    },
    **{
        "digamma": "special.psi",
        "Ei": "special.expi",
        "elliptic_k": "special.ellipk",
        "elliptic_e": "special.ellipe",
    },
    **{f"bessel{letter}": f"special.{letter}v" for letter in "jyik"},
}
COMPLEX = {name: f"cmath.{name}" for name in _BOTH} | {
    "erf": "special.erf_complex",
    "ndtr": "special.ndtr_complex",
    "conjugate": "numpy.conj",
    "re": "numpy.real",
    "im": "numpy.imag",
}

_PLAIN = (ast.BinOp, ast.UnaryOp, ast.operator, ast.USub, ast.Name, ast.Load, ast.Constant)
_FEW = 40  # operations that cost NumPy less than to look for the machine code of one function


def body(expressions: Sequence[Expr], *, complex_: bool = False) -> tuple[list[str], list[str]]:
    """Return the assignments of the common subexpressions and the source of each result.

    >>> x = Symbol("x")
    >>> body([sympy.exp(x) - 1, sympy.sqrt(1 + x**2)])
    ([], ['math.expm1(x)', 'math.sqrt(x**2 + 1.0)'])
    """
    printer = Printer(complex_)
    prepared = [
        expr if complex_ else prepare(expr) for expr in (plain("expressions", e) for e in expressions)
    ]
    names = sympy.numbered_symbols("_t", real=True)
    shared, results = sympy.cse(prepared, symbols=names)
    return [f"{name} = {printer.doprint(expr)}" for name, expr in shared], [
        printer.doprint(r) for r in results
    ]


def arithmetic(lines: Sequence[str]) -> bool:
    """Whether assignments are a few sums, products, quotients and squares: NumPy finds the same floats, uncompiled.

    >>> arithmetic(["a = x*y**2 - 2.0", "b = a/x"]), arithmetic(["a = x**3"]), arithmetic(["a = math.exp(x)"])
    (True, False, False)
    """
    steps = [node for line in lines for value in _values(line) for node in ast.walk(value)]
    plain = all(isinstance(node, _PLAIN) and (not _is_power(node) or _is_square(node)) for node in steps)
    return plain and sum(isinstance(node, ast.BinOp) for node in steps) <= _FEW


def _values(line: str) -> list[ast.expr]:
    return [one.value for one in ast.parse(line).body if isinstance(one, ast.Assign)]


def _is_power(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _is_square(node: Any) -> bool:
    return isinstance(node.right, ast.Constant) and node.right.value == 2


def prepare(expr: Expr) -> Expr:
    """Rewrite a real expression so that it keeps its digits in floating point; its value is the same."""
    expr = expr.replace(lambda e: isinstance(e, Add), _sum)
    expr = expr.replace(lambda e: isinstance(e, Pow | Mul), _logistic)
    expr = expr.replace(lambda e: isinstance(e, sympy.log), _log)
    expr = expr.replace(lambda e: isinstance(e, sympy.asin | sympy.acos), _inverse_sine)
    expr = expr.replace(lambda e: isinstance(e, BivariateNormalCDF), _bivariate)
    return expr.replace(
        lambda e: isinstance(e, Pow) and isinstance(e.base, Add) and not e.exp.is_Integer, _root
    )


def _sum(add: Add) -> Expr:
    """Merge a constant with exponentials and error functions of the opposite weight: k exp(u) - k -> k expm1(u)."""
    constant, rest = add.as_coeff_Add()
    if not constant or not constant.is_comparable:
        return add
    for term in rest.args if isinstance(rest, Add) else (rest,):
        weight, factor = term.as_coeff_Mul()
        others = sympy.Add(rest, -term)
        if isinstance(factor, sympy.exp) and weight == -constant:
            return weight * expm1(factor.args[0]) + others
        if isinstance(factor, sympy.erf) and abs(weight) == abs(constant):
            u = sympy.sign(weight * constant) * factor.args[0]
            if u.could_extract_minus_sign():
                return constant * sympy.erfc(-u) + others
            return (
                2 * constant * _INERT["ndtr"](sympy.sqrt(2) * u) + others
            )  # SymPy makes erfc(-u) 2 - erfc(u)
        if isinstance(factor, sympy.erfc) and weight == -constant:
            return constant * sympy.erf(factor.args[0]) + others
    return add


def _logistic(expr: Expr) -> Expr:
    """1/(1 + exp(u)) -> expit(-u) and exp(u) expit(-u) -> expit(u): no inf/inf in the tails."""
    expit = _INERT["expit"]
    if isinstance(expr, Pow):
        if expr.exp.is_Integer and expr.exp < 0 and (u := _one_plus_exp(expr.base)) is not None:
            return expit(-u) ** -expr.exp
        return expr
    powers = expr.as_powers_dict()
    for base in list(powers):
        if isinstance(base, expit) or base == sympy.E:
            continue
        if isinstance(base, sympy.exp):
            powers[sympy.E] += powers.pop(base) * base.args[0]
    for base in [base for base in powers if isinstance(base, expit)]:
        u = -base.args[0]  # expit(-u)^n exp(m u) -> expit(u)^m expit(-u)^(n - m)
        ratio = sympy.Mul(powers.get(sympy.E, 0), 1 / u) if u != 0 else 0
        ratio = sympy.cancel(ratio) if not getattr(ratio, "is_number", True) else ratio
        if getattr(ratio, "is_Integer", False) and 0 < ratio <= powers[base]:
            powers[base] -= ratio
            powers[expit(u)] += ratio
            powers[sympy.E] = 0
    return sympy.Mul(*(base**exponent for base, exponent in powers.items()))


def _one_plus_exp(expr: Expr) -> Expr | None:
    if (
        isinstance(expr, Add)
        and len(expr.args) == 2
        and expr.args[0] == 1
        and isinstance(expr.args[1], sympy.exp)
    ):
        return expr.args[1].args[0]
    return None


def _log(log: Expr) -> Expr:
    """log(1 + exp(u)) -> softplus(u); log(1 + u) -> log1p(u)."""
    argument = log.args[0]
    if (u := _one_plus_exp(argument)) is not None:
        return _INERT["log1pexp"](u)
    if isinstance(argument, Add) and argument.args[0] == 1:
        return log1p(argument - 1)
    return log


def _inverse_sine(expr: Expr) -> Expr:
    """asin(r) -> atan2(r, sqrt((1 - r)(1 + r))), acos the other way round: digits kept next to r = +-1."""
    r = expr.args[0]
    root = sympy.sqrt(complement(r, -1) * complement(r, 1), evaluate=False)
    return _INERT["arctan2"](*((r, root) if isinstance(expr, sympy.asin) else (root, r)))


def _bivariate(expr: Expr) -> Expr:
    h, k, rho = expr.args
    return _INERT["bvn"](h, k, complement(rho, -1), complement(rho, 1))


def complement(r: Expr, sign: int) -> Expr:
    """Return 1 - r (sign -1) or 1 + r (sign 1) with what cancels cancelled symbolically.

    >>> eps, q = sympy.symbols("eps q", positive=True)
    >>> complement(1 - eps, -1), complement(q * (1 - eps) / (1 + q), -1)
    (eps, (eps*q + 1)/(q + 1))
    """
    numerator, denominator = sympy.together(1 + sign * r).as_numer_denom()
    return sympy.factor_terms(sympy.expand(numerator)) / denominator


def _root(power: Pow) -> Expr:
    """Factor a polynomial under a root: 1 - (1 - eps)^2 becomes eps (2 - eps); one that has no factors stays as it is.

    (1 - g)^2 + k has digits next to g = 1 that its expansion loses.
    """
    base = power.base
    if base.is_polynomial(*base.free_symbols) and len(base.free_symbols) <= 3:
        factored = sympy.factor(sympy.expand(base))
        return power if isinstance(factored, Add) else Pow(factored, power.exp, evaluate=False)
    return power


class Printer(PythonCodePrinter):
    """Prints real or complex scalar code for numba."""

    def __init__(self, complex_: bool = False) -> None:
        super().__init__()  # fully qualified names: an argument called `gamma` hides nothing
        self._complex = complex_
        self._table = COMPLEX if complex_ else REAL

    def _print_Function(self, expr: Any) -> str:
        name = type(expr).__name__
        if name == "LambertW":
            function = "special.lambertw_complex" if self._complex else "special.lambertw"
            branch = int(expr.args[1]) if len(expr.args) > 1 else 0
            return f"{function}({self._print(expr.args[0])}, {branch})"
        if name not in self._table:
            where = "complex" if self._complex else "real"
            raise InputError(
                f"No compiled code is known for the {where} function `{name}`, needed for {expr}."
            )
        return f"{self._table[name]}({', '.join(self._print(arg) for arg in expr.args)})"

    # the base class would print these its own way, as real functions
    _print_log = _print_sin = _print_cos = _print_tan = _print_asin = _print_acos = _print_atan = (
        _print_Function
    )
    _print_sinh = _print_cosh = _print_tanh = _print_asinh = _print_acosh = _print_atanh = _print_Function
    _print_erf = _print_erfc = _print_gamma = _print_loggamma = _print_exp = _print_Function
    _print_sign = _print_expm1 = _print_log1p = _print_Heaviside = _print_Function
    _print_besselj = _print_bessely = _print_besseli = _print_besselk = _print_Function

    def emptyPrinter(self, expr: Any) -> str:
        """Refuse what no method prints, by name."""
        raise InputError(f"No compiled code is known for `{type(expr).__name__}`, needed for {expr}.")

    _print_Derivative = _print_Integral = _print_Sum = _print_Product = _print_Limit = emptyPrinter

    def _print_Symbol(self, expr: Symbol) -> str:
        if not expr.name.isidentifier():
            raise InputError(f"The symbol `{expr.name}` is no name that Python code can use.")
        return expr.name

    _print_Dummy = _print_Symbol

    def _print_Float(self, expr: Any) -> str:
        return repr(float(expr))

    _print_Integer = _print_Rational = _print_Half = _print_One = _print_Zero = _print_Float
    _print_NegativeOne = _print_NumberSymbol = _print_Pi = _print_Exp1 = _print_EulerGamma = _print_Float

    def _print_ImaginaryUnit(self, expr: Any) -> str:
        if not self._complex:
            raise InputError("The imaginary unit appears in an expression compiled for real numbers.")
        return "1j"

    _print_ComplexRootOf = _print_CRootOf = _print_Float  # kinks at roots of polynomials

    def _print_Infinity(self, expr: Any) -> str:
        return "math.inf"

    def _print_NegativeInfinity(self, expr: Any) -> str:
        return "(-math.inf)"

    def _print_NaN(self, expr: Any) -> str:
        raise InputError("An expression to compile contains an undefined number (NaN).")

    _print_ComplexInfinity = _print_NaN

    def _print_Abs(self, expr: Any) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_Pow(self, expr: Any, rational: bool = False, sqrt: str = "") -> str:
        base, exponent = expr.as_base_exp() if expr.base is not sympy.E else (expr.base, expr.exp)
        root = self._table["sqrt"]
        if base is sympy.E:
            return f"{self._table['exp']}({self._print(exponent)})"
        if abs(exponent) == sympy.S.Half:
            text = f"{root}({self._print(base)})"
            return text if exponent > 0 else f"(1.0/{text})"
        if exponent.is_Integer:
            inner = self._print(base) if base.is_Symbol else f"({self._print(base)})"
            text = inner if abs(exponent) == 1 else f"{inner}**{abs(int(exponent))}"
            return text if exponent > 0 else f"(1.0/{text})"
        if (2 * exponent).is_Integer:  # x^(3/2) as x sqrt(x): exact where pow is not
            whole = abs(exponent) - sympy.S.Half
            text = f"({self._print(Pow(base, whole, evaluate=False))}*{root}({self._print(base)}))"
            return text if exponent > 0 else f"(1.0/{text})"
        return f"({self._print(base)})**({self._print(exponent)})"

    def _print_Piecewise(self, expr: Any) -> str:
        text = "math.nan" if expr.args[-1].cond is not sympy.true else ""
        for value, condition in reversed(expr.args):
            if condition is sympy.true:
                text = self._print(value)
            else:
                text = f"({self._print(value)} if {self._print(condition)} else {text})"
        return text
