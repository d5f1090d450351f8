"""Between torch and theory: read a user's module as an `Architecture`, build the module of an `Architecture`.

from widelimit.validate.network import from_torch
net = from_torch(model)              # an nn.Sequential of known layers
net.kernels(x), net.phase, net.chi_1, net.fisher(x)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from widelimit.numerics import arguments
from widelimit.theory import architecture as arch
from widelimit.theory.activation import Activation
from widelimit.theory.architecture import Architecture
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.network_layers import leaves, read, refuse_gains_of_positions, spatial_behind

if TYPE_CHECKING:
    from widelimit.numerics.architecture_phase import StackPhase
    from widelimit.numerics.fisher import JacobianBound, Statistics
    from widelimit.numerics.kernel import Kernels

NARROWEST = 0.25  # sum of 1/width over hidden layers above which the limit of infinite width says nothing


@dataclass(frozen=True)
class Network:
    """A torch module as theory sees it.

    `architecture`: its layers with the scales of its weights, declared or estimated from the weights as they are now;
    everything is computed with each layer's own. `sigma_w`, `sigma_b`: the scales pooled over hidden layers, readout
    left out, for a glance; `sigma_w_error` the relative standard error of an estimate (0 if declared). `widths`: units
    or channels of the hidden layers; `features`: of an input.
    """

    architecture: Architecture
    sigma_w: float
    sigma_b: float
    sigma_w_error: float
    widths: tuple[int, ...]
    features: int

    def kernels(self, x1: Any, x2: Any = None) -> Kernels:
        """NNGP and tangent kernel of the infinitely wide network on data (shapes as the module takes them)."""
        from widelimit.numerics.architecture import kernels

        return kernels(self.architecture, self._data("x1", x1), None if x2 is None else self._data("x2", x2))

    def _data(self, name: str, value: Any) -> np.ndarray:
        """Inputs as an array, checked against the module's first layer."""
        array = arguments.finite(name, value.detach().cpu().double() if hasattr(value, "detach") else value)
        first = self.architecture.layers[0]
        if array.ndim < 2:
            raise ArgumentError(name, "must hold one input a row", but=f"has shape {array.shape}")
        if isinstance(first, arch.Flatten):
            found = int(np.prod(array.shape[1:]))
        else:
            found = array.shape[-1 if isinstance(first, arch.Recurrent) else 1]
        if found != self.features:
            raise ArgumentError(
                name,
                f"must have the {self.features} features or channels that the module reads",
                but=f"has {found}",
            )
        return array

    @property
    def activation(self) -> Activation:
        """The one activation of the hidden layers; `DomainError` if there are several or none."""
        found = {layer.activation for layer in self.architecture.walk() if isinstance(layer, arch.Act)}
        if len(found) != 1:
            names = ", ".join(sorted(a.name for a in found)) or "none"
            raise DomainError(
                f"Phase and Fisher statistics are for networks with one activation; this one has: {names}."
            )
        return found.pop()

    @property
    def chi_1(self) -> np.ndarray:
        """chi_1 of each hidden layer: by how much it multiplies squared distances of near inputs and gradients.

        sigma_w^2 E phi'(u)^2 with the layer's own sigma_w and, where layers differ, at the variances that the stack of
        hidden layers keeps when it is repeated (see ``widelimit.numerics.architecture_phase``). `DomainError` for
        networks with other layers than dense or convolution, activation and dropout.
        """
        return self._phase().chi_1

    @property
    def phase(self) -> str:
        """ordered, critical, chaotic or unbounded: the mean-field phase of the hidden layers, readout excluded.

        Ordered if the geometric mean of `chi_1` is below 1, so that near inputs become alike in deep networks made of
        these layers, chaotic if it is above. Where scales are estimated, a mean within two standard errors of 1 (their
        error alone) is called critical: the weights cannot tell. "unbounded": the variances grow without end.
        """
        return self._phase().phase

    def _phase(self) -> StackPhase:
        from widelimit.numerics import meanfield
        from widelimit.numerics.architecture_phase import phase

        return phase(self.architecture, max(meanfield.CRITICAL, 2 * 2 * self.sigma_w_error))

    def fisher(self, x: Any, samples: int | None = None) -> Statistics:
        """Mean-field Fisher statistics on data like `x` (n, features); fully connected networks only."""
        from widelimit.numerics import fisher

        values, _ = self._fully_connected(x)
        sigma_w, sigma_b = self._scales
        moment, overlap = _overlaps(values)
        run = fisher.propagation(
            self.activation, sigma_w=sigma_w, sigma_b=sigma_b, input_moment=moment, input_overlap=overlap,
            widths=[float(values.shape[1]), *map(float, self.widths)],
        )  # fmt: skip
        return fisher.statistics(run, samples=samples or len(values), outputs=self._outputs)

    def fisher_bound(self, x: Any) -> JacobianBound:
        """Bounds of the largest Fisher eigenvalue, per layer and for the whole matrix (see `JacobianBound`)."""
        from widelimit.numerics import fisher

        values, depth = self._fully_connected(x)
        sigma_w, sigma_b = self._scales
        moment, overlap = _overlaps(values)
        return fisher.jacobian_bound(
            self.activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, samples=len(values),
            input_moment=moment, input_overlap=overlap, widths=[float(values.shape[1]), *map(float, self.widths)],
        )  # fmt: skip

    @property
    def _scales(self) -> tuple[list[float], list[float]]:
        """sigma_w and sigma_b of all dense layers, the readout last."""
        dense = [layer for layer in self.architecture if isinstance(layer, arch.Dense)]
        return [layer.sigma_w for layer in dense], [layer.sigma_b for layer in dense]

    @property
    def _outputs(self) -> int:
        last = self.architecture.layers[-1]
        return last.width or 1 if isinstance(last, arch.Dense) else 1

    def _fully_connected(self, x: Any) -> tuple[np.ndarray, int]:
        allowed = arch.Dense | arch.Act | arch.Flatten
        for layer in self.architecture:
            if not isinstance(layer, allowed):
                raise DomainError(
                    f"Fisher statistics are for fully connected networks; this one has {type(layer).__name__}."
                )
        values = self._data("x", x)
        return values.reshape(len(values), -1), sum(
            isinstance(layer, arch.Act) for layer in self.architecture
        )


def _overlaps(values: np.ndarray) -> tuple[float, float]:
    """Mean square of the components of an input, mean product of those of two."""
    gram = values @ values.T / values.shape[1]
    off = (gram.sum() - np.trace(gram)) / max(1, len(gram) * (len(gram) - 1))
    return float(np.trace(gram) / len(gram)), float(off)


def from_torch(module: nn.Module, *, sigma_w: float | None = None, sigma_b: float | None = None) -> Network:
    """Read a torch module, an ``nn.Sequential`` of layers that theory knows.

    `sigma_w`, `sigma_b`: the scales the weights were drawn with, for all layers (weights of variance sigma_w^2
    / fan-in);
    None estimates each layer's from its weights, which is right as long as the module is not trained yet.

    Raises `DomainError` naming the first layer that is not known, or the layer so narrow that the limit of infinite
    width says nothing about the network.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(10, 500), torch.nn.ReLU(), torch.nn.Linear(500, 1))
    >>> net = from_torch(model, sigma_w=2**0.5, sigma_b=0.0)
    >>> net.kernels(torch.eye(10)[:2]).ntk.round(6).tolist()
    [[0.4, 0.063662], [0.063662, 0.4]]
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", "must be a torch module", module)
    layers: list[arch.Layer] = []
    weights: list[tuple[int, float, float]] = []
    features = spatial = 0
    for name, layer in leaves(module, ""):
        one = read(name, layer, sigma_w, sigma_b, spatial)
        if one is not None:
            layers.append(one)
            spatial = spatial_behind(one, spatial)
            if isinstance(one, arch.Dense | arch.Convolution):
                weights.append((layer.weight.numel(), one.sigma_w, one.sigma_b))
                features = features or (
                    layer.in_features if isinstance(one, arch.Dense) else layer.in_channels
                )
            elif isinstance(one, arch.Recurrent):
                weights.append((layer.recurrent.weight_hh_l0.numel(), one.sigma_w, one.sigma_b))
                features = features or layer.recurrent.input_size
    if not weights:
        raise DomainError("The module has no dense or convolution layer: there is nothing random in it.")
    architecture = Architecture(tuple(layers))
    if architecture.pools:
        refuse_gains_of_positions(module)
    weighted = arch.Dense | arch.Convolution | arch.Recurrent
    widths = tuple(w.width for w in architecture.walk() if isinstance(w, weighted))[:-1]
    _wide_enough(module, widths)
    hidden = weights[:-1] or weights
    count = np.array([w[0] for w in hidden], float)
    share = count / count.sum()
    pooled_w = math.sqrt(float(share @ np.square([w[1] for w in hidden])))
    pooled_b = math.sqrt(float(np.mean(np.square([w[2] for w in hidden]))))
    error = 0.0 if sigma_w is not None else 1.0 / math.sqrt(2.0 * count.sum())
    return Network(architecture, pooled_w, pooled_b, error, tuple(int(w or 0) for w in widths), features)


def _wide_enough(module: nn.Module, widths: tuple[int | None, ...]) -> None:
    inverse = sum(1.0 / w for w in widths if w)
    if inverse > NARROWEST:
        narrowest = min(w for w in widths if w)
        raise DomainError(
            f"Argument `module` must be wide for its depth, but its hidden widths are {list(widths)}: the sum "
            f"of 1/width is "
            f"{inverse:.2g}, so that its kernels fluctuate by that order (the narrowest layer has {narrowest} units). "
            "Widen the layers until the sum is well below 1/4."
        )
