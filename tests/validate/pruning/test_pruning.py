"""Pruning of torch modules: exact counts, conservation, depths that overflow, and what is refused."""

import copy
import math
import threading
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from widelimit.theory.errors import ArgumentError, ConservationWarning
from widelimit.validate import pruning
from widelimit.validate.pruning.flow import SynapticFlow
from widelimit.validate.pruning.tracing import layers


def he(widths, activation=nn.ReLU, seed=0):
    """A network by He's rule from NumPy's generator, in float64."""
    rng = np.random.default_rng(seed)
    parts = []
    for below, above in pairwise(widths):
        layer = nn.Linear(below, above).double()
        layer.weight.data = torch.tensor(rng.standard_normal((above, below)) * math.sqrt(2 / below))
        parts += [layer, activation()]
    return nn.Sequential(*parts[:-1])


class Block(nn.Module):
    """A residual block, with a projection where the sizes change."""

    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.short = nn.Conv2d(inside, outside, 1, stride, bias=False) if inside != outside else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.short(x))


def residual():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), Block(8, 8, 1), Block(8, 12, 2), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5),
    )  # fmt: skip


def slow_synflow(net, kept, iterations):
    """Scores by autograd in float64, thresholds by sorting: the algorithm as the paper has it."""
    layers = [one for one in net if isinstance(one, nn.Linear)]
    masks = [torch.ones_like(one.weight) for one in layers]
    total = sum(one.numel() for one in masks)
    for k in range(1, iterations + 1):
        weights = [
            (one.weight.abs() * mask).detach().requires_grad_()
            for one, mask in zip(layers, masks, strict=True)
        ]
        rows = torch.ones(layers[0].in_features, dtype=torch.float64)
        for weight in weights:
            rows = weight @ rows
        rows.sum().backward()
        scores = torch.cat([(w * w.grad).detach().flatten() for w in weights])
        count = math.ceil(total * (kept / total) ** (k / iterations) - 1e-9)
        best = torch.zeros_like(scores)
        best[scores.argsort(descending=True)[:count]] = 1
        parts = best.split([one.numel() for one in masks])
        masks = [part.reshape(one.shape) for part, one in zip(parts, masks, strict=True)]
    return masks


def test_masks_are_those_of_the_algorithm():
    net = he((10, 40, 7, 25, 3))
    for kept, iterations in ((300, 1), (90, 7), (40, 20)):
        found = pruning.synflow(net, 930 / kept, iterations=iterations, input_shape=(10,))
        for mask, expected in zip(found.masks.values(), slow_synflow(net, kept, iterations), strict=True):
            assert torch.equal(mask, expected.bool())
        assert sum(found.kept.values()) == kept and found.reached == pytest.approx(930 / kept)


@pytest.mark.parametrize(
    ("iterations", "kind", "least"),
    [
        (1, "exponential", 29),
        (2, "exponential", 12),
        (5, "exponential", 4),
        (1, "linear", 29),
        (2, "linear", 17),
    ],
)
def test_worked_schedules(iterations, kind, least):
    """The least number of weights that leaves no layer empty: 930 / 32.07, 77.5, 232.5, and 54.7."""
    net = he((10, 40, 7, 25, 3))
    for kept, collapsed in ((least, False), (least - 1, True)):
        if kept < 4:
            continue
        found = pruning.synflow(net, 930 / kept, iterations=iterations, input_shape=(10,), kind=kind)
        assert found.collapsed == collapsed == bool(found.empty)


def test_depth_a_hundred_in_float32():
    """E R = n (2 sqrt(n/pi))^100 is 1e129 here: beyond float32, whose product would be infinite after 34 layers."""
    torch.manual_seed(0)
    net = nn.Sequential(*(part for _ in range(100) for part in (nn.Linear(64, 64), nn.ReLU())))
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / 64))
    found = pruning.synflow(net, 1, iterations=1, input_shape=(64,))
    rows = torch.ones(64, dtype=torch.float64)
    logs = 0.0
    for layer in net:
        if isinstance(layer, nn.Linear):
            rows = layer.weight.detach().double().abs() @ rows
            logs += math.log(rows.sum())
            rows /= rows.sum()
    assert found.log_flow == pytest.approx(logs, rel=1e-5) and found.flow == pytest.approx(
        math.exp(logs), rel=1e-3
    )
    assert not pruning.synflow(net, 2000, iterations=30, input_shape=(64,)).collapsed


def test_batch_normalisation_is_a_gain_by_its_running_variance():
    torch.manual_seed(2)
    norm = nn.BatchNorm1d(3, eps=0.1)
    norm.running_var.copy_(torch.tensor([100.0, 0.01, 1.0]))
    norm.weight.data.copy_(torch.tensor([2.0, -0.5, 1.0]))
    net = nn.Sequential(nn.Linear(4, 3), norm, nn.ReLU(), nn.Linear(3, 2))
    first, last = net[0].weight.detach().abs().sum(1), net[3].weight.detach().abs().sum(0)
    gain = norm.weight.detach().abs() / torch.sqrt(norm.running_var + 0.1)
    found = pruning.synflow(net, 1, iterations=1, input_shape=(4,))
    assert found.flow == pytest.approx(float((first * gain * last).sum()), rel=1e-5)


class InPlace(nn.Module):
    """What users write: activations and sums in place, a layer used twice, a transposed and a circular one."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4)
        self.again = nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular", bias=False)
        self.up, self.last_norm = nn.ConvTranspose1d(4, 3, 2), nn.BatchNorm1d(3, affine=False)
        self.act, self.last = nn.ReLU(inplace=True), nn.Linear(3, 2)

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        y = self.act(self.again(x))
        y = self.again(y)
        y += x
        y = self.last_norm(self.up(y)).relu_()
        return self.last(torch.cat([y, 3 * y], -1).mean(-1))


def by_hand(net, *shape):
    """Scores in float64 by autograd on the user's own code, with sizes for weights and gains, and no shifts."""
    net = copy.deepcopy(net).double().eval()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.zero_()
    for name, one in net.named_parameters():
        one.data = one.data * 0 if name.endswith("bias") else one.data.abs()
    flow = net(torch.ones(1, *shape, dtype=torch.float64)).sum()
    flow.backward()
    return {
        name: one.weight.data * one.weight.grad
        for name, one in net.named_modules()
        if isinstance(one, nn.Linear | nn.modules.conv._ConvNd)
    }


@pytest.mark.parametrize(("make", "shape"), [(residual, (3, 8, 8)), (InPlace, (2, 6))])
def test_later_rounds_score_as_the_first_one(make, shape):
    """The tape has gains in weights and exponents worked out: scores of every round are those of float64 by hand."""
    torch.manual_seed(5)
    net = make().eval()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_var.uniform_(0.01, 50)
            module.running_mean.normal_()
            if module.affine:
                nn.init.normal_(module.weight)
    sizes = {name: layer.weight.detach().abs() for name, layer in layers(net).items()}
    graph, ones = SynapticFlow(net, sizes), torch.ones(1, *shape)
    cut = next(iter(sizes))
    for _ in range(3):
        expected = by_hand(net, *shape)
        scores, flow = graph.scores(ones)
        for name, one in expected.items():
            found = scores[name].double() * 2.0**flow.exponent
            torch.testing.assert_close(found, one, rtol=2e-5, atol=1e-5 * float(one.max()))
        graph.drop(cut, torch.tensor([0, 7]))  # from the second round on
        net.get_submodule(cut).weight.data.view(-1)[[0, 7]] = 0


def test_cuts_of_a_residual_network_in_both_modes():
    net, x = residual(), torch.randn(6, 3, 8, 8)
    before = {name: one.clone() for name, one in net.state_dict().items()}
    for training in (True, False):
        found = pruning.conservation(net.train(training), x)
        assert found.holds and not found.broken
        by_name = {cut.layer: cut for cut in found.cuts}
        first = by_name["3.conv1"]
        assert abs(first.beside) > 1e-3  # the skip carries flow past the layer
        assert abs(first.weights + first.beside + first.added - found.output) < 1e-11
        if training:  # up to the constant beside the variance
            assert abs(by_name["0"].weights) < 1e-3 * abs(found.output)
        else:
            assert abs(by_name["0"].weights) > 1e-2 * abs(found.output)
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())
    assert "residual" in str(found)


def test_parts_keep_their_own_mode():
    """A network in training with its normalisation frozen: there, the weights before it carry flow."""
    net, x = residual().train(), torch.randn(6, 3, 8, 8)
    frozen = net[1].eval()
    found = pruning.conservation(net, x)
    assert found.holds and net.training and not frozen.training
    assert abs({cut.layer: cut for cut in found.cuts}["0"].weights) > 1e-3 * abs(found.output)


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        x = torch.relu(self.layer(torch.relu(self.layer(x))))
        return self.last(nn.functional.dropout(x, 0.5, self.training))


def test_a_layer_that_is_used_twice_and_a_dropout_that_is_a_function():
    torch.manual_seed(0)
    net = Reused()
    found = pruning.conservation(net, torch.randn(9, 4))
    assert found.holds and [cut.layer for cut in found.cuts] == ["layer", "layer", "last"]
    first, second = (pruning.synflow(net, 4, input_shape=(4,)) for _ in range(2))
    assert all(torch.equal(mask, second.masks[name]) for name, mask in first.masks.items())
    rows = torch.ones(4)
    for layer in (net.layer, net.layer, net.last):
        rows = layer.weight.detach().abs() @ rows
    assert pruning.synflow(net, 1, iterations=1, input_shape=(4,)).flow == pytest.approx(
        float(rows.sum()), rel=1e-5
    )


def test_tied_layers_are_pruned_once_and_stay_tied():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 2))
    net[2].weight = net[0].weight
    found = pruning.synflow(net, 5, input_shape=(5,))
    assert list(found.kept) == ["0.weight", "4.weight"] and sum(found.kept.values()) == 7
    assert pruning.conservation(net, torch.randn(4, 5)).holds
    found.apply(net)
    assert (
        torch.equal(net[0].weight, net[2].weight)
        and int((net[2].weight != 0).sum()) == found.kept["0.weight"]
    )


def test_weights_that_are_computed_are_a_layers_own():
    parts = [nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)) for _ in range(6)]
    assert len(pruning.magnitude(nn.Sequential(*parts), 2).kept) == 6


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.layer, self.last = nn.Embedding(7, 4), nn.Linear(4, 8), nn.Linear(4, 2)

    def forward(self, x):
        one, other = self.layer(self.table(x)).chunk(2, -1)
        return self.last(one + 2 * other)


def test_operations_with_several_outputs_and_tables_pass_on_what_comes_in():
    torch.manual_seed(0)
    found = pruning.conservation(Halves(), torch.randint(7, (5, 3)))
    assert found.holds and not found.broken and len(found.cuts) == 2
    nan = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    nn.init.constant_(nan[0].weight, float("nan"))
    with pytest.raises(ArgumentError, match="but 0 makes it infinite or NaN") as caught:
        pruning.synflow(nan, 2, input_shape=(2,))
    assert "\n" not in str(caught.value)


def test_flows_are_those_of_autograd():
    net, x = he((4, 6, 3), nn.LeakyReLU, 2), torch.randn(5, 4, dtype=torch.float64)
    found = pruning.conservation(net, x, loss=lambda y: (y**2).sum() / 2)
    y = net(x)
    ((y**2).sum() / 2).backward()
    for cut, layer in zip(found.cuts, (net[0], net[2]), strict=True):
        assert cut.weights == pytest.approx(
            float((layer.weight.detach() * layer.weight.grad).sum()), rel=1e-12
        )
    assert found.output == pytest.approx(float((y.detach() ** 2).sum()), rel=1e-12)
    bias = sum(float((one.bias.detach() * one.bias.grad).sum()) for one in (net[0], net[2]))
    assert found.cuts[0].added == pytest.approx(bias, rel=1e-10)


@pytest.mark.parametrize(
    ("activation", "broken"),
    [
        (nn.Tanh, True),
        (nn.Sigmoid, True),
        (nn.GELU, True),
        (nn.ReLU6, False),
        (nn.ReLU, False),
        (nn.PReLU, False),
    ],
)
def test_what_breaks_the_law_is_named(activation, broken):
    net, x = he((3, 5, 2), activation, 1), torch.randn(8, 3)
    found = pruning.conservation(net.double(), x)  # ReLU6 is not reached by six here
    assert found.holds != broken and (("1" in found.broken) == broken)
    assert ("is not homogeneous" in found.cuts[0].why) == broken


def test_products_of_signals_are_named():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 4, bias=False), nn.Linear(3, 4, bias=False)

        def forward(self, x):
            return self.a(x) * self.b(x)

    torch.manual_seed(0)
    found = pruning.conservation(Gated(), torch.randn(7, 3))
    assert not found.holds and "product of signals" in found.cuts[0].why
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(pruning.synflow(Gated(), 3, input_shape=(3,)).kept.values()) == 8


def test_activations_that_saturate_are_warned_of_and_pruned():
    net = he((6, 9, 4), nn.Tanh)
    with pytest.warns(ConservationWarning, match="Tanh"):
        found = pruning.synflow(net, 5, input_shape=(6,))
    assert sum(found.kept.values()) == 18 and found.warnings


def test_totals_of_layers_are_equal_and_maximal_compression_is_reached():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 3, 2), nn.LeakyReLU(),
        nn.Flatten(), nn.Linear(12, 3),
    )  # fmt: skip
    found = pruning.synflow(net, (36 + 48 + 36) / 3, input_shape=(1, 8, 8))
    assert list(found.kept.values()) == [1, 1, 1] and not found.collapsed and found.flow > 0
    conserved = pruning.conservation(net.requires_grad_(False), torch.rand(2, 1, 8, 8))
    assert conserved.holds


def test_masks_go_on_by_torch_and_weights_stay():
    net = he((6, 9, 4))
    weight = net[0].weight.detach().clone()
    found = pruning.magnitude(net, 3)
    assert torch.equal(net[0].weight, weight) and net[0].weight.requires_grad
    found.apply(net)
    assert torch.equal(net[0].weight, weight * found.masks["0.weight"])
    assert prune.is_pruned(net)
    with pytest.raises(ArgumentError, match="must have weights"):
        found.apply(nn.Linear(2, 2))


def test_magnitude_and_random_keep_exactly_as_many():
    net = he((6, 9, 4))
    sizes = torch.cat([net[0].weight.flatten(), net[2].weight.flatten()]).abs()
    found = pruning.magnitude(net, 90 / 13)
    kept = torch.cat([mask.flatten() for mask in found.masks.values()])
    assert kept.sum() == 13 and sizes[kept].min() > sizes[~kept].max()
    counts = np.zeros(90)
    for seed in range(200):
        masks = pruning.random(net, 9, seed=seed).masks.values()
        counts += torch.cat([mask.flatten() for mask in masks]).numpy()
    assert counts.sum() == 2000 and abs(counts.std() - math.sqrt(200 * 0.1 * 0.9 * 0.9)) < 1.2


def test_ties_are_broken_by_place_and_counted():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    for layer in net:
        nn.init.zeros_(layer.weight)
    found = pruning.magnitude(net, 3)
    assert found.kept == {"0.weight": 0, "1.weight": 6} and found.ties == 6 and found.collapsed


def test_snip_is_the_change_of_the_loss_and_grasp_that_of_the_gradient():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x, y = torch.randn(20, 4).double(), torch.randint(3, (20,))

    def scores(function, step=1e-4):
        """w df/dw by central differences."""
        found = []
        for layer in (net[0], net[2]):
            part = torch.zeros_like(layer.weight)
            for index in np.ndindex(*part.shape):
                value = layer.weight.data[index].item()
                ends = []
                for sign in (1, -1):
                    layer.weight.data[index] = value + sign * step
                    ends.append(function())
                layer.weight.data[index] = value
                part[index] = value * (ends[0] - ends[1]) / (2 * step)
            found.append(part.detach())
        return torch.cat([one.flatten() for one in found])

    def loss():
        return float(nn.functional.cross_entropy(net(x).detach(), y))

    def slope():
        value = nn.functional.cross_entropy(net(x) / 7, y)
        parts = torch.autograd.grad(value, [net[0].weight, net[2].weight])
        return float(sum((one**2).sum() for one in parts)) / 2

    for found, size in (
        (pruning.snip(net, 35 / 9, x, y), scores(loss).abs()),
        (pruning.grasp(net, 35 / 9, x, y, temperature=7), scores(slope)),
    ):
        kept = torch.cat([mask.flatten() for mask in found.masks.values()])
        assert kept.sum() == 9 and set(size.topk(9).indices.tolist()) == set(
            kept.nonzero().flatten().tolist()
        )
    assert all(one.grad is None for one in net.parameters())


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else x


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return nn.functional.linear(x, self.layer.weight)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return torch.log(self.layer(x) - 1e9)


@pytest.mark.parametrize("method", [pruning.snip, pruning.grasp])
def test_modules_that_cannot_be_copied_are_refused(method):
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    net.lock = threading.Lock()  # what users keep in modules; it left a TypeError of pickle
    with pytest.raises(ArgumentError, match="`module` must be one that can be copied"):
        method(net, 2.0, torch.zeros(2, 4), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pruning.synflow(nn.Linear(4, 4), 0.5, input_shape=(4,)), "`compression` must be at least 1"),
        (lambda: pruning.synflow(nn.Linear(4, 4), 17, input_shape=(4,)), "`compression` must be at most 16"),
        (lambda: pruning.magnitude(nn.ReLU(), 2), "must have linear or convolutional layers"),
        (lambda: pruning.magnitude("net", 2), "must be a torch.nn.Module"),
        (lambda: pruning.synflow(nn.Linear(4, 4), 2, input_shape=(5,)), "`input_shape` must be the shape"),
        (lambda: pruning.synflow(nn.Linear(4, 4), 2, input_shape=(0,)), "`input_shape`"),
        (lambda: pruning.synflow(nn.Linear(4, 4), 2, input_shape="4"), "`input_shape`"),
        (lambda: pruning.synflow(Branching(), 2, input_shape=(3,)), "must be one that torch.fx can trace"),
        (lambda: pruning.synflow(Twice(), 2, input_shape=(3,)), "must call the layers"),
        (lambda: pruning.synflow(Deep(), 2, input_shape=(3,)), "must have a finite flow, but log"),
        (lambda: pruning.synflow(nn.LazyLinear(4), 2, input_shape=(3,)), "must have weights"),
        (
            lambda: pruning.snip(
                nn.Linear(4, 4), 2, torch.zeros(1, 4), torch.tensor([0]), loss=lambda a, b: a
            ),
            "`loss`",
        ),
        (lambda: pruning.random(nn.Linear(4, 4), 2, seed=-1), "`seed`"),
        (lambda: pruning.conservation(nn.Linear(4, 4), torch.zeros(1, 5)), "`x` must be a batch"),
        (lambda: pruning.conservation(nn.Linear(4, 4), torch.zeros(1, 4), loss=lambda y: y), "`loss`"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
