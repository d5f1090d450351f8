"""Reports on networks whose gradients are masked by scale, by rounding, by softmax, or not at all; bad input."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics.robustness import divergence, flip_fraction
from widelimit.theory.errors import ArgumentError
from widelimit.validate.robustness import attacks, input_fisher, masking_report, stabilised
from widelimit.validate.robustness.attacks import Target

FAST = {"steps": 10, "queries": 100, "pairs": 8}


def network(scale=1.0, seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(8, 40), nn.Sigmoid(), nn.Linear(40, 40), nn.Sigmoid(), nn.Linear(40, 3))
    with torch.no_grad():
        for layer in (net[0], net[2], net[4]):
            layer.weight.normal_(0, 4 / math.sqrt(layer.in_features))
            layer.bias.copy_(-layer.weight.sum(1) / 2)  # hidden units are about 1/2
        net[0].bias.zero_()
        for layer in (net[0], net[2], net[4]):
            layer.weight *= scale
            layer.bias *= scale
    return net.to(dtype).eval()


X = torch.randn(100, 8, generator=torch.Generator().manual_seed(1))
Y = network()(X).argmax(1)


class Rounded(nn.Module):
    """Gradients are exactly zero, whatever the precision."""

    def __init__(self, net, step=0.05):
        super().__init__()
        self.net, self.step = net, step

    def forward(self, x):
        return self.net(torch.round(x / self.step) * self.step)


@pytest.fixture(scope="module")
def plain():
    return masking_report(network(), X, Y, 0.2, **FAST)


def test_an_honest_network(plain):
    assert plain.verdict == "not masked" and plain.clean == 1.0 and plain.zero_gradients == 0
    assert plain.low <= plain.accuracy <= plain.high and plain.accuracy <= min(
        a.accuracy for a in plain.attacks
    )
    assert plain.gap_low < 0.05 and "No masking found" in plain.sentence
    assert {one.kind for one in plain.attacks} == {"gradient", "stabilised", "transfer", "gradient-free"}
    assert plain.under("PGD float32 loss") <= plain.under("FGSM float32 loss")
    assert str(plain).count("\n") == len(plain.attacks) + 2


def test_scaled_pre_activations_mask(plain):
    net = network(1000.0)
    before = copy.deepcopy(net.state_dict())
    found = masking_report(net, X, net(X).argmax(1), 0.2, **FAST)
    assert found.verdict == "masked" and found.zero_gradients > 0.5
    assert found.under("FGSM float32 loss") > found.accuracy + 0.2
    assert found.gap_low > 0 and found.sentence.startswith("Gradients are masked")
    assert found.accuracy < plain.accuracy + 0.1
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())


def test_rounding_masks_and_is_seen_through():
    found = masking_report(Rounded(network()).eval(), X, Y, 0.2, **FAST)
    assert found.verdict == "masked" and found.zero_gradients == 1.0
    assert found.under("PGD float64 logits") > 0.95


def test_what_no_surrogate_gradient_reaches_is_found_without_gradients():
    class Hidden(nn.Module):  # a gradient of zeros that Python's calls do not show
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x.detach()) + 0 * x.sum()

    found = masking_report(Hidden(network()).eval(), X, Y, 0.2, **FAST)
    assert found.verdict == "masked"
    assert min(found.under("SPSA"), found.under("random search")) < 0.9 < found.under("PGD stabilised 1")


def test_a_twin_of_yours(plain):
    found = masking_report(network(1000.0), X, Y, 0.2, surrogate=network(), **FAST)
    assert found.under("transfer") < 0.95


def test_double_precision_and_arrays():
    found = masking_report(network(dtype=torch.float64), X.double().numpy(), Y.numpy(), 0.2, **FAST)
    assert found.verdict == "not masked" and "float64" in found.sentence


def test_a_robust_network_is_called_so():
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]] * 20)
    found = masking_report(layer.eval(), x, (x[:, 0] < 0).long(), 0.5, **FAST)
    assert (found.verdict, found.accuracy, found.gap) == ("not masked", 1.0, 0.0)
    nothing = masking_report(layer, x, (x[:, 0] < 0).long(), 0.0, **FAST)
    assert nothing.accuracy == 1.0
    assert masking_report(layer, x, (x[:, 0] < 0).long(), 1.5, **FAST).accuracy == 0.0


def test_linear_units_flip_as_predicted():
    torch.manual_seed(0)
    layer = nn.Linear(30, 2).eval()
    x = torch.randn(4000, 30)
    y = layer(x).argmax(1)
    found = masking_report(layer, x, y, 0.05, steps=3, queries=2, pairs=1)
    w = (layer.weight[0] - layer.weight[1]).detach().double().numpy()
    bias = float((layer.bias[0] - layer.bias[1]).detach())
    truth = 1 - flip_fraction(w, radius=0.05, bias=bias)
    assert abs(found.under("FGSM float32 loss") - truth) < 4 * math.sqrt(truth * (1 - truth) / 4000)
    rows, shift = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    flips = flip_fraction(rows, radius=0.05, bias=shift).mean()
    assert found.first_layer.flip_fraction == pytest.approx(flips, rel=0.05)
    assert found.first_layer.kurtosis == pytest.approx(1.8, abs=0.4)  # uniform weights


def test_attacks_stay_in_ball_and_box():
    target = Target.of(network(), X.clamp(-1, 1), Y, 0.2, (-1.0, 1.0))
    seen = []
    spy = copy.copy(network())
    spy.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    watched = Target(spy, target.x, target.y, target.low, target.high, target.radius)
    generator = torch.Generator().manual_seed(0)
    attacks.spsa(watched, generator, 3, 2)
    attacks.random_search(watched, generator, 5)
    attacks.iterated(watched, target.module, attacks.margin, torch.float32, 4)
    for points in seen:
        assert float(points.abs().max()) <= 1.0
    assert all(bool((one <= target.high.max()).all()) for one in seen)
    assert float((watched.kept(X + 5) - target.x).abs().max()) <= 0.2 + 1e-6


class Single(nn.Module):
    """Runs in float32 alone."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x) if x.dtype == torch.float32 else self.net(x.float())[:, :1]


def test_a_module_that_does_not_run_in_double_precision():
    found = masking_report(Single().eval(), X, Y, 0.1, steps=2, queries=2, pairs=1)
    assert not any("float64" in one.name for one in found.attacks) and "not run in float64" in found.sentence


def test_images_and_convolutions():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)).eval()
    x = torch.rand(40, 1, 8, 8)
    found = masking_report(net, x, net(x).argmax(1), 0.05, box=(0, 1), **FAST)
    assert found.first_layer.flip_fraction is None and found.first_layer.ratio < 1
    assert input_fisher(net, x[:3]).shape == (3, 64, 64)


@pytest.mark.parametrize(
    "function",
    [
        torch.sigmoid, lambda u: u.sigmoid(), nn.Sigmoid(), torch.tanh, nn.Tanh(), nn.Hardtanh(), torch.round,
        torch.sign, lambda u: torch.softmax(u, 1), nn.Softmax(dim=-1), lambda u: u.log_softmax(1),
        nn.functional.hardsigmoid, nn.functional.softsign, torch.erf,
    ],
)  # fmt: skip
def test_saturated_functions_have_gradients(function):
    u = 1e4 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.arange(5.0)
    at = u.clone().requires_grad_()
    with stabilised():
        out = function(at)
        (out * weights).sum().backward()
    assert torch.equal(out.detach(), function(u))  # the forward pass stays
    assert float((at.grad[:, 1:].abs() > 1e-12).double().mean()) > 0.9


def test_stabilised_passes_are_exact_where_nothing_saturates():
    u = 0.3 * torch.randn(6, 5, dtype=torch.float64)
    for function in (
        torch.sigmoid,
        torch.tanh,
        lambda v: torch.softmax(v, 1),
        lambda v: torch.log_softmax(v, 1),
    ):
        grads = []
        for context in (stabilised(1.0), torch.enable_grad()):
            at = u.clone().requires_grad_()
            with context:
                (function(at) ** 2).sum().backward()
            grads.append(at.grad)
        assert torch.allclose(*grads, rtol=1e-12)


def test_fisher_is_the_curvature_of_the_divergence():
    net = network(0.5, dtype=torch.float64)
    x, move = X[:5].double(), torch.randn(5, 8, dtype=torch.float64)
    fisher = input_fisher(net, x)
    assert int(torch.linalg.matrix_rank(fisher, tol=1e-12).max()) <= 2
    ratios = []
    for size in (1e-2, 1e-3):
        p, q = (torch.log_softmax(net(one), 1).detach() for one in (x, x + size * move))
        kl = (p.exp() * (p - q)).sum(1)
        ratios.append(kl / (size**2 * torch.einsum("bi,bij,bj->b", move, fisher, move) / 2))
    assert torch.allclose(ratios[1], torch.ones(5, dtype=torch.float64), atol=2e-2)
    assert (ratios[1] - 1).abs().max() < (ratios[0] - 1).abs().max()
    shift = torch.stack(
        [(torch.autograd.functional.jacobian(net, x[i : i + 1])[0, :, 0] @ move[i]) for i in range(5)]
    )
    half = torch.einsum("bi,bij,bj->b", move, fisher, move) / 2
    assert divergence(torch.softmax(net(x), 1).detach(), shift) == pytest.approx(half.numpy(), rel=1e-10)
    assert input_fisher(net, x[0].numpy()).shape == (8, 8)


class Detached(nn.Module):
    def forward(self, x):
        return x.detach()[:, :3]


class Random(nn.Module):
    def forward(self, x):
        return x[:, :3] + torch.randn(len(x), 3)


NET = network()
BAD = {
    "train mode": (lambda: masking_report(network().train(), X, Y, 0.1), "evaluation mode"),
    "no module": (lambda: masking_report(lambda x: x, X, Y, 0.1), "torch.nn.Module"),
    "no gradients": (lambda: masking_report(Detached().eval(), X, Y, 0.1), "must have gradients"),
    "random": (lambda: masking_report(Random().eval(), X, Y, 0.1), "same twice"),
    "negative radius": (lambda: masking_report(NET, X, Y, -0.1), "`radius` must not be negative"),
    "nan radius": (lambda: masking_report(NET, X, Y, math.nan), "`radius` must be"),
    "label above": (lambda: masking_report(NET, X, Y + 1, 0.1), r"`y` must lie in 0 ... 2"),
    "label below": (lambda: masking_report(NET, X, Y - 1, 0.1), r"`y` must lie in 0 ... 2"),
    "float labels": (lambda: masking_report(NET, X, Y.float(), 0.1), "`y` must be whole"),
    "half labels": (lambda: masking_report(NET, X, Y.numpy() + 0.5, 0.1), "`y` must be whole"),
    "one label": (lambda: masking_report(NET, X, Y[:1], 0.1), "`y` must be 100 labels"),
    "outside": (lambda: masking_report(NET, X, Y, 0.1, box=(0, 1)), "`x` must lie in the box"),
    "box": (lambda: masking_report(NET, X, Y, 0.1, box=(1, 0)), "`box` must be two"),
    "nan": (lambda: masking_report(NET, X * math.nan, Y, 0.1), "`x` must be finite"),
    "integers": (lambda: masking_report(NET, X.long(), Y, 0.1), "`x` must be floats"),
    "empty": (lambda: masking_report(NET, X[:0], Y[:0], 0.1), "`x` must be floats"),
    "one input": (lambda: masking_report(NET, X[0], Y[:1], 0.1), "`(x|module)` must"),
    "one class": (lambda: masking_report(nn.Linear(8, 1).eval(), X, Y, 0.1), "two classes"),
    "steps": (lambda: masking_report(NET, X, Y, 0.1, steps=0), "`steps` must be"),
    "queries": (lambda: masking_report(NET, X, Y, 0.1, queries=True), "`queries` must be"),
    "width": (lambda: masking_report(NET, X[:, :5], Y, 0.1), "`x` must be what the module takes"),
    "huge radius": (lambda: masking_report(NET, X, Y, 1e300), "`radius` must be a size"),
    "many": (lambda: masking_report(NET, X, Y, 0.1, queries=10**400), "`queries` must be at most"),
    "half": (lambda: masking_report(network().half(), X, Y, 0.1), "float32 or float64"),
    "surrogate": (lambda: masking_report(NET, X, Y, 0.1, surrogate=3), "must be a torch.nn.Module"),
    "fisher train": (lambda: input_fisher(network().train(), X), "evaluation mode"),
    "fisher gradients": (lambda: input_fisher(Detached().eval(), X), "must have gradients"),
    "fisher text": (lambda: input_fisher(NET, "x"), "`x` must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, words = BAD[case]
    with pytest.raises(ArgumentError, match=words):
        call()


def test_attacks_take_most_of_the_time(plain):
    assert plain.seconds <= 1.5 * sum(one.seconds for one in plain.attacks)


def test_reports_repeat_and_leave_random_numbers_alone(plain):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    again = masking_report(network(), X, Y, 0.2, **FAST)
    torch.manual_seed(0)
    assert again == plain
    torch.manual_seed(3)
    net = network()
    torch.set_rng_state(state)
    masking_report(net, X[:20], Y[:20], 0.2, steps=2, queries=2, pairs=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.isfinite(again.gap)
