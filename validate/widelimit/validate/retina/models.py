"""`predicted_sta`: Stein's identity on a user's model, STA = C E[grad r], by autograd over their stimuli."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from widelimit.numerics.results import by_value
from widelimit.numerics.retina import checks
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.copies import evaluated

_ROWS = 1024  # of a batch


@by_value
@dataclass(frozen=True)
class ModelFilter:
    """`filter`: C E[grad r] of the model, with `standard_error`; `average`: sum x (r - mean r)/n, in the same shape.

    The average is that of the recorded response where one was given, else of the model's own. `scores`: the difference
    of both over its standard error, entry by entry; `discrepancy`: their root mean square, near 1 where stimuli are
    Gaussian and the model is the cell.
    """

    filter: np.ndarray
    standard_error: np.ndarray
    average: np.ndarray
    scores: np.ndarray
    discrepancy: float


def predicted_sta(
    model: Callable[[Tensor], Tensor], stimulus: Any, response: Any = None, *, covariance: Any = None
) -> ModelFilter:
    """Return the spike-triggered average that a model predicts by its gradients, against the one that was measured.

    For Gaussian stimuli STA = C E[grad r] (Stein). A discrepancy of the model's own average says that stimuli are not
    Gaussian, or that the model jumps; one of the recorded average, that the model is not the cell.

    Args:
        model: takes stimuli (batch, ...), returns one rate for each, (batch,) or (batch, 1). A module runs in
            evaluation mode, and is put back.
        stimulus: one row for each bin, of the shape that the model takes, as NumPy array, tensor, or a file.
        response: recorded, one number for each bin; default: the model's own.
        covariance: C of the stimulus: a matrix, its diagonal, or one variance; default: the stimulus' own.

    Raises `ArgumentError` for lengths that differ, outputs of another shape or not finite, or that do not depend on the
    stimulus.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((4000, 3))
    >>> k = torch.tensor([0.5, 0.0, -0.5], dtype=torch.float64)
    >>> found = predicted_sta(lambda u: torch.nn.functional.softplus(u @ k), x)
    >>> found.discrepancy < 3, bool(abs(found.filter[1]) < 0.05)
    (True, True)
    """
    rows, shape = checks.stimulus(stimulus)
    checks.sound("stimulus", rows, np.asarray(np.square(rows).sum(0)))
    n, size = rows.shape
    rates, slopes = _answers(model, rows, shape)
    r = checks.response(rates if response is None else response, n)
    away, centred = r - r.mean(), rows - rows.mean(0)
    c = centred.T @ centred / n if covariance is None else checks.covariance("covariance", covariance, size)
    each, products = slopes @ c, centred * away[:, None]
    predicted, measured = each.mean(0), products.mean(0)
    gap = products - each
    if covariance is None:  # C is estimated from the same rows: its own noise goes with the stimulus
        gap = gap - centred * (centred @ slopes.mean(0))[:, None]
    error = gap.std(0) / math.sqrt(n)
    scores = np.divide(measured - predicted, error, out=np.zeros(size), where=error > 0)
    return ModelFilter(
        predicted.reshape(shape), (each.std(0) / math.sqrt(n)).reshape(shape), measured.reshape(shape),
        scores.reshape(shape), float(np.sqrt(np.mean(scores**2))),
    )  # fmt: skip


def _answers(
    model: Callable[[Tensor], Tensor], rows: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Rates and their gradients by the stimulus, row by row."""
    kind, place = _where(model)
    rates, slopes = [], []
    with evaluated(model) if isinstance(model, torch.nn.Module) else nullcontext():
        for low in range(0, len(rows), _ROWS):
            block = np.array(rows[low : low + _ROWS], dtype=np.float64)
            x = torch.from_numpy(block).to(place, kind).reshape(-1, *shape).requires_grad_()
            with torch.enable_grad():
                out = model(x)
                if not isinstance(out, Tensor) or out.shape not in ((len(block),), (len(block), 1)):
                    but = f"returns {tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__}"
                    raise ArgumentError("model", f"must return {len(block)} rates for as many rows", but=but)
                if not out.requires_grad:
                    raise ArgumentError("model", "must depend on the stimulus", but="has no gradient by it")
                (slope,) = torch.autograd.grad(out.sum(), x, allow_unused=True)
            if slope is None:
                raise ArgumentError("model", "must depend on the stimulus", but="has no gradient by it")
            rates.append(out.detach().reshape(-1).double().cpu().numpy())
            slopes.append(slope.reshape(len(block), -1).double().cpu().numpy())
    found = np.concatenate(rates), np.concatenate(slopes)
    if not all(np.isfinite(one).all() for one in found):
        raise ArgumentError("model", "must have finite rates and gradients", but="has not at some stimuli")
    return found


def _where(model: Any) -> tuple[torch.dtype, torch.device]:
    """Precision and device of a module's parameters; double precision on the CPU where there are none."""
    if isinstance(model, torch.nn.Module):
        for one in model.parameters():
            if one.is_floating_point():
                return one.dtype, one.device
    elif not callable(model):
        raise ArgumentError("model", "must be a torch module or a function of tensors", model)
    return torch.float64, torch.device("cpu")
