"""Simulated balanced codes: each seed by a loop over its own draws, whatever other seeds run beside it."""

import numpy as np
import pytest

from widelimit.validate.harness.backend import Backend
from widelimit.validate.harness.drawing.weights import Draws
from widelimit.validate.simulate import coding

CASES = [
    (coding.bias, {"balance": 4.0, "noise": 0.75, "signal": 0.5}),
    (coding.fluctuations, {"balance": 4.0, "noise": 1.0, "step": 0.05}),
    (coding.fluctuations, {"balance": 2.0, "noise": 3.0, "delay": 0.5, "step": 0.05}),
    (coding.disordered, {"balance": 8.0, "disorder": 2.0, "noise": 0.5, "delay": 0.2, "step": 0.05}),
    (coding.fall, {"balance": 8.0, "disorder": 2.0, "step": 0.05}),
    (coding.superclassical, {"ratio": 0.5, "noise": 1.5, "signal": 0.2}),
    (coding.motion, {"balance": 16.0, "disorder": 3.5, "signal": 0.3}),
    (coding.swings, {"balance": 10.0, "delay": 0.1, "noise": 0.75, "step": 0.02}),
    (coding.against_best, {"balance": 3.6, "other": 2.0, "noise": 0.75, "delay": 0.5, "step": 0.1}),
]


@pytest.mark.parametrize(("measured", "inputs"), CASES)
def test_a_seed_does_not_know_the_others(measured, inputs):
    seeds = [5, 6, 7]
    together = measured(inputs, 12, seeds, Backend())
    assert together.shape == (3, 1) and len(set(together[:, 0])) > 1
    alone = [measured(inputs, 12, [seed], Backend())[0] for seed in seeds]
    assert (together == np.array(alone)).all()


def test_motion_by_a_loop():
    """Units without weights have come to rest after thirty units of time; what moves is followed step by step."""
    found = coding.motion({"balance": 0.0, "disorder": 0.0, "signal": 0.5, "units": 6}, 0, [4], Backend())
    assert found.shape == (1, 1) and found[0, 0] == 0.0  # after thirty units of time nothing moves
    dt, size, g = 0.05, 40, 6.0
    inputs = {"balance": 1.0, "disorder": g, "signal": 0.2, "units": size}
    draws = Draws([3], Backend())
    W = g / size**0.5 * draws.normal(4, size, size)[0].numpy()
    h = 0.5 * draws.normal(4, size)[0].numpy() + 0.01
    path = []
    for _ in range(840):
        path.append(h)
        rates = np.tanh(h)
        drive = 0.2 - rates.mean(1, keepdims=True)
        h = h + dt * (-h + np.einsum("cij,cj->ci", W, rates) + drive)
    path = np.array(path[600:])
    right = ((path[80:] - path[:-80]) ** 2).mean() / 2
    assert right > 0.1
    assert coding.motion(inputs, 0, [3], Backend())[0, 0] == pytest.approx(right, abs=6e-4)


@pytest.mark.parametrize(
    ("g", "sigma", "late", "activation"),
    [(0.0, 0.7, 0, "tanh"), (0.0, 0.7, 3, "erf"), (1.8, 0.0, 0, "tanh"), (1.8, 0.4, 2, "linear")],
)
def test_euler_by_a_loop(monkeypatch, g, sigma, late, activation):
    from math import erf

    monkeypatch.setattr(coding, "_DRAWN", 1)  # the noise of a step at a time, as the loop below draws it
    size, copies, dt, b, x = 7, 2, 0.05, 3.0, 0.3
    inputs = {
        "balance": b,
        "noise": sigma,
        "disorder": g,
        "delay": late * dt,
        "signal": x,
        "activation": activation,
    }
    times = {"copies": copies, "time": 0.5, "step": dt, "burn": 0.25}
    found = coding._decoded(inputs, size, [3], Backend(), **times)
    phi = {"tanh": np.tanh, "erf": np.vectorize(erf), "linear": lambda h: h}[activation]
    draws = Draws([3], Backend())

    def normal(*shape):
        return draws.normal(*shape)[0].numpy()

    W = g / size**0.5 * normal(copies, size, size) if g else np.zeros((copies, size, size))
    h = 0.5 * normal(copies, size) + 0.01
    rates = [phi(h)] * late
    right = []
    for _ in range(15):
        rates.append(phi(h))
        right.append(rates[-1].mean(1))
        old = rates[-1 - late]
        h = h + dt * (-h + b * (x - old.mean(1))[:, None] + np.einsum("cij,cj->ci", W, old))
        if sigma:
            h = h + sigma * dt**0.5 * normal(1, copies, size)[0]
    assert found[0] == pytest.approx(np.array(right)[5:], rel=1e-9, abs=1e-12)
