"""`implied_noise`: what a surrogate derivative of a user's own differentiates, by quadrature of the function itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, DomainError

Array = np.ndarray
Function = Callable[[torch.Tensor], torch.Tensor]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_FINE, _LEVELS = 1e-11, 40
_OUT, _IN = 60, 40  # octaves above and below 1 that are looked at
_ENDS = 1e-5  # what the last octaves may still hold of the integral


@by_value
@dataclass(frozen=True)
class ImpliedNoise:
    """`scale`: Z, the integral of the surrogate; `mean`, `variance` of noise of density s/Z (infinite: heavy tails).

    `negative`: what is below zero of it, as a share of the integral of its size; where that is not 0, s/Z is no density
    of any noise. `gradient_scale`: Z^depth. `places`, `probability`: P(u) of firing on a grid.
    """

    scale: float
    mean: float
    variance: float
    negative: float
    gradient_scale: float
    places: Array
    probability: Array

    def firing_probability(self, u: Any) -> Any:
        """Return P(u), the share of the integral below u, between the places by lines."""
        array = arguments.finite("u", u)
        return arguments.scalar(np.asarray(np.interp(array, self.places, self.probability)))


def implied_noise(surrogate: Function, *, depth: int = 1) -> ImpliedNoise:
    """Return the scale and the noise that a surrogate stands for.

    Args:
        surrogate: a torch function of the potential less the threshold: the surrogate derivative s(u) itself, or a
            spike function (a step in the forward pass) whose backward pass is s(u), as libraries make them.
        depth: layers of it, for `gradient_scale`.

    Raises `ArgumentError` for what is no such function, `DomainError` where it does not integrate (a straight-through
    estimator) or integrates to nothing.

    >>> found = implied_noise(lambda u: 1 / (1 + 25 * u.abs()) ** 2, depth=4)
    >>> round(found.scale, 6), round(found.gradient_scale, 9), found.variance
    (0.08, 4.096e-05, inf)
    """
    if not callable(surrogate):
        raise ArgumentError("surrogate", "must be a torch function of potentials", surrogate)
    layers = arguments.count("depth", depth, least=0)
    value = _reader(surrogate)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-_IN, _OUT + 1)])
    edges = np.concatenate([-edges[:0:-1], edges])
    starts, ends, parts = _panels(value, edges)
    areas = parts[0]
    scale, whole = math.fsum(areas), math.fsum(parts[3])
    size = np.maximum(np.abs(starts), np.abs(ends))
    if whole == 0.0:
        raise DomainError("The surrogate is 0 everywhere: it passes no gradient.")
    for shift in (0, 1):
        outer = parts[3][(size > 2.0 ** (_OUT - 1 - shift)) & (size <= 2.0 ** (_OUT - shift))].sum()
        if outer > _ENDS * whole / 2**20:
            raise DomainError(
                "The surrogate does not integrate: it goes on as far as can be seen. It is the derivative of no firing "
                "probability, and the gradients of layers have no scale of their own."
            )
    if abs(scale) < 1e-9 * whole:
        raise DomainError("The surrogate integrates to 0: it is the derivative of no firing probability.")
    far = size > 2.0 ** (_OUT - 30)
    second = parts[2]
    heavy = abs(second[far].sum()) > 1e-9 * abs(second.sum())
    mean = (
        math.fsum(parts[1]) / scale if abs(parts[1][far]).sum() < 1e-6 * abs(parts[1]).sum() + 1e-300 else 0.0
    )
    variance = math.inf if heavy else math.fsum(second) / scale - mean**2
    with np.errstate(over="ignore", under="ignore"):
        through = float(np.float64(scale) ** layers)
    if not math.isfinite(through):
        raise DomainError(
            f"A gradient scaled by {scale:g} in each of {layers} layers leaves the range of floats."
        )
    negative = (whole - scale) / (2 * whole)
    probability = np.concatenate([[0.0], np.cumsum(areas)]) / scale
    return ImpliedNoise(
        scale,
        mean,
        variance,
        negative if negative > 1e-9 else 0.0,
        through,
        np.append(starts, ends[-1]),
        probability,
    )


def _reader(surrogate: Function) -> Callable[[Array], Array]:
    """s(u) of an array: what the function returns, or its derivative where it returns steps."""

    def ask(places: Array) -> tuple[Array, Array | None]:
        u = torch.tensor(places, dtype=torch.float64, requires_grad=True)
        try:
            found = surrogate(u)
        except Exception as error:  # a user's function raises what it likes
            must = "must take a tensor of potentials"
            raise ArgumentError("surrogate", must, but=f"raised {type(error).__name__}: {error}") from None
        if not isinstance(found, torch.Tensor) or found.shape != u.shape:
            must = "must return a tensor like its argument"
            raise ArgumentError(
                "surrogate", must, found if not isinstance(found, torch.Tensor) else tuple(found.shape)
            )
        steps = bool(((found == 0) | (found == 1)).all()) and found.requires_grad
        slope = None
        if steps:
            (slope,) = torch.autograd.grad(found.sum(), u, allow_unused=True)
        return found.detach().double().numpy(), None if slope is None else slope.double().numpy()

    probe = np.concatenate([-(2.0 ** np.arange(-20.0, 11)), 2.0 ** np.arange(-20.0, 11)])
    direct, slopes = ask(probe)
    fires = slopes is not None and direct[:31].max() == 0 and direct[31:].min() == 1

    def value(places: Array) -> Array:
        flat = places.reshape(-1)
        found, by_slope = ask(flat)
        chosen = by_slope if fires and by_slope is not None else found
        if not np.isfinite(chosen).all():
            where = float(flat[~np.isfinite(chosen)][0])
            raise ArgumentError("surrogate", "must be finite", but=f"is not at {where:g}")
        return chosen.reshape(places.shape)

    return value


def _panels(value: Callable[[Array], Array], edges: Array) -> tuple[Array, Array, Array]:
    """Integrals of s, u s, u^2 s and |s| over panels that are halved until they are settled; their ends."""
    starts, ends = edges[:-1], edges[1:]
    done: list[tuple[Array, Array, Array]] = []
    now = _integrals(value, starts, ends)
    whole = now[3].sum()
    for level in range(_LEVELS):
        middle = 0.5 * (starts + ends)
        left, right = _integrals(value, starts, middle), _integrals(value, middle, ends)
        both = left + right
        good = (np.abs(both[[0, 3]] - now[[0, 3]]) <= _FINE * whole / 16).all(0) | (level == _LEVELS - 1)
        spread = np.abs(both[2] - now[2]) <= 1e-9 * np.abs(now[2]).sum() + 1e-300
        good &= spread | (level > 8)
        done.append((starts[good], ends[good], both[:, good]))
        starts, middle, ends = starts[~good], middle[~good], ends[~good]
        if not starts.size:
            break
        now = np.concatenate([left[:, ~good], right[:, ~good]], 1)
        starts, ends = np.concatenate([starts, middle]), np.concatenate([middle, ends])
    starts, ends = (np.concatenate([one[k] for one in done]) for k in (0, 1))
    parts = np.concatenate([one[2] for one in done], 1)
    order = np.argsort(starts)
    return starts[order], ends[order], parts[:, order]


def _integrals(value: Callable[[Array], Array], starts: Array, ends: Array) -> Array:
    half = 0.5 * (ends - starts)
    u = starts[:, None] + half[:, None] * (1 + _NODES)
    s = value(u)
    weighted = half[:, None] * _WEIGHTS * s
    return np.array(
        [weighted.sum(1), (weighted * u).sum(1), (weighted * u * u).sum(1), np.abs(weighted).sum(1)]
    )
