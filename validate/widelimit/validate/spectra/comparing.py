"""`compare`: matrices of a finite module on given inputs, next to those of the limit of infinite width.

ntk        tangent kernel, every array of weights in units of its root mean square; limit: that of `network.from_torch`
fisher     Fisher matrix of Gaussian outputs; limit: its mean and, of few outputs, its largest eigenvalue
jacobian   squared singular values of outputs by inputs; limit: a free product, of dense layers in a row
hessian    of the mean of |f(x)|^2/2, by stochastic Lanczos: nodes and weights of its density; limit: its mean
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from widelimit.numerics import arguments, costs
from widelimit.numerics.results import by_value
from widelimit.numerics.spectra.stacks import mean_curvature
from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.harness.copies import copied
from widelimit.validate.spectra.limits import LimitLaw, jacobian_limit, limit_law, moments_of, stages_of

Array = np.ndarray
WHAT = ("ntk", "jacobian", "hessian", "fisher")
_MOST = 4000  # inputs times outputs
_BLOCK = 2**24  # numbers of a block of Jacobians
_PROBES, _STEPS = 8, 60
_NO_DENSITY = (
    "Of the Hessian the mean eigenvalue alone has a limit here: no law of its whole spectrum, or of its largest "
    "eigenvalue, is known to widelimit. Where outputs are near zero it is the Fisher matrix: ask for 'fisher'."
)


@by_value
@dataclass(frozen=True)
class Comparison:
    """A finite module beside its limit.

    eigenvalues: decreasing (of the kernel averaged over outputs; of the Fisher matrix, those that are not zero; squared
    singular values of all inputs together; nodes of the Hessian's density, with weights). mean, mean_error: of all
    eigenvalues of the matrix, with the standard error of probes where there are any; of Jacobians, that of inputs.
    limit_eigenvalues: of the limit's kernel; of Jacobians, quantiles of the limit's law at the middles of equal
    shares; None where no law of the whole spectrum is known. limit_mean, limit_largest: what the limit says of mean
    and largest (of Jacobians, the upper edge), NaN where it says nothing. distance: of the kernels, relative to the
    limit's; of Jacobians, the mean distance between eigenvalues and those of the limit, relative to its mean. note:
    what of the limit is missing and why, "" where nothing is. law: of Jacobians, the limit's, with density, cdf, atoms
    and edges; None where none of the whole spectrum is known (a kernel on given inputs has eigenvalues, but no law).
    """

    what: str
    eigenvalues: Array
    weights: Array | None
    mean: float
    mean_error: float
    largest: float
    limit_eigenvalues: Array | None
    limit_mean: float
    limit_largest: float
    distance: float
    note: str
    law: LimitLaw | None = None


def compare(module: nn.Module, x: Any, what: str = "ntk", *, seed: int = 0) -> Comparison:
    """Compare a module on inputs `x` (one a row, as it takes them) with its limit of infinite width.

    The module runs in double precision, as a copy in eval mode; it and torch's random state stay as they are. Where
    theory does not know the module, or weights that are not random, the limit is left out and `note` says why. Raises
    `ArgumentError` for no module, inputs that it does not take, more than 4,000 inputs times outputs, another `what`.

    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(10, 400), nn.ReLU(), nn.Linear(400, 1))
    >>> found = compare(net, torch.randn(6, 10, dtype=torch.float64))
    >>> found.eigenvalues.shape, found.distance < 0.2
    ((6,), True)
    """
    what = arguments.choice("what", what, WHAT)
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    number = arguments.count("seed", seed, 0)
    inputs = torch.as_tensor(arguments.finite("x", x), dtype=torch.float64)
    if inputs.dim() < 2 or inputs.shape[0] == 0:
        raise ArgumentError("x", "must hold one input a row", but=f"has shape {tuple(inputs.shape)}")
    model = copied(module, torch.float64).cpu().train(False)
    free = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not free:
        raise ArgumentError("module", "must have parameters that are trained", but="has none")
    function = _function(model)
    with torch.random.fork_rng(devices=[]):
        outputs = _outputs(function, free, inputs)
        if outputs.numel() > _MOST:
            raise ArgumentError(
                "x", f"must have at most {_MOST} outputs in all", but=f"has {outputs.numel()}"
            )
        if what in ("ntk", "fisher"):
            most = max(p.numel() for p in free.values())
            costs.affordable("x", outputs.numel(), memory=3 * 8.0 * most, each="output")
        if what == "jacobian":
            return _jacobian(model, function, free, inputs)
        if what == "hessian":
            return _hessian(model, function, free, inputs, number)
        if what == "ntk":
            scales = {name: float((p**2).mean()) for name, p in free.items()}
            gram = _gram(function, free, inputs, scales)
            return _ntk(model, inputs, gram, outputs.shape[1])
        gram = _gram(function, free, inputs, dict.fromkeys(free, 1.0)) / len(inputs)
        size = sum(p.numel() for p in free.values())
        return _fisher(model, inputs, gram, size)


def _function(model: nn.Module) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    """Outputs of one input as a function of parameters."""

    def call(parameters: dict[str, Tensor], one: Tensor) -> Tensor:
        return functional_call(model, parameters, (one[None],)).reshape(-1)

    return call


def _outputs(function: Callable[..., Tensor], free: dict[str, Tensor], inputs: Tensor) -> Tensor:
    try:
        return vmap(function, (None, 0))(free, inputs)
    except Exception as error:  # whatever a module raises on inputs that are not its own
        text = " ".join(str(error).split())[:200]
        raise ArgumentError("x", "must be inputs that the module takes", but=f"it raises: {text}") from None


def _gram(
    function: Callable[..., Tensor], free: dict[str, Tensor], inputs: Tensor, scales: dict[str, float]
) -> Array:
    """sum over parameters of s^2 df_a/dw df_b/dw, (inputs x outputs) squared, a parameter array at a time."""
    rows = 0
    total: Tensor | None = None
    for name, value in free.items():
        rest = {other: p for other, p in free.items() if other != name}

        def alone(parameter: Tensor, one: Tensor, name: str = name, rest: dict[str, Tensor] = rest) -> Tensor:
            return function({**rest, name: parameter}, one)

        each = vmap(jacrev(alone), (None, 0))
        size = max(1, _BLOCK // max(1, value.numel() * 8))
        parts = [each(value, block).flatten(0, 1).flatten(1) for block in inputs.split(size)]
        jacobian = torch.cat(parts)
        rows = len(jacobian)
        gram = scales[name] * (jacobian @ jacobian.T)
        total = gram if total is None else total + gram
    assert total is not None and rows
    return np.asarray(total.numpy())


def _network(module: nn.Module, inputs: Tensor) -> Any:
    from widelimit.validate.network import from_torch

    return from_torch(module, example=inputs)


def _ntk(model: nn.Module, inputs: Tensor, gram: Array, outputs: int) -> Comparison:
    count = len(inputs)
    kernel = np.einsum("iojo->ij", gram.reshape(count, outputs, count, outputs)) / outputs
    values = np.linalg.eigvalsh(kernel)[::-1]
    limit, note = None, ""
    try:
        limit = np.asarray(_network(model, inputs).kernels(inputs.numpy()).ntk)
    except WidelimitError as error:
        note = str(error)
    nan = float("nan")
    known = None if limit is None else np.linalg.eigvalsh(limit)[::-1]
    distance = nan if limit is None else float(np.linalg.norm(kernel - limit) / np.linalg.norm(limit))
    return Comparison(
        "ntk", values, None, float(values.mean()), 0.0, float(values[0]), known,
        nan if known is None else float(known.mean()), nan if known is None else float(known[0]), distance, note,
    )  # fmt: skip


def _fisher(model: nn.Module, inputs: Tensor, gram: Array, size: int) -> Comparison:
    values = np.linalg.eigvalsh(gram)[::-1][: min(size, len(gram))]
    mean, largest, note = float("nan"), float("nan"), ""
    try:
        network = _network(model, inputs)
        stages = stages_of("Fisher matrix", network, model)
        mean = mean_curvature(stages, moments_of(inputs).tolist(), residuals=False)
        largest = float(network.fisher(inputs.numpy()).top)
    except WidelimitError as error:
        note = str(error)
    return Comparison(
        "fisher", values, None, float(np.trace(gram)) / size, 0.0, float(values[0]), None, mean, largest,
        float("nan"), note,
    )  # fmt: skip


def _jacobian(
    model: nn.Module, function: Callable[..., Tensor], free: dict[str, Tensor], inputs: Tensor
) -> Comparison:
    found = vmap(jacrev(function, argnums=1), (None, 0))(free, inputs).flatten(2)
    values = np.sort(torch.linalg.svdvals(found).numpy().ravel() ** 2)[::-1]
    nan = float("nan")
    each = (found**2).sum((1, 2)).numpy() / min(found.shape[1:])
    error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else nan
    known, mean, largest, distance, note, law = None, nan, nan, nan, "", None
    try:
        stages = stages_of("Jacobian", _network(model, inputs), model)
        moments = moments_of(inputs)
        law = limit_law(stages, moments, found.shape[1])
        known, mean, largest = jacobian_limit(stages, moments, found.shape[1], law)
        distance = float(np.abs(values - known).mean() / mean)
    except WidelimitError as refused:
        note = str(refused)
    return Comparison(
        "jacobian", values, None, float(values.mean()), error, float(values[0]), known, mean, largest, distance, note,
        law,
    )  # fmt: skip


def _hessian(
    model: nn.Module, function: Callable[..., Tensor], free: dict[str, Tensor], inputs: Tensor, seed: int
) -> Comparison:
    leaves = [p.clone().requires_grad_() for p in free.values()]
    loss = (vmap(function, (None, 0))(dict(zip(free, leaves, strict=True)), inputs) ** 2).sum() / (
        2 * len(inputs)
    )
    slopes = torch.autograd.grad(loss, leaves, create_graph=True)
    flat = torch.cat([one.reshape(-1) for one in slopes])
    size = flat.numel()

    def product(vector: Array) -> Array:
        found = torch.autograd.grad(
            flat, leaves, torch.from_numpy(vector), retain_graph=True, allow_unused=True
        )
        parts = [torch.zeros_like(p) if g is None else g for p, g in zip(leaves, found, strict=True)]
        return np.asarray(torch.cat([one.reshape(-1) for one in parts]).numpy())

    random = np.random.default_rng(seed)
    nodes, weights, means = [], [], []
    for _ in range(_PROBES):
        values, share = _lanczos(product, size, random)
        nodes.append(values)
        weights.append(share / _PROBES)
        means.append(float(values @ share))
    order = np.argsort(np.concatenate(nodes))[::-1]
    all_nodes, all_weights = np.concatenate(nodes)[order], np.concatenate(weights)[order]
    nan = float("nan")
    error = float(np.std(means, ddof=1) / np.sqrt(_PROBES))
    mean, note = nan, _NO_DENSITY
    try:
        mean = mean_curvature(
            stages_of("Hessian", _network(model, inputs), model), moments_of(inputs).tolist()
        )
    except WidelimitError as refused:
        note = str(refused)
    return Comparison(
        "hessian", all_nodes, all_weights, float(np.mean(means)), error, float(all_nodes[0]), None, mean, nan, nan,
        note,
    )  # fmt: skip


def _lanczos(
    product: Callable[[Array], Array], size: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """Nodes and weights of the spectral density seen by one random vector, all of Krylov's vectors kept orthogonal."""
    vector = random.standard_normal(size)
    vector /= np.linalg.norm(vector)
    basis, diagonal, beside = [vector], [], []
    for step in range(min(_STEPS, size)):
        new = product(basis[-1])
        diagonal.append(float(basis[-1] @ new))
        for _ in range(2):
            for other in basis:
                new = new - (other @ new) * other
        length = float(np.linalg.norm(new))
        if step + 1 == min(_STEPS, size) or length < 1e-12 * max(1.0, abs(diagonal[0])):
            break
        beside.append(length)
        basis.append(new / length)
    count = len(diagonal)
    matrix = np.diag(diagonal) + np.diag(beside[: count - 1], 1) + np.diag(beside[: count - 1], -1)
    values, vectors = np.linalg.eigh(matrix)
    return values, vectors[0] ** 2
