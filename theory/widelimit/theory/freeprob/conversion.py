"""From one transform of a law to the others in closed form, and from a transform to its moments.

Symbols and conventions are those of `law`: C(g) = g R(g) and m S(m) invert each other, and so do M(z) and
(1 + m)/(m S(m)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sympy import (
    Expr,
    Float,
    Integer,
    Poly,
    PolynomialError,
    Pow,
    Symbol,
    cancel,
    expand,
    factor,
    factor_list,
    fraction,
    limit,
    oo,
    powsimp,
    simplify,
    sqrt,
    together,
)

from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.errors import DomainError
from widelimit.theory.freeprob import algebraic, series

m = algebraic.m
z = algebraic.z
g = Symbol("g")


def close(
    S: Expr | None, R: Expr | None, M: Expr | None, sequence: Callable[[int], Sequence[Expr]]
) -> tuple[Rewritten | None, Rewritten | None, Rewritten | None]:
    """Fill in the transforms that follow in closed form: C(g) = g R(g) and m S(m) invert each other."""
    mean_is_zero = bool(sequence(1)[0].is_zero) if S is None else False
    if S is None and R is not None and not mean_is_zero:
        root = _branch(g * R - m, g, m, m / sequence(1)[0])
        S = None if root is None else tidy(root / m)
    curve = None if M is None else M - m
    if M is not None and not rational(M, z):
        curve = algebraic.of_equation(M - m, list(sequence(6)))
    if S is None and curve is not None and not mean_is_zero:
        root = _branch(curve, z, m, sequence(1)[0] / m)
        S = None if root is None else tidy((1 + m) / (m * root))
    if R is None and S is not None:
        root = _branch(m * S - g, m, g, g * sequence(1)[0])
        R = None if root is None else tidy(root / g)
    if R is None and curve is not None:
        root = _branch(curve.subs(m, z * g - 1), z, g, 1 / g)
        R = None if root is None else tidy(root - 1 / g)
    if M is None and S is not None:
        M = _branch(z * m * S - (1 + m), m, z, sequence(1)[0] / z, large=True)
    if M is None and R is not None and S is None:
        root = _branch(R + 1 / g - z, g, z, 1 / z, large=True)
        M = None if root is None else together(z * root - 1)
    return S, R, M


def _branch(
    equation: Expr, unknown: Symbol, variable: Symbol, leading: Expr, large: bool = False
) -> Expr | None:
    """Solve equation = 0 for `unknown` if it is of degree one or two; take the root that behaves like `leading`."""
    numerator = fraction(together(equation))[0]
    roots: list[Expr] = []
    try:
        factors = factor_list(numerator)[1] if numerator.is_polynomial() else [(numerator, 1)]
        for part, _ in factors:
            poly = Poly(expand(part), unknown)
            if poly.degree() == 1:
                a, b = poly.all_coeffs()
                roots.append(cancel(-b / a))
            elif poly.degree() == 2:
                a, b, c = (cancel(coefficient) for coefficient in poly.all_coeffs())
                square = cancel(b**2 - 4 * a * c)
                discriminant = _root(square, variable) if large else _analytic_root(square)
                roots += [together((-b + sign * discriminant) / (2 * a)) for sign in (1, -1)]
            elif poly.degree() > 2:
                return None
    except PolynomialError:
        return None
    if len(roots) < 2:
        return roots[0] if roots else None
    sample = {
        s: Float(1.0 / (i + 3), 30)
        for i, s in enumerate(sorted(equation.free_symbols - {unknown, variable}, key=str))
    }
    point = Float(10**9 if large else 10**-9, 30)

    def distance(root: Expr) -> float:
        values = {**sample, variable: point}
        return abs(complex((root - leading).subs(values).evalf(30)) / complex(leading.subs(values).evalf(30)))

    return min(roots, key=distance)


def _analytic_root(square: Expr) -> Expr:
    """Square root with the even powers taken out, so that it is analytic at zero."""
    if not square.is_polynomial():
        return sqrt(factor(square))
    number, factors = factor_list(square)
    outside, inside = Integer(1), number
    for base, exponent in factors:
        outside *= base ** (exponent // 2)
        inside *= base ** (exponent % 2)
    return outside * sqrt(inside)


def _root(discriminant: Expr, variable: Symbol) -> Expr:
    """Square root of a polynomial; of a quadratic by its linear factors, which is analytic off the segment between."""
    try:
        poly = Poly(discriminant, variable)
    except PolynomialError:
        return sqrt(discriminant)
    if poly.degree() != 2:
        return sqrt(factor(discriminant))
    a, b, c = poly.all_coeffs()
    middle, half = -b / (2 * a), sqrt(factor(b**2 - 4 * a * c)) / (2 * a)
    return sqrt(a) * sqrt(variable - simplify(middle - half)) * sqrt(variable - simplify(middle + half))


def rational(expression: Expr, variable: Symbol) -> bool:
    """Whether an expression is rational in `variable`."""
    return bool(expression.is_rational_function(variable))


def tidy(expression: Expr) -> Rewritten:
    """Factor what is rational of low degree; leave a high power as it stands."""
    expression = powsimp(expression)
    if not expression.is_rational_function():
        return expression
    high = any(node.exp.is_Integer and abs(node.exp) > 12 for node in expression.atoms(Pow))
    return together(expression) if high else factor(expression)


def _taylor(expression: Expr, variable: Symbol, order: int) -> list[Expr]:
    """Taylor coefficients at zero, `order` of them."""
    expansion = expression.series(variable, 0, order).removeO()
    if expansion.has(oo) or not expansion.is_polynomial(variable):
        raise DomainError(f"The transform {expression} has no Taylor series at {variable} = 0.")
    return [expand(expansion).coeff(variable, k) for k in range(order)]


def sequence_from_s(S: Expr) -> Callable[[int], Sequence[Rewritten]]:
    """Return n -> the first n moments. Raises DomainError where S(0) = 1/m_1 is not positive and finite."""
    at_zero = limit(S, m, 0) if S.subs(m, 0).has(oo) or not S.subs(m, 0).is_finite else S.subs(m, 0)
    if at_zero.is_number and not (at_zero.is_finite and at_zero.is_positive):
        raise DomainError(
            f"The S-transform is {at_zero} at m = 0, but S(0) = 1/(first moment) must be positive and finite. "
            "A law of mean zero has no S-transform here: give its R-transform."
        )
    return lambda n: series.moments_from_s(_taylor(S, m, n), n)


def sequence_from_r(R: Expr) -> Callable[[int], Sequence[Rewritten]]:
    """Return n -> the first n moments, from the free cumulants that are the Taylor coefficients of R."""
    return lambda n: series.moments_from_cumulants(_taylor(R, g, n), n)


def sequence_from_m(M: Expr) -> Callable[[int], Sequence[Rewritten]]:
    """Return n -> the first n moments, the coefficients of M in 1/z."""
    t = Symbol("t", positive=True)
    return lambda n: _taylor(simplify(M.subs(z, 1 / t)), t, n + 1)[1:]
