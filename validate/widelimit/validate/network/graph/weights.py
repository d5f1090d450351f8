"""The numbers of a module: which of them are noise, which are copies of others, and fresh draws of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.network.graph.programs import untouched
from widelimit.validate.network.graph.tensors import constant, shuffled
from widelimit.validate.network.graph.walking import Parameter, parameter
from widelimit.validate.network.noise import FALSE_ALARM, matrix_finding, vector_finding

_EDGE = 6.0  # times n^(-2/3), the scale of the largest eigenvalue's fluctuations, above the edge of noise
_FEW = 8  # numbers of a tensor, below which nothing is tested


@by_value
@dataclass(frozen=True)
class Numbers:
    """`state`: parameters and buffers by name; `noise`: names of random tensors; `trained`: names and what is against
    noise; `copies`: name of the tensor that a tensor equals, or is; `groups`: names of tensors that are equal, or one.
    """

    state: dict[str, torch.Tensor]
    noise: frozenset[str]
    trained: tuple[tuple[str, str], ...]
    copies: dict[str, str]
    shared: tuple[tuple[str, ...], ...]
    equal: tuple[tuple[str, ...], ...]


def numbers(module: nn.Module) -> Numbers:
    """Read the numbers of a module (a copy)."""
    state = {
        name: value.detach()
        for name, value in (
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        )
    }
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    alpha = FALSE_ALARM / (20 * max(1, len(names)))
    noise, trained = set(), []
    same, equal = _groups(module, names)
    copies = {name: group[0] for group in (*same, *equal) for name in group[1:]}
    for name in names:
        value = state[name]
        if value.numel() == 0 or constant(value):
            continue
        found = "" if copies.get(name) in noise else finding(_array(value), alpha)
        if found:
            trained.append((name, found))
        else:
            noise.add(name)
    return Numbers(state, frozenset(noise), tuple(trained), copies, same, equal)


def finding(value: np.ndarray, alpha: float) -> str:
    """What is against independent noise in a tensor of weights, "" if nothing is."""
    if value.size < _FEW:
        return ""
    if value.ndim < 2 or max(value.shape) == value.size:
        return vector_finding(value.ravel(), alpha)
    matrix = value.reshape(len(value), -1)
    empty = ~matrix.any(axis=1)  # the row of a padding index is zero
    live = matrix[~empty] if empty.any() else matrix
    lag = value.shape[-1] if value.ndim > 2 else 1
    found = matrix_finding(live, alpha, lag)
    return found.text or ("" if found.orthogonal else _above_edge(live))


def _above_edge(matrix: np.ndarray) -> str:
    """Whether the largest singular value is above the edge of the Marchenko-Pastur law."""
    matrix = matrix[:1024, :1024].astype(float)
    few, many = sorted(matrix.shape)
    if few < 16:
        return ""
    edge = (1 + np.sqrt(few / many)) ** 2  # of the Marchenko-Pastur law, see ``numerics.freeprob``
    small = matrix if len(matrix) == few else matrix.T
    largest = float(np.linalg.eigvalsh(small @ small.T)[-1]) / (many * float(np.mean(matrix**2)))
    if largest < edge * (1 + _EDGE * few ** (-2 / 3)):
        return ""
    return f"has a singular value {np.sqrt(largest / edge):.3g} times the edge of noise"


def _groups(
    module: nn.Module, names: list[str]
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Names that are one tensor, and names of different tensors with equal, random numbers."""
    held = dict(module.named_parameters(remove_duplicate=False))
    one: dict[Any, list[str]] = {}
    alike: dict[Any, list[str]] = {}
    for name in names:
        value = held[name]
        one.setdefault((value.device, value.data_ptr(), value.shape) if value.numel() else name, []).append(
            name
        )
    for group in one.values():
        plain = held[group[0]].detach()
        if plain.numel() >= _FEW and not constant(plain):
            first = tuple(plain.reshape(-1)[:_FEW].double().tolist())
            alike.setdefault((tuple(plain.shape), first), []).append(group[0])
    shared = tuple(tuple(group) for group in one.values() if len(group) > 1)
    return shared, tuple(tuple(equal) for group in alike.values() for equal in _equal(group, held))


def _equal(names: list[str], held: Mapping[str, torch.Tensor]) -> list[list[str]]:
    """Groups of two or more of the names whose tensors hold the same numbers."""
    groups: list[list[str]] = []
    for name in names:
        same = (group for group in groups if bool((held[group[0]] == held[name]).all()))
        group = next(same, None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return [group for group in groups if len(group) > 1]


def _array(value: torch.Tensor) -> np.ndarray:
    """A tensor's numbers, in the least precision that numpy has for them."""
    exact = value.dtype in (torch.float32, torch.float64)
    return np.asarray((value if exact else value.float()).detach().cpu().numpy())


def pooled(states: list[dict[str, torch.Tensor]], found: Numbers) -> dict[str, Parameter | torch.Tensor]:
    """Parameters as theory takes them: random ones by their mean squares over draws, the others as they are."""
    out: dict[str, Parameter | torch.Tensor] = {**states[0]}
    random = set(found.noise) | {name for name, _ in found.trained}
    for name in random:
        out[name] = parameter(name, [state[name] for state in states], frozenset((name,)))
    return out


def permuted(found: Numbers, seed: int) -> dict[str, torch.Tensor]:
    """A fresh draw: the numbers of every tensor of noise in another order and with other signs.

    Equal tensors stay equal. An order alone would keep the mean of a tensor, which decides on units whose inputs have
    a mean.
    """
    random = np.random.Generator(np.random.SFC64(seed))
    out: dict[str, torch.Tensor] = {}
    for name, value in found.state.items():
        if name in found.copies and found.copies[name] in out:
            out[name] = out[found.copies[name]].clone()
        elif name in found.noise:
            out[name] = shuffled(value, random)
        else:
            out[name] = value.clone()
    return out


def drawn(factory: Callable[[], Any], found: Numbers, seed: int) -> dict[str, torch.Tensor]:
    """A fresh draw by the user's factory; `ArgumentError` if it gives no module, another one, or raises."""
    with untouched():
        torch.manual_seed(seed % 2**63)
        np.random.seed(seed % 2**32)  # noqa: NPY002 factories draw from it
        try:
            module = factory()
        except Exception as error:
            raise raised(error) from None
    if not isinstance(module, nn.Module):
        raise ArgumentError("factory", "must return a torch module", but=f"returns {type(module).__name__}")
    state = numbers_of(module)
    if {name: value.shape for name, value in state.items()} != {n: v.shape for n, v in found.state.items()}:
        raise ArgumentError(
            "factory",
            "must return modules like `module`, with tensors of the same names and shapes",
            but="returns another one",
        )
    return state


def raised(error: BaseException) -> ArgumentError:
    """The user's own traceback, as what is wrong with a factory."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    where = "".join(traceback.format_list(frames))
    text = f"raises {type(error).__name__}: {error}\n{where}".rstrip()
    return ArgumentError("factory", "must return a module when it is called without arguments", but=text)


def numbers_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by all their names."""
    pairs = (*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False))
    return {name: value.detach() for name, value in pairs}
