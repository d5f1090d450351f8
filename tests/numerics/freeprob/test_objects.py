"""Laws as objects: they pickle, copy, compare and hash, symbolic or in numbers."""

import copy
import pickle

import numpy as np
import pytest
from sympy import Rational, Symbol
from sympy.abc import g, m

from widelimit.numerics import freeprob
from widelimit.theory import freeprob as symbolic
from widelimit.theory.errors import ArgumentError
from widelimit.theory.freeprob import law as law_module

HALF = Rational(1, 2)


def pair() -> symbolic.Law:
    return symbolic.mixture([(1, HALF), (4, HALF)])


SYMBOLIC = {
    "named": lambda: symbolic.marchenko_pastur(2),
    "of a symbol": lambda: symbolic.marchenko_pastur(Symbol("c", positive=True)),
    "mixture": pair,
    "sum": lambda: symbolic.semicircle(2) + pair(),
    "product": lambda: symbolic.marchenko_pastur() * pair(),
    "scaled": lambda: 3 * pair(),
    "power": lambda: symbolic.marchenko_pastur() ** Rational(5, 2),
    "free power": lambda: pair().free_power(3),
    "corner": lambda: pair().compress(HALF),
    "shift": lambda: symbolic.arcsine().shift(3),
    "transpose": lambda: symbolic.marchenko_pastur(2).transpose(2),
    "nested": lambda: (symbolic.semicircle() + pair()).shift(1) + symbolic.arcsine(),
}

NUMERIC = {
    "S": lambda: freeprob.law(S=(1 + m) ** -2),
    "R": lambda: freeprob.law(R=g),
    "symbolic": lambda: freeprob.law(symbolic.arcsine()),
    "parts": lambda: freeprob.law(symbolic.marchenko_pastur() * pair()),
    "sum": lambda: freeprob.add([(-1.0, 0.5), (1.0, 0.5)], freeprob.law(R=g)),
    "product": lambda: freeprob.multiply([(0.0, 0.5), (1.0, 0.5)], [(0.0, 0.8), (1.0, 0.2)]),
    "power": lambda: freeprob.power([(-1.0, 0.5), (1.0, 0.5)], 3.0),
    "corner": lambda: freeprob.compress([(0.0, 0.5), (1.0, 0.5)], 0.25),
    "atoms": lambda: freeprob.law(pair()),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_laws(name):
    law, again = SYMBOLIC[name](), SYMBOLIC[name]()
    assert law == again and hash(law) == hash(again) and (law != again) is False
    back = pickle.loads(pickle.dumps(law))  # our own bytes
    assert back == law and back.moments(4) == law.moments(4) and back.atoms == law.atoms
    assert copy.deepcopy(law) == law == copy.copy(law)
    assert (law == symbolic.semicircle(7)) is False and (law == 3) is False


@pytest.mark.parametrize("name", NUMERIC)
def test_laws_in_numbers(name):
    law, again = NUMERIC[name](), NUMERIC[name]()
    assert law == again and hash(law) == hash(again) and (law != again) is False
    back = pickle.loads(pickle.dumps(law))  # our own bytes
    assert back == law and back.name == law.name and back.support == law.support
    x = np.linspace(law.smallest, law.largest, 7)[1:-1]
    assert np.array_equal(back.density(x), law.density(x))
    assert copy.deepcopy(law) == law == copy.copy(law)
    assert (law == freeprob.law(R=7 * g)) is False and (law == 3) is False


def test_a_recipe_names_operations_on_laws_and_nothing_else():
    with pytest.raises(ArgumentError, match="operation on laws"):
        law_module._rebuilt(("__init__", (), ()))
