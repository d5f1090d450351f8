"""The exponent of a layer of a torch module, from two noisy passes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory.errors import ArgumentError, DataWarning

if TYPE_CHECKING:
    import torch

    from widelimit.numerics.representation import CorrectedExponent


def from_module(
    module: torch.nn.Module,
    inputs: torch.Tensor,
    *,
    again: torch.Tensor | None = None,
    layer: str | None = None,
    **options: Any,
) -> CorrectedExponent:
    """Return the exponent of what a module (or one of its layers) makes of stimuli, corrected for noise and sampling.

    Args:
        module: run twice, in the mode that it is in (with dropout: ``module.train()``), without gradients.
        inputs: one stimulus a row.
        again: the same stimuli with other noise, for the second pass; default: `inputs` again.
        layer: name of a submodule (of ``module.named_modules()``) whose output is recorded; default: the module's.
        **options: of `numerics.representation.corrected`: first_rank, last_rank, level, draws, resample, seed.

    Units that do not change with the stimulus are left out, with a `DataWarning`. Raises `ArgumentError` for layers
    that are not there or not run, outputs that are no tensor of floats, and whatever `corrected` refuses.

    >>> import torch
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> x = torch.randn(120, 40)
    >>> net = torch.nn.Sequential(torch.nn.Linear(40, 60), torch.nn.Tanh(), torch.nn.Dropout(0.1))
    >>> found = from_module(net, x, first_rank=3, last_rank=30, draws=5)
    >>> found.noise > 0, found.stimuli, found.units
    (True, 120, 60)
    """
    from widelimit.numerics.representation import corrected

    one, other = passes(module, inputs, again=again, layer=layer)
    moving = (np.ptp(one, axis=0) > 1e-9 * np.abs(one).max(axis=0)) & (
        np.ptp(other, axis=0) > 1e-9 * np.abs(other).max(axis=0)
    )
    if not moving.all() and moving.any():
        still = int((~moving).sum())
        warnings.warn(
            f"{still} of {len(moving)} units do not respond and are left out.", DataWarning, stacklevel=2
        )
        one, other = one[:, moving], other[:, moving]
    return corrected(one, other, **options)


def passes(
    module: torch.nn.Module,
    inputs: torch.Tensor,
    *,
    again: torch.Tensor | None = None,
    layer: str | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a layer makes of stimuli in two passes, each stimuli x units; see `from_module`.

    >>> import torch
    >>> one, other = passes(torch.nn.Linear(3, 2), torch.zeros(5, 3))
    >>> one.shape, bool((one == other).all())
    ((5, 2), True)
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise ArgumentError("module", "must be a torch.nn.Module", type(module).__name__)
    for name, value in (("inputs", inputs), ("again", again)):
        if value is not None and (not isinstance(value, torch.Tensor) or value.ndim < 1):
            raise ArgumentError(name, "must be a tensor of stimuli", type(value).__name__)
    if again is not None and again.shape != inputs.shape:
        but = f"has shape {tuple(again.shape)}"
        raise ArgumentError("again", f"must have the shape of `inputs`, {tuple(inputs.shape)}", but=but)
    return _recorded(module, inputs, layer), _recorded(module, inputs if again is None else again, layer)


def _recorded(module: torch.nn.Module, inputs: torch.Tensor, layer: str | None) -> np.ndarray:
    import torch

    found: list[Any] = []
    named = dict(module.named_modules())
    if layer is not None and layer not in named:
        listed = ", ".join(name for name in list(named)[1:12])
        raise ArgumentError("layer", "must name a layer of the module", layer, f"It has {listed}.")
    handle = named[layer or ""].register_forward_hook(lambda _module, _inputs, output: found.append(output))
    try:
        with torch.no_grad():
            module(inputs)
    except Exception as error:  # a user's module can raise anything
        raise ArgumentError("inputs", "must be what the module takes", but=f"raises {error}"[:300]) from None
    finally:
        handle.remove()
    if not found:
        raise ArgumentError("layer", "must name a layer that runs", layer)
    output = found[-1]
    if not isinstance(output, torch.Tensor) or not output.is_floating_point() or len(output) != len(inputs):
        must = "must give a tensor of floats with a row for each stimulus"
        raise ArgumentError("layer" if layer else "module", must, but=f"gives {type(output).__name__}")
    array: np.ndarray = output.detach().cpu().double().flatten(1).numpy()
    if not np.isfinite(array).all():
        raise ArgumentError("inputs", "must give finite outputs", but="gives NaN or infinity")
    return array
