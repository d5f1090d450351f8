"""Rules of normalisations: by many units (LayerNorm, RMSNorm, GroupNorm), by the batch, by kept statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from widelimit.validate.network.graph.programs import Step
from widelimit.validate.network.graph.states import Measured, Samples, State, side_by_side
from widelimit.validate.network.graph.tensors import mean_square
from widelimit.validate.network.graph.views import state_of
from widelimit.validate.network.graph.walking import (
    Divided,
    Done,
    Parameter,
    Pull,
    Scaled,
    Walk,
    key,
    rule,
)

FEWEST = 8  # units of a group whose statistics are taken for those of many
RANDOM = 0.02  # relative variance of the batch's variance above which units are sampled
_HEAVY = 0.5  # the same, above which few units with small variances have most of the gradients
_TAILS = 2.0  # relative variance of one over the batch's variance that this is for Gaussian units, by samples


@rule("layer_norm", "rms_norm")
def _by_units(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    centred = step.op == "layer_norm"
    given = (*args[2:], *(None,) * 5)
    weight, bias, eps = (given[0], given[1], given[2]) if centred else (given[0], None, given[1])
    eps = (
        1e-5
        if eps is None and centred
        else float(torch.finfo(torch.float32).eps)
        if eps is None
        else float(eps)
    )
    dims = list(range(len(state.axes) - len(args[1]), len(state.axes)))
    return gained(step, _divided(step, state, dims, centred, eps), weight, bias)


@rule("group_norm")
def _by_groups(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = state_of(args[0], step.op)
    given = (*args[2:], *(None, None, 1e-5)[len(args) - 2 :])
    size = state.width // args[1]
    if size < FEWEST:
        raise Measured(f"{size} channels a group, whose statistics stay random")
    if args[1] > 1 and key(step, 0) in walk.beside:
        return gained(step, _parts_by_groups(walk, step, size, float(given[2])), given[0], given[1])
    done = _divided(step, state, list(range(1, len(state.axes))), True, float(given[2]))
    return gained(step, done, given[0], given[1])


def _parts_by_groups(walk: Walk, step: Step, size: int, eps: float) -> Done:
    """Groups of units of several laws, side by side, each of one of them."""
    parts = walk.beside[key(step, 0)]
    if any(one.value.width % size for one in parts):
        raise Measured("groups of units of several laws")
    found = tuple(_divided(step, one.value, list(range(1, len(one.value.axes))), True, eps) for one in parts)
    walk.beside[step.key] = found
    whole = side_by_side(step.key, [one.value for one in found], 1)
    return Done(whole, found[-1].pulls, f"divided by the deviation of many units, each of {len(parts)} parts")


def _divided(step: Step, state: State, dims: list[int], centred: bool, eps: float) -> Done:
    """Divide by the deviation over all units (and the positions in `dims`)."""
    if any(a.kind == "u" for d, axis in enumerate(state.axes) if d not in dims for a in axis):
        raise Measured("a normalisation by some of the units, or over positions")
    sizes = [math.prod(a.size for a in axis if a.kind == "p") for axis in state.axes]
    inner = tuple(d for d in dims if sizes[d] > 1)
    if state.width < 2:
        raise Measured("a normalisation of a single unit")

    def over(values: np.ndarray) -> np.ndarray:
        laid = values.reshape(sizes)
        return np.broadcast_to(laid.mean(axis=inner, keepdims=True), sizes).ravel() if inner else values

    square, mu = over(np.diagonal(state.gram)), over(state.mean) if centred else np.zeros(state.positions)
    gram = state.gram - np.outer(mu, state.mean) - np.outer(state.mean, mu) + np.outer(mu, mu)
    scatter = state.scatter if centred else None
    if scatter is not None:
        if inner:
            raise Measured("unit means that are random, over positions")
        gram = gram - scatter
        square = square - np.diagonal(scatter)
    deviation = np.sqrt(np.maximum(square - mu**2, 0.0) + eps)
    if not (deviation > 0).all():
        raise Measured("units that are all equal are divided by their deviation, which is zero")
    by = np.outer(1 / deviation, 1 / deviation)
    before = state.draw
    new = replace(
        state, gram=gram * by, mean=(state.mean - mu) / deviation, function=None,
        scatter=None if centred or state.scatter is None else state.scatter * by,
        draw=None if before is None or scatter is not None else (lambda samples: (before(samples) - mu) / deviation),
    )  # fmt: skip
    return Done(new, ((key(step, 0), Divided(deviation)),), "divided by the deviation of many units")


def gained(step: Step, done: Done, weight: Any, bias: Any) -> Done:
    """Times gains and plus shifts of units, by their mean squares."""
    square, offset, mean, shift = (
        _square(weight, 1.0),
        _square(bias, 0.0),
        _mean(weight, 1.0),
        _mean(bias, 0.0),
    )
    if square == 1 and offset == 0:
        return done
    state: State = done.value
    spread = abs(square - mean**2) > 1e-9 * square or offset > 0
    before = state.draw
    crossed = mean * shift * (state.mean[:, None] + state.mean[None, :])
    new = replace(
        state, gram=square * state.gram + offset + crossed, mean=mean * state.mean + shift,
        gaussian=state.gaussian and not spread,
        draw=None if spread or before is None else (lambda samples: mean * before(samples)),
    )  # fmt: skip
    (name, pull), *_ = done.pulls
    each, factor = done.each, math.sqrt(square)
    back: Pull
    if isinstance(pull, Scaled):
        back = Scaled(square * pull.factor)
    elif isinstance(pull, Divided) and factor > 0:
        back = Divided(pull.by / factor)
    else:
        back = lambda g: pull(square * g)  # noqa: E731
    single = None if each is None else (lambda g: factor * each(g))
    return replace(done, value=new, pulls=((name, back),), each=single)


def _square(value: Any, default: float) -> float:
    if value is None:
        return default
    return value.square if isinstance(value, Parameter) else mean_square(value)


def _mean(value: Any, default: float) -> float:
    if value is None:
        return default
    return 0.0 if isinstance(value, Parameter) else float(value.double().mean())


@rule("batch_norm")
def _by_batch(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state, weight, bias, mean, variance, training, _, eps = args[:8]
    state = state_of(state, step.op)
    inside = [{a.kind for a in axis if a.size > 1} for axis in state.axes]
    if "p" in inside[1] or any("u" in one for place, one in enumerate(inside) if place != 1):
        raise Measured("channels of a batch normalisation that are no units")
    if not training and mean is not None:
        return gained(step, _kept(step, state, mean, variance, float(eps)), weight, bias)
    if state.positions < 2:
        raise Measured("a batch of one")
    own = key(step, 0) in walk.done and walk.done[key(step, 0)].own
    return gained(step, _batch(step, state, float(eps), own), weight, bias)


def _kept(step: Step, state: State, mean: torch.Tensor, variance: torch.Tensor, eps: float) -> Done:
    """Statistics that were kept: fixed numbers of units."""
    scale = (1 / (variance.double() + eps).sqrt()).numpy()
    shift = (-mean.double().numpy()) * scale
    square = float(np.mean(scale**2))
    flat = float(np.ptp(scale)) == 0 and not shift.any()
    before, factor = state.draw, float(scale[0])
    new = replace(
        state, gram=square * state.gram + float(np.mean(shift**2)),
        mean=float(scale.mean()) * state.mean + float(shift.mean()), gaussian=state.gaussian and flat, function=None,
        draw=(lambda samples: factor * before(samples)) if flat and before is not None else None,
    )  # fmt: skip
    return Done(new, ((key(step, 0), Scaled(square)),), "statistics that were kept (evaluation mode)")


def _batch(step: Step, state: State, eps: float, own: bool) -> Done:
    """Statistics of the batch: a unit is centred and divided by its own deviation over inputs and positions.

    `own`: of units with weights of their own.
    """
    count = state.positions
    gram = state.gram
    row = gram.mean(axis=1)
    about = gram - row[:, None] - row[None, :] + row.mean()
    trace = float(np.trace(about))
    if trace <= 0:
        raise Measured("a batch of equal inputs, whose deviation is zero")
    before = state.draw

    def divided(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Units over their deviation, and one over its square; drawn anew each time, as all of them fill memory."""
        assert before is not None
        values = before(samples)
        values = values - values.mean(axis=1, keepdims=True)
        square = np.mean(values**2, axis=1, keepdims=True) + eps
        return values / np.sqrt(square), 1 / square

    scatter = 2 * float(np.sum(about**2)) / trace**2
    variance = trace / count + eps
    pull, each = _through_batch(about / variance, 1 / variance), None
    heavy = state.gaussian and scatter > _HEAVY
    if state.gaussian and scatter < RANDOM:
        out, normal, why = about / variance, True, "by the batch, whose variance is sharp"
    elif before is not None:

        def known() -> tuple[np.ndarray, np.ndarray]:
            return divided(Samples(count))  # samples that nobody keeps

        values, inverse = known()
        heavy = heavy or float(inverse.var()) > _TAILS * float(inverse.mean()) ** 2
        out, normal, why = values.T @ values / len(values), False, "by the batch, sampled units"
        each = _through_samples(known)
    else:
        out, normal, why = about / variance, False, "by the batch, ratio of means"
    new = replace(
        state, gram=out, mean=np.zeros(count), gaussian=normal, function=None, scatter=None,
        draw=None if before is None else (lambda samples: divided(samples)[0]),
    )  # fmt: skip
    if heavy:
        why = f"{why}; few numbers of a unit, and gradients of heavy tails, which are measured"
    if heavy and not own:
        return Done(new, ((key(step, 0), pull),), why, each=each, opaque=True)
    return Done(new, ((key(step, 0), pull),), why, each=each, heavy=heavy)


Known = Callable[[], tuple[np.ndarray, np.ndarray]]


def _through_samples(known: Known) -> Pull:
    """Gradients of single units times J = (H - u u^T/P)/sigma, at samples of u and of 1/sigma^2."""

    def each(g: np.ndarray) -> np.ndarray:
        values, inverse = known()
        u = values[: len(g)]
        left = g - g.mean(axis=1, keepdims=True) - u * np.mean(u * g, axis=1, keepdims=True)
        return np.asarray(np.sqrt(inverse[: len(g)]) * left)

    return each


def _through_batch(out: np.ndarray, inverse: float) -> Pull:
    """E J G J of J = (H - u u^T/P)/sigma, with fourth moments of u as of a Gaussian field."""
    count = len(out)

    def pull(g: np.ndarray) -> np.ndarray:
        h = g - g.mean(axis=0, keepdims=True)
        h = h - h.mean(axis=1, keepdims=True)
        first = h @ out
        fourth = out * float(np.sum(h * out)) + 2 * out @ first
        return inverse * (h - (first + first.T) / count + fourth / count**2)

    return pull
