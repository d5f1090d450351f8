"""`SuperSpike`: spiking networks of one and two layers that learn target spike trains by a local rule.

The rule (zenke2018superspike) moves a weight by the integral of an error signal times alpha * [sigma'(U_i) (epsilon *
S_j)]. Output neurons have errors e_k = alpha * (target - S_k); hidden ones sum_k B_hk e_k, with feedback B that is
symmetric (the weights of the outputs), random, or uniform (all ones). Nothing is differentiated.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from widelimit.numerics import arguments
from widelimit.theory.errors import ArgumentError
from widelimit.validate.spiking.neurons import Kernel, Neurons, filtered, fire, surrogate

FEEDBACK = ("symmetric", "random", "uniform")
_FADING = 0.995  # of the largest square, an update


class SuperSpike(torch.nn.Module):
    """A network of integrate-and-fire neurons that learns by SuperSpike's rule; one layer, or one hidden layer.

    >>> network = SuperSpike([20, 1], seed=1)
    >>> spikes = (torch.rand(1, 200, 20, generator=torch.Generator().manual_seed(0)) < 0.01).double()
    >>> target = torch.zeros(1, 200, 1, dtype=torch.float64)
    >>> target[0, [60, 140]] = 1.0
    >>> history = network.fit(spikes, target, updates=150, rate=1.0)
    >>> float(history[-10:].mean()) < float(history[0])
    True

    Args:
        widths: inputs, hidden units if any, outputs.
        feedback: of the hidden units: "symmetric", "random" (N(0, 1), fixed) or "uniform".
        kernel: of synapses and errors.
        threshold: of all neurons.
        slope: of the surrogate.
        scale: of first weights.
        seed: of weights and random feedback.

    Raises `ArgumentError` for other numbers of layers or other feedback.
    """

    def __init__(
        self,
        widths: Any,
        *,
        feedback: str = "symmetric",
        kernel: Kernel | None = None,
        threshold: float = 1.0,
        slope: float = 10.0,
        scale: float = 3.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = list(widths) if isinstance(widths, list | tuple) else []
        if len(sizes) not in (2, 3) or not all(isinstance(n, int) and n > 0 for n in sizes):
            raise ArgumentError("widths", "must be two or three numbers of units", widths)
        if feedback not in FEEDBACK:
            raise ArgumentError("feedback", f"must be one of {', '.join(FEEDBACK)}", feedback)
        generator = torch.Generator().manual_seed(seed)
        self.kernel = Kernel() if kernel is None else kernel
        self.feedback = feedback
        self.layers = torch.nn.ModuleList(
            Neurons(
                inputs,
                units,
                kernel=self.kernel,
                threshold=threshold,
                slope=slope,
                scale=scale,
                generator=generator,
            )
            for inputs, units in itertools.pairwise(sizes)
        )
        self.backward_weight: Tensor | None = None
        if len(sizes) == 3:
            drawn = torch.randn((sizes[1], sizes[2]), generator=generator, dtype=torch.float64)
            self.backward_weight = torch.ones_like(drawn) if feedback == "uniform" else drawn

    def forward(self, spikes: Tensor) -> Tensor:
        """Return the outputs' spikes for those of the inputs, (batch, time, units)."""
        for layer in self.layers:
            spikes, _ = layer(spikes)
        return spikes

    @torch.no_grad()
    def update(self, spikes: Tensor, target: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the rule's change of every layer's weights (before a rate) and the loss of each pattern, in seconds.

        Args:
            spikes: of the inputs, (batch, time, inputs).
            target: spikes wanted of the outputs, (batch, time, outputs).

        Raises `ArgumentError` for other shapes.
        """
        self._checked(spikes, target)
        return changes(
            self.weights, self._back, filtered(spikes, self.kernel), filtered(target, self.kernel), self._like
        )

    @property
    def weights(self) -> list[Tensor]:
        """The weights of every layer, (units, inputs), from the inputs on."""
        return [one.weight for one in self.layers if isinstance(one, Neurons)]

    @property
    def _like(self) -> Neurons:
        first = self.layers[0]
        assert isinstance(first, Neurons)
        return first

    @property
    def _back(self) -> Tensor | None:
        return self.backward_weight if self.feedback != "symmetric" else None

    @torch.no_grad()
    def fit(self, spikes: Tensor, target: Tensor, *, updates: int = 200, rate: float = 1.0) -> Tensor:
        """Train by the rule (`learnt`); the losses before every update come back, summed over patterns.

        Args:
            spikes: of the inputs, (batch, time, inputs).
            target: spikes wanted of the outputs.
            updates: number of them.
            rate: of learning: the largest steps are 0.01 of it.
        """
        self._checked(spikes, target)
        arguments.count("updates", updates), arguments.positive_number("rate", rate)
        traces, wanted = filtered(spikes, self.kernel), filtered(target, self.kernel)
        return learnt(self.weights, self._back, traces, wanted, self._like, updates, rate).sum(1)

    def _checked(self, spikes: Tensor, target: Tensor) -> None:
        inputs, outputs = self.weights[0].shape[1], self.weights[-1].shape[0]
        for name, value, units in (("spikes", spikes, inputs), ("target", target, outputs)):
            if not isinstance(value, Tensor) or value.dim() != 3 or value.shape[2] != units:
                but = f"has shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"is {value!r:.60}"
                raise ArgumentError(name, f"must be a tensor of shape (batch, time, {units})", but=but)
            if not bool(torch.isfinite(value).all()):
                raise ArgumentError(name, "must be finite numbers", but="holds NaN or infinity")
        if spikes.shape[:2] != target.shape[:2]:
            must = f"must have the batch and time {tuple(spikes.shape[:2])} of the spikes"
            raise ArgumentError("target", must, but=f"has {tuple(target.shape[:2])}")


def changes(
    weights: Sequence[Tensor], back: Tensor | None, inputs: Tensor, target: Tensor, like: Neurons
) -> tuple[list[Tensor], Tensor]:
    """Return the rule's change of every layer's weights, and the loss of each pattern, in seconds.

    Args:
        weights: of one or two layers, (units, inputs), or (batch, units, inputs): networks of their own, one a pattern.
        back: feedback (hidden units, outputs), None for the weights of the outputs.
        inputs: filtered spikes of the inputs, (batch, time, inputs).
        target: filtered spikes that are wanted of the outputs.
        like: neurons whose kernel, threshold and surrogate all layers have.
    """
    kernel, traces, above, here = like.kernel, [inputs], [], inputs
    for place, weight in enumerate(weights):
        fired, u = fire(traces[-1] @ weight.mT, kernel, like.threshold, like.slope)
        above.append(surrogate(u, like.slope))
        here = filtered(fired, kernel)
        if place + 1 < len(weights):
            traces.append(here)
    errors = [target - here]
    if len(weights) == 2:
        errors.insert(0, errors[0] @ (weights[1] if back is None else back.mT))
    found = [
        three_factors(error, slopes, trace, kernel, each=weight.dim() == 3)
        for error, slopes, trace, weight in zip(errors, above, traces, weights, strict=True)
    ]
    return found, errors[-1].square().sum((1, 2)) * kernel.step / 2


def learnt(
    weights: Sequence[Tensor],
    back: Tensor | None,
    inputs: Tensor,
    target: Tensor,
    like: Neurons,
    updates: int,
    rate: float,
) -> Tensor:
    """Train weights in place; return the losses before every update, (updates, batch).

    Every weight's step is its change over the root of a maximum of its squares that fades (zenke2018superspike), times
    a rate that falls to a tenth along the way.
    """
    squares = [torch.full_like(weight, 1e-24) for weight in weights]
    history = []
    with torch.no_grad():
        for step in range(updates):
            found, loss = changes(weights, back, inputs, target, like)
            history.append(loss)
            now = 0.01 * rate * 0.1 ** (step / updates)
            for weight, change, square in zip(weights, found, squares, strict=True):
                torch.maximum(_FADING * square, change.square(), out=square)
                weight += now * change / square.sqrt()
    return torch.stack(history)


def three_factors(
    error: Tensor, slopes: Tensor, traces: Tensor, kernel: Kernel, *, each: bool = False
) -> Tensor:
    """Return sum_t e_i(t) (alpha * [sigma'(U_i) (epsilon * S_j)])(t) dt, (units, inputs), of all patterns or `each`.

    The filter is moved onto the error: sum_t e (alpha * x) = sum_t (alpha * e backwards in time) x, which needs no
    trace for each synapse.
    """
    back = filtered(error.flip(1), kernel).flip(1)
    found = (back * slopes).mT @ traces * kernel.step
    return found if each else found.sum(0)
