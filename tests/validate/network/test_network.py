"""A batch of networks against plain torch layers and autograd, and against itself however it is batched."""

import numpy as np
import pytest
import torch

from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.networks import Architecture, Network, in_batches, random_network
from widelimit.validate.harness.drawing.weights import Draws

CPU = Backend()


def finished(spec, width=30, seeds=(1, 2), start=None, raw=False):
    """A network that has run forwards and kept everything, with its start and its layers' pre-activations."""
    network = random_network(spec, width, seeds, CPU, keep_layers=True)
    start = network.draws.normal(width, 3) if start is None else start
    return network, start, list(network.forward(start, raw=raw))


def by_hand(network, start, r, biases, phi, raw=False):
    """h^L of replicate r with PyTorch's own operations on the explicit matrices."""
    x = start[r] if raw else phi(start[r])
    for layer, (w, mask) in enumerate(zip(network.layers, network.masks, strict=True)):
        if mask is not None:
            x = x * mask[r]
        h = w.matrix()[r] @ x + biases[layer][r]
        x = phi(h)
    return h


def biases_of(network, start, states, raw=False):
    """b^l = h^l - W^l x^(l-1): the same for every input, or this test's premise is wrong."""
    found, h = [], start
    for layer, (w, mask) in enumerate(zip(network.layers, network.masks, strict=True)):
        x = h if raw and layer == 0 else network.phi(h)
        bias = states[layer] - w.matrix() @ (x if mask is None else x * mask)
        assert torch.allclose(bias, bias[..., :1].expand_as(bias), atol=1e-12)
        found.append(bias[..., :1])
        h = states[layer]
    return found


@pytest.mark.parametrize("ensemble", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("keep", [1.0, 0.8])
@pytest.mark.parametrize(("name", "phi"), [("tanh", torch.tanh), ("gelu", torch.nn.functional.gelu)])
def test_forward_and_backward_are_torch_and_autograd(ensemble, keep, name, phi):
    spec = Architecture(name, 1.4, 0.3, depth=4, weights=ensemble, keep=keep)
    network, start, states = finished(spec)
    biases = biases_of(network, start, states)
    for r in range(2):
        leaf = start[r].clone().requires_grad_()
        top = by_hand(network, [leaf] * 2, r, biases, phi)
        assert torch.allclose(top, states[-1][r], atol=1e-12)
        delta = torch.arange(90.0, dtype=torch.float64).view(30, 3).sin()
        (gradient,) = torch.autograd.grad((top * delta).sum(), leaf)
        last = list(network.backward(delta.expand(2, -1, -1)))[-1]
        assert torch.allclose(gradient, last[r], atol=1e-12)


def test_biases_have_their_variance():
    network, start, states = finished(Architecture("tanh", 1.0, 0.5, depth=2), width=3000, seeds=(4,))
    for bias in biases_of(network, start, states):
        assert bias.var().item() == pytest.approx(0.25, rel=4.5 * (2 / 3000) ** 0.5)


@pytest.mark.parametrize("ensemble", ["gaussian", "orthogonal"])
def test_a_raw_input_meets_the_first_weights_directly(ensemble):
    x = torch.linspace(-1, 1, 64 * 3, dtype=torch.float64).view(1, 64, 3).expand(2, -1, -1)
    spec = Architecture("tanh", 1.5, 0.2, depth=3, weights=ensemble)
    network, start, states = finished(spec, start=x, raw=True)
    biases = biases_of(network, start, states, raw=True)
    top = by_hand(network, start, 1, biases, torch.tanh, raw=True)
    assert torch.allclose(top, states[-1][1], atol=1e-12)
    deltas = list(network.backward(states[-1]))
    assert len(deltas) == 2 and deltas[-1].shape == (2, 30, 3)


def test_layers_that_are_not_kept_are_the_same():
    spec = Architecture("relu", 1.4, 0.1, depth=5)
    _, start, kept = finished(spec)
    network = random_network(spec, 30, (1, 2), CPU)
    again = list(network.forward(network.draws.normal(30, 3)))
    assert all(torch.equal(a, b) for a, b in zip(kept, again, strict=True))
    assert torch.equal(start, Draws((1, 2), CPU).normal(30, 3))


@pytest.mark.parametrize(
    "spec", [Architecture("tanh", 1.4, 0.3, 3, "orthogonal"), Architecture("tanh", 1.4, 0.3, 3, keep=0.9)]
)
def test_the_same_numbers_however_seeds_are_split(spec):
    def measure(seeds):
        network = random_network(spec, 25, seeds, CPU)
        *_, top = network.forward(network.draws.normal(25, 2))
        return top.square().mean(dim=1)

    seeds = [11, 12, 13, 14, 15]
    whole = in_batches(measure, seeds, bytes_each=1, backend=CPU)
    single = in_batches(measure, seeds, bytes_each=2**40, backend=CPU)
    assert whole.shape == (5, 2) and len(np.unique(whole)) == 10
    assert np.allclose(whole, single, rtol=1e-12)
    assert np.allclose(whole[3:], in_batches(measure, seeds[3:], 1, CPU), rtol=1e-12)


def test_single_precision_follows_double():
    spec = Architecture("tanh", 1.4, 0.3, depth=3)
    start = Draws((1,), CPU).normal(40, 2)
    double = list(Network(spec, 40, Draws((9,), CPU)).forward(start))[-1]
    single = list(Network(spec, 40, Draws((9,), Backend(precision="float32"))).forward(start.float()))[-1]
    assert torch.allclose(double, single.double(), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"sigma_w": -1.0}, "sigma_w"),
        ({"sigma_w": float("nan")}, "sigma_w"),
        ({"sigma_b": -0.1}, "sigma_b"),
        ({"depth": 0}, "depth"),
        ({"weights": "uniform"}, "weights"),
        ({"keep": 0.0}, "keep"),
    ],
)
def test_architectures_out_of_range_are_refused(change, argument):
    with pytest.raises(ArgumentError, match=f"`{argument}`"):
        Architecture(**{"activation": "tanh", "sigma_w": 1.0, "sigma_b": 0.1, "depth": 2} | change)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("ensemble", ["gaussian", "orthogonal"])
def test_cuda_agrees_with_itself_and_with_autograd(ensemble):
    cuda = Backend("cuda")
    spec = Architecture("tanh", 1.4, 0.3, depth=3, weights=ensemble)
    together = random_network(spec, 50, (1, 2), cuda, keep_layers=True)
    alone = random_network(spec, 50, (2,), cuda)
    *_, top = together.forward(together.draws.normal(50, 2))
    *_, same = alone.forward(alone.draws.normal(50, 2))
    assert torch.allclose(top[1], same[0], atol=1e-12)
    assert all(delta.device.type == "cuda" for delta in together.backward(top))
