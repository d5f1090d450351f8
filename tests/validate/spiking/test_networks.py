"""Spiking layers against exact potentials, the rule against autograd, and surrogates of users' own."""

import math

import numpy as np
import pytest
import torch

from widelimit.numerics import spiking as numerics
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate import spiking


def pattern(seed, steps=250, inputs=40, outputs=3, batch=2):
    g = torch.Generator().manual_seed(seed)
    return tuple(
        (torch.rand((batch, steps, units), generator=g) < 0.015).double() for units in (inputs, outputs)
    )


@pytest.mark.parametrize(
    "kernel", [spiking.Kernel(), spiking.Kernel(0.01, 0.01), spiking.Kernel(0.02, 0.003, 0.0005)]
)
def test_filters_are_exact(kernel):
    spikes = torch.zeros(1, 60, 1).double()
    spikes[0, 4] = 1
    t = (np.arange(60) - 4) * kernel.step
    a, b = kernel.decay, kernel.rise
    alpha = t * np.exp(-t / a) if a == b else a * b / (a - b) * (np.exp(-t / a) - np.exp(-t / b))
    curve = spiking.filtered(spikes, kernel)[0, :, 0].numpy()
    assert curve == pytest.approx(np.where(t > 0, alpha / b, 0), rel=1e-12, abs=1e-15)
    from widelimit.validate.spiking import neurons

    dense, neurons._DENSE = neurons._DENSE, 10
    try:
        assert spiking.filtered(spikes, kernel)[0, :, 0].numpy() == pytest.approx(curve, rel=1e-12, abs=1e-15)
    finally:
        neurons._DENSE = dense


def test_the_loss_is_the_distance_of_trains():
    kernel = spiking.Kernel(0.010, 0.005, 1e-4)
    one, other = torch.zeros(2, 1, 1900, 1).double()
    one[0, [100, 350, 900]] = 1
    other[0, [120, 330]] = 1
    loss = float(spiking.filtered(one - other, kernel).square().sum()) * kernel.step / 2
    exact = numerics.van_rossum([0.010, 0.035, 0.090], [0.012, 0.033], decay=0.010, rise=0.005) / 0.005**2
    assert loss == pytest.approx(exact, rel=1e-4)


def test_the_rule_is_the_gradient_of_one_layer_without_its_reset():
    spikes, target = pattern(0)
    layer = spiking.Neurons(40, 3, scale=4.0, generator=torch.Generator().manual_seed(1))
    fired, _ = layer(spikes)
    assert fired.sum() > 3
    (spiking.filtered(target - fired, layer.kernel).square().sum() * layer.kernel.step / 2).backward()
    network = spiking.SuperSpike([40, 3])
    network.layers[0] = layer
    (change,), loss = network.update(spikes, target)
    assert change.numpy() == pytest.approx(-layer.weight.grad.numpy(), rel=1e-10, abs=1e-12)
    assert loss.shape == (2,)


def test_three_factors_by_their_definition():
    """sum_t e_i(t) (alpha * [sigma' (epsilon * S_j)])(t), the filter on the product of two factors."""
    spikes, target = pattern(2, steps=120, inputs=6, outputs=2, batch=1)
    network = spiking.SuperSpike([6, 2], scale=6.0, seed=3)
    layer, kernel = network.layers[0], network.kernel
    with torch.no_grad():
        traces = spiking.filtered(spikes, kernel)
        fired, above = layer.driven(traces)
        error = spiking.filtered(target - fired, kernel)
        slopes = layer.slope / (1 + layer.slope * above.abs()) ** 2
        inner = spiking.filtered((slopes[..., None] * traces[..., None, :]).flatten(2), kernel).unflatten(
            2, (2, 6)
        )
        exact = (error[..., None] * inner).sum((0, 1)) * kernel.step
    (change,), _ = network.update(spikes, target)
    assert change.numpy() == pytest.approx(exact.numpy(), rel=1e-10, abs=1e-13)


def test_feedback_of_hidden_units():
    spikes, target = pattern(4, outputs=2)
    found = {}
    for kind in ("symmetric", "random", "uniform"):
        network = spiking.SuperSpike([40, 5, 2], feedback=kind, seed=5, scale=6.0)
        found[kind], _ = network.update(spikes, target)
    assert torch.equal(found["uniform"][1], found["symmetric"][1])  # outputs learn alike
    assert not torch.allclose(found["uniform"][0], found["random"][0])
    network = spiking.SuperSpike([40, 5, 2], feedback="uniform", seed=5, scale=6.0)
    fired = network(spikes)
    swapped, _ = network.update(spikes, fired.flip(2))  # each output wants the other's spikes
    assert fired.sum() > 0 and swapped[0].abs().max() == 0


def test_learning():
    g = torch.Generator().manual_seed(0)
    spikes = (torch.rand((1, 200, 40), generator=g) < 0.015).double()
    target = torch.zeros((1, 200, 1)).double()
    target[0, [60, 110, 160]] = 1
    for widths in ([40, 1], [40, 6, 1]):
        network = spiking.SuperSpike(widths, slope=1.0, seed=1, scale=6.0)
        history = network.fit(spikes, target, updates=80, rate=3.0)
        assert history.shape == (80,) and history[-10:].mean() < history[0] / 3


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        ctx.save_for_backward(u)
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (u,) = ctx.saved_tensors
        return gradient / (1 + 25 * u.abs()) ** 2


def test_surrogates_of_users():
    k = 7.0
    own = {
        "fast_sigmoid": lambda u: 1 / (1 + k * u.abs()) ** 2,
        "sigmoid": lambda u: k * torch.sigmoid(k * u) * torch.sigmoid(-k * u),
        "arctan": lambda u: k / 2 / (1 + (math.pi * k * u / 2) ** 2),
        "triangle": lambda u: (1 - k * u.abs()).clamp(min=0),
        "box": lambda u: (u.abs() < k).double(),
        "gaussian": lambda u: k * torch.exp(-((k * u) ** 2) / 2) / math.sqrt(2 * math.pi),
    }
    for name, function in own.items():
        found, exact = spiking.implied_noise(function, depth=3), numerics.surrogate(name, k)
        assert found.scale == pytest.approx(exact.scale, rel=1e-9), name
        assert found.variance == pytest.approx(exact.noise_variance, rel=1e-7), name
        assert found.gradient_scale == pytest.approx(exact.gradient_scale(3), rel=1e-8)
        assert found.mean == pytest.approx(0, abs=1e-9) and found.negative == 0
        places = found.places[np.abs(found.places) < 100]
        assert found.firing_probability(places) == pytest.approx(
            exact.firing_probability(places), abs=1e-9
        ), name
    shifted = spiking.implied_noise(lambda u: 3 * torch.exp(-((u - 0.5) ** 2) / 2) / math.sqrt(2 * math.pi))
    assert (shifted.scale, shifted.mean, shifted.variance) == pytest.approx((3, 0.5, 1), rel=1e-9)
    assert spiking.implied_noise(Step.apply).scale == pytest.approx(0.08, rel=1e-9)  # by its backward pass
    assert spiking.implied_noise(lambda u: Step.apply(u), depth=2).gradient_scale == pytest.approx(
        0.0064, rel=1e-9
    )
    lobes = spiking.implied_noise(lambda u: (1.5 - u * u) * torch.exp(-u * u / 2))
    assert lobes.negative > 0.05 and lobes.scale == pytest.approx(0.5 * math.sqrt(2 * math.pi), rel=1e-9)


def small(method, steps=5, inputs=3, value=0.0, **more):
    """A method of a network of three inputs, asked with what may not fit."""
    network = spiking.SuperSpike([3, 1])
    return getattr(network, method)(torch.full((1, steps, inputs), value), torch.zeros(1, 5, 1), **more)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: spiking.implied_noise(torch.ones_like), DomainError, "does not integrate"),
        (lambda: spiking.implied_noise(lambda u: 1 / (1 + u.abs())), DomainError, "does not integrate"),
        (lambda: spiking.implied_noise(lambda u: u * torch.exp(-u * u)), DomainError, "integrates to 0"),
        (lambda: spiking.implied_noise(torch.zeros_like), DomainError, "0 everywhere"),
        (lambda: spiking.implied_noise("x"), ArgumentError, "`surrogate` must be a torch function"),
        (lambda: spiking.implied_noise(lambda u: u.sum()), ArgumentError, "`surrogate` must return a tensor like"),
        (lambda: spiking.implied_noise(lambda u: u / 0), ArgumentError, "`surrogate` must be finite"),
        (lambda: spiking.implied_noise(lambda u: u @ 3), ArgumentError, "`surrogate` must take a tensor"),
        (lambda: spiking.implied_noise(lambda u: torch.exp(-u * u), depth=-1), ArgumentError, "`depth` must be"),
        (lambda: spiking.SuperSpike([3]), ArgumentError, "`widths` must be two or three"),
        (lambda: spiking.SuperSpike([3, 0]), ArgumentError, "`widths` must be two or three"),
        (lambda: spiking.SuperSpike([3, 2, 1], feedback="none"), ArgumentError, "`feedback` must be one of"),
        (lambda: small("update", inputs=2), ArgumentError, "`spikes` must be"),
        (lambda: small("update", steps=4), ArgumentError, "`target` must have the batch"),
        (lambda: small("fit", value=math.nan), ArgumentError, "`spikes` must be finite"),
        (lambda: spiking.SuperSpike([3, 1], slope=-1.0), ArgumentError, "`slope` must be positive"),
        (lambda: small("fit", updates=0), ArgumentError, "`updates` must be"),
        (lambda: spiking.Kernel(0.005, 0.010), ArgumentError, "`decay` must be at least"),
        (lambda: spiking.Kernel(step=0), ArgumentError, "`step` must be positive"),
    ],
)  # fmt: skip
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
