"""Modules made to fool a reader: each is read as what runs, or refused by a sentence with the layer and the reason.

Right values are closed forms (arc-cosine kernels) or means over finite networks of torch's own layers.
"""

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

from widelimit.theory.errors import DomainError
from widelimit.validate.network import ModuleError, from_torch
from widelimit.validate.network.modules import LastStep, Shortcut

N = 64
HE = {"sigma_w": 2**0.5, "sigma_b": 0.0}
X = torch.eye(2)
RELU = (
    1 / math.pi
)  # He-initialised, one hidden layer: NNGP of the two inputs of X; theirs with themselves is 1
Linear, ReLU, Sequential, Tanh = nn.Linear, nn.ReLU, nn.Sequential, nn.Tanh


def plain(*between, width=N):
    torch.manual_seed(0)
    return Sequential(Linear(2, width), *between, Linear(width, 1))


def deep(change=None):
    """Three hidden layers, of which a test changes something; no part of the graph of gradients."""
    torch.manual_seed(0)
    module = Sequential(Linear(2, N), ReLU(), Linear(N, N), ReLU(), Linear(N, N), ReLU(), Linear(N, 1))
    with torch.no_grad():
        if change is not None:
            change(module)
    return module


class Noisy(ReLU):
    """Noise while training, and only then."""

    def forward(self, x):
        return super().forward(x) + (torch.randn_like(x) if self.training else 0)


class Scaling(nn.Identity):
    """A buffer that scales."""

    def __init__(self):
        super().__init__()
        self.register_buffer("gain", torch.tensor(3.0))

    def forward(self, x):
        return self.gain * x


class Holding(nn.Identity):
    """A buffer that does nothing."""

    def __init__(self):
        super().__init__()
        self.register_buffer("gain", torch.tensor(3.0))


class Masked(Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("mask", torch.ones_like(self.weight).tril())

    def forward(self, x):
        return F.linear(x, self.weight * self.mask, self.bias)


class Branching(nn.Module):
    """Another path for other data."""

    def __init__(self):
        super().__init__()
        self.one, self.other = plain(ReLU()), plain(Tanh())

    def forward(self, x):
        return self.one(x) if x.sum() > 0 else self.other(x)


class Backwards(Sequential):
    def __iter__(self):
        return reversed(list(self._modules.values()))


class Untrue(Linear):
    """The number of features that it tells is not the one that it reads."""

    in_features = 99


class Steep(nn.LeakyReLU):
    """The slope that is used is a property's."""

    negative_slope = property(lambda self: 0.5, lambda self, value: None)


class Always(nn.Dropout):
    """Drops in evaluation, too."""

    training = property(lambda self: True, lambda self, value: None)


class MeanOverTime(LastStep):
    def forward(self, x):
        return self.recurrent(x)[0].mean(1)


class Absolute(nn.Module):
    def forward(self, weight):
        return weight.abs()


def with_hook():
    module = plain(ReLU())
    module[-1].register_forward_hook(lambda layer, given, out: out.sigmoid())
    return module


def with_hook_of_gradients():
    module = plain(ReLU())
    module[0].weight.register_post_accumulate_grad_hook(lambda parameter: parameter.grad.zero_())
    return module


def parametrised(place, name):
    module = deep()
    parametrize.register_parametrization(module[place], name, Absolute())
    return module


def formerly_parametrised():
    module = parametrised(2, "weight")
    parametrize.remove_parametrizations(module[2], "weight")
    return module


def compiled_inside():
    module = plain(ReLU())
    module[1].compile()
    return module


def scripted(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        return make()


def of_another(place, value):
    """A weight that holds numbers of layer 2, not as they stand there."""
    return lambda module: setattr(module[place], "weight", nn.Parameter(value(module[2].weight.detach())))


def bias_of_weights(module):
    module[2].bias = nn.Parameter(module[2].weight.detach()[:, 3].clone())


def biases_of_another(module):
    module[4].bias = nn.Parameter(module[2].bias.detach().flip(0))


def rows_scaled(module):
    module[2].weight *= torch.linspace(0.2, 2, N)[:, None]


def in_two_precisions():
    module = plain(ReLU())
    module[2].double()
    return module


REFUSED = {
    "noise while training": (lambda: plain(Noisy()), r"Layer '1' \(Noisy\) .* it is a ReLU with a forward of its own"),
    "even in evaluation": (lambda: plain(Noisy()).eval(), r"Layer '1' \(Noisy\) .* a forward of its own"),
    "a scaling identity": (lambda: plain(Scaling(), ReLU()), r"Layer '1' \(Scaling\) .* an Identity with a forward"),
    "a mask": (lambda: Sequential(Masked(2, N), ReLU(), Linear(N, 1)), r"Layer '0' \(Masked\) .* a Linear with a fo"),
    "a branch on data": (Branching, r"Layer 'Branching' .* its forward is its own, which is not read"),
    "an order of its own": (lambda: Backwards(Linear(1, N), ReLU(), Linear(N, 1)), "Sequential with a __iter__"),
    "mean over time": (
        lambda: Sequential(MeanOverTime(nn.RNN(2, N, batch_first=True)), Linear(N, 1)),
        r"Layer '0' \(MeanOverTime\) .* a LastStep with a forward of its own",
    ),
    "a hook on the output": (with_hook, r"Layer '2' \(Linear\) .* a forward hook \(with_hook"),
    "a hook on the summed gradient": (with_hook_of_gradients, r"Layer '0' \(Linear\) .* hook on its gradient"),
    "weights made positive": (lambda: parametrised(2, "weight"), r"Layer '2' .* its weight is parametrised"),
    "biases made positive": (lambda: parametrised(4, "bias"), r"Layer '4' .* its bias is parametrised"),
    "formerly parametrised": (formerly_parametrised, r"layer 2 \(Parametrized\w*|layer 2 \(Linear\): weight is not ce"),
    "weight norm, old form": (
        lambda: Sequential(scripted(lambda: nn.utils.weight_norm(Linear(2, N))), ReLU(), Linear(N, 1)),
        r"Layer '0' .* a forward pre-hook \(WeightNorm\)",
    ),
    "spectral norm, old form": (
        lambda: Sequential(scripted(lambda: nn.utils.spectral_norm(Linear(2, N))), ReLU(), Linear(N, 1)),
        r"Layer '0' .* a forward pre-hook \(SpectralNorm\)",
    ),
    "compiled": (lambda: torch.compile(plain(ReLU())), r"'OptimizedModule' .* read it before torch\.compile"),
    "compiled inside": (compiled_inside, r"Layer '1' \(ReLU\) .* read it before compile\(\)"),
    "a script inside": (
        lambda: Sequential(scripted(lambda: torch.jit.script(Linear(2, N))), ReLU(), Linear(N, 1)),
        r"Layer '0' \(RecursiveScriptModule\) .* traced program",
    ),
    "a trace": (lambda: scripted(lambda: torch.jit.trace(plain(ReLU()), X)), "traced program; pass the module"),
    "data parallel inside": (
        lambda: Sequential(nn.DataParallel(Linear(2, N)), ReLU(), Linear(N, 1)), r"Layer '0' .* pass its \.module",
    ),
    "a list inside": (lambda: Sequential(nn.ModuleList([Linear(2, N)]), Linear(N, 1)), "Layer '0' .* has no forward"),
    "lazy inside": (lambda: plain(nn.LazyBatchNorm1d(), ReLU()), r"Layer '1' \(LazyBatchNorm1d\) .* no weights yet"),
    "half of it flattened": (lambda: plain(nn.Unflatten(1, (N, 1)), ReLU()), r"Layer '1' \(Unflatten\)"),
    "batch flattened": (lambda: Sequential(nn.Flatten(0), *plain(ReLU())), r"Layer '0' \(Flatten\) .* from 0 to -1"),
    "eight bits": (
        lambda: plain(Tanh()).to(torch.float8_e4m3fn), r"Layer '0' .* torch.float8_e4m3fn, in which torch mult",
    ),
    "two precisions": (
        in_two_precisions, r"Layer '2' \(Linear\) holds numbers of torch\.float64, but layer '0' .* torch\.float32",
    ),
    "rows of another's": (lambda: deep(of_another(6, lambda w: w[5:6].clone())), "layers 2 and 6: weight and weight"),
    "another's turned over": (lambda: deep(of_another(4, lambda w: -w.flip(0))), "layers 2 and 4: weight and weight"),
    "a column as bias": (lambda: deep(bias_of_weights), "layer 2: weight and bias are not independent"),
    "another's biases": (lambda: deep(biases_of_another), "layers 2 and 4: bias and bias are not independent"),
    "rows of other scales": (lambda: deep(rows_scaled), r"layer 2 \(Linear\): weight has rows of different scales"),
    "one large input": (
        lambda: deep(lambda module: module[0].weight[:, 1].mul_(4)),
        r"layer 0 \(Linear\): weight has a? ?columns? .*of (another scale|different scales)",
    ),
    "one large unit": (
        lambda: deep(lambda module: module[4].weight[7].mul_(5)),
        r"layer 4 \(Linear\): weight has .*row.* (of another scale|of different scales)",
    ),
    "dead units": (lambda: deep(lambda module: module[2].weight[:2].zero_()), r"layer 2 \(Linear\): weight has a row"),
    "nearly the identity": (
        lambda: deep(lambda module: module[2].weight.add_(0.1 * torch.eye(N))), r"layer 2 \(Linear\): .* diagonal that",
    ),
    "a mean of two per cent": (lambda: deep(lambda module: module[2].weight.add_(0.02)), "layer 2 .* is not centred"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_is_refused_by_its_layer_and_reason(case):
    make, match = REFUSED[case]
    with pytest.raises(ModuleError, match=match):
        from_torch(make())


@pytest.mark.parametrize("register", ["register_module_forward_hook", "register_module_forward_pre_hook"])
def test_hooks_of_all_modules_are_seen(register):
    """A hook that doubles what leaves give doubles what widelimit's own leaves give, too: comparing sees nothing."""
    handle = getattr(torch.nn.modules.module, register)(
        lambda layer, *given: None if list(layer.children()) else 2 * given[-1][0]
    )
    try:
        with pytest.raises(ModuleError, match=r"torch holds a forward (pre-)?hook of all modules"):
            from_torch(Sequential(Linear(2, N), Linear(N, 1)))
    finally:
        handle.remove()


READ = {
    "an identity with a buffer": (lambda: plain(Holding(), ReLU()), RELU),
    "features untold": (lambda: Sequential(Untrue(2, N), ReLU(), Linear(N, 1)), RELU),
    "flattened everywhere": (
        lambda: Sequential(nn.Flatten(), Linear(2, N), nn.Flatten(), ReLU(), nn.Flatten(), Linear(N, 1)), RELU,
    ),
    "in place": (lambda: plain(ReLU(inplace=True)), RELU),
    "nothing, nested": (lambda: plain(Sequential(), Sequential(Sequential(ReLU())), nn.Identity()), RELU),
    "one object for nothing": (lambda: (lambda one: plain(one, ReLU(), one))(nn.Identity()), RELU),
    "dropout in evaluation": (lambda: plain(ReLU(), nn.Dropout(0.5)).eval(), RELU),
    "half precision": (lambda: plain(ReLU()).half(), RELU),
    "run while lazy": (lambda: (lambda one: (one(X), one)[1])(Sequential(nn.LazyLinear(N), *plain(ReLU())[1:])), RELU),
    "a slope by property": (lambda: plain(Steep()), 2 * (0.25 / 2 * RELU)),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_is_read_as_what_runs(case):
    make, crossed = READ[case]
    kernels = from_torch(make(), **HE).kernels(X)
    own = 1.25 if case == "a slope by property" else 1.0
    assert np.allclose(kernels.nngp, [[own, crossed], [crossed, own]], atol=1e-9)
    assert np.allclose(
        kernels.ntk, [[2 * own, crossed], [crossed, 2 * own]], atol=1e-9
    )  # inputs are orthogonal


def test_dropout_that_is_always_on():
    """Inputs meet masks of their own: the variance doubles, the covariance does not."""
    nngp = from_torch(plain(ReLU(), Always(0.5)).eval(), **HE).kernels(X).nngp
    assert np.allclose(nngp, [[2, RELU], [RELU, 2]], atol=1e-9)


def test_inside_autocast_and_inference():
    for surrounding in (torch.autocast("cpu"), torch.inference_mode()):
        with surrounding:
            assert math.isclose(from_torch(plain(ReLU()), **HE).kernels(X).nngp[0, 1], RELU, rel_tol=1e-9)


def drawn(make, seed, sigma_w=1.3, sigma_b=0.2):
    torch.manual_seed(seed)
    module = make().double()
    for layer in module.modules():
        if isinstance(layer, Linear | nn.Conv1d):
            nn.init.normal_(layer.weight, std=sigma_w / math.sqrt(layer.weight[0].numel()))
            nn.init.normal_(layer.bias, std=sigma_b)
    return module


def point(a, b):
    return nn.Conv1d(a, b, 1)


SPARSE = np.zeros((2, 2, 4))  # images of which one position is large and the others are zero
SPARSE[0, :, 0], SPARSE[1, :, 2], SPARSE[1, 0, 0] = [3, 4], [2, -5], 1
W = 256
FINITE = {
    "flattened before tanh": (lambda: Sequential(point(2, W), nn.Flatten(), Tanh(), Linear(4 * W, 400)), SPARSE),
    "flattened and normalised before tanh": (
        lambda: Sequential(point(2, W), nn.Flatten(), nn.LayerNorm(4 * W), Tanh(), Linear(4 * W, 400)), SPARSE,
    ),
    "flattened before dropout": (
        lambda: Sequential(point(2, W), Tanh(), nn.Flatten(), nn.Dropout(0.2), Linear(4 * W, 400)), SPARSE,
    ),
    "a shortcut that ends the network": (
        lambda: Sequential(Linear(4, 400), Shortcut(Sequential(ReLU(), Linear(400, 400)))), SPARSE[:, 0] + 0.5,
    ),
    "two activations in a row": (lambda: Sequential(Linear(4, W), ReLU(), Tanh(), Linear(W, 400)), SPARSE[:, 0] + 0.5),
    "an activation behind a shortcut": (
        lambda: Sequential(Linear(4, W), Shortcut(Sequential(ReLU(), Linear(W, W))), ReLU(), Linear(W, 400)),
        SPARSE[:, 0] + 0.5,
    ),
    "normalised before the first weights": (
        lambda: Sequential(nn.LayerNorm(4), Linear(4, 400), ReLU(), Linear(400, 400)), SPARSE[:, 1] + 0.1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FINITE)
def test_finite_networks_have_the_kernel_that_was_read(case):
    """Flattened before tanh: units of one Gaussian law would give 1.14 where the networks have .35."""
    make, x = FINITE[case]
    found = []
    for seed in range(12):
        with torch.no_grad():
            out = drawn(make, seed)(torch.tensor(x)).numpy()
        found.append(out @ out.T / out.shape[1])
    expected = from_torch(drawn(make, 0), sigma_w=1.3, sigma_b=0.2).kernels(x).nngp
    error = np.std(found, axis=0, ddof=1) / math.sqrt(12)
    assert (np.abs(np.mean(found, axis=0) - expected) < 4.5 * error + expected.max() / W).all()


NOT_GAUSSIAN = [
    lambda: plain(nn.Dropout(0.3), Tanh()), lambda: Sequential(ReLU(), *plain(ReLU())),
    lambda: plain(ReLU(), nn.BatchNorm1d(N)),
    lambda: Sequential(LastStep(nn.RNN(2, N, batch_first=True)), ReLU(), Linear(N, 1)),
]  # fmt: skip


@pytest.mark.parametrize("make", NOT_GAUSSIAN)
def test_activations_of_what_is_not_gaussian_have_no_kernel(make):
    x = np.ones((3, 2, 2)) if isinstance(make()[0], LastStep) else np.ones((3, 2))
    with pytest.raises(
        DomainError, match=r"must follow a dense or convolution layer: its inputs are not Gaussian"
    ):
        from_torch(make()).kernels(x)
