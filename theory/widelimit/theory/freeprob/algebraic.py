"""The polynomial P(m, z) of an algebraic law: found by elimination, multiplied and added by resultants.

Every function returns a primitive polynomial expression in `m` and `z` that vanishes on the curve m = M(z), or None
where the law is not algebraic.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import (
    Dummy,
    Expr,
    Integer,
    Poly,
    PolynomialError,
    Pow,
    Rational,
    Symbol,
    expand,
    factor_list,
    fraction,
    resultant,
    together,
)

from widelimit.theory.calculus.equations import Rewritten

m = Symbol("m")
z = Symbol("z")


def of_equation(expression: Expr, moments: Sequence[Expr]) -> Rewritten | None:
    """Clear denominators and radicals of ``expression = 0`` in (m, z); keep the factor that holds the moments.

    >>> of_equation(m - (z / 2 - 1 - z / 2 * (1 - 4 / z) ** Rational(1, 2)), [1, 2, 5, 14])
    m**2 - m*z + 2*m + 1
    """
    expression = together(expression)
    auxiliary: list[tuple[Symbol, Expr]] = []
    while True:
        radicals = [
            node
            for node in expression.atoms(Pow)
            if node.exp.is_Rational and not node.exp.is_Integer and node.base.has(m, z)
        ]
        if not radicals:
            break
        base, root = radicals[0].base, max(r.exp.q for r in radicals if r.base == radicals[0].base)
        symbol = Dummy("r")
        same = {r: symbol ** (r.exp * root) for r in radicals if r.base == base and (r.exp * root).is_Integer}
        expression = together(expression.xreplace(same))
        auxiliary.append((symbol, symbol**root - base))
    result = fraction(together(expression))[0]
    try:
        for symbol, relation in reversed(auxiliary):
            relation = fraction(together(relation))[0]
            result = resultant(expand(result), expand(relation), symbol)
        Poly(result, m, z)
    except PolynomialError:
        return None
    return choose_factor(result, moments)


def choose_factor(polynomial: Expr, moments: Sequence[Expr]) -> Rewritten | None:
    """The irreducible factor on which ``m = sum m_k z**-k`` lies, tested order by order in 1/z."""
    t = Dummy("t")
    curve = sum((moment * t ** (k + 1) for k, moment in enumerate(moments)), Integer(0))
    best: tuple[int, Expr] | None = None
    for factor, _ in factor_list(expand(polynomial), m, z)[1]:
        if not (factor.has(m) and factor.has(z)):
            continue
        degree = Poly(factor, z).degree()
        terms = Poly(expand(expand(factor.subs(z, 1 / t)) * t**degree).subs(m, curve), t).all_coeffs()[::-1]
        order = next((i for i, c in enumerate(terms) if expand(c) != 0), len(terms))
        if best is None or order > best[0]:
            best = (order, factor)
    return None if best is None or best[0] < len(moments) else _sign(best[1])


def product(first: Expr, second: Expr, moments: Sequence[Expr]) -> Rewritten | None:
    r"""Free multiplicative convolution: :math:`z = z_1 z_2\,m/(1+m)` at equal m, with z_2 eliminated.

    >>> product(z * m - (1 + m) ** 2, z * m - (1 + m) ** 2, [1, 3, 12, 55])
    m**3 + 3*m**2 - m*z + 3*m + 1
    """
    other = Dummy("y")
    left = fraction(together(first.subs(z, z * (1 + m) / (m * other))))[0]
    return choose_factor(resultant(expand(left), expand(second.subs(z, other)), other), moments)


def total(first: Expr, second: Expr, moments: Sequence[Expr]) -> Rewritten | None:
    r"""Free additive convolution: :math:`z = z_1 + z_2 - 1/G` at equal G, with z_2 eliminated."""
    other, cauchy = Dummy("y"), Dummy("g")
    left = fraction(together(_in_cauchy(first, z + 1 / cauchy - other, cauchy)))[0]
    right = fraction(together(_in_cauchy(second, other, cauchy)))[0]
    eliminated = resultant(expand(left), expand(right), other)
    return choose_factor(fraction(together(eliminated.subs(cauchy, (1 + m) / z)))[0], moments)


def _in_cauchy(polynomial: Expr, argument: Expr, cauchy: Symbol) -> Expr:
    return polynomial.subs({m: argument * cauchy - 1, z: argument}, simultaneous=True)


def _sign(polynomial: Expr) -> Expr:
    """Make the leading coefficient in m, then in z, positive where it is a number."""
    lead = Poly(polynomial, m, z).LC()
    return expand(-polynomial) if lead.is_number and lead < 0 else expand(polynomial)


def edges(inverse: Expr, parameter: Symbol = m) -> list[tuple[Rewritten, Rewritten]]:
    """Critical points (m, z) of a rational z(m): candidates for the edges of the support, in increasing z.

    >>> edges((1 + m) ** 2 / m)
    [(-1, 0), (1, 4)]
    """
    numerator = fraction(together(inverse.diff(parameter)))[0]
    poly = Poly(expand(numerator), parameter)
    roots = poly.all_roots(radicals=False) if poly.domain.is_ZZ or poly.domain.is_QQ else list(poly.nroots())
    denominator = fraction(together(inverse))[1]
    found = {
        root: inverse.subs(parameter, root)
        for root in roots
        if root.is_real and denominator.subs(parameter, root) != 0
    }
    return sorted(found.items(), key=lambda pair: float(pair[1]))


__all__ = ["Rational", "choose_factor", "edges", "of_equation", "product", "total"]


def substituted(polynomial: Expr | None, argument: Expr, value: Expr = m) -> Rewritten | None:
    """The polynomial of the law whose m and z are `value` and `argument` of this one's."""
    if polynomial is None:
        return None
    return fraction(together(polynomial.subs({z: argument, m: value}, simultaneous=True)))[0]
