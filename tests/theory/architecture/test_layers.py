"""Rules of layers: their derivation can fail, networks are written as they are computed, kinds can be added."""

import mpmath
import pytest
from sympy import Function, Rational, Symbol

from widelimit.theory import architecture as arch
from widelimit.theory.architecture import formulas
from widelimit.theory.architecture.names import A, B
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError


@pytest.mark.parametrize("activation", ["relu", "tanh", "shifted_relu"])
def test_the_derivation_checks_itself(activation):
    derivation = arch.derive(activation)
    assert all(check.passed for check in derivation.check(dps=15, points=1))
    assert derivation.latex() and derivation.mathml()
    assert {"ba2016layer", "novak2019bayesian", "yang2019mean"} <= set(derivation.sources)


@pytest.mark.parametrize(
    ("name", "density"),
    [("relu", None), ("sigmoid", lambda u: 1 / (1 + mpmath.exp(-u))), ("tanh", mpmath.tanh)],
)
def test_means_of_units(name, density):
    """E relu(u) = sqrt(q / 2 pi) by hand, others by quadrature."""
    q = mpmath.mpf("0.7")
    found = mpmath.mpf(str(arch.unit_mean(name).subs(formulas.Q1, Rational(7, 10)).evalf(15)))
    if density is None:
        expected = mpmath.sqrt(q / (2 * mpmath.pi))
    else:
        expected = mpmath.quad(lambda u: density(u) * mpmath.npdf(u, 0, mpmath.sqrt(q)), [-12, 0, 12])
    assert abs(found - expected) < 1e-12


def test_a_gain_in_front_of_a_branch_reaches_the_activation_inside():
    """Theta in front holds E u v = k; inside the branch the unit's own slope stands in its place."""
    tanh = arch.Act.of("tanh")
    inside = arch.Residual((tanh, arch.Dense()))
    rules = arch.recursion(arch.Architecture((arch.Dense(), arch.LayerNorm(affine=True), inside)))
    act, shortcut = rules[2], rules[4]
    k, theta = Function("K_2")(A, B), Function("Theta_2")(A, B)
    assert act.ntk.rhs.coeff(theta) == -act.ntk.rhs.coeff(k) != 0  # Tdot (Theta - k), and E u phi' v phi'
    assert shortcut.ntk.rhs == theta + Function("Theta_4")(A, B)


class Halve(arch.Layer):
    """A kind of layer of one's own."""

    def kernels(self, below):
        k, theta = below.both()
        return k / 4, theta / 4


def test_a_kind_of_layer_is_one_class():
    rules = arch.recursion(arch.Architecture((arch.Dense(2.0), Halve())))
    assert str(rules[1]) == "Halve: K_2(a, b) = K_1(a, b)/4; Theta_2(a, b) = Theta_1(a, b)/4"
    with pytest.raises(DomainError, match="must end with a dense"):
        arch.Residual((Halve(),))
    with pytest.raises(NotImplementedError, match="Layer does not say its rule"):
        arch.recursion(arch.Architecture((arch.Layer(),)))
    with pytest.raises(ArgumentError, match="`layers` must hold layers"):
        arch.Architecture((Activation.of("relu"),))


def test_scales_may_be_symbols():
    s = Symbol("s", positive=True)
    (rule,) = arch.recursion(arch.Architecture((arch.Dense(s),)))
    assert rule.nngp.rhs == s**2 * Function("K_0")(A, B)
