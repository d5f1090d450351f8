"""Kernels of compositions against drawn torch modules, and a user's module read as an architecture."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics.architecture import kernels
from widelimit.numerics.architecture.rules import _RULES, rule
from widelimit.numerics.kernel import nngp_ntk
from widelimit.theory.architecture import (  # fmt: skip
    Act,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    LayerNorm,
    Recurrent,
    Residual,
    mlp,
    recursion,
)
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.network import from_torch, known, registry
from widelimit.validate.network.modules import KINDS, LastStep, Shortcut, build
from widelimit.validate.simulate.fisher import largest_eigenvalue

TANH, RELU = Act.of("tanh"), Act.of("relu")
CONV = {"sigma_w": 1.5, "sigma_b": 0.3}
NETWORKS = {
    "mlp": (mlp("tanh", sigma_w=1.5, sigma_b=0.3, depth=2), (6,)),
    "gain before an activation": (
        Architecture((Dense(1.5, 0.3), LayerNorm(True), TANH, Dense(1.5, 0.3), LayerNorm(True), RELU, Dense(1.2, 0.1))),
        (6,),
    ),
    "layer norm of images": (
        Architecture((
            Convolution(3, dimensions=2, padding="zeros", **CONV), LayerNorm(True), TANH,
            Convolution(3, dimensions=2, **CONV), RELU, LayerNorm(True), GlobalAveragePool(), Dense(1.2, 0.1),
        )),
        (2, 4, 3),
    ),
    "layer norm of signals": (
        Architecture((
            Convolution(3, **CONV), RELU, LayerNorm(True), Convolution(3, **CONV), TANH, Flatten(), Dense(1.2),
        )),
        (2, 5),
    ),
    "residual": (Architecture((Dense(1.5, 0.3), Residual((TANH, Dense(1.5, 0.3))), TANH, Dense(1.2, 0.1))), (6,)),
    "circular": (
        Architecture((Convolution(3, **CONV), TANH, Convolution(3, **CONV), TANH, Flatten(), Dense(1.2, 0.1))),
        (2, 5),
    ),
    "zeros, pooled": (
        Architecture((
            Convolution(3, dimensions=2, padding="zeros", **CONV), TANH, Convolution(3, dimensions=2, **CONV), TANH,
            GlobalAveragePool(), Dense(1.2, 0.1),
        )),
        (2, 4, 3),
    ),
}  # fmt: skip
EXAMPLES = {  # of every kind of layer that there is; the rule of batches is one of large batches, see below
    kind.layer.__name__: (
        Architecture(
            (*kind.example[0], Dense(1.2, 0.1)),
            None if kind.inputs is None else (*kind.inputs, (len(kind.inputs) - 1,)),
        ),
        kind.example[1],
    )
    for kind in KINDS.values()
    if kind.layer is not BatchNorm
}


def read_by_the_last(module, points):
    held = []
    hook = module[-1].register_forward_pre_hook(lambda _, inputs: held.append(inputs[0]))
    module(points)
    hook.remove()
    return held[0]


def drawn(architecture, x, width, count):
    """Covariances of the outputs and tangent kernels of modules, by automatic differentiation."""
    points, thetas, ks = torch.tensor(x), [], []
    for seed in range(count):
        torch.manual_seed(seed)
        module = build(
            architecture,
            x.shape[1:],
            width=width,
            parametrisation="ntk",
            generator=torch.Generator().manual_seed(seed),
        )
        outputs = module(points)[:, 0]
        parameters = list(module.parameters())
        rows = [torch.autograd.grad(f, parameters, retain_graph=True) for f in outputs]
        jacobian = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows])
        thetas.append((jacobian @ jacobian.T).numpy())
        with torch.no_grad():
            torch.manual_seed(seed)
            below = read_by_the_last(module, points)
            ks.append((module[-1].gain_w ** 2 * below @ below.T + module[-1].gain_b ** 2).numpy())
    return np.array(ks), np.array(thetas)


@pytest.mark.parametrize("name", [*NETWORKS, *EXAMPLES])
def test_kernels_are_those_of_wide_modules(name):
    architecture, shape = (NETWORKS | EXAMPLES)[name]
    x = np.random.default_rng(1).standard_normal((2, *shape))
    expected = kernels(architecture, x)
    narrow, wide = (drawn(architecture, x, width, 24) for width in (12, 48))
    for index, theory in enumerate(expected):
        for measured, width in ((narrow, 12), (wide, 48)):
            sample = measured[index]
            error = sample.std(axis=0, ddof=1) / math.sqrt(len(sample))
            # four standard errors (24 skewed samples), and a bias of 1/width times the size of the kernel
            assert (
                np.abs(sample.mean(axis=0) - theory) < 4.5 * error + 2.0 / width * np.abs(theory).max()
            ).all()


def test_composition_of_dense_layers_is_the_fast_kernel():
    x, y = (np.random.default_rng(k).standard_normal((n, 6)) for k, n in ((2, 5), (3, 3)))
    fast = nngp_ntk(x, y, activation="gelu", sigma_w=1.4, sigma_b=0.2, depth=3)
    slow = kernels(mlp("gelu", sigma_w=1.4, sigma_b=0.2, depth=3), x, y)
    assert np.allclose(fast.nngp, slow.nngp, rtol=1e-12) and np.allclose(fast.ntk, slow.ntk, rtol=1e-12)


def test_pooling_against_a_second_set_is_a_block_of_one_set():
    architecture, shape = NETWORKS["zeros, pooled"]
    x = np.random.default_rng(4).standard_normal((4, *shape))
    both, part = kernels(architecture, x), kernels(architecture, x[:1], x[1:])
    assert np.allclose(part.ntk, both.ntk[:1, 1:], rtol=1e-12)


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_of_a_large_batch(affine):
    """Against modules; the rule is for large batches, here 60 of independent inputs."""
    architecture = Architecture((Dense(1.0, 0.0), BatchNorm(affine), TANH, Dense(1.2, 0.1)))
    x = np.random.default_rng(5).standard_normal((60, 80))
    theory = kernels(architecture, x)
    k, theta = (values.mean(axis=0) for values in drawn(architecture, x, 200, 4))
    assert (
        abs(np.trace(k) / np.trace(theory.nngp) - 1) < 0.02
        and abs(np.trace(theta) / np.trace(theory.ntk) - 1) < 0.05
    )
    with pytest.raises(DomainError, match="fluctuates by"):
        kernels(architecture, x[:5])


@pytest.mark.parametrize(
    ("affine", "head"),
    [
        (False, Flatten()),
        (True, GlobalAveragePool()),
        pytest.param(True, Flatten(), marks=pytest.mark.slow),
        pytest.param(False, GlobalAveragePool(), marks=pytest.mark.slow),
    ],
)
def test_batch_norm_of_images(affine, head):
    """Over batch and positions: 20 images with 9 positions of 40 independent channels, which leave 2 per cent."""
    normalised = (Convolution(3, 1.0, dimensions=2), BatchNorm(affine), TANH)
    architecture = Architecture((*normalised, head, Dense(1.2, 0.1)))
    x = np.random.default_rng(5).standard_normal((20, 40, 3, 3))
    for theory, sample in zip(kernels(architecture, x), drawn(architecture, x, 50, 16), strict=True):
        ratio = np.trace(sample, axis1=1, axis2=2) / np.trace(theory)
        assert abs(ratio.mean() - 1) < 4.5 * ratio.std(ddof=1) / math.sqrt(16) + 0.02


def test_a_trained_gain_meets_the_slope_of_its_own_unit():
    """Theta' = K' + sigma_w^2 (Tdot (Theta/q + 1) + E u phi'(u) v phi'(v)), the last by quadrature, not Tdot k."""
    x = np.array([[1.0, 0.5, -0.3], [0.2, -1.0, 0.8]])
    got = kernels(Architecture((Dense(1.5, 0.0), LayerNorm(True), TANH, Dense(1.2, 0.0))), x)
    k = 1.5**2 * x @ x.T / 3
    q, rho = np.diag(k), k[0, 1] / math.sqrt(k[0, 0] * k[1, 1])
    z = np.arange(-9, 9, 0.05)
    weight = 0.05 * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    u, v = z[:, None], rho * z[:, None] + math.sqrt(1 - rho**2) * z[None, :]
    steep, t = 1 / (np.cosh(u) * np.cosh(v)) ** 2, weight @ (np.tanh(u) * np.tanh(v)) @ weight
    tdot, gain = weight @ steep @ weight, weight @ (u * v * steep) @ weight
    expected = 1.2**2 * (t + tdot * (k[0, 1] / math.sqrt(q[0] * q[1]) + 1) + gain)
    assert math.isclose(got.ntk[0, 1], expected, rel_tol=1e-8)
    with pytest.raises(DomainError, match="hard_tanh has a kink away from 0"):
        kernels(Architecture((Dense(), LayerNorm(True), Act.of("hard_tanh"), Dense())), x)


def test_recursion_is_symbolic():
    rules = recursion(NETWORKS["residual"][0])
    assert [type(rule.layer).__name__ for rule in rules] == [
        "Dense",
        "Act",
        "Dense",
        "Residual",
        "Act",
        "Dense",
    ]
    assert str(rules[3].ntk.rhs) == "Theta_1(a, b) + Theta_3(a, b)"
    (recurrent, _) = recursion(Architecture((Recurrent(Activation.of("erf"), 2.0, 3.0, 1.0), Dense())))
    assert str(recurrent.where[1].rhs).startswith("H(t + 1)") and "9*S(t + 1)" in str(recurrent.where[0].rhs)
    assert "Sum" in str(recursion(NETWORKS["circular"][0])[0].nngp.rhs)


def test_every_kind_of_layer_has_its_three_entries():
    """A class in theory, a function in numerics, a record in validate with the classes of torch that are read."""
    kinds, read, ruled = (  # other tests have kinds of their own
        {kind for kind in found if kind.__module__.startswith("widelimit.")}
        for found in (Layer.__subclasses__(), KINDS, _RULES)
    )
    assert kinds == read == ruled
    torch_classes = [one for kind in KINDS.values() for one in kind.torch]
    assert len(torch_classes) == len(set(torch_classes))
    assert all(issubclass(one, nn.Module) for one in torch_classes)


class Reverse(nn.Module):
    """Units in the opposite order, which the kernels do not see."""

    def forward(self, x):
        return x.flip(1)


@dataclass(frozen=True)
class Reversed(Layer):
    def kernels(self, below):
        return below.both()


def test_a_kind_of_ones_own_is_read_drawn_and_computed():
    rule(Reversed)(lambda layer, state, place: state)
    registry.register(
        registry.Kind(
            Reversed,
            torch=(Reverse,),
            listed="Reverse",
            read=lambda place, declared, flow: registry.Read(place, Reversed()),
            drawn=lambda layer, space, drawing, outputs: (Reverse(), space),
            rebuilt=lambda read, place: Reverse(),
            example=((Dense(), Reversed()), (6,)),
        )
    )
    try:
        torch.manual_seed(0)
        plain = (nn.Linear(6, 300), nn.Tanh())
        net = from_torch(nn.Sequential(*plain, Reverse(), nn.Linear(300, 1)), sigma_w=1.5, sigma_b=0.3)
        assert [type(layer) for layer in net.architecture] == [Dense, Act, Reversed, Dense]
        x = np.random.default_rng(3).standard_normal((2, 6))
        dense = mlp("tanh", sigma_w=1.5, sigma_b=0.3, depth=1)
        assert np.allclose(net.kernels(x).ntk, kernels(dense, x).ntk, rtol=1e-12)
        module = build(net.architecture, (6,), width=8)
        assert isinstance(module[2], Reverse) and module(torch.zeros(2, 6, dtype=torch.float64)).shape == (
            2,
            1,
        )
        with pytest.raises(DomainError, match=r"Known are .*Reverse, .*nested Sequential"):
            from_torch(nn.Sequential(nn.Linear(6, 300), nn.Softmax(1), nn.Linear(300, 1)))
    finally:
        for table, key in ((KINDS, Reversed), (_RULES, Reversed), (registry._READERS, Reverse)):
            table.pop(key)
        known.KNOWN.discard(Reverse)


def user_module():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 2)
    )
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=1.2 / math.sqrt(layer.in_features))
            nn.init.normal_(layer.bias, std=0.3)
    return model


def test_three_lines_for_a_users_module():
    x = np.random.default_rng(6).standard_normal((4, 12))
    net = from_torch(user_module())
    assert math.isclose(net.sigma_w, 1.2, rel_tol=0.01) and math.isclose(net.sigma_b, 0.3, rel_tol=0.15)
    exact = nngp_ntk(x, activation="relu", sigma_w=1.2, sigma_b=0.3, depth=2)
    declared = from_torch(user_module(), sigma_w=1.2, sigma_b=0.3).kernels(x)
    assert np.allclose(declared.ntk, exact.ntk, rtol=1e-12)
    assert np.allclose(net.kernels(x).ntk, exact.ntk, rtol=0.1)
    assert net.phase == "ordered"
    assert net.fisher(x).largest <= net.fisher_bound(x).whole


def test_layers_that_are_read():
    module = nn.Sequential(
        nn.Conv1d(2, 64, 3, padding=1, padding_mode="circular"), nn.GELU(), nn.Dropout(0.2),
        nn.Conv1d(64, 64, 3, padding="same"),
        nn.LeakyReLU(0.2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 64), nn.LayerNorm(64), nn.SiLU(),
        Shortcut(nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))), nn.Linear(64, 1),
    )  # fmt: skip
    read = from_torch(module).architecture.layers
    assert [type(layer).__name__ for layer in read] == [
        "Convolution", "Act", "Dropout", "Convolution", "Act", "GlobalAveragePool", "Flatten", "Dense", "LayerNorm",
        "Act", "Residual", "Dense",
    ]  # fmt: skip
    assert read[0].padding == "circular" and read[3].padding == "zeros" and read[2].keep == 0.8
    x = np.random.default_rng(7).standard_normal((3, 2, 8))
    assert np.isfinite(from_torch(module.eval()).kernels(x).ntk).all()


def test_a_recurrent_module_is_read():
    """Scales drawn into ``nn.RNN``, with its two biases, against the recursion at those scales."""
    torch.manual_seed(1)
    cell = nn.RNN(5, 300, batch_first=True)
    for weight, std in (
        (cell.weight_hh_l0, 1.2 / math.sqrt(300)), (cell.weight_ih_l0, 0.9 / math.sqrt(5)), (cell.bias_ih_l0, 0.3),
        (cell.bias_hh_l0, 0.4),
    ):  # fmt: skip
        nn.init.normal_(weight, std=std)
    module = nn.Sequential(LastStep(cell), nn.Linear(300, 1, bias=False)).double()
    net = from_torch(module)
    layer = net.architecture.layers[0]
    assert isinstance(layer, Recurrent) and net.widths == (300,)
    assert np.allclose([layer.sigma_w, layer.sigma_v, layer.sigma_b], [1.2, 0.9, 0.5], rtol=0.06)
    x = np.random.default_rng(8).standard_normal((3, 4, 5))
    hidden = module[0](torch.tensor(x)).detach().numpy()
    readout = float(module[1].weight.detach().pow(2).sum())
    # one network of width 300: entries fluctuate by some 1/sqrt(300)
    assert np.allclose(net.kernels(x).nngp, readout * hidden @ hidden.T / 300, rtol=0, atol=0.15 * readout)


@pytest.mark.parametrize(
    ("activation", "phi"),
    [
        (nn.SELU(), nn.functional.selu), (nn.ELU(0.5), lambda x: nn.functional.elu(x, 0.5)),
        (nn.Softplus(2.0), lambda x: nn.functional.softplus(x, 2.0)),
    ],
)  # fmt: skip
def test_activations_are_those_of_torch(activation, phi):
    """The variance behind the activation by quadrature of torch's own function."""
    module = nn.Sequential(nn.Linear(4, 64), activation, nn.Linear(64, 1))
    net = from_torch(module, sigma_w=1.0, sigma_b=0.0)
    z = torch.arange(-10, 10, 1e-3, dtype=torch.float64)
    density = 1e-3 * torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    assert math.isclose(net.kernels(np.ones((1, 4))).nngp[0, 0], float((phi(z) ** 2) @ density), rel_tol=1e-6)


def test_images_may_come_flat_or_not_and_must_fit():
    x, net = np.random.default_rng(9).standard_normal((3, 3, 4)), from_torch(user_module())
    assert np.array_equal(net.kernels(x).ntk, net.kernels(x.reshape(3, 12)).ntk)
    with pytest.raises(ArgumentError, match=r"`x1` must have the 12 features or channels .* but has 5"):
        net.kernels(x.reshape(3, 12)[:, :5])
    with pytest.raises(ArgumentError, match="`x1` must hold one input a row"):
        net.kernels(np.ones(12))


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([nn.RNN(8, 64), nn.Linear(64, 1)], r"Layer '0' \(RNN\) .* put it into widelimit's LastStep"),
        ([LastStep(nn.RNN(8, 64)), nn.Linear(64, 1)], r"only with batch_first=True"),
        ([LastStep(nn.LSTM(8, 64)), nn.Linear(64, 1)], r"Layer '0' \(LSTM\)"),
        ([nn.Linear(8, 64), nn.ReLU(), nn.MaxPool1d(2), nn.Linear(32, 1)], r"Layer '2' \(MaxPool1d\)"),
        ([nn.Sequential(nn.Linear(8, 64), nn.Softmax(1)), nn.Linear(64, 1)], r"Layer '0.1' \(Softmax\)"),
        ([nn.Conv1d(1, 64, 3, stride=2), nn.Flatten(), nn.Linear(64, 1)], r"stride \(2,\) is not 1"),
        (
            [nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2), nn.ReLU(), nn.Linear(2, 1)],
            r"narrowest layer has 2 units",
        ),
        ([nn.ReLU()], "no dense or convolution layer"),
    ],
)
def test_what_theory_does_not_know_is_refused_by_name(layers, match):
    with pytest.raises(DomainError, match=match):
        from_torch(nn.Sequential(*layers))


def test_architectures_that_make_no_sense_are_refused():
    x = np.ones((2, 4))
    with pytest.raises(DomainError, match=r"Layer 0 \(Act\) must follow a dense or convolution layer"):
        kernels(Architecture((TANH, Dense())), x)
    with pytest.raises(DomainError, match="must end with a dense"):
        Residual((TANH,))
    with pytest.raises(ArgumentError, match="`x2` must have as many features as `x1`, 4, but has 5"):
        kernels(mlp("relu", sigma_w=1.0, depth=1), x, np.ones((2, 5)))
    with pytest.raises(ArgumentError, match=r"must have the shape \(n, channels, length\)"):
        kernels(NETWORKS["circular"][0], x)
    with pytest.raises(DomainError, match="ends with positions"):
        kernels(Architecture((Convolution(3), TANH)), np.ones((2, 1, 5)))
    with pytest.raises(DomainError, match="units are all equal"):
        kernels(Architecture((Dense(), LayerNorm(), TANH, Dense())), np.zeros((2, 4)))


def test_lanczos_finds_the_largest_fisher_eigenvalue():
    module = nn.Sequential(nn.Linear(5, 30), nn.Tanh(), nn.Linear(30, 3)).double()
    x = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = [
        torch.cat(
            [g.reshape(-1) for g in torch.autograd.grad(f, list(module.parameters()), retain_graph=True)]
        )
        for f in module(x).reshape(-1)
    ]
    jacobian = torch.stack(rows)
    dense = float(torch.linalg.eigvalsh(jacobian.T @ jacobian / 7)[-1])
    assert math.isclose(largest_eigenvalue(module, x), dense, rel_tol=1e-6)
