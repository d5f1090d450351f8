"""Units of cells: the logistic function's own slope, complements, and rest."""

import mpmath
import sympy

from widelimit.theory.calculus import cells


def test_the_logistic_function_is_logistic():
    a = sympy.Symbol("a", real=True)
    known = 1 / (1 + sympy.exp(-a))
    assert sympy.simplify(cells.sigma(a).rewrite(sympy.exp) - known) == 0
    slope = cells.sigma(a).diff(a)
    assert sympy.simplify(slope.rewrite(sympy.exp) - known.diff(a)) == 0
    assert mpmath.almosteq(
        cells.sigma(sympy.Rational(3, 10)).evalf(30), 1 / (1 + mpmath.exp(-mpmath.mpf("0.3")))
    )


def test_an_lstm_rests_where_its_memory_does():
    rest = cells.lstm_rest()
    moved = cells.lstm_memory().subs(cells.MEMORY, rest)
    point = {cells.INPUT: 0.3, cells.FORGET: 1.2, cells.CANDIDATE: -0.7}
    assert abs((moved - rest).subs(point).evalf(30)) < 1e-14
