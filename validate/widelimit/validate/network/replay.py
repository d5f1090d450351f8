"""Whether what was read is what runs: widelimit's own module, with the user's weights, against the user's.

A copy of the user's module, in double precision on the CPU, runs on random inputs. Each of its layers has to give what
the module of the layer that was read gives, and the whole what its layers give in a row. The user's own module, its
modes, hooks and statistics, and the state of torch's random numbers stay as they are.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import torch
from torch import nn

from widelimit.theory import architecture as arch
from widelimit.validate.network.layers import KINDS, Flow, Read
from widelimit.validate.network.walk import ModuleError, Place

CLOSE = 1e-6  # relative to the largest output of a layer
GRID = (-30.0, 30.0, 4001)  # on which activations are compared
SMALL_EPS = 0.01  # of the variance that a normalisation divides by
_BATCH = 4


def refuse_what_differs(module: nn.Module, found: list[Read], flow: Flow) -> None:
    """Raise `ModuleError` naming the layer that computes something else than the one that was read."""
    double = _double(module)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_shape(found, flow), generator=generator, dtype=torch.float64, device="cpu")
    with torch.random.fork_rng(devices=[]), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        whole = _run(double, x, "The module")
        torch.manual_seed(0)
        for one, place in zip(found, _top(double), strict=True):
            _compare(one, place, x, generator)
            _refuse_large_eps(one, place, x)
            x = _run(place.layer, x, _named(one.place))
    if not _same(whole, x):
        raise ModuleError(
            "Argument `module` must compute what its layers compute in a row, but its output is another one: something "
            "(a global hook, a layer that changes its input in place) acts between them. Remove it."
        )


def _double(module: nn.Module) -> nn.Module:
    """A copy in double precision on the CPU; parameters and buffers are converted one by one, on the way."""
    known: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        plain = tensor.detach().to(device="cpu", copy=True)
        plain = plain.double() if plain.is_floating_point() else plain
        is_parameter = isinstance(tensor, nn.Parameter)
        known[id(tensor)] = nn.Parameter(plain, requires_grad=False) if is_parameter else plain
    try:
        return copy.deepcopy(module, known)
    except Exception as error:
        raise ModuleError(
            f"Argument `module` must be a module that can be copied, but copying fails: {_first_line(error)}"
        ) from None


def _top(module: nn.Module) -> list[Place]:
    from widelimit.validate.network.walk import walk

    return walk(module)[0]


def _shape(found: list[Read], flow: Flow) -> tuple[int, ...]:
    """The shape of a batch that the module reads."""
    features = flow.features or 1
    first = next((one.layer for one in found if one.layer is not None), None)
    if first is not None and first.reads_sequences:
        return (_BATCH, 3, features)
    if not flow.dimensions:
        return (_BATCH, features)
    return (_BATCH, features, *(flow.shape or _positions(flow.positions, flow.dimensions, flow.largest)))


def _positions(count: int | None, dimensions: int, least: int) -> tuple[int, ...]:
    """As many positions as `count` says, in a nearly square rectangle; else a few more than filters are long."""
    if count is None:
        return (least + 2,) * dimensions
    if dimensions == 1:
        return (count,)
    height = next(n for n in range(math.isqrt(count), 0, -1) if count % n == 0)
    return (height, count // height)


def _run(layer: nn.Module, x: torch.Tensor, name: str) -> torch.Tensor:
    try:
        out = layer(x.clone())
    except Exception as error:
        raise ModuleError(
            f"{name} cannot run on inputs of shape {tuple(x.shape)}: {_first_line(error)}. Mend the module first."
        ) from None
    if not isinstance(out, torch.Tensor):
        raise ModuleError(f"{name} gives a {type(out).__name__}, not a tensor.")
    return out


def _compare(one: Read, place: Place, x: torch.Tensor, generator: torch.Generator) -> None:
    """A layer against the module of what was read, on inputs of unit variance and of the shape that it gets."""
    own = module_of(one, place)
    probe = torch.randn(x.shape, generator=generator, dtype=torch.float64, device="cpu")
    inputs = [probe]
    if isinstance(one.layer, arch.Act):
        inputs.append(torch.linspace(*GRID, dtype=torch.float64, device="cpu"))
    state = torch.get_rng_state()
    for values in inputs:
        torch.set_rng_state(state)
        theirs = _run(place.layer, values, _named(one.place))
        torch.set_rng_state(state)
        ours = own(values.clone())
        if theirs.numel() != ours.numel() or not _same(theirs.reshape(ours.shape), ours):
            raise ModuleError(
                f"{_named(one.place)} computes something else than the {type(one.layer).__name__} that theory would "
                "take it for: a forward, a setting or an operation in place of its own. Write it as a known layer."
            )
    torch.set_rng_state(state)


def _refuse_large_eps(one: Read, place: Place, x: torch.Tensor) -> None:
    """Theory divides by the variance alone; that of the units that reach the layer from inputs of unit variance."""
    variance = float(x.var())
    for inner, layer in [(one, place), *zip(one.branch, place.branch, strict=True)]:
        eps = getattr(layer.layer, "eps", None)
        if inner.layer is not None and eps is not None and eps > SMALL_EPS * variance:
            raise ModuleError(
                f"{_named(inner.place)} adds its eps, {eps:.3g}, to a variance of some {variance:.3g}; theory adds "
                "nothing. Use a smaller eps, or larger weights before it."
            )


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.shape != b.shape:
        return False
    finite = torch.isfinite(a) & torch.isfinite(b)
    if not torch.equal(torch.isfinite(a), torch.isfinite(b)):
        return False
    if not finite.any():
        return True
    size = float(b[finite].abs().max())
    return float((a - b)[finite].abs().max()) <= CLOSE * size


def _named(place: Place) -> str:
    return f"Layer '{place.name}' ({type(place.layer).__name__})"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def module_of(one: Read, place: Place) -> nn.Module:
    """The module of the layer that was read, with the weights of the user's layer at `place`."""
    return nn.Identity() if one.layer is None else KINDS[type(one.layer)].rebuilt(one, place)
