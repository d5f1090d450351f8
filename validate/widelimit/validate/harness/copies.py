"""Copies of users' modules, and runs of the originals, that leave them as they are."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from widelimit.theory.errors import ArgumentError

if TYPE_CHECKING:
    import torch
    from torch import nn


def copied(module: nn.Module, dtype: torch.dtype | None = None, *, numbers: bool = True) -> nn.Module:
    """A copy of a module, in another precision if asked; an `ArgumentError` where torch makes none.

    Without `numbers` the copy holds the tensors of the module itself, for what does not write to them.

    >>> from threading import Lock
    >>> copied(Lock())
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `module` must be one that can be copied, but copying raises: ...
    """
    try:
        held = [] if numbers else [*module.parameters(), *module.buffers()]
        copy_ = copy.deepcopy(module, {id(one): one for one in held})
        return copy_ if dtype is None else copy_.to(dtype)
    except Exception as error:  # whatever a parameter or a hook of a user's raises
        text = " ".join(str(error).split())[:200]
        raise ArgumentError(
            "module", "must be one that can be copied", but=f"copying raises: {text}"
        ) from None


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode, each part put back in its own after."""
    modes = [(one, one.training) for one in module.modules()]
    try:
        for one, _ in modes:
            one.training = False
        yield
    finally:
        for one, mode in modes:
            one.training = mode
