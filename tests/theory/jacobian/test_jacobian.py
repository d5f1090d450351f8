"""Symbolic Jacobian spectra against worked values and independent enumerations."""

import pytest
from sympy import Integer, Rational, erf, log, pi, simplify, sqrt

from widelimit.theory import freeprob, jacobian
from widelimit.theory.errors import ArgumentError, DomainError, InfiniteMomentError
from widelimit.theory.freeprob import Law
from widelimit.theory.jacobian import depth, m, p, q, s_0, sigma_w, strength

HALF = Rational(1, 2)


def test_slope_moments():
    assert (
        abs(jacobian.slope_moment("hard_tanh", 3).subs(q, 0.3).evalf(20) - erf(1 / sqrt(0.6)).evalf(20))
        < 1e-15
    )
    assert simplify(jacobian.slope_moment("erf_s", 2) - (1 + 2 * pi * q) ** -HALF) == 0
    with pytest.raises(InfiniteMomentError):
        jacobian.slope_moment("x*exp(x**2/16)", 2)
    with pytest.raises(DomainError, match="jumps"):
        jacobian.slope_moment("sign(x)", 1)


@pytest.mark.parametrize(
    ("weights", "layers", "expected"),
    [
        ("gaussian", 2, [1, 5, 33, 249]),
        ("orthogonal", 2, [1, 3, 10, 35]),
        ("gaussian", 8, [1, 17, 417, 12001]),
    ],
)
def test_relu_moments(weights, layers, expected):
    closed = [jacobian.bernoulli_moment(k, weights).subs({depth: layers, p: HALF}) for k in (1, 2, 3, 4)]
    law = Law.of(S=jacobian.s_transform("relu", weights, layers).subs(sigma_w, sqrt(2)))
    assert closed == expected == list(law.moments(4))


def test_variance_law():
    assert jacobian.variance_ratio("orthogonal") == depth * (jacobian.mu_2 / jacobian.mu_1**2 - 1)
    first, second = jacobian.moments(2, "gaussian", 5)
    assert simplify(second / first**2 - 1 - jacobian.variance_ratio("gaussian", 5)) == 0


def test_largest_with_and_without_an_atom():
    values = {depth: 8, p: 0.932110845138171}  # hard-tanh at q = 0.3
    assert abs(float(jacobian.largest("gaussian").subs(values)) - 24.586433079788) < 1e-10
    assert abs(float(jacobian.largest("orthogonal").subs(values)) - 1.7549288425393) < 1e-12
    bulk = float(jacobian.largest("orthogonal").subs({depth: 8, p: HALF}))
    assert abs(bulk - 8**8 / 7**7) < 1e-9
    assert abs(float(jacobian.largest("gaussian").subs({depth: 8, p: 1})) - 9**9 / 8**8) < 1e-9


def test_rectangular_variance():
    law = jacobian.rectangular([HALF, 2, 1], "relu").subs(sigma_w, sqrt(2))
    found = Law.of(S=simplify((1 + m) / (m * law)))
    assert found.moments(2)[0] == 1 and found.moments(2)[1] == 1 + 2 * (HALF + 2 + 1)


def test_varying_lengths_multiply():
    both = jacobian.varying(["hard_tanh", "hard_tanh"], [Integer(1), Integer(2)])
    single = [jacobian.varying(["hard_tanh"], [Integer(v)]) for v in (1, 2)]
    assert simplify(both - single[0] * single[1]) == 0


def test_classes_and_residual():
    brownian = freeprob.multiplicative_brownian(s_0**2)
    assert [
        simplify(jacobian.class_moment(k, "smooth") - brownian.moments(k)[k - 1]) for k in (1, 2, 3, 4)
    ] == [0] * 4
    values = [float(jacobian.class_moment(k, "bernoulli").subs(s_0, HALF)) for k in (2, 3, 4, 5)]
    assert values == pytest.approx([1.25, 1.59375, 2.04166666667, 2.61930338542], rel=1e-11)
    moments = jacobian.residual().moments(2)
    assert (
        simplify(log(moments[0]) - strength) == 0
        and simplify(moments[1] / moments[0] ** 2 - 1 - 2 * strength) == 0
    )


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", "erf_s", "leaky_relu(1/2)", "tanh"])
@pytest.mark.parametrize("weights", ["orthogonal", "gaussian"])
def test_derivations_check_themselves(activation, weights):
    derivation = jacobian.derive(activation, weights)
    assert all(step.passed for step in derivation.check(dps=20, points=1))
    assert "pennington2017resurrecting" in derivation.sources


@pytest.mark.parametrize("kind", ["smooth", "bernoulli"])
def test_class_derivations(kind):
    assert all(step.passed for step in jacobian.derive_class(kind).check(dps=20, points=2))


def test_refusals():
    with pytest.raises(ArgumentError, match="`weights`"):
        jacobian.derive("relu", "sparse")
    with pytest.raises(DomainError, match="curve"):
        jacobian.s_transform("tanh")
    with pytest.raises(ArgumentError, match="`ratios`"):
        jacobian.rectangular([-1], "relu")


@pytest.mark.parametrize("k", [1, 7, 180])
def test_high_moments_of_one_orthogonal_layer(k):
    """D^2/p has the mass p at 1/p: m_k = p^(1 - k)."""
    found = jacobian.bernoulli_moment(k).subs({depth: 1, p: HALF})
    assert found == 2 ** (k - 1)


@pytest.mark.parametrize("k", [201, 10**6, 10**400])
def test_orders_without_end_are_refused(k):
    for call in (
        jacobian.bernoulli_moment,
        lambda k: jacobian.class_moment(k, "smooth"),
        lambda k: jacobian.slope_moment("tanh", k),
    ):
        with pytest.raises(ArgumentError, match="must be at most 200"):
            call(k)
