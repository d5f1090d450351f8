"""Simulated Jacobians and the claims about them."""

import numpy as np
import pytest
import torch

from widelimit.validate.claims import jacobian as claims
from widelimit.validate.claims.jacobian import shared, theory
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.weights import Draws

POINT = {"activation": "tanh", "sigma_w": 1.2, "sigma_b": 0.1, "depth": 3, "weights": "orthogonal"}


@pytest.fixture(scope="module")
def simulate():
    from widelimit.validate.simulate import jacobian

    return jacobian


def test_the_jacobian_is_the_derivative_of_the_network(simulate):
    """Against autograd through the same weights."""
    import torch

    from widelimit.validate.harness.drawing.weights import Draws, weights

    width, q1 = 12, 0.7
    product, _ = simulate.jacobians(POINT, q1, [width] * 4, [5], Backend())
    draws = Draws([5], Backend())
    x = draws.normal(width, 1)
    scale = (q1 - 0.1**2) ** 0.5 / 1.2
    x = x * scale * width**0.5 / torch.linalg.vector_norm(x, dim=1, keepdim=True)
    layers = [
        (weights("orthogonal", draws, width, width, 1.2).matrix()[0], 0.1 * draws.normal(width, 1)[0, :, 0])
        for _ in range(3)
    ]

    def network(v):
        for w, b in layers:
            v = torch.tanh(w @ v + b)
        return v

    exact = torch.autograd.functional.jacobian(network, x[0, :, 0])
    assert torch.allclose(product[0], exact, atol=1e-13)


@pytest.mark.parametrize("shape", ["1 1 1 1", "1 2 0.5 1", "1 0.5 2 0.5"])
def test_moments_are_those_of_the_singular_values(simulate, shape):
    inputs = {**POINT, "weights": "gaussian", "shape": shape}
    found = simulate.spectrum_statistics(inputs, 0.7, 40, [1, 2], Backend(), simulate.moments)
    product, _ = simulate.jacobians(inputs, 0.7, simulate.widths_of(inputs, 40), [1, 2], Backend())
    values = np.linalg.svd(product.numpy(), compute_uv=False) ** 2
    m = [(values**k).sum(1) / 40 for k in (1, 2, 3)]
    assert np.allclose(
        found, np.stack([np.log(m[0]), m[1] / m[0] ** 2, m[2] / m[0] ** 3], axis=1), rtol=1e-12
    )
    assert found.shape == (2, 3)


def test_replicates_do_not_depend_on_the_batch(simulate):
    together = simulate.spectrum_statistics(POINT, 0.7, 30, [3, 4, 5], Backend(), simulate.moments)
    alone = [
        simulate.spectrum_statistics(POINT, 0.7, 30, [s], Backend(), simulate.moments)[0] for s in (3, 4, 5)
    ]
    assert np.allclose(together, alone, rtol=1e-10)


def test_an_atom_is_there_exactly(simulate):
    """Hard-tanh with orthogonal weights: sigma_w^2L is a singular value wherever no layer saturates."""
    inputs = {**shared.HARD, "depth": 4, "weights": "orthogonal"}
    law = theory.law(inputs)
    found = simulate.spectrum_statistics(inputs, 0.2, 150, range(8), Backend(), simulate.atom)
    assert abs(found[:, 0].mean() - law.atoms[-1][1]) < 5 * found[:, 0].std() / 8**0.5 + 0.01
    assert np.allclose(found[:, 1], law.log_largest / 2, atol=1e-10)


def test_rank_is_counted_as_rank(simulate):
    inputs = {**shared.RELU, "depth": 3, "weights": "gaussian"}
    product, active = simulate.jacobians(inputs, 1.0, [40] * 4, [1, 2], Backend())
    assert [round(a * 40) for a in active.tolist()] == [
        np.linalg.matrix_rank(p, tol=1e-12) for p in product.numpy()
    ]


@pytest.mark.parametrize("claim", claims.CLAIMS[:-1], ids=lambda claim: claim.id)
def test_every_claim_predicts_what_it_measures(claim):
    point = claim.plans["quick"].points[0]
    predicted = claim.predict(point)
    measured = claim.simulate(point, 24, [1, 2], Backend())
    assert predicted.shape == (measured.shape[1],) == (len(claim.rows(point)),)
    assert np.isfinite(predicted).all() and np.isfinite(measured).all()
    assert any(c.applies(p) for c in claim.counterfactuals for p in claim.plans["quick"].points)
    for counterfactual in claim.counterfactuals:
        assert any(counterfactual.applies(p) for p in claim.plans["reference"].points), counterfactual.name


def test_the_misprinted_transform_is_no_distribution():
    point = {**shared.LINEAR, "depth": 1, "weights": "gaussian"}
    wrong, right = theory.misprinted_distribution(point), theory.distribution(point)
    x = np.array(theory.PLACES)  # Marchenko and Pastur's law of ratio one
    exact = (np.sqrt(x * (4 - x)) + 4 * np.arcsin(np.sqrt(x) / 2)) / (2 * np.pi)
    assert np.abs(right - exact).max() < 1e-8 and np.abs(wrong - right).max() > 0.1


@pytest.mark.parametrize(
    "name",
    ["spread", "piecewise-linear", "approach", pytest.param("learning-curves", marks=pytest.mark.slow)],
)
def test_gallery_draws(name):
    from matplotlib.figure import Figure

    figure = next(f for f in claims.GALLERY if f.name == name)
    arrays = figure.compute("quick")
    axes = Figure().subplots()
    figure.draw(arrays, axes)
    assert axes.lines and all(np.isfinite(values).all() for values in arrays.values())


@pytest.mark.slow
def test_training_counts_steps():
    from widelimit.validate.simulate.jacobian.training import Race, Start, learning_curve, steps_to_loss

    race = Race(depth=4, width=32, batch=64, rates=(0.01, 0.1), steps=120, give_up=3.0)
    starts = (Start("tanh", 1.0247, 0.00448, "orthogonal"), Start("tanh", 0.2, 0.0, "gaussian"))
    steps = steps_to_loss(starts, race, [1, 2], Backend())
    assert steps.shape == (2, 2) and (steps[:, 0] < race.steps).all()
    assert np.array_equal(steps[:, 1], 3.0 * steps[:, 0])  # this one never learns, and is given up
    assert np.array_equal(steps[1:], steps_to_loss(starts, race, [2], Backend()))
    curve = learning_curve(starts[0], race, 2, Backend())
    assert len(curve) == race.steps and curve[0] > 0.8
    assert (
        np.argmax(curve < race.loss) + 1 >= steps[1, 0]
    )  # the best rate at the end is not the first to arrive


FAST = "--activation exp(x**2/16) --sigma-w 0.1 --sigma-b 1.6"  # E phi'^2k is finite below q = 4/k


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--activation tanhh", ["tanhh", "Did you mean 'tanh'"]),
        ("--depth 0", ["Argument `depth` must be an integer of at least 1, but is 0"]),
        ("--depth 3 --widths 10 20", ["Argument `widths` must list depth + 1 = 4 widths"]),
        ("--depth 1 --widths 10 -10", ["Argument `widths` must be positive, but is -10.0"]),
        ("--weights sparse", ["Argument `weights` must be one of 'orthogonal', 'gaussian'"]),
        (f"{FAST} --depth 1 --q0 2.5", ["exp(x**2/16)", "infinite E phi'(sqrt(q) z)^4", "grows more slowly"]),
        (f"{FAST} --depth 1 --q0 1.1", ["infinite E phi'(sqrt(q) z)^8 at q = 1.1", "moment of order 4"]),
        (f"{FAST} --depth 2", ["infinite E phi'(sqrt(q) z)^4 at q = 2.57676", "grows more slowly"]),
    ],
)
def test_wrong_requests_on_the_command_line(capsys, options, words):
    from widelimit.validate.cli import main

    assert main(["predict", "jacobian", *options.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("widelimit: ") and err.count("\n") == 1
    for word in words:
        assert word in err


def test_residual_jacobians_by_autograd(simulate):
    """The network is x + phi(W x): slopes at what the layers below have made of the input."""
    inputs = {"activation": "tanh", "sigma_w": 0.4, "sigma_b": 0.0, "weights": "gaussian", "branch": True}
    found, _ = simulate.jacobians(inputs, 0.7, [12] * 4, [3], Backend())
    draws = Draws([3], Backend())
    x = draws.normal(12, 1)[0, :, 0]
    start = x * (0.7**0.5 / 0.4 * 12**0.5 / x.norm())
    layers = [draws.normal(12, 12)[0] * 0.4 / 12**0.5 for _ in range(3)]

    def network(x):
        for weight in layers:
            x = x + torch.tanh(weight @ x)
        return x

    right = torch.autograd.functional.jacobian(network, start)
    assert torch.allclose(found[0], right, rtol=1e-10, atol=1e-12)
