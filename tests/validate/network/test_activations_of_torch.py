"""One catalogue for all doors: every activation of torch.nn and torch is read alike as module, as function and by name.

What is no function of one unit is refused by a sentence that says so, at each door.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import activation as torchs

from widelimit.theory.architecture import Act
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ParseError, WidelimitError
from widelimit.validate.harness.drawing.functions import torch_function
from widelimit.validate.network import ModuleError, from_torch

POINTS = torch.linspace(-7, 7, 241, dtype=torch.float64)
MADE = {"Threshold": (0.3, -0.2), "MultiheadAttention": (4, 1)}
OTHER_UNITS = {"GLU", "Softmin", "Softmax", "Softmax2d", "LogSoftmax", "MultiheadAttention"}
RANDOM = {"RReLU"}  # in training
CLASSES = sorted(torchs.__all__)
FUNCTIONS = [
    F.relu, F.relu6, F.elu, F.selu, F.celu, F.leaky_relu, F.gelu, F.logsigmoid, F.hardshrink, F.tanhshrink, F.softsign,
    F.softplus, F.softshrink, F.hardsigmoid, F.silu, F.hardswish, F.mish, F.hardtanh, F.rrelu, torch.relu, torch.tanh,
    torch.sigmoid, torch.erf, torch.sin, torch.cos, torch.atan, torch.asinh, torch.exp, torch.abs, torch.sign,
    torch.square, torch.special.erf, torch.special.expit, torch.selu, torch.celu, torch.arctan, torch.sinh, torch.cosh,
]  # fmt: skip


def made(name):
    return getattr(nn, name)(*MADE.get(name, ())).double().requires_grad_(False)


def values(activation):
    return torch_function(activation.pieces)(POINTS)


def read_by_from_torch(module):
    torch.manual_seed(0)
    net = from_torch(nn.Sequential(nn.Linear(2, 64), module, nn.Linear(64, 1)).double())
    return next(layer.activation for layer in net.architecture if isinstance(layer, Act))


def test_every_class_is_on_one_of_the_lists():
    assert set(CLASSES) >= OTHER_UNITS | RANDOM and len(CLASSES) >= 29


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in OTHER_UNITS])
def test_a_module_is_read_alike_at_both_doors(name):
    module = made(name)
    if name in RANDOM:
        for door in (Activation.of, read_by_from_torch):
            with pytest.raises(WidelimitError, match="at random"):
                door(module)
        module = module.eval()
    found = read_by_from_torch(module)
    assert found == Activation.of(module)
    smooth_beyond = 2e-9  # torch's softplus is x beyond its threshold of 20; here beta x stays below
    assert torch.allclose(values(found), module(POINTS), rtol=smooth_beyond, atol=1e-12)


@pytest.mark.parametrize("name", sorted(OTHER_UNITS))
def test_what_looks_at_other_units_is_refused_at_both_doors(name):
    with pytest.raises(ParseError) as by_theory:
        Activation.of(made(name))
    with pytest.raises(ModuleError, match=rf"Layer '1' \({name}\)"):
        read_by_from_torch(made(name))
    said = str(by_theory.value)
    assert "\n" not in said and ("other units" in said or "expression in `x`" in said)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_function_of_torch_is_read_as_it_runs(function):
    found = Activation.of(function)
    assert torch.allclose(values(found), function(POINTS), rtol=2e-9, atol=1e-12)


@pytest.mark.parametrize(
    "name", [name for name in CLASSES if name not in OTHER_UNITS | RANDOM | {"Threshold"}]
)
def test_a_class_by_its_name_is_the_module_with_its_defaults(name):
    """``Activation.of("nn.GELU()")`` and ``Activation.of("GELU")`` are ``nn.GELU()``."""
    module = made(name)
    for text in (f"nn.{name}()", name):
        assert torch.allclose(values(Activation.of(text)), module(POINTS), rtol=2e-9, atol=1e-12)
    assert math.isfinite(float(values(Activation.of(name)).sum()))
