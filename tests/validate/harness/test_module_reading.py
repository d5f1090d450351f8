"""A user's module is read as what runs: order, repeats, subclasses, hooks, shapes, settings; or refused by its name."""

import copy
import math
import pickle
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from widelimit.theory.errors import ArgumentError, DomainError, WidelimitError
from widelimit.validate.network import ModuleError, from_torch
from widelimit.validate.network.modules import LastStep, Shortcut

N = 64
HE = {"sigma_w": 2**0.5, "sigma_b": 0.0}
X = torch.eye(2)
Linear, ReLU, Sequential = nn.Linear, nn.ReLU, nn.Sequential


def arccos(k, u):
    """The arc-cosine kernels of order 0 and 1 (cho2009kernel) at the correlation u."""
    t = math.acos(u)
    return (math.pi - t) / math.pi if k == 0 else (u * (math.pi - t) + math.sin(t)) / math.pi


def plain(*between):
    return Sequential(Linear(2, N), *between, Linear(N, 1))


def refused(module, match, **declared):
    with pytest.raises(ModuleError, match=match) as caught:
        from_torch(module, **declared)
    assert isinstance(caught.value, ArgumentError) and isinstance(caught.value, DomainError)
    return str(caught.value)


class PlusItself(Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Scaled(Linear):
    def reset_parameters(self):
        nn.init.normal_(self.weight)

    def forward(self, x):
        return nn.functional.linear(x, self.weight / self.in_features**0.5)


class Called(Linear):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Mixed:
    def forward(self, x):
        return torch.sin(x)


class Sine(Mixed, ReLU):
    pass


class Drawn(Linear):
    """Harmless: what runs is the parent's."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.note = "mine"

    def reset_parameters(self):
        nn.init.normal_(self.weight, std=(2 / self.in_features) ** 0.5)
        nn.init.zeros_(self.bias)


class Stack(Sequential):
    """Harmless too."""

    def last(self):
        return self[-1]


@pytest.mark.parametrize("repeated", [ReLU(), Stack(ReLU()), Sequential(nn.Identity(), ReLU())])
def test_what_stands_twice_runs_twice(repeated):
    net = from_torch(Sequential(Linear(2, N), repeated, Linear(N, N), repeated, Linear(N, 1)), **HE)
    kernels = net.kernels(X)
    assert np.allclose(kernels.nngp, [[1, 0.4937310902], [0.4937310902, 1]], atol=1e-9)
    assert np.allclose(kernels.ntk, [[3, 0.6857086363], [0.6857086363, 3]], atol=1e-9)
    first = 1 / math.pi  # the closed form of the same: two layers of the kernel of order one
    assert math.isclose(kernels.nngp[0, 1], arccos(1, first), rel_tol=1e-9)


def test_a_shortcut_is_read_and_one_of_the_users_own_is_refused():
    branch = (ReLU(), Linear(N, N))
    found = from_torch(plain(Shortcut(Sequential(*branch)), ReLU()), **HE).kernels(X).nngp
    assert np.allclose(found, [[2, 0.8038547495], [0.8038547495, 2]], atol=1e-9)
    said = refused(plain(PlusItself(*branch), ReLU()), r"Layer '1' \(PlusItself\)", **HE)
    assert "a forward of its own" in said and "Shortcut(branch)" in said


def test_a_subclass_is_its_parent_only_if_it_runs_as_the_parent():
    for layer, why in ((Scaled(2, N), "forward"), (Called(2, N), "__call__")):
        refused(Sequential(layer, ReLU(), Linear(N, 1)), f"Linear with a {why} of its own")
    refused(plain(Sine()), r"Layer '1' \(Sine\) .* ReLU with a forward of its own")
    torch.manual_seed(0)
    net = from_torch(Stack(Drawn(2, 500), ReLU(), Drawn(500, 3)))
    assert abs(net.scales[0].sigma_w - 2**0.5) < 5 * net.scales[0].sigma_w_error
    assert net.sigma_b == 0 and net.widths == (500,)


def changed(place, name, value):
    module = plain(ReLU())
    setattr(module if place is None else module[place], name, value)
    return module


def hooked(place, register):
    module = plain(ReLU())
    getattr(module if place is None else module[place], register)(lambda *_: None)
    return module


def weight_as(kind):
    module = plain(ReLU())
    weight = module[0].weight.detach()
    if kind == "buffer":
        del module[0].weight
        module[0].register_buffer("weight", weight)
    elif kind == "hook":
        module[0].weight.register_hook(lambda gradient: 0 * gradient)
    elif kind == "pruned":
        prune.random_unstructured(module[0], "weight", 0.5)
    elif kind == "complex":
        module[0].weight = nn.Parameter(weight.to(torch.complex64))
    else:
        module[0].weight = nn.Parameter(weight.to(kind))
    return module


def itself():
    module = plain(ReLU())
    module.add_module("again", module)
    return module


def holding_none():
    module = plain(ReLU())
    module._modules["1"] = None
    return module


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: changed(1, "forward", lambda x: 2 * x), r"Layer '1' \(ReLU\) .* its forward was replaced"),
        (lambda: changed(None, "forward", lambda x: x), r"'Sequential' .* its forward was replaced"),
        (lambda: changed(0, "_call_impl", lambda x: x), r"Layer '0' .* its _call_impl was replaced"),
        (lambda: hooked(0, "register_forward_hook"), r"Layer '0' \(Linear\) .* a forward hook"),
        (lambda: hooked(1, "register_forward_pre_hook"), r"Layer '1' \(ReLU\) .* a forward pre-hook"),
        (lambda: hooked(None, "register_forward_hook"), r"'Sequential' .* a forward hook"),
        (lambda: hooked(0, "register_full_backward_hook"), r"Layer '0' .* a backward hook"),
        (lambda: weight_as("buffer"), r"Layer '0' .* weight is not a parameter"),
        (lambda: weight_as("hook"), r"Layer '0' .* hook on its gradient"),
        (lambda: weight_as("pruned"), r"Layer '0' .* pre-hook \(RandomUnstructured\)"),
        (lambda: weight_as("complex"), r"Layer '0' .* weight holds complex numbers"),
        (lambda: weight_as("meta"), r"Layer '0' .* on the meta device and holds no numbers"),
        (lambda: Sequential(parametrizations.spectral_norm(Linear(2, N)), ReLU(), Linear(N, 1)), "weight is parametr"),
        (lambda: Sequential(parametrizations.weight_norm(Linear(2, N)), ReLU(), Linear(N, 1)), "weight is parametr"),
        (lambda: Sequential(nn.LazyLinear(N), ReLU(), Linear(N, 1)), r"'0' \(LazyLinear\) .* no weights yet"),
        (lambda: nn.ModuleList([Linear(2, N), ReLU()]), r"'ModuleList' .* has no forward"),
        (lambda: nn.DataParallel(plain(ReLU())), r"pass its \.module"),
        (lambda: torch.fx.symbolic_trace(plain(ReLU())), "traced program"),
        (itself, "contains itself"),
        (holding_none, r"Layer '1' \(NoneType\) .* no torch module"),
        (lambda: Sequential(), "no dense or convolution layer"),
        (lambda: plain(nn.SyncBatchNorm(N)), r"Layer '1' \(SyncBatchNorm\)"),
        (lambda: plain(nn.RMSNorm(N)), r"Layer '1' \(RMSNorm\)"),
        (lambda: plain(nn.BatchNorm1d(N)).eval(), r"Layer '1' \(BatchNorm1d\) .* running averages"),
        (lambda: plain(nn.LayerNorm(N, eps=1.0), ReLU()), r"Layer '1' \(LayerNorm\) adds its eps, 1,"),
        (lambda: plain(nn.LayerNorm(N, bias=False), ReLU()), "of its gain and its shift one is trained alone"),
        (lambda: plain(nn.PReLU()), r"Layer '1' \(PReLU\) .* slope is trained"),
        (lambda: plain(nn.RReLU()), r"Layer '1' \(RReLU\) .* at random"),
        (lambda: plain(nn.AlphaDropout(0.1)), r"Layer '1' \(AlphaDropout\)"),
        (lambda: plain(nn.GLU()), r"Layer '1' \(GLU\)"),
        (lambda: plain(Shortcut(Sequential(ReLU(inplace=True), Linear(N, N)))), r"Layer '1' \(Shortcut\) computes so"),
        (lambda: plain(Shortcut(Sequential(ReLU(), Linear(N, 1)))), r"a branch that gives 1 units to the 64"),
    ],
)  # fmt: skip
def test_what_would_be_read_as_something_else_is_refused(make, match):
    refused(make(), match, **HE)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        (
            (Linear(2, 1000), ReLU(), Linear(500, 1)),
            r"'2' \(Linear\) reads 500 .* layer '0' \(Linear\) gives 1000",
        ),
        (
            (Linear(2, N), nn.BatchNorm1d(50), Linear(N, 1)),
            r"'1' \(BatchNorm1d\) reads 50 .* '0' \(Linear\) gives 64",
        ),
        (
            (nn.Conv1d(2, N, 3, padding=1), ReLU(), nn.Flatten(), Linear(100, 1)),
            r"reads 100 .* '0' \(Conv1d\) gives",
        ),
        ((nn.Conv1d(2, N, 3, padding=1), ReLU(), Linear(N, 1)), r"'2' \(Linear\) .* last axis"),
        ((nn.Conv1d(2, N, 1), nn.AdaptiveAvgPool1d(1), Linear(1, 1)), r"'2' \(Linear\) .* axis of length 1"),
        ((Linear(2, N), nn.Conv1d(N, N, 3, padding=1)), r"'1' \(Conv1d\) .* needs 1 dimension"),
        (
            (nn.Conv2d(2, N, 3, padding=1), nn.Conv2d(32, N, 3, padding=1)),
            r"'1' \(Conv2d\) reads 32 .* gives 64",
        ),
    ],
)
def test_layers_that_do_not_fit_name_each_other(layers, match):
    refused(Sequential(*layers), match)


def test_one_refusal_says_all_that_is_in_the_way():
    said = refused(Sequential(nn.GRU(2, N), nn.Softmax(1), Linear(N, 9), Linear(8, 1)), r"Layer '0' \(GRU\)")
    assert "Layer '1' (Softmax)" in said and "Layer '3' (Linear) reads 8" in said
    said = refused(Sequential(nn.GRU(2, N), Linear(N, 1)), "only nn.RNN is known")
    assert (
        "batch_first=True" in said and "LastStep" in said
    )  # all of it at once: what follows the advice is read
    assert from_torch(Sequential(LastStep(nn.RNN(2, N, batch_first=True)), Linear(N, 1))).widths == (N,)
    refused(Sequential(nn.RNN(2, N), Linear(N, 1)), r"LastStep \(and only with batch_first=True\)")


def test_weights_in_two_places_are_refused_and_other_layers_are_not():
    twice, norm = Linear(N, N), nn.LayerNorm(N)
    refused(plain(ReLU(), twice, ReLU(), twice, ReLU()), r"'2' and '4' are one and the same Linear")
    block = Sequential(ReLU(), Linear(N, N))
    refused(plain(block, block), r"'1.1' and '2.1' are one and the same")
    for tied in (twice.weight, twice.weight.detach(), twice.weight.detach().t()):
        other = Linear(N, N)
        other.weight = tied if isinstance(tied, nn.Parameter) else nn.Parameter(tied)
        refused(plain(ReLU(), twice, ReLU(), other, ReLU()), r"'2' and '4' share memory \(tied weights\)")
    refused(plain(norm, ReLU(), Linear(N, N), norm, ReLU()), r"'1' and '4' are one and the same LayerNorm")
    without = nn.LayerNorm(N, elementwise_affine=False)
    assert from_torch(plain(without, ReLU(), Linear(N, N), without, ReLU())).widths == (N, N)


def test_frozen_parameters_have_no_part_in_the_tangent_kernel():
    """All sixteen choices of what is trained, in closed form (arc-cosine kernels)."""
    sw2, sb2, correlation = 2.0, 0.25, 0.2
    t = np.array([[1, arccos(1, correlation)], [arccos(1, correlation), 1]]) * 1.25 / 2
    steep = np.array([[1, arccos(0, correlation)], [arccos(0, correlation), 1]]) / 2
    for number in range(16):
        w1, b1, w2, b2 = ((number >> place) & 1 for place in range(4))
        module = plain(ReLU())
        for parameter, trained in zip(module.parameters(), (w1, b1, w2, b2), strict=True):
            parameter.requires_grad_(bool(trained))
        kernels = from_torch(module, sigma_w=sw2**0.5, sigma_b=sb2**0.5).kernels(X)
        expected = w2 * sw2 * t + b2 * sb2 + sw2 * steep * (w1 * np.eye(2) + b1 * sb2)
        assert np.allclose(kernels.ntk, expected, atol=1e-12)
        assert np.allclose(kernels.nngp, sw2 * t + sb2, atol=1e-12)
    first = plain(ReLU())
    first[0].requires_grad_(False)
    assert np.allclose(from_torch(first, **HE).kernels(X).ntk, [[1, 0.3183098862], [0.3183098862, 1]])
    with pytest.raises(DomainError, match="weights are all trained; here some are frozen"):
        from_torch(first).fisher(X)


def test_partly_frozen_layers_of_other_kinds():
    cell = nn.RNN(2, N, batch_first=True)
    cell.weight_hh_l0.requires_grad_(False)
    refused(Sequential(LastStep(cell), Linear(N, 1)), "some of its parameters are frozen")
    cell.requires_grad_(False)
    readout = Linear(N, 1, bias=False)
    kernels = from_torch(Sequential(LastStep(cell), readout)).kernels(np.ones((1, 3, 2)))
    assert math.isclose(kernels.ntk[0, 0], kernels.nngp[0, 0])  # the readout's own part is the kernel itself
    assert not from_torch(plain(nn.LayerNorm(N).requires_grad_(False), ReLU())).architecture.layers[1].affine
    shifted = nn.LayerNorm(N)
    nn.init.constant_(shifted.weight, 0.5)
    refused(plain(shifted, ReLU()), r"Layer '1' \(LayerNorm\) .* gain is not 1")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_module_and_the_random_state_stay_as_they_are(dtype):
    shared = ReLU()
    module = Sequential(
        Linear(6, N), nn.BatchNorm1d(N, momentum=None), shared, nn.Dropout(0.3), Linear(N, N), shared,
        Shortcut(Sequential(nn.Linear(N, N), nn.Tanh(), Linear(N, N))), Linear(N, 2),
    ).to(dtype)  # fmt: skip
    module[1].eval().train()
    module[3].train()
    before, random = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    flags = [inner.training for inner in module.modules()]
    objects = [id(inner) for inner in module.modules()] + [id(p) for p in module.parameters()]
    from_torch(module)
    assert torch.equal(random, torch.get_rng_state())
    assert flags == [inner.training for inner in module.modules()]
    assert objects == [id(inner) for inner in module.modules()] + [id(p) for p in module.parameters()]
    after = module.state_dict()
    assert all(
        torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before
    )
    assert all(p.grad is None for p in module.parameters())


ACTIVATIONS = [
    nn.PReLU().requires_grad_(False), nn.RReLU().eval(), nn.CELU(0.5), nn.Hardswish(), nn.Hardsigmoid(),
    nn.LogSigmoid(), nn.Softshrink(0.3), nn.LeakyReLU(-1.0), nn.Hardtanh(0.0, math.inf), nn.Hardtanh(-math.inf, 2.0),
    nn.GELU("tanh"), nn.ELU(-1.0), nn.Threshold(0.0, 0.0), nn.Softplus(5.0), nn.Mish(), nn.Tanhshrink(), nn.ReLU6(),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_settings_of_activations_are_read(activation):
    """The variance behind the activation by quadrature of torch's own function."""
    net = from_torch(plain(activation), sigma_w=1.0, sigma_b=0.0)
    z = torch.arange(-12, 12, 1e-3, dtype=torch.float64)
    density = 1e-3 * torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    exact = float(activation.double()(z).detach() ** 2 @ density)
    assert math.isclose(net.kernels(np.ones((1, 2))).nngp[0, 0], exact, rel_tol=1e-6)


def test_inputs_that_the_module_does_not_read_are_refused():
    net = from_torch(plain(ReLU()), **HE)
    images = from_torch(Sequential(nn.Conv1d(2, N, 3, padding=1), ReLU(), nn.Flatten(), Linear(5 * N, 1)))
    assert images.positions == 5
    for x, match in (
        (torch.eye(2) * 1j, "real"),
        (torch.eye(2, dtype=torch.bool), "real"),
        (torch.eye(2).to_sparse(), "dense|strided"),
        (torch.eye(2, device="meta"), "meta|numbers"),
        (torch.ones(2, 2, 2), "shape"),
        (torch.ones(0, 2), "one input a row"),
        (torch.full((1, 2), float("nan")), "NaN"),
        (torch.full((1, 2), 1e200, dtype=torch.float64), "below"),
    ):
        with pytest.raises(ArgumentError, match=match):
            net.kernels(x)
    with pytest.raises(ArgumentError, match="the 5 positions that the module reads, but has 6"):
        images.kernels(np.ones((1, 2, 6)))
    assert np.allclose(net.kernels(X.half()).ntk, net.kernels(X.double().requires_grad_()).ntk)


def test_a_network_and_its_refusal_travel():
    net = from_torch(plain(ReLU()))
    assert pickle.loads(pickle.dumps(net)) == net == copy.deepcopy(net)
    with pytest.raises(WidelimitError) as caught:
        from_torch(Sequential(nn.GRU(2, 3)))
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is ModuleError and str(again) == str(caught.value)


def test_a_method_bound_to_another_module_is_seen():
    module = plain(ReLU())
    module[1].forward = types.MethodType(nn.Tanh.forward, module[1])
    refused(module, "its forward was replaced")
