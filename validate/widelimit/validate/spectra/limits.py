"""The limit of infinite width beside the Jacobian and the Hessian of a finite module: dense layers in a row.

stages_of      a network that was read as dense layers with what stands behind each
moments_of     mean squares of inputs, a few for many
LimitLaw       the law of squared singular values of all inputs together
limit_law      that of a Jacobian
jacobian_limit   eigenvalues that the limit's law puts where the module has its own
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from widelimit.numerics import arguments
from widelimit.numerics.freeprob.spectral import SpectralLaw
from widelimit.numerics.results import by_value
from widelimit.numerics.spectra.stacks import DenseStage, jacobian_law
from widelimit.theory import architecture as arch
from widelimit.theory.errors import DomainError

if TYPE_CHECKING:
    from widelimit.validate.network.result import Network

Array = np.ndarray
MOST_LAWS = 16
_SAME = 1e-9  # relative difference of mean squares that are one
_ORTHOGONAL = 1e-3  # cosine between rows of an orthogonal matrix in single precision


def stages_of(what: str, network: Network, model: nn.Module) -> tuple[DenseStage, ...]:
    """Return the layers of a network of dense ones, behind one another.

    Raises `DomainError` that names `what` for other layers, for an activation of inputs or of activations.
    """
    stages: list[DenseStage] = []
    fan_in = network.features
    names, modules = [one.layer for one in network.scales], dict(model.named_modules())
    behind = ""  # what the next activation would stand behind
    for layer in network.architecture:
        if isinstance(layer, arch.Dense):
            read = modules.get(
                names[len(stages)], model
            )  # a module that is a layer has the name of its class
            width = int(layer.width or 0)
            stages.append(
                DenseStage(
                    layer.sigma_w, layer.sigma_b, fan_in, width, None, _rotates(getattr(read, "weight", None)),
                    layer.trained_w, layer.trained_b and getattr(read, "bias", None) is not None,
                )
            )  # fmt: skip
            fan_in, behind = width, "weights"
        elif isinstance(layer, arch.Act) and behind == "weights":
            last = stages[-1]
            stages[-1] = DenseStage(
                last.sigma_w, last.sigma_b, last.fan_in, last.fan_out, layer.activation, last.orthogonal,
                last.weights, last.biases,
            )  # fmt: skip
            behind = layer.activation.name
        elif not isinstance(layer, arch.Flatten):
            kind = type(layer).__name__
            place = f"an activation behind {behind or 'the inputs'}" if isinstance(layer, arch.Act) else kind
            raise DomainError(
                f"No limit of the {what} is known here for networks with {place}: it is for dense layers in a row, "
                "each with an activation or none."
            )
    return tuple(stages)


def _rotates(weight: torch.Tensor | None) -> bool:
    """Whether rows, or columns where those are fewer, are orthogonal and of one length."""
    if weight is None or weight.dim() != 2 or min(weight.shape) < 2:
        return False
    short = weight if weight.shape[0] <= weight.shape[1] else weight.T
    gram = (short @ short.T).detach().double()
    size = gram.diagonal().mean()
    return bool(size > 0 and ((gram / size - torch.eye(len(gram))).abs() < _ORTHOGONAL).all())


def moments_of(inputs: torch.Tensor) -> Array:
    """Return the mean square of the components of each input, of more than 16 different ones group means.

    Groups are of equal size in order of the mean square; a law depends smoothly on it.
    """
    each = (inputs.flatten(1) ** 2).mean(1).numpy()
    order = np.argsort(each, kind="stable")
    kept = np.empty_like(each)
    starts = np.flatnonzero(np.diff(each[order], prepend=-1.0) > _SAME * each[order])
    groups = (
        np.split(order, starts[1:])
        if starts.size <= MOST_LAWS
        else np.array_split(order, min(MOST_LAWS, order.size))
    )
    for group in groups:
        kept[group] = each[group].mean()
    return kept


@by_value
@dataclass(frozen=True)
class LimitLaw:
    """The law of squared singular values of Jacobians of several inputs: a mixture of those of one input.

    `laws`: of eigenvalues of J'J, one for each mean square of inputs, with the `shares` of inputs that have it.
    `zeros`: the share of eigenvalues of J'J that no singular value stands for, as J has fewer rows than columns.
    """

    laws: tuple[SpectralLaw, ...]
    shares: tuple[float, ...]
    zeros: float

    def density(self, x: Any) -> Any:
        """Density of the continuous part."""
        return self._mixed([law.density(x) for law in self.laws]) / (1 - self.zeros)

    def cdf(self, x: Any) -> Any:
        """P(lambda <= x), atoms included."""
        at = arguments.real("x", x, infinite=True)
        found = (self._mixed([law.cdf(at) for law in self.laws]) - self.zeros) / (1 - self.zeros)
        return arguments.scalar(np.where(at < 0, 0.0, np.maximum(found, 0.0)))

    @property
    def atoms(self) -> tuple[tuple[float, float], ...]:
        """Pairs (location, mass), in order."""
        masses: dict[float, float] = {0.0: -self.zeros}
        for law, share in zip(self.laws, self.shares, strict=True):
            for place, mass in law.atoms:
                masses[place] = masses.get(place, 0.0) + share * mass
        return tuple(
            (place, mass / (1 - self.zeros)) for place, mass in sorted(masses.items()) if mass > _SAME
        )

    @property
    def edges(self) -> tuple[float, float]:
        """Ends of the continuous part, or of the atoms where there is none."""
        ends = [end for law in self.laws for interval in law.support for end in interval]
        ends = ends or [place for place, _ in self.atoms]
        return min(ends), max(ends)

    @property
    def mean(self) -> float:
        """Mean of the law, exactly."""
        return float(self._mixed([law.mean for law in self.laws]) / (1 - self.zeros))

    def _mixed(self, parts: Sequence[Any]) -> Any:
        return sum(share * np.asarray(part) for share, part in zip(self.shares, parts, strict=True))


def limit_law(stages: Sequence[DenseStage], moments: Array, outputs: int) -> LimitLaw:
    """Return the limit's law of squared singular values at inputs of these mean squares.

    >>> stages = [DenseStage(1.0, 0.0, 100, 50), DenseStage(1.0, 0.0, 50, 50)]
    >>> law = limit_law(stages, np.ones(2), 50)
    >>> round(law.mean, 9), law.atoms, round(float(law.cdf(law.edges[1])), 9)
    (1.0, (), 1.0)
    """
    values, counts = np.unique(moments, return_counts=True)
    laws = tuple(jacobian_law(stages, float(moment)) for moment in values)
    zeros = max(0.0, 1 - outputs / stages[0].fan_in)
    return LimitLaw(laws, tuple(float(v) for v in counts / len(moments)), zeros)


def jacobian_limit(
    stages: Sequence[DenseStage], moments: Array, outputs: int, law: LimitLaw | None = None
) -> tuple[Array, float, float]:
    """Return the eigenvalues of J'J that the limit puts in the places of the module's own, their mean, the upper edge.

    For each input the quantiles of its law at the middles of as many equal shares as J has singular values, all inputs
    together in decreasing order. mean: of the law, exactly. law: of `limit_law`, where it is known.
    """
    law = law or limit_law(stages, moments, outputs)
    size = stages[0].fan_in
    chances = 1 - (np.arange(min(size, outputs)) + 0.5) / size
    times = np.unique(moments, return_counts=True)[1]
    values = [
        np.repeat(np.asarray(one.quantile(chances)), many)
        for one, many in zip(law.laws, times.tolist(), strict=True)
    ]
    return np.sort(np.concatenate(values))[::-1], law.mean, max(one.largest for one in law.laws)
