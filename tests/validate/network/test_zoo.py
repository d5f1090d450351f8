"""The zoo: each network is read, walked and measured with 8 draws; what is derived agrees, what is not says why."""

import copy
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.validate.network import read, report

_SPEC = importlib.util.spec_from_file_location("zoo", Path(__file__).with_name("zoo.py"))
zoo = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(zoo)

IDS = torch.arange(16).reshape(2, 8) % 13 + 3
LSTM, GRU = (lambda: zoo.Recurrent(nn.LSTM)), (lambda: zoo.Recurrent(nn.GRU))


def example(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def made(factory):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return factory()


ZOO = {
    "mlp": (zoo.mlp, example(4, 16), 1.0),
    "resnet v1": (lambda: zoo.ResNet(zoo.BasicBlock), example(4, 3, 8, 8), 1.0),
    "resnet v2": (lambda: zoo.ResNet(zoo.PreBlock), example(4, 3, 8, 8), 1.0),
    "nf-resnet": (zoo.NFNet, example(2, 3, 8, 8), 1.0),
    "convnext": (zoo.ConvNeXt, example(2, 3, 32, 32), 1.0),
    "mixer": (zoo.Mixer, example(2, 32, 12), 1.0),
    "gpt": (zoo.GPT, IDS, 0.9),
    "bert": (zoo.BERT, IDS, 0.4),
    "llama": (zoo.Llama, IDS, 0.9),
    "unet": (zoo.UNet, example(2, 3, 16, 16), 1.0),
    "lstm": (LSTM, example(4, 6, 12), 0.0),
    "gru": (GRU, example(4, 6, 12), 0.0),
    "branch": (zoo.Branch, example(4, 16), 0.0),
    "adapters": (zoo.Adapted, example(4, 128), 1.0),
    "custom activations": (zoo.Custom, example(4, 16), 1.0),
}


LONG = {
    "resnet v1",
    "resnet v2",
    "convnext",
    "llama",
    "unet",
    "gru",
    "custom activations",
}  # run with -m slow


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.slow) if one in LONG else one for one in ZOO]
)
def test_the_zoo(name):
    factory, x, covered = ZOO[name]
    found = report(made(factory), x, draws=8)
    assert found.draws == 8 and found.graph.coverage >= covered
    wrong = [
        (one.name, one.q_predicted, one.q_measured) for one in found.layers if one.verdict == "disagrees"
    ]
    assert not wrong, f"{wrong}\n{found}"
    for one in found.layers:
        assert one.method == "derived" or (one.why and one.verdict == "measured"), one
        assert not math.isnan(one.q_measured), one
    assert all(words.endswith(".") for words in (found.answer, found.limits, found.change))


def test_copied_layers_are_seen_and_said():
    found = read(made(zoo.BERT), IDS)
    assert found.copies and found.copies[0][:2] == ("encoder.layers.0", "encoder.layers.1")
    second = next(node for node in found.nodes if node.name == "encoder.layers.1.linear1")
    assert second.rule == "measured" and "equals encoder.layers.0.linear1.weight" in second.why


def test_copies_are_named_whole_and_warned_of():
    """Each layer once, by its largest name; the report warns, and says what limits training."""
    found = report(made(zoo.BERT), IDS, draws=2)
    layers = tuple(f"encoder.layers.{k}" for k in range(3))
    assert found.graph.copies == (layers,)
    assert any(f"Layers start equal, as copies do ({' = '.join(layers)})" in one for one in found.warnings)
    assert "copies of one another" in found.limits and "independently" in found.change
    assert "copies" in str(found)


def test_what_was_drawn_anew_is_no_copy():
    """``nn.Transformer`` draws its matrices again, but not the biases of the layers that it copied."""
    module = made(lambda: nn.Transformer(32, 4, 2, 1, 64, dropout=0.0, batch_first=True).encoder)
    found = read(module, example(2, 4, 32))
    assert found.copies == ()
    assert any("layers.0.linear1.bias = layers.1.linear1.bias" in one for one in found.notes)


def test_a_copied_part_of_a_layer_is_that_part():
    module = made(zoo.BERT)
    for layer in module.encoder.layers[1:]:
        for part in (layer.linear1, layer.linear2):
            part.reset_parameters()
    assert read(module, IDS).copies == (tuple(f"encoder.layers.{k}.self_attn" for k in range(3)),)


def test_tied_weights_are_seen_and_said():
    found = read(made(zoo.GPT), IDS)
    assert ("wte.weight", "head.weight") in found.shared
    assert found.nodes[-1].rule == "measured" and "used before" in found.nodes[-1].why


class Transposed(nn.Module):
    """The head tied by a product with the transposed table: another name for the same numbers."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 64)

    def forward(self, ids):
        return torch.matmul(self.table(ids), self.table.weight.t())


def test_a_weight_is_the_same_under_another_name():
    found = read(made(Transposed), IDS)
    assert found.nodes[-1].rule == "measured" and "used before" in found.nodes[-1].why


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_layers_are_measured_nodes(kind):
    found = read(made({"lstm": LSTM, "gru": GRU}[kind]), example(4, 6, 12))
    assert [(node.op, node.rule) for node in found.nodes] == [(kind, "measured"), ("linear", "derived")]


def test_a_branch_on_a_value_is_seen_through_hooks():
    found = read(made(zoo.Branch), example(4, 16))
    assert found.method == "hooks" and [node.name for node in found.nodes] == ["fc1", "fc2", "output"]
    assert found.coverage == 0.0 and "cannot be exported" in found.notes[-1]


def test_a_custom_activation_is_one_expression():
    found = read(made(zoo.Custom), example(4, 16))
    held = {node.name: node for node in found.nodes}
    assert Activation.parse(held["mul 2"].activation).expr.equals(Activation.of("quick_gelu").expr)
    found = Activation.parse(held["mul 6"].activation).expr
    assert all(
        float(found.subs(X, v)) == pytest.approx(float(Activation.of("gelu_tanh").expr.subs(X, v)))
        for v in (-1, 2)
    )


def test_half_precision():
    module = made(zoo.mlp).to(torch.bfloat16)
    found = report(module, example(4, 16).to(torch.bfloat16), draws=8)
    assert found.agrees, str(found)


def test_frozen_parts_are_read_as_they_are():
    module = made(zoo.mlp)
    module[0].weight.requires_grad_(False)
    found = report(module, example(4, 16), draws=4)
    assert found.agrees and not module[0].weight.requires_grad


def test_trained_weights_are_labelled():
    module = made(zoo.mlp)
    direction = torch.randn(128, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        module[2].weight += 0.1 * torch.outer(direction, direction) / 128**0.5
    found = report(module, example(4, 16), draws=4)
    assert found.graph.trained[0][0] == "2.weight"
    assert any("as if random" in words for words in found.warnings)


def test_what_trained_numbers_are_is_never_permuted():
    from widelimit.validate.network.graph.weights import numbers, permuted

    module = made(lambda: nn.Linear(64, 64))
    with torch.no_grad():
        module.weight.copy_(torch.eye(64))
    drawn = permuted(numbers(copy.deepcopy(module)), 0)
    assert torch.equal(drawn["weight"], module.weight) and not torch.equal(drawn["bias"], module.bias)
    assert float(drawn["bias"].square().mean()) == pytest.approx(
        float(module.bias.detach().square().mean()), rel=1e-6
    )


def test_the_edge_of_noise_is_the_marchenko_pastur_law():
    from widelimit.numerics import freeprob
    from widelimit.theory.freeprob import marchenko_pastur

    for ratio in (0.25, 1.0):
        assert freeprob.law(marchenko_pastur(ratio)).support[-1][1] == pytest.approx(
            (1 + np.sqrt(ratio)) ** 2, rel=1e-9
        )


def test_evaluation_mode_and_training_mode_differ():
    module = nn.Sequential(
        nn.Linear(16, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 8)
    )
    x = example(64, 16)
    on, off = report(module, x, draws=4), report(module.eval(), x, draws=4)
    assert on.agrees and off.agrees
    assert on.layers[1].q_predicted == pytest.approx(1.0, rel=1e-3)
    assert off.layers[1].q_predicted == pytest.approx(off.layers[0].q_predicted, rel=1e-3)
    assert [one.op for one in off.layers] == ["linear", "batch_norm", "relu", "linear"]
    assert on.layers[3].q_predicted == pytest.approx(2 * on.layers[2].q_predicted)
