"""Where a simulation computes: a torch device, a floating-point type, and a memory budget for batches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from widelimit.theory.errors import ArgumentError, DeviceError

if TYPE_CHECKING:
    import torch

_SHARE = 0.25  # of the free memory that one batch may take


@dataclass(frozen=True)
class Backend:
    """A picklable choice of device and precision; torch objects are made where they are used.

    >>> Backend().name, Backend().precision
    ('cpu', 'float64')
    """

    name: str = "cpu"
    precision: Literal["float64", "float32"] = "float64"

    @classmethod
    def choose(cls, name: str = "auto", precision: Literal["float64", "float32"] = "float64") -> Backend:
        """Resolve ``auto`` to CUDA where there is one, else the CPU; refuse a device that is not there."""
        if not isinstance(name, str) or not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", name):
            raise ArgumentError("device", "must be auto, cpu or cuda", name)
        if name == "cpu":
            return cls(name, precision)
        import torch

        if name == "auto":
            return cls("cuda" if torch.cuda.is_available() else "cpu", precision)
        if name.startswith("cuda") and not torch.cuda.is_available():
            raise DeviceError(
                "Argument `device` is cuda, but torch sees no CUDA device here. Use --device cpu or auto."
            )
        number = int(name.partition(":")[2] or 0)
        if name != "auto" and number >= torch.cuda.device_count():
            raise DeviceError(
                f"Argument `device` is {name}, but torch sees {torch.cuda.device_count()} CUDA devices here."
            )
        return cls(name, precision)

    @property
    def device(self) -> torch.device:
        """The torch device."""
        import torch

        return torch.device(self.name)

    @property
    def dtype(self) -> torch.dtype:
        """The torch floating-point type."""
        import torch

        return torch.float64 if self.precision == "float64" else torch.float32

    def generator(self, seed: int) -> torch.Generator:
        """A random generator of this device with this seed (any non-negative integer below 2^63)."""
        import torch

        return torch.Generator(device=self.device).manual_seed(seed)

    def batch(self, bytes_each: int, most: int) -> int:
        """How many items of `bytes_each` fit a quarter of the free memory, between 1 and `most`."""
        import torch

        if self.name.startswith("cuda"):
            free = torch.cuda.mem_get_info(self.device)[0]
        else:
            import os

            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(1, min(most, int(_SHARE * free / max(1, bytes_each))))
