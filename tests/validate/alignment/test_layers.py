"""Layers with local feedback: their gradients are the flows of theory, and networks learn with them."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from widelimit.numerics import alignment as predicted
from widelimit.theory import alignment as theory
from widelimit.theory.alignment import rules
from widelimit.theory.errors import ArgumentError
from widelimit.validate import alignment

RULES = theory.RULES
GIVEN = {"alpha": 1.3, "beta": 0.7, "gamma": 0.25}
ROOT = np.array([[1, 0.5, 0], [0, 0.75, 0.25], [0.5, 0, 1]])


def layer(rule, **more):
    torch.manual_seed(1)
    return alignment.Linear(3, 2, rule=rule, dtype=torch.float64, **GIVEN, **more)


def batch(count=5):
    return torch.from_numpy(np.random.default_rng(0).standard_normal((count, 3)) @ ROOT.T)


def of_theory(expr, values):
    """An expression of theory in NumPy's matrices."""
    numbers = {theory.ALPHA: 1.3, theory.BETA: 0.7, theory.GAMMA: 0.25}

    def walk(one):
        if one in values:
            return values[one]
        if one.is_commutative:
            return float(one.subs(numbers))
        parts = [walk(part) for part in one.args]
        total = parts[0]
        for part in parts[1:]:
            if one.is_Add:
                total = total + part
            else:
                total = total @ part if np.ndim(total) and np.ndim(part) else total * part
        return total

    return walk(expr)


@pytest.mark.parametrize("rule", RULES)
def test_the_gradient_of_the_feedback_is_the_flow_of_theory(rule):
    """With the batch's own second moment for C; for kolen_pollack without a task's gradient."""
    made, x = layer(rule), batch()
    made(x).backward(torch.zeros(5, 2, dtype=torch.float64))  # no error: the task asks for nothing
    w, b = (one.detach().numpy() for one in (made.weight, made.feedback))
    c = (x.T @ x / len(x)).numpy()
    values = {rules.W: w, rules.WT: w.T, rules.B: b, rules.BT: b.T, rules.C: c}
    expected = of_theory(theory.flow(rule), values)
    if rule == "kolen_pollack":  # the decay of B itself; that of W decays as well, and so their difference
        expected = -1.3 * b
        difference = made.feedback.grad.numpy() - made.weight.grad.numpy().T
        assert -difference == pytest.approx(of_theory(theory.flow(rule), values))
    assert -made.feedback.grad.numpy() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_errors_return_by_the_feedback(rule):
    made, x = layer(rule), batch().requires_grad_()
    delta = torch.arange(10, dtype=torch.float64).reshape(5, 2)
    made(x).backward(delta)
    assert torch.allclose(x.grad, delta @ made.feedback.T)
    decays = 1.3 * made.weight if rule == "kolen_pollack" else 0.0
    assert torch.allclose(made.weight.grad, delta.T @ x + decays)
    assert torch.allclose(made.bias.grad, delta.sum(0))
    if rule == "kolen_pollack":
        assert torch.allclose(made.feedback.grad, (delta.T @ x).T + 1.3 * made.feedback)


def test_outputs_are_those_of_a_linear_layer():
    made, x = layer("mirror"), batch()
    plain = nn.Linear(3, 2).double()
    plain.load_state_dict({"weight": made.weight.detach(), "bias": made.bias.detach()})
    assert torch.equal(made(x), x @ made.weight.T + made.bias) and torch.allclose(made(x), plain(x))
    deep = torch.randn(2, 4, 3, dtype=torch.float64)
    assert made(deep).shape == (2, 4, 2)
    made(deep).sum().backward()  # leading dimensions count as inputs
    flat = copy.deepcopy(made)
    flat.zero_grad()
    flat(deep.reshape(8, 3)).sum().backward()
    assert torch.allclose(flat.feedback.grad, made.feedback.grad)
    assert alignment.Linear(3, 2, bias=False, rule="mirror").bias is None


def test_centred_rules_see_no_mean():
    made, x = layer("mirror", centred=True), batch() + 7
    made(x).sum().backward()
    seen = x - x.mean(0)
    expected = 0.7 * seen.T @ (seen @ made.weight.T) / 5 - 1.3 * made.feedback
    assert torch.allclose(-made.feedback.grad, expected)


@pytest.mark.parametrize("rule", RULES)
def test_feedback_is_trained_to_where_theory_says(rule):
    """Sampled batches, plain SGD: the time course of the flow, and its end."""
    torch.manual_seed(3)
    made = layer(rule)
    made.weight.requires_grad_(False)
    w, start = made.weight.numpy().copy(), made.feedback.detach().numpy().copy()
    if rule == "kolen_pollack":
        made.weight.requires_grad_(True)
    descent = torch.optim.SGD(made.parameters(), lr=0.01)
    root = torch.from_numpy(ROOT)
    for _ in range(300):
        descent.zero_grad()
        x = torch.randn(64, 3, dtype=torch.float64) @ root.T
        made(x).backward(torch.zeros(64, 2, dtype=torch.float64))
        descent.step()
    expected = predicted.trajectory(rule, w, start, 3.0, covariance=ROOT @ ROOT.T, **GIVEN)
    found = made.feedback.detach().numpy()
    if rule == "kolen_pollack":  # the difference decays, whatever the weights do
        left = (1 - 0.01 * 1.3) ** 300
        assert found - made.weight.detach().numpy().T == pytest.approx(left * (start - w.T), abs=1e-12)
    else:
        assert found == pytest.approx(expected, abs=0.05)  # noise of batches, and of the step
        assert made.cosine() == pytest.approx(np.sum(found.T * w) / np.linalg.norm(found) / np.linalg.norm(w))


def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    x = (data.data - data.data.mean(0)) / data.data.std()
    return torch.tensor(x, dtype=torch.float32), torch.tensor(data.target)


@pytest.mark.parametrize("rule", ["symmetric", "kolen_pollack", "activation"])
def test_a_network_learns_digits_with_local_feedback(rule):
    torch.manual_seed(0)
    x, y = digits()
    plain = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    weak = {"alpha": 0.01} if rule == "kolen_pollack" else {}
    net = alignment.converted(plain, rule=rule, **weak)
    assert torch.equal(net[0].weight, plain[0].weight) and net[0].weight is not plain[0].weight
    descent = torch.optim.SGD(net.parameters(), lr=0.1)
    before = net[2].cosine()
    for _ in range(4):
        for rows in torch.randperm(1400).split(50):
            descent.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            descent.step()
    accuracy = (net(x[1400:]).argmax(1) == y[1400:]).float().mean()
    assert accuracy > 0.85 and net[2].cosine() > max(0.25, before + 0.2)


def test_frozen_feedback_stays():
    made = layer("mirror")
    made.feedback.requires_grad_(False)
    made(batch()).sum().backward()
    assert made.feedback.grad is None and made.weight.grad is not None


def test_layers_are_saved_and_shown():
    made = layer("information")
    other = layer("information")
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.feedback, made.feedback)
    assert repr(made) == "Linear(in_features=3, out_features=2, rule='information')"
    assert made.rule == "information"


def test_a_layer_used_twice_is_converted_once():
    shared = nn.Linear(3, 3)
    net = alignment.converted(nn.Sequential(shared, nn.ReLU(), shared), rule="mirror")
    assert net[0] is net[2]
    assert isinstance(alignment.converted(nn.Linear(3, 2), rule="mirror"), alignment.Linear)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: alignment.Linear(3, 2, rule="hebb"), "`rule` must be one of"),
        (lambda: alignment.Linear(0, 2, rule="mirror"), "`in_features` must be an integer"),
        (lambda: alignment.Linear(3, 2.5, rule="mirror"), "`out_features` must be an integer"),
        (lambda: alignment.Linear(3, 2, rule="mirror", alpha=0.0), "`alpha` must be positive"),
        (lambda: alignment.Linear(3, 2, rule="mirror", beta=-1.0), "`beta` must be positive"),
        (lambda: alignment.Linear(3, 2, rule="information", gamma=-0.1), "`gamma` must not be negative"),
        (lambda: alignment.Linear(3, 2, rule="information", gamma=math.nan), "`gamma` must be a number"),
        (lambda: alignment.Linear(3, 2, rule="mirror", centred="yes"), "`centred` must be True or False"),
        (lambda: alignment.Linear(3, 2, rule="mirror")(torch.zeros(4, 2)), "`x` must end in 3 features"),
        (lambda: alignment.converted("net", rule="mirror"), "`module` must be a torch module"),
        (lambda: alignment.converted(nn.ReLU(), rule="mirror"), "`module` must have linear layers"),
        (lambda: alignment.converted(nn.Linear(2, 2), rule="hebb"), "`rule` must be one of"),
    ],
)
def test_bad_input_gets_one_sentence(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()
