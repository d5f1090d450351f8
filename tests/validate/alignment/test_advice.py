"""Advice for users' networks: measured on them, and borne out by training their feedback."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics import alignment as predicted
from widelimit.theory.errors import ArgumentError
from widelimit.validate import alignment
from widelimit.validate.alignment import measured


def network(width=80):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(20, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    ).double()


@pytest.fixture(scope="module")
def advice():
    net = network()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3000, 20, generator=generator, dtype=torch.float64)
    before = copy.deepcopy(net.state_dict())
    found = alignment.advise(net, x, batch=32, learning_rate=0.02, gamma=0.3)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    return net, x, found


def test_layers_are_measured(advice):
    net, x, found = advice
    assert [(one.name, one.fan_in, one.fan_out) for one in found.layers] == [
        ("0", 20, 80), ("2", 80, 80), ("4", 80, 10),
    ]  # fmt: skip
    hidden = torch.relu(net[0](x)).detach().numpy()
    moment = hidden.T @ hidden / len(hidden)
    layer = found.layers[1]
    assert layer.covariance == pytest.approx(moment, abs=1e-12)
    w = net[2].weight.detach().numpy()
    assert layer.cosine["mirror"] == pytest.approx(
        np.sum(moment @ w.T * w.T) / np.linalg.norm(moment @ w.T) / np.linalg.norm(w)
    )
    rest = predicted.fixed_point(
        "information", w, covariance=moment, alpha=1, beta=1, gamma=0.3, learning_rate=0.02, batch=32
    )
    assert layer.cosine["information"] == pytest.approx(rest.cosine)
    assert layer.largest_step["information"] == pytest.approx(rest.largest_step)
    assert layer.floor["information"] == pytest.approx(rest.floor)
    assert layer.centred["mirror"] > layer.cosine["mirror"] + 0.1


@pytest.mark.parametrize("rule", ["mirror", "information", "activation"])
def test_training_the_feedback_of_the_network_bears_the_advice_out(advice, rule):
    """The network's own hidden activity, batch by batch; activation is slow, and is asked for its time course."""
    net, x, found = advice
    made = alignment.converted(net, rule=rule, gamma=0.3)[2]
    made.weight.requires_grad_(False)
    hidden = torch.relu(net[0](x)).detach()
    rate = {"activation": 0.05, "mirror": 0.02, "information": 0.02}[rule]
    descent = torch.optim.SGD([made.feedback], lr=rate)
    start, cosines = made.feedback.detach().numpy().copy(), []
    torch.manual_seed(2)
    for k in range(900):
        descent.zero_grad()
        rows = torch.randint(len(hidden), (32,))
        made(hidden[rows]).sum().backward()
        descent.step()
        if k >= 600 and k % 50 == 0:
            cosines.append(made.cosine())
    told = found.layers[1].noisy_cosine[rule]
    if rule == "activation":
        w, c = made.weight.numpy(), found.layers[1].covariance
        b = predicted.trajectory(rule, w, start, 725 * rate, covariance=c, alpha=1, beta=1)
        told = np.sum(b.T * w) / np.linalg.norm(b) / np.linalg.norm(w)
    assert np.mean(cosines) == pytest.approx(told, abs=0.05)


def test_steps_beyond_the_largest_diverge(advice):
    net, x, _ = advice
    made = alignment.converted(net, rule="information", gamma=0.3)[2]
    hidden = torch.relu(net[0](x[:300])).detach()
    w = net[2].weight.detach().numpy()
    moment = hidden.numpy().T @ hidden.numpy() / len(hidden)
    edge = predicted.fixed_point("information", w, covariance=moment, alpha=1, beta=1, gamma=0.3).largest_step
    sizes = {}
    for factor in (0.9, 2.0):
        trial = copy.deepcopy(made)
        descent = torch.optim.SGD([trial.feedback], lr=factor * edge)
        for _ in range(40):
            descent.zero_grad()
            trial(hidden).sum().backward()
            descent.step()
        sizes[factor] = float(trial.feedback.detach().norm())
    assert sizes[2.0] > 1e6 * sizes[0.9]


def test_the_error_signal_is_measured_as_autograd_gives_it(advice):
    """With feedback W^T the signal is backpropagation's; with others that of layers that have it."""
    net, x, _ = advice
    whole, layers, inputs = measured.run(net, x[:50])
    true = measured.signal(whole, layers, inputs, None)
    transposed = {one.name: one.weights.T for one in layers}
    assert torch.allclose(measured.signal(whole, layers, inputs, transposed), true)
    out = net[0](x[:50]).detach().requires_grad_()
    delta = torch.randn(50, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (expected,) = torch.autograd.grad(net[1:](out), out, delta)
    assert torch.allclose(true, expected)
    other = alignment.converted(net, rule="mirror")
    out = out.detach().requires_grad_()
    (expected,) = torch.autograd.grad(other[1:](out), out, delta)
    feedback = {name: other[int(name)].feedback.detach().numpy() for name in ("0", "2", "4")}
    assert torch.allclose(measured.signal(whole, layers, inputs, feedback), expected)


def test_signals_are_products_where_errors_are_independent():
    """Feedback with independent errors in wide layers: the product of cosines, measured on the network."""
    net = network(width=400)
    whole, layers, inputs = measured.run(net, torch.randn(200, 20).double())
    true = measured.signal(whole, layers, inputs, None)
    generator = np.random.default_rng(0)
    feedback, cosines = {}, []
    for layer in layers:
        w = layer.weights
        b = 0.8 * w + 0.6 * w.std() * generator.standard_normal(w.shape)
        cosines.append(np.sum(b * w) / np.linalg.norm(b) / np.linalg.norm(w))
        feedback[layer.name] = b.T
    fed = measured.signal(whole, layers, inputs, feedback)
    found = float((true * fed).sum() / true.norm() / fed.norm())
    assert found == pytest.approx(predicted.depth(cosines[1:]), abs=0.04)


def test_signals_of_advice(advice):
    _, _, found = advice
    assert found.signal["mirror"] == pytest.approx(
        found.layers[1].cosine["mirror"] * found.layers[2].cosine["mirror"]
    )
    for rule in ("symmetric", "activation", "kolen_pollack"):
        assert found.signal[rule] == pytest.approx(1.0) and found.measured_signal[rule] == pytest.approx(1.0)
    assert found.measured_signal["mirror"] < 0.6


def test_what_to_tune_again_is_said():
    net = network()
    with torch.no_grad():
        net[2].weight *= 5
    found = alignment.advise(net, torch.randn(500, 20).double(), learning_rate=0.3)
    said = " ".join(found.retune)
    assert "information: the learning rate 0.3 diverges in layer" in said and "tune the learning rate" in said
    assert "mirror: the cosine in layer '2'" in said and "take off their mean" in said


def test_convolutions_are_matrices_of_patches():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, stride=2), nn.Tanh(), nn.Conv2d(5, 4, 2, padding="same", dilation=2), nn.Tanh(),
        nn.Conv2d(4, 4, 3, padding="valid"), nn.Flatten(), nn.Linear(16, 3),
    ).double()  # fmt: skip
    x = torch.randn(40, 2, 8, 8).double()
    whole, layers, inputs = measured.run(net, x)
    assert [layer.weights.shape for layer in layers] == [(5, 18), (4, 20), (4, 36), (3, 16)]
    for layer, inner in zip(layers[:3], (x, net[:2](x), net[:4](x)), strict=True):
        rows = measured.patches(layer.module, inner).detach().numpy() @ layer.weights.T
        out = layer.module(inner) - layer.module.bias[:, None, None]
        assert rows == pytest.approx(out.detach().permute(0, 2, 3, 1).reshape(len(rows), -1).numpy())
    true = measured.signal(whole, layers, inputs, None)
    same = measured.signal(whole, layers, inputs, {one.name: one.weights.T for one in layers})
    assert torch.allclose(true, same)
    assert set(alignment.advise(net, x).signal) == {*alignment.advice.RULES}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"module": "net"}, "`module` must be a torch module"),
        ({"module": nn.ReLU()}, "`module` must have linear"),
        ({"x": torch.zeros(4, 7).double()}, "`x` must be a batch that the module takes"),
        ({"x": torch.full((4, 20), float("nan")).double()}, "`x` must be finite"),
        ({"x": "digits"}, "`x` must be a real number or an array"),
        ({"x": torch.zeros(0, 20)}, "`x` must be a batch of inputs"),
        ({"x": torch.zeros(4, 20)}, "`module` must have layers that pass something on"),
        ({"batch": 0}, "`batch` must be an integer"),
        ({"learning_rate": -1.0}, "`learning_rate` must be positive"),
        ({"alpha": 0.0}, "`alpha` must be positive"),
        ({"gamma": -1.0}, "`gamma` must not be negative"),
    ],
)
def test_bad_input_gets_one_sentence(given, words):
    with pytest.raises(ArgumentError, match=words):
        alignment.advise(**{"module": network(), "x": torch.ones(4, 20).double(), **given})


def test_layers_that_work_in_place_and_twice():
    """A common ReLU changes its inputs in place; a layer that runs twice has both its inputs measured."""
    torch.manual_seed(0)
    shared = nn.Linear(8, 8)
    net = nn.Sequential(
        shared, nn.ReLU(inplace=True), shared, nn.ReLU(inplace=True), nn.Linear(8, 3)
    ).double()
    x = torch.randn(40, 8).double()
    whole, layers, inputs = measured.run(net, x)
    assert [(layer.name, layer.count) for layer in layers] == [("0", 80), ("4", 40)]
    true = measured.signal(whole, layers, inputs, None)
    out = shared(x).detach().requires_grad_()
    delta = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (expected,) = torch.autograd.grad(net[4](shared(out.relu()).relu()), out, delta)
    assert torch.allclose(true, expected)
    assert set(alignment.advise(net, x).signal) == set(alignment.advise(net, x).measured_signal)


class Odd(nn.Module):
    """Returns more than a tensor, or what does not depend on its first layer."""

    def __init__(self, pair):
        super().__init__()
        self.one, self.other, self.pair = nn.Linear(4, 3), nn.Linear(4, 2), pair

    def forward(self, x):
        return (self.one(x), self.other(x)) if self.pair else (self.one(x), self.other(x))[1]


def test_outputs_of_other_kinds():
    x = torch.randn(10, 4)
    with pytest.raises(ArgumentError, match="`module` must return one tensor"):
        alignment.advise(Odd(True), x)
    assert alignment.advise(Odd(False), x).measured_signal["mirror"] == 0.0


def test_modules_that_cannot_be_copied():
    net = nn.Linear(4, 2)
    net.made = net.weight * 2  # no leaf: torch does not copy it
    for use in (
        lambda: alignment.advise(net, torch.zeros(3, 4)),
        lambda: alignment.converted(net, rule="mirror"),
    ):
        with pytest.raises(ArgumentError, match="`module` must be one that can be copied"):
            use()


def test_weights_of_zero_are_told_by_their_layer():
    net = network()
    with torch.no_grad():
        net[2].weight.zero_()
    with pytest.raises(ArgumentError, match="layer '2' does not"):
        alignment.advise(net, torch.randn(50, 20))
