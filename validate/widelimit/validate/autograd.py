"""Predictions as functions of torch's autograd: what theory depends on is learnt by gradient descent.

differentiable   any function of `numerics` that returns a value and its derivatives (`meanfield.gradient` and others)
through          what it is made of: values and exact derivatives in NumPy become one node of a graph
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
# values, and per argument the derivatives of each of them
Evaluate = Callable[..., tuple[Sequence[Any], Sequence[Sequence[Any]]]]


class _Through(torch.autograd.Function):
    """Values by NumPy, derivatives by NumPy; of first order."""

    @staticmethod
    def forward(
        ctx: Any, evaluate: Evaluate, names: list[str], given_names: list[str], *given: Tensor
    ) -> Any:
        values, ctx.slopes = evaluate(*(one.detach().cpu().numpy() for one in given))
        ctx.given, ctx.names, ctx.given_names = given, names, given_names
        ctx.set_materialize_grads(False)
        kind = given[0].dtype
        for one in given[1:]:
            kind = torch.promote_types(kind, one.dtype)
        return tuple(torch.as_tensor(np.asarray(one)).to(given[0].device, kind) for one in values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *above: Tensor | None) -> tuple[Any, ...]:
        carried = [None if one is None else one.detach().cpu().double().numpy() for one in above]
        found: list[Tensor | None] = []
        for like, slopes, name, wanted in zip(
            ctx.given, ctx.slopes, ctx.given_names, ctx.needs_input_grad[3:], strict=True
        ):
            total: Array = np.zeros(like.shape)
            for one, slope, output in zip(carried, slopes, ctx.names, strict=True):
                if wanted and one is not None and one.any():
                    total = total + _contracted(one, np.asarray(slope), total.shape, output, name)
            found.append(torch.as_tensor(total).to(like) if wanted else None)
        return (None, None, None, *found)


def _contracted(above: Array, slope: Array, shape: tuple[int, ...], output: str, name: str) -> Array:
    """Return the part of an argument's gradient that comes by one output.

    `slope` has an axis for each of the argument's in front, or the shape of the output alone: then each element of the
    output depends on the element of the argument that broadcasts to it.
    """
    if np.isnan(slope[..., above != 0] if slope.ndim else slope).any():
        raise DomainError(f"{output} has no derivative with respect to {name} here: move {name} a little.")
    if shape and slope.shape == shape + above.shape:
        return np.tensordot(np.where(above == 0, 0.0, slope), above, above.ndim)
    parts = np.where(above == 0, 0.0, above * np.nan_to_num(slope))
    extra = tuple(range(parts.ndim - len(shape)))
    parts = parts.sum(extra)
    once = tuple(axis for axis, size in enumerate(shape) if size == 1 and parts.shape[axis] > 1)
    return np.asarray(parts.sum(once, keepdims=True))


def through(evaluate: Evaluate, given: dict[str, Tensor], names: Sequence[str]) -> tuple[Tensor, ...]:
    """Return the values that `evaluate` makes of `given`, as tensors that autograd differentiates.

    `evaluate` takes an array per tensor and returns values and, for each tensor, the derivatives of every value, which
    have the shape of the value, or that of tensor and value one after the other; nan where there is none.
    `names` are those of the values. `DomainError` if a derivative is asked for where there is none.

    >>> x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    >>> (square,) = through(lambda x: ((x**2,), ((2 * x,),)), {"x": x}, ["square"])
    >>> square.sum().backward()
    >>> x.grad.tolist()
    [2.0, 4.0]
    """
    found: tuple[Tensor, ...] = _Through.apply(evaluate, list(names), list(given), *given.values())
    return found


def differentiable(gradient: Callable[..., Any], *places: Any, **arguments: Any) -> SimpleNamespace:
    """Return what a function of `numerics` predicts, as tensors that autograd differentiates by its arguments.

    Derivatives are exact (the implicit function theorem and the chain rule on the theory's formulas) and of first
    order.

    Args:
        gradient: `meanfield.gradient` or another function that returns a record of a `value` and of its derivatives by
            argument.
        places: its positional arguments.
        arguments: its others; those that are tensors of floats are what can be learnt.

    Returns the fields of the value by name: tensors, or what the theory gives for fields that are no numbers.

    Raises `ArgumentError` for a tensor that requires a gradient where the theory has no derivative, what `gradient`
    raises, and, in the backward pass, `DomainError` naming an output without a derivative, such as c_star on the
    edge of chaos.

    >>> from widelimit.numerics import meanfield
    >>> w = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    >>> found = differentiable(meanfield.gradient, "relu", sigma_w=w / 2, sigma_b=1.0)
    >>> found.q_star.backward()                     # q = 1/(1 - sigma_w^2/2)
    >>> round(float(w.grad), 12) == round(0.375 / (1 - 0.75**2 / 2) ** 2, 12)
    True
    """
    given = {name: one for name, one in arguments.items() if isinstance(one, Tensor)}
    for name, one in given.items():
        if not one.is_floating_point():
            raise ArgumentError(name, "must be a tensor of floats", but=f"is of {one.dtype}")
    plain = {name: one.detach().cpu().numpy() for name, one in given.items()}
    record = gradient(*places, **{**arguments, **plain})
    known = [
        field.name
        for field in fields(record)
        if field.name != "value" and is_dataclass(getattr(record, field.name))
    ]
    for name, one in given.items():
        if one.requires_grad and name not in known:
            help = f"Derivatives are known by {', '.join(known)}."
            raise ArgumentError(name, "must not require a gradient", help=help, but="does")
    learnt = {name: one for name, one in given.items() if name in known}
    everything = SimpleNamespace(
        **{field.name: getattr(record.value, field.name) for field in fields(record.value)}
    )
    if not learnt:
        return everything
    names = [field.name for field in fields(getattr(record, known[0]))]

    def evaluate(*_: Array) -> tuple[list[Any], list[list[Any]]]:
        values = [getattr(record.value, name) for name in names]
        return values, [[getattr(getattr(record, one), name) for name in names] for one in learnt]

    for name, tensor in zip(names, through(evaluate, learnt, names), strict=True):
        setattr(everything, name, tensor)
    return everything
