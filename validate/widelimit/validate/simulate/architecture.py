"""Drawn torch modules of architectures, one replicate from one seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory import architecture as arch
from widelimit.validate.simulate.kernel import data

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


def convolutional(padding: arch.Padding, pool: bool) -> arch.Architecture:
    """Two convolutions of a tanh network, pooled or flattened, and a readout."""
    layers = (arch.Convolution(3, 1.5, 0.3, padding=padding), arch.Act.of("tanh"))
    end = arch.GlobalAveragePool() if pool else arch.Flatten()
    return arch.Architecture((*layers, *layers, end, arch.Dense(1.2, 0.1)))


def _image() -> arch.Architecture:
    layer = arch.Convolution(3, 1.4, 0.2, dimensions=2, padding="zeros")
    return arch.Architecture((layer, arch.Act.of("relu"), arch.Flatten(), arch.Dense(1.2, 0.1)))


def _residual(normalised: bool) -> arch.Architecture:
    inner: tuple[arch.Layer, ...] = (arch.Act.of("relu"), arch.Dense(1.2, 0.3))
    branch = (arch.LayerNorm(), *inner) if normalised else inner
    block = arch.Residual(branch)
    return arch.Architecture((arch.Dense(1.3, 0.2), block, block, arch.Act.of("relu"), arch.Dense(1.2, 0.1)))


def _recurrent() -> arch.Architecture:
    return arch.Architecture(
        (arch.Recurrent(arch.Act.of("tanh").activation, 1.2, 0.9, 0.2), arch.Dense(1.2, 0.1))
    )


ARCHITECTURES: dict[str, Callable[[], arch.Architecture]] = {
    "circular": lambda: convolutional("circular", False),
    "zeros": lambda: convolutional("zeros", False),
    "pooled": lambda: convolutional("zeros", True),
    "image": _image,
    "residual": lambda: _residual(False),
    "pre-norm residual": lambda: _residual(True),
    "recurrent": _recurrent,
}


_SHAPES = {"circular": (2, 5), "zeros": (2, 5), "pooled": (2, 5), "image": (2, 4, 3), "recurrent": (4, 5)}
UPPER = np.triu_indices(2)  # the pairs of two inputs


def points(name: str) -> np.ndarray:
    """Return two fixed inputs of a network's shape."""
    shape = _SHAPES.get(name, (6,))
    return data(2, int(np.prod(shape)), seed=5).reshape(2, *shape)


def both_kernels(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Draw one module of the point's network; its NNGP kernel at the pairs of two inputs, then its tangent kernel."""
    name = str(inputs["network"])
    nngp, ntk = architecture_kernels(name, points(name), size, seed, backend)
    return np.concatenate([nngp[UPPER], ntk[UPPER]])


def architecture_kernels(
    name: str, x: np.ndarray, size: int, seed: int, backend: Backend
) -> tuple[np.ndarray, np.ndarray]:
    """NNGP (over the outputs) and tangent kernel of one drawn module of a network of `ARCHITECTURES`."""
    import torch

    from widelimit.validate.network.modules import Weighted, build

    module = build(
        ARCHITECTURES[name](),
        x.shape[1:],
        width=size,
        parametrisation="ntk",
        generator=backend.generator(seed),
        dtype=backend.dtype,
    )
    module = module.to(backend.device)
    points = torch.as_tensor(x, device=backend.device, dtype=backend.dtype)
    outputs = module(points)[:, 0]
    parameters = [p for p in module.parameters() if p.requires_grad]
    rows = [torch.autograd.grad(value, parameters, retain_graph=True) for value in outputs]
    jacobian = torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])
    last = list(module)[-1]
    assert isinstance(last, Weighted)
    with torch.no_grad():
        below = torch.nn.Sequential(*list(module)[:-1])(points)
        nngp = last.gain_w**2 * below @ below.T + last.gain_b**2
        ntk = jacobian @ jacobian.T
    return nngp.cpu().numpy(), ntk.cpu().numpy()
