"""Fisher statistics against worked values and an explicit Gram matrix of the limit."""

import math

import numpy as np
import pytest

from widelimit.numerics import fisher, meanfield
from widelimit.theory.errors import ArgumentError, DomainError

POINT = {
    "sigma_w": math.sqrt(2.0),
    "sigma_b": math.sqrt(0.1),
    "depth": 3,
    "width": 800.0,
    "samples": 60,
    "outputs": 2,
}


def test_worked_values():
    s = fisher.predict("relu", **POINT)
    assert math.isclose(s.kappa_1, 1.433333, abs_tol=5e-7) and math.isclose(s.kappa_2, 0.428906, abs_tol=5e-7)
    assert math.isclose(s.mean, 0.00358, abs_tol=5e-6) and math.isclose(s.second_moment, 1.2908, abs_tol=5e-5)
    assert math.isclose(s.largest, 1069.55, abs_tol=5e-3)


@pytest.mark.parametrize("widths", [None, [300.0, 500.0, 200.0]])
def test_moments_are_those_of_the_limiting_gram_matrix(widths):
    """Per output the Gram matrix is constant on and off the diagonal; its eigenvalues are taken numerically."""
    s = fisher.predict(
        "tanh", sigma_w=1.4, sigma_b=0.3, depth=2, width=400.0, samples=9, outputs=3, widths=widths
    )
    scale = 400.0 if widths is None else widths[-1]
    gram = np.full((9, 9), s.kappa_2) + (s.kappa_1 - s.kappa_2) * np.eye(9)
    values = np.linalg.eigvalsh(s.alpha * scale / 9 * gram)
    assert math.isclose(s.largest, values[-1], rel_tol=1e-12) and math.isclose(
        s.bulk, values[0], rel_tol=1e-9
    )
    assert math.isclose(s.mean, 3 * values.sum() / s.parameters, rel_tol=1e-12)
    assert math.isclose(s.second_moment, 3 * (values**2).sum() / s.parameters, rel_tol=1e-12)
    assert math.isclose(s.condition_number, values[-1] / values[0], rel_tol=1e-9)
    assert math.isclose(s.largest_learning_rate, 2 / s.top, rel_tol=1e-12) and s.top > values[-1]


def test_relu_recursion_by_hand():
    """kappa_1 of ReLU: qhat grows by sigma_b^2 / 2 a layer at sigma_w^2 = 2, gradients keep their size."""
    run = fisher.propagation(
        "relu",
        sigma_w=math.sqrt(2),
        sigma_b=math.sqrt(0.1),
        widths=[1.0] * 4,
        input_moment=1.0,
        input_overlap=0.0,
    )
    assert np.allclose(run.forward, [1.0, 1.05, 1.1, 1.15]) and np.allclose(run.backward, 1.0)


def test_odd_activation_without_biases_has_uncorrelated_gradients():
    """All eigenvalues are equal in the limit of infinite width; at a width of 500 fifty samples spread them by half."""
    s = fisher.predict("tanh", sigma_w=1.5, sigma_b=0.0, depth=3, width=500.0, samples=50)
    assert abs(s.kappa_2) < 1e-14 and math.isclose(s.outlier, s.alpha * 500 * s.kappa_1 / 50, rel_tol=1e-9)
    assert 1.3 < s.largest / s.bulk < 1.6
    limit = fisher.predict("tanh", sigma_w=1.5, sigma_b=0.0, depth=3, width=1e12, samples=50)
    assert math.isclose(limit.largest, limit.bulk, rel_tol=1e-4)


def test_bounds_lie_above_the_blocks_and_the_whole():
    arguments = {"sigma_w": 1.5, "sigma_b": 0.3, "depth": 4, "width": 300.0, "samples": 40}
    bound = fisher.jacobian_bound("tanh", **arguments)
    run = fisher.propagation(
        "tanh", sigma_w=1.5, sigma_b=0.3, widths=[300.0] * 5, input_moment=1.0, input_overlap=0.0
    )
    blocks = 300.0 / 40 * (39 * run.forward_pair * run.backward_pair + run.forward * run.backward)
    assert (bound.layers >= bound.decoupled).all() and (bound.decoupled >= blocks - 1e-9).all()
    largest = fisher.predict("tanh", **arguments).largest
    assert bound.whole >= largest and math.isclose(blocks.sum(), largest, rel_tol=1e-9)
    assert bound.largest_block == bound.layers.max() < bound.whole


def test_square_networks_use_the_edge_of_the_jacobian():
    """E |x|^2 sigma_max(J_l)^2 of drawn square networks with as many outputs as units, tanh, three hidden layers."""
    sigma_w, sigma_b, depth, width = 1.3, 0.3, 3, 150
    q = float(meanfield.solve("tanh", sigma_w=sigma_w, sigma_b=sigma_b).q_star)
    moment = (q - sigma_b**2) / sigma_w**2  # so that all layers are at the fixed point
    bound = fisher.jacobian_bound(
        "tanh",
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        depth=depth,
        width=width,
        samples=10,
        input_moment=moment,
        square=True,
    )
    rng, rows = np.random.default_rng(0), []
    for _ in range(8):
        x, inputs, hidden, weights = moment**0.5 * rng.standard_normal(width), [], [], []
        for _ in range(depth + 1):
            weights.append(rng.standard_normal((width, width)) * sigma_w / width**0.5)
            inputs.append(x)
            hidden.append(weights[-1] @ x + sigma_b * rng.standard_normal(width))
            x = np.tanh(hidden[-1])
        above, out = np.eye(width), []
        for level in range(depth, -1, -1):
            out.append(inputs[level] @ inputs[level] * np.linalg.norm(above, 2) ** 2)
            if level:
                above = above @ weights[level] / np.cosh(hidden[level - 1]) ** 2
        rows.append(out[::-1])
    # largest singular values converge like width^(-2/3): 4 per cent
    assert np.allclose(np.mean(rows, axis=0), bound.layers, rtol=0.15)


def test_bad_input():
    with pytest.raises(ArgumentError, match="`widths` must hold 4 numbers"):
        fisher.predict("relu", depth=3, widths=[10.0])
    with pytest.raises(ArgumentError, match="`samples`"):
        fisher.predict("relu", samples=0)
    with pytest.raises(ArgumentError, match="`input_overlap`"):
        fisher.predict("relu", input_overlap=2.0)
    message = r"`input_overlap` must be at least -0.0344828 = -input_moment / \(samples - 1\) for 30 inputs"
    with pytest.raises(ArgumentError, match=message):
        fisher.predict("tanh", samples=30, input_overlap=-0.04)
    with pytest.raises(ArgumentError, match=message):
        fisher.jacobian_bound("tanh", sigma_w=1.0, depth=2, samples=30, input_overlap=-0.04)
    with pytest.raises(ArgumentError, match="`inputs` must be 'gaussian' for 200 samples of 50 components"):
        fisher.predict("tanh", width=50.0, samples=200, inputs="equal")
    with pytest.raises(ArgumentError, match="`outputs`"):
        fisher.jacobian_bound("tanh", sigma_w=1.0, depth=2, samples=30, outputs=0)
    with pytest.raises(DomainError, match="layer 2 have the variance 0"):
        fisher.predict("max(x-60,0)", sigma_w=1.0)
