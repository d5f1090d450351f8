"""What drawn networks measure, against autograd, finite differences and explicit loops on the same draws."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from widelimit.validate.harness.backend import Backend
from widelimit.validate.simulate import batchnorm, convolution, fisher, geometry, recurrence, residual

BACKEND = Backend()
DOUBLE = torch.float64


def draws(seed):
    generator = BACKEND.generator(seed)
    return lambda *shape: torch.randn(shape, generator=generator, dtype=DOUBLE)


def test_residual_networks_by_autograd():
    inputs = {"activation": "tanh", "sigma_w": 1.3, "sigma_v": 0.7, "sigma_b": 0.4, "depth": 3}
    normal, size = draws(5), 12
    start = normal(4, size).requires_grad_()
    x = start
    for _ in range(3):
        inner, outer = normal(size, size) * 1.3 / size**0.5, normal(size, size) * 0.7 / size**0.5
        x = x + torch.tanh(x @ inner.T + normal(size) * 0.4) @ outer.T
    top = normal(4, size)
    (gradient,) = torch.autograd.grad((x * top).sum(), start)
    right = [
        np.log(float(x.detach().square().mean() / start.detach().square().mean())),
        np.log(float(gradient.square().mean() / top.square().mean())),
    ]
    assert residual.residual(inputs, size, 5, BACKEND) == pytest.approx(right, rel=1e-12)


def test_batch_normalised_gradients_by_autograd():
    inputs = {"activation": "tanh", "batch": 6, "depth": 4}
    normal, size = draws(3), 9
    x = normal(6, size)
    below = []
    for _ in range(4):
        x = x.requires_grad_() if not below else x
        below.append(x)
        h = x @ (normal(size, size) / size**0.5).T
        x = torch.tanh(torch.nn.functional.batch_norm(h, None, None, training=True, eps=1e-300))
    gradients = torch.autograd.grad((x * normal(6, size)).sum(), below)
    norms = [float(one.square().mean()) for one in gradients]  # of the inputs of layers 0 to 3
    right = (norms[1] / norms[3]) ** 0.5  # the upper half, but the layer that the random gradient enters
    assert batchnorm.batch_gradient(inputs, size, 3, BACKEND)[0] == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize("tied", [False, True])
def test_gated_networks_by_autograd(tied):
    inputs = {"sigma_w": 1.2, "sigma_v": 0.8, "input_moment": 1.5, "bias_mean": 0.6}
    normal, size, steps = draws(11), 10, 6
    h = normal(4, size) * (0.5 * 1.5) ** 0.5
    backward = normal(4, size)
    weights, found = None, []
    for step in range(steps):
        if weights is None or not tied:
            weights = normal(size, size) * 1.2 / size**0.5, normal(size, size) * 0.8 / size**0.5
        x = normal(4, size) * 1.5**0.5
        h = h.detach().requires_grad_()
        pre = torch.nn.functional.linear(h, weights[0]) + torch.nn.functional.linear(x, weights[1])
        new = torch.sigmoid(pre + 0.6) * h + torch.sigmoid(-pre - 0.6) * x
        (carried,) = torch.autograd.grad((new * backward).sum(), h)
        if step >= steps // 2:
            ratio = carried.square().sum() / backward.square().sum()
            found.append(
                [float(h.detach().square().mean()), float(pre.detach().square().mean()), float(ratio)]
            )
        h = new
    right = np.mean(found, axis=0)
    assert recurrence.gated(inputs, size, 11, BACKEND, steps=steps, tied=tied) == pytest.approx(
        right, rel=1e-12
    )


@pytest.mark.parametrize("weights", ["tied", "fresh"])
def test_two_times_step_by_step(weights):
    inputs = {
        "activation": "erf",
        "sigma_w": 1.1,
        "sigma_b": 0.3,
        "steps": 3,
        "start": 2.0,
        "weights": weights,
    }
    normal, size = draws(2), 7
    pairs = [(normal(size, size) * 1.1 / size**0.5, normal(size) * 0.3)]
    states = [normal(size) * 2.0**0.5]
    for _ in range(3):
        weight, bias = pairs[-1]
        states.append(torch.erf(states[-1]) @ weight.T + bias)
        if weights == "fresh":
            pairs.append((normal(size, size) * 1.1 / size**0.5, normal(size) * 0.3))
    right = [float(states[-2] @ states[-1]) / size, float(states[-1] @ states[-1]) / size]
    assert recurrence.two_time(inputs, size, 2, BACKEND) == pytest.approx(right, rel=1e-12)


def test_curves_by_finite_differences():
    """h, h' and h'' of the same network at nearby angles; curvature |h'' across h'|/|h'|^2."""
    inputs = {"activation": "tanh", "sigma_w": 1.6, "sigma_b": 0.2, "depth": 2}
    normal, size, q, step = draws(8), 15, 1.3, 1e-4
    plane = torch.linalg.qr(normal(size, 2))[0] * (size * q) ** 0.5
    layers = [(normal(size, size) * 1.6 / size**0.5, normal(size) * 0.2) for _ in range(2)]

    def curve(angle):
        out = [np.cos(angle) * plane[:, 0] + np.sin(angle) * plane[:, 1]]
        for weight, bias in layers:
            out.append(torch.tanh(out[-1]) @ weight.T + bias)
        return np.array([one.numpy() for one in out])

    found = geometry.circle({**inputs, "q": q}, size, 8, BACKEND)
    metric, bent = np.zeros((2, 3))
    for angle in np.arange(8) * np.pi / 4:
        left, here, right = (curve(angle + k * step) for k in (-1, 0, 1))
        first, second = (right - left) / (2 * step), (right - 2 * here + left) / step**2
        speed = (first**2).sum(1)
        across = second - (first * second).sum(1, keepdims=True) / speed[:, None] * first
        metric += speed / size / 8
        bent += (across**2).sum(1) / speed**2 * size / 8
    assert found[0] == pytest.approx(metric, rel=1e-6)
    assert found[1] == pytest.approx(bent, rel=1e-5)


def test_lines_by_loops():
    inputs = {"activation": "relu", "sigma_w": 1.4, "sigma_b": 0.5, "depth": 2}
    normal, size, points = draws(4), 6, 50
    ends = normal(2, size).numpy()
    x = np.linspace(ends[0], ends[1], points)
    lengths, crossed = [], None
    for _ in range(3):
        weight, bias = normal(size, size).numpy() * 1.4 / size**0.5, normal(size).numpy() * 0.5
        h = x @ weight.T + bias
        lengths.append(sum(np.linalg.norm(b - a) for a, b in pairwise(h)))
        if crossed is None:
            crossed = (
                sum((np.sign(b) != np.sign(a)).sum() for a, b in pairwise(h)) / size
            )  # relu has one kink, at 0
        x = np.maximum(h, 0)
    assert geometry.growth(inputs, size, 4, BACKEND, points) == pytest.approx(
        (lengths[2] / lengths[1], crossed)
    )


def test_fisher_spectra_by_autograd():
    """F = 1/T sum of outer products of the gradients of all outputs by all weights, as a matrix."""
    inputs = {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.3, "depth": 2, "samples": 4}
    size, outputs = 5, 2
    net, x = fisher.draw(inputs, size, 9, BACKEND, outputs)
    weights = [one.clone().requires_grad_() for one in net.weights]
    rows = []
    for sample in x:
        h = sample
        for layer, (weight, bias) in enumerate(zip(weights, net.biases, strict=True)):
            h = weight @ (h if layer == 0 else torch.tanh(h)) + bias
        for k in range(outputs):
            gradient = torch.autograd.grad(h[k], weights, retain_graph=True)
            rows.append(gradient)
    blocks = [np.array([row[k].numpy().ravel() for row in rows]) for k in range(len(weights))]
    whole = np.concatenate(blocks, axis=1)
    values = np.linalg.eigvalsh(whole.T @ whole / 4)
    count = sum(one.numel() for one in weights[:-1])
    largest = max(np.linalg.eigvalsh(one.T @ one / 4)[-1] for one in blocks)
    right = [
        values.sum() / count * size,
        (values**2).sum() / count,
        values[-2:].mean() / size,
        values[-1] / largest,
    ]
    assert fisher.spectrum(inputs, size, 9, BACKEND, outputs) == pytest.approx(right, rel=1e-9)


@pytest.mark.parametrize("samples", [2, 5])  # dense below three outputs in all, Lanczos from there on
def test_largest_fisher_eigenvalues_by_jacobians(samples):
    torch.manual_seed(1)
    module = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)).double()
    x = torch.randn(samples, 3, dtype=DOUBLE)
    rows = [
        torch.cat(
            [g.ravel() for g in torch.autograd.grad(module(one).sum(), list(module.parameters()))]
        ).numpy()
        for one in x
    ]
    right = np.linalg.eigvalsh(np.array(rows) @ np.array(rows).T / samples)[-1]
    assert fisher.largest_eigenvalue(module, x) == pytest.approx(right, rel=1e-6)


def test_modes_by_loops_over_positions_and_filters(monkeypatch):
    monkeypatch.setattr(convolution, "_BURN", 2)
    monkeypatch.setattr(convolution, "_FOLLOWED", 1)
    inputs = {
        "activation": "tanh",
        "sigma_w": 1.3,
        "sigma_b": 0.2,
        "positions": 8,
        "wave": 2,
        "filter_size": 3,
    }
    size, n, normal = 5, 8, draws(6)

    def passed(h, weight, bias):
        out = np.zeros_like(h)
        for a in range(n):
            for tap in range(3):
                block = weight[:, tap * size : (tap + 1) * size]
                out[:, a] += block @ np.tanh(h[:, (a + 1 - tap) % n])
        return out + bias

    def layer():
        return normal(size, 3 * size).numpy() * 1.3 / (3 * size) ** 0.5, normal(size, 1).numpy() * 0.2

    first, second = (normal(size, n).numpy() for _ in range(2))
    for _ in range(2):
        weight, bias = layer()
        first, second = passed(first, weight, bias), passed(second, weight, bias)
    weight, bias = layer()
    wave = np.cos(2 * np.pi * 2 * np.arange(n) / n)
    difference = {"before": np.zeros(n), "after": np.zeros(n)}
    for sign in (1, -1):
        turned = np.zeros((size, n))
        for a in range(n):
            x, y = first[:, a] / np.linalg.norm(first[:, a]), second[:, a]
            c = x @ y / np.linalg.norm(y)
            across = y - (x @ y) * x
            angle = np.arccos(np.clip(c + sign * convolution._WAVE * wave[a], -1, 1))
            turned[:, a] = np.linalg.norm(y) * (
                np.cos(angle) * x + np.sin(angle) * across / np.linalg.norm(across)
            )
        difference["before"] += sign * np.mean(first * turned, axis=0)
        difference["after"] += sign * np.mean(
            passed(first, weight, bias) * passed(turned, weight, bias), axis=0
        )
    right = (difference["after"] @ wave) / (difference["before"] @ wave)
    found = convolution.convolution_modes(inputs, size, 6, BACKEND)[0]
    assert found == pytest.approx(right, rel=1e-10)


def test_critical_rates_are_two_over_the_largest_eigenvalue():
    """Of the network's own Fisher matrix, by explicit gradients: within what five bisections of a factor two leave."""
    inputs = {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.5, "depth": 1, "samples": 4}
    net, x = fisher.draw(inputs, 20, 3, BACKEND, 1)
    rows = []
    for one in x:
        weights = [weight.clone().requires_grad_() for weight in net.weights]
        h = one
        for weight, bias in zip(weights[:-1], net.biases[:-1], strict=True):
            h = torch.tanh(weight @ h + bias)
        parts = torch.autograd.grad((weights[-1] @ h + net.biases[-1]).sum(), weights)
        rows.append(torch.cat([part.reshape(-1) for part in parts]).numpy())
    largest = np.linalg.eigvalsh(np.array(rows) @ np.array(rows).T / 4)[-1]
    assert fisher.critical_rate(inputs, 20, 3, BACKEND) == pytest.approx(2 / largest * 20, rel=0.012)
