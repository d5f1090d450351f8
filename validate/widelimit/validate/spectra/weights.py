"""`of_module`: every weight matrix of a torch module against noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from widelimit.numerics.results import by_value
from widelimit.numerics.spectra import SpectrumFit, fit
from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.spectra.tails import PowerTail, power_tail

if TYPE_CHECKING:
    import xarray

Array = np.ndarray
_LEAST = 8  # rows or columns: smaller matrices have no bulk to speak of
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@by_value
@dataclass(frozen=True)
class WeightSpectrum:
    """One weight matrix W of rows x columns, convolutions unfolded to out x (in times kernel).

    eigenvalues: of W W'/n, n the longer side, decreasing. noise: what `spectra.fit` finds in them (its `noise` is the
    variance of a weight, its `components` the directions that stand out), None where all eigenvalues are zero. tail: a
    power law of the largest, with interval and goodness of fit; None for fewer than five eigenvalues.
    """

    name: str
    shape: tuple[int, int]
    eigenvalues: Array
    noise: SpectrumFit | None
    tail: PowerTail | None

    @property
    def norm(self) -> float:
        """Spectral norm of W."""
        return float(np.sqrt(self.eigenvalues[0] * max(self.shape)))

    @property
    def stable_rank(self) -> float:
        """Squared Frobenius over squared spectral norm."""
        top = float(self.eigenvalues[0])
        return float(self.eigenvalues.sum() / top) if top > 0 else 0.0


@by_value
@dataclass(frozen=True)
class ModuleSpectra:
    """Spectra of all weight matrices of a module, in its order; indexed by name or number.

    skipped: names of matrices that are too small, and why others were left out.
    """

    layers: tuple[WeightSpectrum, ...]
    skipped: dict[str, str]

    def __iter__(self) -> Iterator[WeightSpectrum]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, which: str | int) -> WeightSpectrum:
        if isinstance(which, int):
            return self.layers[which]
        for one in self.layers:
            if one.name == which:
                return one
        raise KeyError(which)

    @property
    def table(self) -> xarray.Dataset:
        """Figures of every matrix over `layer`: weight variance, ratio, edge, components, norm, rank, exponent."""
        import xarray

        nan = float("nan")
        columns: dict[str, list[float]] = {name: [] for name in _COLUMNS}
        for one in self.layers:
            noise, tail = one.noise, one.tail
            values = (
                *one.shape,
                noise.noise if noise else nan,
                noise.noise_error if noise else nan,
                noise.ratio if noise else nan,
                noise.edges[1] if noise else nan,
                noise.components if noise else nan,
                float(noise.p_values[0])
                if noise and noise.components
                else noise.next_p_value
                if noise
                else nan,
                one.norm,
                one.stable_rank,
                tail.alpha if tail else nan,
                *(tail.interval if tail else (nan, nan)),
                tail.p_value if tail else nan,
            )
            for name, value in zip(_COLUMNS, values, strict=True):
                columns[name].append(float(value))
        names = [one.name for one in self.layers]
        return xarray.Dataset(
            {name: ("layer", np.array(values)) for name, values in columns.items()}, coords={"layer": names}
        )

    def __str__(self) -> str:
        return self.table.to_dataframe().to_string() if self.layers else "no weight matrices"


_COLUMNS = (
    "rows", "columns", "variance", "variance_error", "ratio", "edge", "components", "p_value", "norm", "stable_rank",
    "alpha", "alpha_low", "alpha_high", "tail_p_value",
)  # fmt: skip


def of_module(module: nn.Module) -> ModuleSpectra:
    """Return the spectrum of every weight matrix of a module, next to that of noise.

    Weights with two or more axes count: linear layers, embeddings, convolutions (unfolded), recurrent cells. One that
    several layers share counts once. The module itself is only read. Raises `ArgumentError` for what is no module, or
    has no weight matrix of eight rows and columns, and for weights that are not finite.

    >>> _ = torch.manual_seed(0)
    >>> found = of_module(nn.Sequential(nn.Linear(200, 100), nn.Tanh(), nn.Linear(100, 50)))
    >>> [(one.name, one.noise.components) for one in found]
    [('0.weight', 0), ('2.weight', 0)]
    >>> bool(abs(found[0].noise.noise / (1 / (3 * 200)) - 1) < 0.05)
    True
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    layers: list[WeightSpectrum] = []
    skipped: dict[str, str] = {}
    for name, weight, transposed in _weights(module):
        matrix = _unfolded(name, weight, transposed)
        if matrix is None or min(matrix.shape) < _LEAST:
            skipped[name] = "fewer than eight rows or columns"
            continue
        layers.append(_spectrum(name, matrix))
    if not layers:
        but = "has none" if not skipped else "has only smaller ones"
        raise ArgumentError("module", "must have a weight matrix of eight rows and columns or more", but=but)
    return ModuleSpectra(tuple(layers), skipped)


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """Parameters with two axes or more, each once, and whether the first two are input and output."""
    seen: set[int] = set()
    for place, child in module.named_modules():
        for name, parameter in child.named_parameters(recurse=False):
            if isinstance(parameter, nn.UninitializedParameter) or parameter.is_meta:
                help = "Call the module once on an input."
                but = f"has none yet in {place or type(child).__name__}"
                raise ArgumentError("module", "must have weights", but=but, help=help)
            if parameter.dim() < 2 or id(parameter) in seen or not parameter.is_floating_point():
                continue
            seen.add(id(parameter))
            yield f"{place}.{name}" if place else name, parameter, isinstance(child, _TRANSPOSED)


def _unfolded(name: str, weight: Tensor, transposed: bool) -> Array | None:
    values = weight.detach().to(device="cpu", dtype=torch.float64)
    if transposed:
        values = values.transpose(0, 1)
    matrix = values.reshape(values.shape[0], -1).numpy() if values.numel() else None
    if matrix is not None and not np.isfinite(matrix).all():
        raise ArgumentError("module", "must have finite weights", but=f"{name} holds NaN or infinities")
    return matrix


def _spectrum(name: str, matrix: Array) -> WeightSpectrum:
    short, long = sorted(matrix.shape)
    wide = matrix if matrix.shape[0] == short else matrix.T
    scale = float(np.abs(wide).max()) or 1.0
    unit = wide / scale
    values = np.maximum(np.linalg.eigvalsh(unit @ unit.T / long), 0.0)[::-1] * scale**2
    noise: SpectrumFit | None = None
    tail: PowerTail | None = None
    try:
        noise = fit(eigenvalues=values, samples=long)
        tail = power_tail(values)
    except WidelimitError:  # no noise at all: zeros, a low rank
        pass
    rows, columns = matrix.shape
    return WeightSpectrum(name, (int(rows), int(columns)), values, noise, tail)
