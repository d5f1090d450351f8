"""What theory says about a module that was read: kernels on data, phase, Fisher statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.theory import architecture as arch
from widelimit.theory.architecture import Architecture
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.validate.network.weights import Scale

if TYPE_CHECKING:
    from widelimit.numerics.architecture import BlockPhase
    from widelimit.numerics.architecture.phase import StackPhase
    from widelimit.numerics.fisher import JacobianBound, Statistics
    from widelimit.numerics.kernel import Kernels


@pictured
@dataclass(frozen=True)
class Network:
    """A torch module as theory sees it.

    `architecture`: its layers with the scales of its weights, declared or estimated from the weights as they are now;
    everything is computed with each layer's own. `sigma_w`, `sigma_b`: the scales pooled over hidden layers, readout
    left out, for a glance; `sigma_w_error` the relative standard error of an estimate (0 if declared). `scales`: of
    each weighted layer, with standard errors. `widths`: units or channels of the hidden layers; `features`: of an
    input; `positions`: how many it must have, None for any number. `notes`: what to know about the weights, a sentence
    each: scales read off too few numbers, declared ones that the weights do not have, weights taken "as if random".
    `units_last`: whether features are the last axis of inputs (tokens), not the second (images). `block`: the last of
    its repeated parts, of a module that was read on an example; see `block_phase`.
    """

    architecture: Architecture
    sigma_w: float
    sigma_b: float
    sigma_w_error: float
    widths: tuple[int, ...]
    features: int
    positions: int | None = None
    scales: tuple[Scale, ...] = ()
    notes: tuple[str, ...] = ()
    units_last: bool = False
    block: Architecture | None = None

    def kernels(self, x1: Any, x2: Any = None) -> Kernels:
        """NNGP and tangent kernel of the infinitely wide network on data (shapes as the module takes them)."""
        from widelimit.numerics.architecture import kernels

        return kernels(self.architecture, self._data("x1", x1), None if x2 is None else self._data("x2", x2))

    def _data(self, name: str, value: Any) -> np.ndarray:
        """Inputs as an array, checked against what the module reads."""
        array = arguments.finite(name, _plain(name, value))
        if self.units_last and array.ndim > 2:
            array = np.moveaxis(array, -1, 1)
        first = self.architecture.layers[0]
        if array.ndim < 2 or len(array) == 0:
            raise ArgumentError(name, "must hold one input a row", but=f"has shape {array.shape}")
        if isinstance(first, arch.Dense) and array.ndim != 2:
            raise ArgumentError(name, "must have the shape (n, features)", but=f"has shape {array.shape}")
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
        positions = math.prod(array.shape[2:])
        if self.positions is not None and array.ndim > 2 and positions != self.positions:
            raise ArgumentError(
                name,
                f"must have the {self.positions} positions that the module reads",
                but=f"has {positions}",
            )
        return array

    @property
    def activation(self) -> Activation:
        """The one activation of all layers; `DomainError` if there are several or none."""
        found = {layer.activation for layer in self.architecture.walk() if isinstance(layer, arch.Act)}
        if len(found) != 1:
            names = ", ".join(sorted(a.name for a in found)) or "none"
            raise DomainError(f"There is no one activation of all layers; this network has: {names}.")
        return found.pop()

    @property
    def chi_1(self) -> np.ndarray:
        """chi_1 of each hidden layer: by how much it multiplies squared distances of near inputs and gradients.

        sigma_w^2 E phi'(u)^2 with the layer's own sigma_w and, where layers differ, at the variances that the stack of
        hidden layers keeps when it is repeated (see ``widelimit.numerics.architecture.phase``). With dropout, in a
        module in training mode, it is sigma_w^2 E phi'(u)^2 / keep, schoenholz2017deep's factor of squared gradients;
        squared distances grow by it only between inputs that meet the same mask. Inputs with masks of their own, as
        torch draws them, never become alike, whatever chi_1 is: ``numerics.meanfield.solve(..., keep=)`` has their
        correlation c_star and its scale xi_c. Behind ``eval()`` dropout is off and plays no part.

        An activation behind the last weighted layer makes that a hidden layer. `DomainError` for networks with other
        layers than dense or convolution, activation and dropout.
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

    def block_phase(self, q: float = 1.0) -> BlockPhase:
        """Depth scale, power and phase of its repeated block, with the shortcuts and normalisations in it.

        See ``widelimit.numerics.architecture.repeated``; `q`: mean square of the units in front of it. `DomainError`
        for networks without a repeated part, and for modules that were read without an example.
        """
        from widelimit.numerics.architecture import repeated

        if self.block is None:
            raise DomainError(
                "The network has no repeated block that was read: pass `example` to from_torch, a module with parts "
                "of one class that give as many units as they read."
            )
        return repeated(self.block, q)

    def _phase(self) -> StackPhase:
        from widelimit.numerics import meanfield
        from widelimit.numerics.architecture.phase import phase

        return phase(self.architecture, max(meanfield.CRITICAL, 2 * 2 * self.sigma_w_error))

    def fisher(self, x: Any, samples: int | None = None) -> Statistics:
        """Mean-field Fisher statistics on data like `x` (n, features); see ``numerics.fisher.Statistics``.

        For fully connected networks with hidden layers, each with its own activation or none, and a linear readout.
        Other networks are a `DomainError`, frozen weights too: the statistics are those of the weights of all layers.
        """
        from widelimit.numerics import fisher

        values, activations = self._fully_connected(x)
        samples = len(values) if samples is None else arguments.count("samples", samples)
        sigma_w, sigma_b = self._scales
        moment, overlap = _overlaps(values, samples)
        run = fisher.propagation(
            activations, sigma_w=sigma_w, sigma_b=sigma_b, input_moment=moment, input_overlap=overlap,
            widths=[float(values.shape[1]), *map(float, self.widths)],
        )  # fmt: skip
        return fisher.statistics(run, samples=samples, outputs=self._outputs)

    def fisher_bound(self, x: Any) -> JacobianBound:
        """Bounds of the largest Fisher eigenvalue, per layer and for the whole matrix (see `JacobianBound`).

        For the networks that `fisher` is for.
        """
        from widelimit.numerics import fisher

        values, activations = self._fully_connected(x)
        sigma_w, sigma_b = self._scales
        moment, overlap = _overlaps(values, len(values))
        trained = any(isinstance(layer, arch.Dense) and layer.trained_b for layer in self.architecture)
        return fisher.jacobian_bound(
            activations, sigma_w=sigma_w, sigma_b=sigma_b, depth=len(activations), samples=len(values),
            outputs=self._outputs, biases=trained,
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

    def _fully_connected(self, x: Any) -> tuple[np.ndarray, list[str | Activation]]:
        """Inputs as (n, features), and the activation of each hidden layer, "linear" where none stands."""
        activations: list[str | Activation] = []
        previous: arch.Layer | None = None
        for layer in self.architecture:
            if isinstance(layer, arch.Flatten):
                continue
            if not isinstance(layer, arch.Dense | arch.Act):
                raise _no_fisher(f"fully connected networks; this one has {type(layer).__name__}")
            if isinstance(layer, arch.Dense) and not layer.trained_w:
                raise _no_fisher("networks whose weights are all trained; here some are frozen")
            if isinstance(layer, arch.Act) and not isinstance(previous, arch.Dense):
                where = "the inputs" if previous is None else "an activation"
                raise _no_fisher(
                    f"activations behind a dense layer; {layer.activation.name} stands behind {where}"
                )
            if isinstance(layer, arch.Dense) and isinstance(previous, arch.Dense):
                activations.append("linear")
            elif isinstance(layer, arch.Act):
                activations.append(layer.activation)
            previous = layer
        if not activations:
            raise _no_fisher("networks with a hidden layer; this one has none")
        if isinstance(previous, arch.Act):
            raise _no_fisher(
                f"a linear readout; {previous.activation.name} stands behind the last layer. Leave it out"
            )
        values = self._data("x", x)
        return values.reshape(len(values), -1), activations


def _no_fisher(why: str) -> DomainError:
    return DomainError(f"Fisher statistics are for {why}.")


def _plain(name: str, value: Any) -> Any:
    """A tensor as a real array on the CPU; what is no tensor as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_complex() or value.dtype == torch.bool or value.is_quantized:
        raise ArgumentError(name, "must hold real numbers", but=f"holds {value.dtype}")
    if value.is_meta or value.layout is not torch.strided:
        kept = "no numbers (meta device)" if value.is_meta else f"them as {value.layout}"
        raise ArgumentError(name, "must be a dense tensor with numbers", but=f"holds {kept}")
    return value.detach().to(device="cpu", dtype=torch.float64).numpy()


def _overlaps(values: np.ndarray, samples: int) -> tuple[float, float]:
    """Mean square of the components of an input, mean product of those of two, as `samples` inputs can have it."""
    gram = values @ values.T / values.shape[1]
    moment = float(np.trace(gram) / len(gram))
    if moment == 0:
        raise ArgumentError("x", "must not be zero", but="holds zeros alone")
    off = (gram.sum() - np.trace(gram)) / max(1, len(gram) * (len(gram) - 1))
    return moment, float(np.clip(off, -moment / max(1, samples - 1), moment))
