"""What the fuzz has found, each once: a value of a kind that nobody had thought of, and the sentence that it gets."""

import numpy as np
import pytest
from sympy import Piecewise, Symbol

from widelimit.numerics import convolution, jacobian, ridge
from widelimit.theory import convolution as modes
from widelimit.theory import freeprob
from widelimit.theory.errors import WidelimitError

x = Symbol("x", real=True)
X = np.random.default_rng(0).standard_normal((12, 3))
FOUND = {
    "tiny radius": (lambda: freeprob.arcsine(2.8e-291), "`radius` must lie between 1e-30 and 1e30"),
    "tiny rate": (lambda: freeprob.free_poisson(3.8e-233, 1.0), "`rate` must lie between"),
    "vast jump": (lambda: freeprob.free_poisson(1.0, -1e200), "`jump` must lie between"),
    "vast variance": (lambda: freeprob.semicircle(1e300), "`variance` must lie between"),
    "many factors": (lambda: freeprob.fuss_catalan(4888318328069), "`factors` must be at most 100"),
    "an open case": (lambda: freeprob.bernoulli(Piecewise((x, x > 0))), "`p` must be defined everywhere"),
    "an array without dimensions": (lambda: freeprob.wishart_product(np.array(2.0)), "`ratios` must be a list"),
    "an empty scale": (lambda: convolution.predict(sigma_b=np.zeros((2, 0, 3))), "`sigma_b` must"),
    "no positions": (lambda: modes.mode_multiplier((0.5, 0.5), 0.0, 0.0), "`n` must be positive"),
    "data of one number": (lambda: ridge.from_data(X=np.nan, y=np.nan), "`X` must hold rows"),
    "a list as target": (lambda: ridge.from_data(X=X, target=[0.4]), "`target` must be the number of a column"),
    "half a target": (lambda: ridge.from_data(X=X, target=1.5), "`target` must be the number of a column"),
    "a target that is true": (lambda: ridge.from_data(X=X, target=True), "`target` must be the number of a column"),
    "points without end": (lambda: jacobian.linear_density(3, points=10**9), "`points` must be at most"),
    "a trace that no float inverts": (lambda: freeprob.bernoulli(5e-324), "between 1e-30 and 1"),
    "a mass that no float inverts": (lambda: freeprob.mixture([(0, 1.0), (1, 5e-324)]), "masses of 1e-30 or more"),
    "factors without end": (lambda: jacobian.linear_density(10**14, points=3), "No float holds"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_gets_its_sentence(case):
    call, match = FOUND[case]
    with pytest.raises(WidelimitError, match=match):
        call()


def test_edges_of_a_multiplicative_brownian_motion():
    """(1 + m)/m exp(t m) at m = (-1 +- sqrt(1 + 4/t))/2 by mpmath; at long times 1 + m must not cancel to zero."""
    low, high = freeprob.multiplicative_brownian(2).support[0]
    assert float(low) == pytest.approx(0.0174396539242065, rel=1e-12)
    assert float(high) == pytest.approx(7.76020463621502, rel=1e-12)
    assert freeprob.multiplicative_brownian(1e29).support[0][1].is_finite
