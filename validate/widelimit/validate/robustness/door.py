"""What a classifier, its inputs and its labels have to be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError


def classifier(module: Any) -> nn.Module:
    """Return a module in evaluation mode; `ArgumentError` for what is none."""
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch.nn.Module", module)
    if any(one.training for one in module.modules()):
        help = "Call module.eval(): dropout and batch statistics would change from call to call."
        raise ArgumentError("module", "must be in evaluation mode", but="is in train mode", help=help)
    return module


def inputs(x: Any, module: nn.Module) -> Tensor:
    """Return inputs on the module's device and in its precision."""
    like = next((one for one in (*module.parameters(), *module.buffers()) if one.is_floating_point()), None)
    given = x.detach() if isinstance(x, Tensor) else torch.from_numpy(arguments.real("x", x).copy())
    if not given.is_floating_point() or given.dim() < 1 or not given.numel():
        what = f"has shape {tuple(given.shape)} and {given.dtype}"
        raise ArgumentError("x", "must be floats of shape (batch, ...)", but=what)
    dtype, device = (given.dtype, given.device) if like is None else (like.dtype, like.device)
    if dtype not in (torch.float32, torch.float64):
        raise ArgumentError("module", "must be in float32 or float64", but=f"is in {dtype}")
    found = given.to(device=device, dtype=dtype)
    if not bool(torch.isfinite(found).all()):
        raise ArgumentError(
            "x", "must be finite numbers", but="holds NaN, infinity, or what the precision does not"
        )
    return found


def logits(module: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of a batch, of shape (batch, classes)."""
    try:
        found = module(x)
    except Exception as error:  # whatever a foreign module raises at these inputs
        said = " ".join(str(error).split())[:120]
        raise ArgumentError("x", "must be what the module takes", but=f"is not ({said})") from None
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != len(x) or found.shape[1] < 2:
        what = (
            f"returns shape {tuple(found.shape)}"
            if isinstance(found, Tensor)
            else f"returns a {type(found).__name__}"
        )
        help = "For one output z of two classes, return the columns 0 and z."
        raise ArgumentError(
            "module", "must return (batch, classes) with two classes or more", but=what, help=help
        )
    return found


def differentiable(module: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of a batch after a look at them: finite, the same twice, with gradients."""
    probe = x.clone().requires_grad_()
    with torch.enable_grad():
        found = logits(module, probe)
    if not found.requires_grad:
        help = "It detaches them, or runs without a graph."
        raise ArgumentError(
            "module", "must have gradients with respect to its inputs", but="has none", help=help
        )
    with torch.no_grad():
        again = logits(module, x)
    if not bool(torch.isfinite(again).all()):
        raise ArgumentError("module", "must return finite logits", but="does not")
    if not torch.allclose(found.detach(), again, rtol=1e-3, atol=1e-5):
        help = "A random defence has to be averaged over: pass a module that does."
        raise ArgumentError("module", "must return the same twice", but="is random", help=help)
    return again


def labels(y: Any, count: int, classes: int, device: torch.device) -> Tensor:
    """Return labels as whole numbers below the number of classes."""
    if isinstance(y, Tensor):
        given = y.detach()
    else:
        array = arguments.real("y", y)
        if (array != array.round()).any():
            raise ArgumentError("y", "must be whole numbers", but="are not")
        given = torch.from_numpy(array).long()
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise ArgumentError("y", "must be whole numbers", but=f"are {given.dtype}")
    if given.shape != (count,):
        raise ArgumentError(
            "y", f"must be {count} labels, one an input", but=f"has shape {tuple(given.shape)}"
        )
    if int(given.min()) < 0 or int(given.max()) >= classes:
        off = int(given.min()) if int(given.min()) < 0 else int(given.max())
        raise ArgumentError("y", f"must lie in 0 ... {classes - 1}, as the module has {classes} classes", off)
    return given.long().to(device)


def bounds(x: Tensor, box: Any) -> tuple[float, float] | None:
    """Return the box that inputs have to stay in, after a look whether they are."""
    if box is None:
        return None
    ends = arguments.real("box", box)
    if ends.shape != (2,) or ends[0] >= ends[1]:
        raise ArgumentError("box", "must be two numbers, the lower first", box)
    low, high = map(float, ends)
    if float(x.min()) < low or float(x.max()) > high:
        what = f"has numbers from {float(x.min()):.4g} to {float(x.max()):.4g}"
        raise ArgumentError("x", f"must lie in the box [{low:g}, {high:g}]", but=what)
    return low, high
