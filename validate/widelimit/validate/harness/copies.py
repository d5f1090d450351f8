"""Copies of users' modules: what is measured on them leaves the original as it is."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from widelimit.theory.errors import ArgumentError

if TYPE_CHECKING:
    import torch
    from torch import nn


def copied(module: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """A copy of a module, in another precision if asked; an `ArgumentError` where torch makes none.

    >>> from threading import Lock
    >>> copied(Lock())
    Traceback (most recent call last):
    ...
    widelimit.theory.errors.ArgumentError: Argument `module` must be one that can be copied, but copying raises: ...
    """
    try:
        copy_ = copy.deepcopy(module)
        return copy_ if dtype is None else copy_.to(dtype)
    except Exception as error:  # whatever a parameter or a hook of a user's raises
        text = " ".join(str(error).split())[:200]
        raise ArgumentError(
            "module", "must be one that can be copied", but=f"copying raises: {text}"
        ) from None
