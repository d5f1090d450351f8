"""Fisher matrices of finite networks in the standard parametrisation, weights only, through the smaller Gram matrix.

F = 1/T sum_t sum_k grad f_k grad f_k' has the non-zero eigenvalues of the TC x TC matrix of products of
gradients over T.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.simulate.kernel import functions
from widelimit.validate.simulate.kernel.standard import StandardNet

if TYPE_CHECKING:
    import torch

    from widelimit.validate.harness.backend import Backend


_STEPS = 8  # of gradient descent: along one eigenvector a loss grows or shrinks from the first
OUTPUTS = 2  # of the networks whose moments and outliers are measured


def draw(
    inputs: Any, size: int, seed: int, backend: Backend, outputs: int
) -> tuple[StandardNet, torch.Tensor]:
    """A network of width `size`, its input included, and its samples: all from `seed`."""
    import torch

    generator = backend.generator(seed)
    widths = [size] * (int(inputs["depth"]) + 1) + [outputs]

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=backend.device, dtype=backend.dtype)

    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    weights = [normal(after, before) * sigma_w / before**0.5 for before, after in pairwise(widths)]
    biases = [normal(after) * sigma_b for after in widths[1:]]
    net = StandardNet(weights, biases, *functions(str(inputs["activation"])))
    return net, normal(int(inputs["samples"]), size)


def spectrum(inputs: Any, size: int, seed: int, backend: Backend, outputs: int) -> np.ndarray:
    """Mean eigenvalue times the width, mean square, mean of the `outputs` largest over the width, whole over
    largest block.
    """
    import torch

    net, x = draw(inputs, size, seed, backend, outputs)
    blocks = net.blocks(x)
    values = torch.linalg.eigvalsh(sum(blocks))
    parameters = sum(weight.numel() for weight in net.weights[:-1])
    largest = max(float(torch.linalg.eigvalsh(block)[-1]) for block in blocks)
    top = float(values[-outputs:].mean())
    total, square = float(values.sum()) / parameters * size, float(values.square().sum()) / parameters
    return np.array([total, square, top / size, float(values[-1]) / largest])


def moments(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean eigenvalue times the width, and mean square, over all parameters."""
    return spectrum(inputs, size, seed, backend, OUTPUTS)[:2]


def largest(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Mean of the outliers over the width."""
    return spectrum(inputs, size, seed, backend, OUTPUTS)[2:3]


def whole_over_block(inputs: Any, size: int, seed: int, backend: Backend) -> np.ndarray:
    """Largest eigenvalue of the whole matrix over that of its largest block, of networks with one output."""
    return spectrum(inputs, size, seed, backend, 1)[3:]


def critical_rate(inputs: Any, size: int, seed: int, backend: Backend, bisections: int = 5) -> float:
    """The learning rate at which gradient descent turns from shrinking to growing, times the width.

    Between powers of two over the width one is looked for at which the loss grows while it shrinks at half of it; then
    by bisection. Targets lie 1e-4 from the outputs, in the direction that grows first: along the eigenvector of the
    network's own Gram matrix.
    """
    import torch

    net, x = draw(inputs, size, seed, backend, 1)
    f, _, _ = net.forward(x)
    _, vectors = torch.linalg.eigh(sum(net.blocks(x)))
    targets, start = f + 1e-4 * vectors[:, -1:], [weight.clone() for weight in net.weights]

    def grows(rate: float) -> bool:
        net.weights = [weight.clone() for weight in start]
        losses = net.descend(x, targets, rate, _STEPS)
        return len(losses) < _STEPS or losses[-1] > losses[0]

    high = 4.0 / size
    while not grows(high):
        high *= 2.0
    while grows(high / 2.0):
        high /= 2.0
    low = high / 2.0
    for _ in range(bisections):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if grows(middle) else (middle, high)
    return (low * high) ** 0.5 * size


def largest_eigenvalue(
    module: torch.nn.Module, x: torch.Tensor, *, tolerance: float = 1e-6, most: int = 200, seed: int = 0
) -> float:
    """Largest eigenvalue of F = 1/T sum_t sum_k grad f_k grad f_k' of a torch module, all parameters, by Lanczos.

    Each step is one product with the Jacobian and one with its transpose; no matrix of the size of the parameters is
    formed. `x`: (T, ...). `tolerance` is relative; `most` products at most.
    """
    with (
        warnings.catch_warnings()
    ):  # torch's own modules, imported on first use, call what torch has deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        return _largest_eigenvalue(module, x, tolerance, most, seed)


def _largest_eigenvalue(
    module: torch.nn.Module, x: torch.Tensor, tolerance: float, most: int, seed: int
) -> float:
    import torch
    from scipy.sparse import linalg
    from torch.func import functional_call, jvp, vjp

    parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}

    def outputs(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return functional_call(module, values, (x,))

    f, pull = vjp(outputs, parameters)[:2]

    def product(v: np.ndarray) -> np.ndarray:
        cotangent = torch.as_tensor(v, dtype=f.dtype, device=f.device).reshape(f.shape)
        (tangent,) = pull(cotangent)
        return jvp(outputs, (parameters,), (tangent,))[1].detach().cpu().double().numpy().ravel() / len(x)

    size = f.numel()
    if size < 3:
        return float(max(np.linalg.eigvalsh(np.array([product(row) for row in np.eye(size)]))))
    operator = linalg.LinearOperator((size, size), matvec=product, dtype=float)
    start = np.random.default_rng(seed).standard_normal(size)
    return float(
        linalg.eigsh(operator, k=1, tol=tolerance, maxiter=most, v0=start, return_eigenvectors=False)[0]
    )
