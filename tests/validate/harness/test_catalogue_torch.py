"""The catalogue against torch's own functions: values at random points, defaults, parameters, modules and callables."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import special
from torch import nn

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ParseError
from widelimit.validate.harness.drawing.functions import (
    activation_function,
    derivative_function,
    torch_function,
)

POINTS = torch.cat(
    [torch.randn(200, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * s for s in (1, 6)]
)
PAIRS = [
    ("relu", F.relu), ("leaky_relu", F.leaky_relu), ("leaky_relu(0.3)", lambda x: F.leaky_relu(x, 0.3)),
    ("prelu", nn.PReLU(dtype=torch.float64)), ("prelu(0.1)", lambda x: F.leaky_relu(x, 0.1)),
    ("rrelu", lambda x: F.rrelu(x, training=False)), ("hard_tanh", F.hardtanh),
    ("hard_tanh(-2, 0.5)", lambda x: F.hardtanh(x, -2.0, 0.5)), ("relu6", F.relu6), ("hard_sigmoid", F.hardsigmoid),
    ("hard_swish", F.hardswish), ("erf", torch.erf), ("tanh", torch.tanh), ("arctan", torch.atan), ("sin", torch.sin),
    ("sigmoid", torch.sigmoid), ("log_sigmoid", F.logsigmoid), ("softplus", lambda x: F.softplus(x, threshold=60)),
    ("softplus(2)", lambda x: F.softplus(x, 2, threshold=60)), ("softplus(beta=0.5)", lambda x: F.softplus(x, 0.5, 60)),
    ("softplus(1, 3)", lambda x: F.softplus(x, 1, 3)), ("softsign", F.softsign), ("tanhshrink", F.tanhshrink),
    ("softshrink", F.softshrink), ("softshrink(0.3)", lambda x: F.softshrink(x, 0.3)), ("hardshrink", F.hardshrink),
    ("hardshrink(lambd=1)", lambda x: F.hardshrink(x, 1.0)), ("threshold(0.5, -1)", lambda x: F.threshold(x, 0.5, -1)),
    ("elu", F.elu), ("elu(0.5)", lambda x: F.elu(x, 0.5)), ("celu", F.celu), ("celu(2)", lambda x: F.celu(x, 2.0)),
    ("selu", F.selu), ("gelu", F.gelu), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("swish", F.silu),
    ("swish(2)", lambda x: x * torch.sigmoid(2 * x)), ("mish", F.mish), ("abs", torch.abs), ("sign", torch.sign),
    ("step", lambda x: torch.heaviside(x, torch.tensor(0.5, dtype=x.dtype))),
    ("squared_relu", lambda x: F.relu(x) ** 2),
    ("quick_gelu", lambda x: x * torch.sigmoid(1.702 * x)), ("gaussian", lambda x: torch.exp(-(x**2))),
    ("squareplus", lambda x: (x + torch.sqrt(x * x + 4)) / 2), ("snake(2)", lambda x: x + torch.sin(2 * x) ** 2 / 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function"), PAIRS, ids=[name for name, _ in PAIRS])
def test_values_and_slopes_are_torchs(name, function):
    assert torch.allclose(
        activation_function(name)(POINTS), function(POINTS).detach(), rtol=1e-12, atol=1e-13
    )
    if name == "step":
        return  # torch has no derivative of it
    theirs = POINTS.clone().requires_grad_()
    function(theirs).sum().backward()
    rtol = 1e-7 if name == "hard_sigmoid" else 1e-11  # torch's derivative holds 1/6 in single precision
    assert torch.allclose(derivative_function(name)(POINTS), theirs.grad, rtol=rtol, atol=1e-12)


class Squared(nn.ReLU):
    """A subclass whose forward is its own."""

    def forward(self, x):
        return super().forward(x) ** 2


class Mixed(nn.Module):
    """Not one of torch's, but a function of each unit."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Tanh()

    def forward(self, x):
        return torch.where(x > 0, x, 0.5 * self.inner(x)).clamp(min=-0.3) + x.sin() / 2


CALLABLES = [
    torch.tanh, torch.relu, torch.sigmoid, torch.erf, F.gelu, F.silu, F.mish, F.hardswish, F.softsign, F.logsigmoid,
    F.celu,
    nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU(0.5), nn.CELU(2.0), nn.SELU(), nn.GELU(), nn.GELU("tanh"),
    nn.Softplus(2.0, 60),
    nn.Softplus(1, 5), nn.Hardtanh(-2, 3), nn.Threshold(0.5, 1.0), nn.PReLU(dtype=torch.float64), nn.RReLU().eval(),
    nn.Softshrink(0.3), nn.Hardshrink(0.3), nn.ReLU6(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.Mish(), nn.Tanhshrink(),
    nn.Identity(), nn.Sequential(nn.Tanh(), nn.ReLU()), Squared(), Mixed(), lambda x: x * torch.tanh(x),
    torch.Tensor.tanh,
    lambda x: torch.max(x, torch.tensor(0.0)), lambda x: x.pow(2).relu() - x / 3, lambda x: (x > 0) * x,
]  # fmt: skip


@pytest.mark.parametrize(
    "function", CALLABLES, ids=lambda f: " ".join(str(getattr(f, "__name__", f)).split())[:40]
)
def test_callables_and_modules_are_read_as_they_run(function):
    with torch.no_grad():
        value = function(POINTS)
    ours = torch_function(Activation.of(function).pieces)(POINTS)
    assert torch.allclose(ours, value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (np.tanh, np.tanh), (np.sign, np.sign), (np.square, np.square), (special.erf, special.erf),
        (special.expit, special.expit), (lambda x: np.where(x > 0, x, 0.1 * x), None),
        (lambda x: np.clip(x, -1, 1), None),
        (lambda x: np.maximum(0, x) - np.exp(-(x**2)), None), (lambda x: np.float64(2) * x + np.array(1.0), None),
        (lambda x: np.heaviside(x, 0.5), None), (lambda x: np.logaddexp(x, 0), None),
    ],
)  # fmt: skip
def test_numpy_functions(function, value):
    points = POINTS.numpy()
    ours = torch_function(Activation.of(function).pieces)(POINTS).numpy()
    assert np.allclose(ours, (value or function)(points), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (nn.Softmax(-1), "other units"), (nn.GLU(), "other units"),
        (nn.Dropout(), "not a function that widelimit knows"),
        (nn.Linear(2, 2), "neither a number nor"), (nn.PReLU(3), "neither a number nor"), (nn.RReLU(), "at random"),
        (nn.BatchNorm1d(3), "cannot be followed"), (lambda x: x if x > 0 else 0, "branches on the value"),
        (lambda x: x * torch.rand(1), "is random"), (lambda x: x.sum(), "cannot be followed"),
        (len, "cannot be followed"),
        (lambda x: torch.max(x, 0), "with a dimension"), (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: None, "neither"),
    ],
)  # fmt: skip
def test_what_is_no_function_of_one_unit_is_refused(function, words):
    with pytest.raises(ParseError, match=words) as caught:
        Activation.of(function)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
