"""The law of a deep tanh network beside one Monte Carlo draw of it."""

import numpy as np
import pytest

from widelimit.numerics import jacobian

TANH = {"sigma_w": 1.3264126276927**0.5, "sigma_b": 0.00477617868801**0.5}


def density(depth, weights="orthogonal"):
    law = jacobian.spectrum("tanh", **TANH, depth=depth, weights=weights)
    return law, law.density(np.linspace(0.01, 0.99, 1000) * law.largest)


@pytest.mark.benchmark(group="tanh, orthogonal, L = 32: 1,000 density points")
def test_ours(benchmark):
    law, values = benchmark(density, 32)
    assert law.error < 1e-9 and np.isfinite(values).all()


INPUTS = {"activation": "tanh", **TANH, "depth": 32, "weights": "orthogonal"}
PRECISIONS = ["float32", "float64"]


@pytest.mark.benchmark(group="one Monte Carlo draw at width 1,000")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_monte_carlo_draw(benchmark, precision):
    """Ours: Haar weights as products of reflections, nothing factorised before the singular values."""
    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.simulate.jacobian import singular_values

    backend = Backend(precision=precision)
    benchmark.pedantic(lambda: list(singular_values(INPUTS, 0.2, 1000, [1], backend)), rounds=1)


@pytest.mark.benchmark(group="one Monte Carlo draw at width 1,000")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_monte_carlo_draw_by_hand(benchmark, precision):
    """What one writes today: QR of a Gaussian matrix for each layer, then svdvals."""
    import torch

    dtype = getattr(torch, precision)

    def draw():
        torch.manual_seed(1)
        x, product = torch.randn(1000, dtype=dtype) * 0.2**0.5, torch.eye(1000, dtype=dtype)
        for _ in range(32):
            q, r = torch.linalg.qr(torch.randn(1000, 1000, dtype=dtype))
            w = TANH["sigma_w"] * q * torch.sign(torch.diagonal(r))
            h = w @ torch.tanh(x) + TANH["sigma_b"] * torch.randn(1000, dtype=dtype)
            product = (1 - torch.tanh(h) ** 2)[:, None] * (w @ product)
            x = h
        return torch.linalg.svdvals(product)

    benchmark.pedantic(draw, rounds=1)


@pytest.mark.benchmark(group="one Monte Carlo draw at width 1,000: the parts")
@pytest.mark.parametrize("part", ["draws", "products", "singular values"])
def test_parts_of_a_monte_carlo_draw(benchmark, part):
    """The orthogonal draws against what is done with them, float64."""
    import torch

    from widelimit.validate.harness.backend import Backend
    from widelimit.validate.harness.drawing.weights import Draws, weights

    draws = Draws([1], Backend())
    layers = [weights("orthogonal", draws, 1000, 1000, 1.0) for _ in range(4)]
    product = torch.randn(1, 1000, 1000, dtype=torch.float64)
    work = {
        "draws": lambda: [weights("orthogonal", draws, 1000, 1000, 1.0) for _ in range(32)],
        "products": lambda: [w.apply(product) for _ in range(8) for w in layers],
        "singular values": lambda: torch.linalg.svdvals(product),
    }[part]
    benchmark.pedantic(work, rounds=1)


@pytest.mark.benchmark(group="cost against depth")
@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("depth", [10, 1000, 10**5, 10**6])
def test_depth(benchmark, depth, weights):
    law = benchmark(lambda: jacobian.spectrum("tanh", **TANH, depth=depth, weights=weights))
    assert law.error < (1e-9 if depth < 10**6 else 1e-8)  # S^L multiplies the rounding of S by L
