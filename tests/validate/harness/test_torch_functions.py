"""Torch activations and derivatives against SymPy's own numbers and PyTorch's own activations."""

import subprocess
import sys

import pytest
import sympy
import torch
from torch import nn

from widelimit.theory.calculus import sampling
from widelimit.theory.calculus.activation import Activation, x
from widelimit.theory.calculus.pieces import Pieces
from widelimit.theory.errors import InputError, ParseError
from widelimit.validate.harness.drawing.functions import (
    activation_function,
    derivative_function,
    torch_function,
)

POINTS = torch.linspace(-4.37, 4.11, 41, dtype=torch.float64)
NAMES = [
    *("linear", "relu", "leaky_relu(0.1)", "hard_tanh", "shifted_relu", "erf", "erf_s", "tanh"),
    *("arctan", "sin", "sigmoid", "softplus", "elu", "gelu", "swish", "abs", "monomial(3)"),
    *("x*tanh(x)", "exp(-x**2/2)", "max(x, -1/3)*sin(x)"),
    *("abs(x - 1) - relu(x + 1)/2", "log(1 + x**2)**(3/2)"),
]


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_are_those_of_the_expression(name):
    expr = Activation.of(name).expr
    values = activation_function(name)(POINTS)
    slopes = derivative_function(name)(POINTS)
    for i, point in enumerate(map(sympy.Float, POINTS.tolist())):
        assert values[i].item() == pytest.approx(float(expr.subs(x, point).evalf(30)), rel=1e-13, abs=1e-14)
        step = sympy.Float("1e-12", 50)
        at = sympy.Float(point, 50)
        difference = (expr.subs(x, at + step).evalf(50) - expr.subs(x, at - step).evalf(50)) / (2 * step)
        assert slopes[i].item() == pytest.approx(float(difference), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", torch.relu),
        ("softplus", torch.nn.Softplus(threshold=100)),
        ("gelu", torch.nn.functional.gelu),
        ("swish", torch.nn.functional.silu),
        ("elu", torch.nn.functional.elu),
        ("hard_tanh", torch.nn.functional.hardtanh),
        ("sigmoid", torch.sigmoid),
    ],
)
def test_agrees_with_pytorch_far_out_and_under_autograd(name, function):
    far = torch.tensor([-800.0, -30.0, -1.5, 0.25, 1.5, 30.0, 800.0], dtype=torch.float64)
    ours, theirs = far.clone().requires_grad_(), far.clone().requires_grad_()
    assert torch.allclose(activation_function(name)(ours), function(theirs), rtol=1e-12, atol=1e-12)
    activation_function(name)(ours).sum().backward()
    function(theirs).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)
    assert torch.allclose(derivative_function(name)(far), theirs.grad, rtol=1e-12, atol=1e-12)


def test_a_branch_that_is_not_defined_everywhere_does_no_harm():
    root = torch_function(Pieces(x, (sympy.Integer(1),), (sympy.Integer(0), sympy.sqrt(x - 1) ** 3)))
    h = torch.tensor([-5.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    value = root(h)
    value.sum().backward()
    assert value.tolist() == [0, 0, 1] and h.grad.tolist() == [0, 0, 1.5]


def test_shape_and_precision_are_kept():
    h = torch.zeros(2, 3, 4, dtype=torch.float32)
    for name in ("tanh", "elu", "sigmoid"):
        result = activation_function(name)(h)
        assert result.shape == h.shape and result.dtype == h.dtype


def test_what_has_no_torch_function_is_named():
    with pytest.raises(InputError, match="zeta"):
        torch_function(Pieces(x, (), (sympy.zeta(x**2 + 2),)))
    a = sympy.Symbol("a")
    with pytest.raises(InputError, match="a is free"):
        torch_function(Pieces(x, (), (a * x,)))
    with pytest.raises(ParseError):
        activation_function("__import__('os')")


@pytest.mark.parametrize(
    ("module", "exact"),
    [
        (nn.Softplus(threshold=25), 1e-10),  # from 20 on the threshold is read as none: 2e-9 of the value
        (nn.Softplus(beta=3), 1e-9),
        (nn.Softplus(beta=2, threshold=1), 1e-15),  # below, the jump is read as it is
        (nn.Softplus(threshold=-1), 1e-15),
    ],
)
def test_thresholds_of_softplus(module, exact):
    points = torch.linspace(-30, 30, 241, dtype=torch.float64)
    expr = Activation.of(module).expr
    read = [float(sampling.value(expr, x, float(point))) for point in points]
    assert module(points).tolist() == pytest.approx(read, abs=exact, rel=1e-14)


def test_the_first_reading_of_a_process_is_read_as_any_other():
    """What SymPy works out once in a process is not part of the budget."""
    code = "from torch import nn; from widelimit.theory import Activation as A; "
    code += "print(A.of(nn.Softplus(beta=.1, threshold=1)).kinks)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(10,)\n"
