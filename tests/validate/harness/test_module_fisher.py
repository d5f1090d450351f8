"""Fisher statistics of users' networks whose hidden layers have their own activation, or none, against drawn ones."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics import fisher
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.network import from_torch
from widelimit.validate.simulate.fisher import largest_eigenvalue

WIDTH = 200
X = np.random.default_rng(1).standard_normal((20, WIDTH)) + 0.5
Tanh, ReLU = nn.Tanh, nn.ReLU


def drawn(activations, sigma_w, outputs, seed):
    """Dense layers without biases, each followed by its activation if it has one, and a readout."""
    torch.manual_seed(seed)
    layers, width = [], WIDTH
    for scale, act in zip(sigma_w, [*activations, None], strict=True):
        out = outputs if len(layers) and scale is sigma_w[-1] else WIDTH
        dense = nn.Linear(width, out, bias=False)
        nn.init.normal_(dense.weight, std=scale / math.sqrt(width))
        layers += [dense, act()] if act else [dense]
        width = out
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize(
    ("activations", "sigma_w", "outputs"),
    [
        ((None, Tanh), (1.5, 1.2, 0.9), 1),
        ((Tanh, None), (1.5, 1.2, 0.9), 1),
        ((None, None), (1.2, 0.8, 1.1), 1),
        ((ReLU, None, Tanh), (1.4, 1.2, 1.5, 0.9), 3),
    ],
)
def test_no_activation_is_invented_between_two_dense_layers(activations, sigma_w, outputs):
    """Four drawn networks a case; with an activation between all layers the prediction is far off."""
    measured = []
    for seed in range(4):
        module = drawn(activations, sigma_w, outputs, seed)
        measured.append(largest_eigenvalue(module, torch.tensor(X), tolerance=1e-2))
    net = from_torch(module, sigma_w=sigma_w)
    found, bound = net.fisher(X), net.fisher_bound(X)
    error = np.std(measured, ddof=1) / math.sqrt(4)
    # 1/width of finite networks a layer and 4 standard errors
    assert abs(np.mean(measured) - found.top) < 4 * error + found.top * 10 / WIDTH
    assert np.mean(measured) < bound.whole
    invented = nn.Sequential(
        *[part for layer in module if isinstance(layer, nn.Linear) for part in (layer, Tanh())]
    )[:-1]
    wrong = from_torch(invented, sigma_w=sigma_w).fisher(X).top
    assert abs(np.mean(measured) - wrong) > 2 * abs(np.mean(measured) - found.top)


def test_a_linear_network_in_closed_form():
    """f = w V U x: F's largest eigenvalue is that of the three Gram matrices, each the data's times a mean."""
    net = from_torch(drawn((None, None), (1.2, 0.8, 1.1), 1, 0), sigma_w=[1.2, 0.8, 1.1])
    moment = float(np.mean(X**2))
    forward = moment * np.cumprod([1.0, 1.44, 0.64])
    backward = np.cumprod([1.0, 1.21, 0.64])[::-1]
    run = fisher.propagation(
        ["linear"] * 2,
        sigma_w=[1.2, 0.8, 1.1],
        sigma_b=0.0,
        widths=[WIDTH] * 3,
        input_moment=moment,
        input_overlap=0.1,
    )
    assert np.allclose(run.forward, forward) and np.allclose(run.backward, backward)
    assert np.allclose(run.forward_pair / run.forward, 0.1 / moment) and np.allclose(
        run.backward_pair, run.backward
    )
    # the bound counts a bias as one more component of each layer's input, whether there is one or not
    assert np.allclose(net.fisher_bound(X).layers[-1], WIDTH * forward[-1] + 1, rtol=1e-9)
    with pytest.raises(
        ArgumentError, match="`activation` must be one, or 2, one for each hidden layer, but holds 3"
    ):
        fisher.propagation(
            ["relu"] * 3, sigma_w=1, sigma_b=0, widths=[9] * 3, input_moment=1, input_overlap=0
        )


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        (
            (nn.Linear(9, 64), ReLU(), nn.Linear(64, 1), Tanh()),
            "linear readout; tanh stands behind the last layer",
        ),
        ((nn.Linear(9, 64), ReLU(), Tanh(), nn.Linear(64, 1)), "tanh stands behind an activation"),
        ((ReLU(), nn.Linear(9, 64), ReLU(), nn.Linear(64, 1)), "relu stands behind the inputs"),
        ((nn.Linear(9, 64), nn.LayerNorm(64), ReLU(), nn.Linear(64, 1)), "this one has LayerNorm"),
        ((nn.Linear(9, 64), ReLU(), nn.Dropout(0.5), nn.Linear(64, 1)), "this one has Dropout"),
        ((nn.Linear(9, 1),), "this one has none"),
    ],
)
def test_networks_that_the_statistics_are_not_for_are_refused(layers, match):
    net = from_torch(nn.Sequential(*layers))
    for ask in (net.fisher, net.fisher_bound):
        with pytest.raises(DomainError, match=match):
            ask(np.ones((3, 9)))


def test_samples_and_inputs_that_make_no_sense():
    net = from_torch(nn.Sequential(nn.Linear(9, 64), ReLU(), nn.Linear(64, 1)))
    for samples in (0, -1, 1.5):
        with pytest.raises(ArgumentError, match="`samples` must be an integer of at least 1"):
            net.fisher(np.ones((3, 9)), samples=samples)
    with pytest.raises(ArgumentError, match="`x` must not be zero"):
        net.fisher(np.zeros((3, 9)))
    centred = X[:, :9] - X[:, :9].mean(axis=0)
    assert net.fisher(centred, samples=1000).largest > 0  # as many centred inputs overlap less
    assert net.fisher(np.ones((3, 9))).largest > 0


@pytest.mark.parametrize(("rows", "outputs"), [(1, 1), (2, 1), (1, 2), (3, 1), (2, 3)])
def test_few_outputs_against_explicit_gradients(rows, outputs):
    """One or two numbers in all are done without Lanczos: W x with gradients x, and 1 for the bias, in each output."""
    x = np.random.default_rng(rows).standard_normal((rows, 4))
    module = torch.nn.Linear(4, outputs).double()
    gradients = np.hstack([x, np.ones((rows, 1))])  # of one output; others have parameters of their own
    right = np.linalg.eigvalsh(gradients.T @ gradients / rows)[-1]
    assert largest_eigenvalue(module, torch.tensor(x)) == pytest.approx(right, rel=1e-6)
