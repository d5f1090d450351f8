"""One layer under a local rule, trained by batches of drawn inputs, all replicates at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from widelimit.validate.alignment.change import Coefficients, backward_change, forward_change
from widelimit.validate.harness.drawing.weights import Draws

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend

_CHUNK = 64  # steps whose inputs are drawn at once
_AWAY = 30.0  # standard deviation of the entries that a feedback starts with


def coefficients(inputs: Mapping[str, Any]) -> Coefficients:
    """A rule and its coefficients out of a point's inputs."""
    named = {name: float(inputs[name]) for name in ("alpha", "beta", "gamma") if name in inputs}
    return Coefficients(str(inputs["rule"]), **named)


def batches(draws: Draws, steps: int, batch: int, root: Tensor) -> Any:
    """Yield batches x = root z of Gaussian inputs, (R, batch, n)."""
    for start in range(0, steps, _CHUNK):
        count = min(_CHUNK, steps - start)
        drawn = draws.normal(count, batch, root.shape[1]) @ root.mT
        for k in range(count):
            yield drawn[:, k]


def _overlaps(b: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Components of B along some matrices, over their own lengths, (R, references)."""
    return torch.stack([(b * one).sum((-2, -1)) / (one * one).sum() for one in references], -1)


def _tensors(draws: Draws, *arrays: np.ndarray) -> list[Tensor]:
    backend = draws.backend
    return [torch.as_tensor(one, dtype=backend.dtype, device=backend.device) for one in arrays]


def resting(
    inputs: Mapping[str, Any],
    size: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    weights: np.ndarray,
    root: np.ndarray,
    along: Sequence[np.ndarray],
) -> np.ndarray:
    """Components of B along the matrices `along`, averaged over the second half of training by batches.

    B starts at random and far away, so that what is left of the start has no sign that all replicates share.
    """
    draws, given = Draws(seeds, backend), coefficients(inputs)
    w, r, *references = _tensors(draws, weights, root, *along)
    rate, steps = float(inputs["learning_rate"]), int(inputs["steps"])
    b = _AWAY * draws.normal(*w.mT.shape)
    total = torch.zeros_like(b)
    for k, x in enumerate(batches(draws, steps, int(inputs["batch"]), r)):
        b = b + rate * backward_change(given, x, x @ w.mT, w, b)
        if k >= steps // 2:
            total += b
    return _overlaps(total / (steps - steps // 2), references).cpu().numpy()


def decoder(
    inputs: Mapping[str, Any],
    size: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    weights: np.ndarray,
    root: np.ndarray,
    along: Sequence[np.ndarray],
) -> np.ndarray:
    """The same components of the least-squares guess of x from y = W x + noise, fitted to `size` samples."""
    draws = Draws(seeds, backend)
    w, r, *references = _tensors(draws, weights, root, *along)
    x = draws.normal(size, r.shape[1]) @ r.mT
    spread = (float(inputs["gamma"]) / float(inputs["beta"])) ** 0.5
    y = x @ w.mT + spread * draws.normal(size, len(w))
    fitted = torch.linalg.lstsq(y, x).solution.mT
    return _overlaps(fitted, references).cpu().numpy()


def floor(
    inputs: Mapping[str, Any],
    size: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    weights: np.ndarray,
    root: np.ndarray,
) -> np.ndarray:
    """E|B|^2 - |E B|^2 over the second half of training, from two feedbacks that see different batches.

    Half their squared distance, without bias whatever the mean is; of activation, whose noise dies out, |B_1|^2 less
    the product of both, which has no bias either, and whose own error is larger than what has not died out yet.
    """
    draws, given = Draws(seeds, backend), coefficients(inputs)
    w, r = _tensors(draws, weights, root)
    rate, steps = float(inputs["learning_rate"]), int(inputs["steps"])
    pair = torch.zeros((len(seeds), 2, *w.mT.shape), dtype=w.dtype, device=w.device)
    total = torch.zeros(len(seeds), dtype=w.dtype, device=w.device)
    batch = int(inputs["batch"])
    for k, x in enumerate(batches(draws, steps, 2 * batch, r)):
        x = x.unflatten(1, (2, batch))
        pair = pair + rate * backward_change(given, x, x @ w.mT, w, pair)
        if k >= steps // 2:
            one, other = pair.unbind(1)
            apart = one - other
            total += (apart * (one if given.rule == "activation" else apart / 2)).sum((-2, -1))
    return (total / (steps - steps // 2)).cpu().numpy()[:, None]


def _moving(
    inputs: Mapping[str, Any],
    size: int,
    draws: Draws,
    w: Tensor,
    b: Tensor,
    root: Tensor,
) -> tuple[Tensor, Tensor]:
    """W and B after some time in which both descend by batches, `size` steps for each unit of time."""
    given = coefficients(inputs)
    w, b = (one.expand(len(draws), *one.shape) for one in (w, b))
    for x in batches(draws, round(float(inputs["time"]) * size), int(inputs["batch"]), root):
        y = x @ w.mT
        w, b = (
            w + forward_change(given, x, y, w, b) / size,
            b + backward_change(given, x, y, w, b) / size,
        )
    return w, b


def left_over(
    inputs: Mapping[str, Any],
    size: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    weights: np.ndarray,
    feedback: np.ndarray,
    root: np.ndarray,
) -> np.ndarray:
    """What is left of W W^T - B^T B: its component along what it was, over that."""
    draws = Draws(seeds, backend)
    w0, b0, r = _tensors(draws, weights, feedback, root)
    w, b = _moving(inputs, size, draws, w0, b0, r)
    before, now = w0 @ w0.mT - b0.mT @ b0, w @ w.mT - b.mT @ b
    return ((now * before).sum((-2, -1)) / before.square().sum()).cpu().numpy()[:, None]


def singular_values(
    inputs: Mapping[str, Any],
    size: int,
    seeds: Sequence[int],
    backend: Backend,
    *,
    weights: np.ndarray,
    root: np.ndarray,
) -> np.ndarray:
    """Singular values of W, largest first, that began with B = W^T."""
    draws = Draws(seeds, backend)
    w0, r = _tensors(draws, weights, root)
    w, _ = _moving(inputs, size, draws, w0, w0.mT, r)
    return torch.linalg.svdvals(w).cpu().numpy()


def pollack(inputs: Mapping[str, Any], size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Cosines of `size` entries of W and of B^T that take the same noisy steps and decay, after some steps each."""
    draws = Draws(seeds, backend)
    rate, decay = float(inputs["learning_rate"]), float(inputs["decay"])
    w, b = (float(inputs["initial"]) ** 0.5 * draws.normal(size) for _ in range(2))
    found = []
    for k in range(int(inputs["steps"])):
        gradient = float(inputs["noise"]) * draws.normal(size)
        w, b = (one - rate * (gradient + decay * one) for one in (w, b))
        if k + 1 in (int(inputs["steps"]) // 4, int(inputs["steps"])):
            found.append((w * b).sum(-1) / (w.norm(dim=-1) * b.norm(dim=-1)))
    return torch.stack(found, -1).cpu().numpy()
