"""The same random numbers on every device: drawn on the CPU and moved, whatever device is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FACTORIES = {torch.randn, torch.rand, torch.randint, torch.randperm, torch.normal}
_IN_PLACE = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.bernoulli_, torch.Tensor.random_}


class SameDraws(TorchFunctionMode):
    """Within it, random numbers of a generator of any device come from a CPU generator with the same seed.

    A generator keeps its partner, so that numbers follow one another as on the CPU. Double-precision normal numbers
    that are filled in place are drawn single, as `weights.Draws` does on the CPU.

    >>> from torch import Generator, randn
    >>> with SameDraws():
    ...     one = randn(3, generator=Generator().manual_seed(1))
    >>> bool((one == randn(3, generator=Generator().manual_seed(1))).all())
    True
    """

    def __init__(self, draw_single: bool = True) -> None:
        super().__init__()
        self.draw_single = draw_single
        self.partners: dict[int, tuple[torch.Generator, torch.Generator]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Draw on the CPU what is random and has a generator; let all else pass."""
        words = dict(kwargs or {})
        generator = words.get("generator")
        if generator is None or func not in _FACTORIES | _IN_PLACE:
            return func(*args, **words)
        words["generator"] = self._partner(generator)
        if func in _IN_PLACE:
            target = args[0]
            single = self.draw_single and func is torch.Tensor.normal_ and target.device.type != "cpu"
            dtype = torch.float32 if single else target.dtype
            drawn = torch.empty(target.shape, dtype=dtype)
            func(drawn, *args[1:], **words)
            return target.copy_(drawn)
        device = words.pop("device", None)
        made = func(*(_on_cpu(one) for one in args), **words)
        return made if device is None else made.to(device)

    def _partner(self, generator: torch.Generator) -> torch.Generator:
        if generator.device.type == "cpu":
            return generator
        if id(generator) not in self.partners:  # both are kept: an id is not given to another one meanwhile
            self.partners[id(generator)] = (
                generator,
                torch.Generator().manual_seed(generator.initial_seed()),
            )
        return self.partners[id(generator)][1]


def _on_cpu(value: Any) -> Any:
    return value.cpu() if isinstance(value, torch.Tensor) else value
