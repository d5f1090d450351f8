"""`report`: a module's `Graph` walked forward and backward, beside what fresh draws of its weights give."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError, WidelimitError
from widelimit.validate.network.graph import blocks as blocks_
from widelimit.validate.network.graph import hooks, judging, scattering
from widelimit.validate.network.graph.backward import Gradients, gradients, resets
from widelimit.validate.network.graph.measuring import Draws, NotFinite, mean_error, measure
from widelimit.validate.network.graph.programs import Step, untouched
from widelimit.validate.network.graph.reading import (
    WEIGHTED,
    Opened,
    axes_of,
    graph_of,
    listed,
    names_of,
    opened,
)
from widelimit.validate.network.graph.records import NAN, Block, Graph, Layer, Node, Report, Scale, Verdict
from widelimit.validate.network.graph.states import LARGEST, Axes, Samples, State
from widelimit.validate.network.graph.walking import Walk
from widelimit.validate.network.graph.weights import drawn, permuted, pooled
from widelimit.validate.network.reading import of_opened

_NARROW = 32  # units, below which the limit of infinite width is doubtful
_UNITS = {"linear": -1, "conv1d": 1, "conv2d": 1, "conv3d": 1}  # the axis of units of what comes out
_PAIRS = 768  # inputs and positions of a network that pools: its tangent kernel is that of all pairs of them


def report(
    module: nn.Module, *example: Any, factory: Callable[[], nn.Module] | None = None, draws: int = 8,
    gradients: bool = True, seed: int = 0,
) -> Report:  # fmt: skip
    """Say what theory predicts of a module at initialisation, what `draws` fresh draws give, and whether both agree.

    `factory`: called without arguments, `draws` times, for modules like `module` with fresh weights; without one, fresh
    draws permute the numbers of each tensor that is independent noise, on a copy (its mean square stays exactly that).
    `gradients`: walk back as well, from independent normal cotangents at the output. `seed` of the draws. The module
    stays as it is, as do all random numbers. Raises `ArgumentError` as `read` does, and for a factory that takes
    arguments, returns no such module or raises (its traceback is in the message).

    >>> from torch import nn
    >>> torch.manual_seed(0) and None
    >>> module = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 4))
    >>> found = report(module, torch.randn(4, 8), draws=4)
    >>> found.agrees, found.depth, [layer.op for layer in found.layers]
    (True, 3, ['linear', 'relu', 'linear', 'relu', 'linear'])
    """
    count = arguments.count("draws", draws, 2)
    seed = arguments.count("seed", seed, 0)
    gradients = arguments.flag("gradients", gradients)
    if factory is not None and not callable(factory):
        raise ArgumentError("factory", "must be a function that returns a module", factory)
    found, warned = _opened(module, example)
    states, again = _states(found, factory, count, seed)
    warned += again
    try:
        if found.walk is None:
            return _by_hooks(found, example, states, seed, gradients, warned)
        return _by_walk(found, states, seed, gradients, warned)
    except NotFinite as error:
        raise ArgumentError(
            "module", "must give finite numbers", but=f"gives others in {_named(found, str(error))}"
        ) from None


def _opened(module: Any, example: tuple[Any, ...]) -> tuple[Opened, list[str]]:
    """The module on an example with a pair of inputs, of not more of them than pairs of positions are kept of."""
    found, warned = opened(module, example), []
    sizes = {one.shape[0] for one in found.example if one.ndim}
    if sizes == {1}:
        doubled = tuple(
            _second(one) if isinstance(one, torch.Tensor) and one.ndim else one for one in example
        )
        try:
            return opened(module, doubled), [
                "The example is one input; a second one like it was added, to have a pair."
            ]
        except WidelimitError:
            warned.append(
                "The example is one input, and the module takes no second one: no pair of inputs is compared."
            )
    walk = found.walk
    if walk is not None and len(sizes) == 1 and (many := sizes.pop()) > 2:
        refused = [why for why in walk.refused.values() if "inputs and positions" in why]
        if refused:
            room = max(2, int(many * LARGEST / max(int(why.split()[0]) for why in refused)))
            cut = tuple(one[:room] if isinstance(one, torch.Tensor) and one.ndim else one for one in example)
            warned.append(
                f"Of {many} inputs the first {room} are taken: pairs are kept of {LARGEST} inputs and positions."
            )
            return opened(module, cut), warned
    return found, warned


def _second(value: torch.Tensor) -> torch.Tensor:
    """An input and one more with the same numbers in another order."""
    random = torch.Generator().manual_seed(0)
    flat = value[0].flatten()
    other = flat[torch.randperm(len(flat), generator=random)].reshape(value[0].shape)
    return torch.cat([value, other[None]])


def _states(
    found: Opened, factory: Any, count: int, seed: int
) -> tuple[list[dict[str, torch.Tensor]], list[str]]:
    """Numbers of every draw; and a sentence where a factory's draws are no draws, which are permuted then."""
    fresh = functools.partial(permuted, found.numbers)
    if factory is None:
        return [fresh(1000 * seed + k) for k in range(count)], []
    states = [drawn(factory, found.numbers, 1000 * seed + k) for k in range(count)]
    first, *others = states
    noise = sorted(found.numbers.noise)
    stuck = [name for name in noise if all(torch.equal(first[name], one[name]) for one in others)]
    if noise and stuck == noise:
        warned = "The factory gives the same weights at every call, as one that sets a seed does: draws permute them."
        return [fresh(1000 * seed + k) for k in range(count)], [warned]
    if stuck:
        return states, [
            f"The factory gives the same {stuck[0]} at every call: no draws of it are behind the errors."
        ]
    return states, []


def _named(found: Opened, key: str) -> str:
    if found.program is None:
        return key
    return names_of(list(found.program.steps)).get(key, key)


@by_value
@dataclass(frozen=True)
class _Compared:
    """What layers are made of: predictions and draws by key; `scatter`: what masks make of mean squares."""

    walk: Walk | None
    back: Gradients | None
    draws: Draws
    backward: bool
    scatter: dict[str, scattering.Scatter] = field(default_factory=dict)


def _by_walk(
    found: Opened, states: list[dict[str, torch.Tensor]], seed: int, backward: bool, warned: list[str]
) -> Report:
    assert found.walk is not None and found.program is not None
    steps, axes = listed(found), axes_of(found)
    grams = {key for key in found.walk.refused if key in axes}
    reset = {key for key in resets(found.walk) if key in axes}
    wanted = {step.key for step in steps} | grams | reset
    seen = measure(
        found.program, states, found.example, {k: v for k, v in axes.items() if k in wanted}, grams, reset,
        seed=seed, backward=backward,
    )  # fmt: skip
    walk = Walk(
        found.program,
        pooled(states, found.numbers),
        found.example,
        _Pooled(seen),
        found.numbers.copies,
        Samples(256),
    )
    with untouched(), torch.no_grad():
        walk.go()
    back = (
        gradients(walk, {key: _typical(value, seen.g[key]) for key, value in seen.gradients.items()})
        if backward
        else None
    )
    compared = _Compared(walk, back, seen, backward, scattering.of_units(walk))
    graph = graph_of(replace(found, walk=walk))
    nodes = {node.key: node for node in graph.nodes}
    rough = [_layer(step, nodes[step.key], compared) for step in steps]
    layers = _judged(rough, seen.count)
    return _finished(found, graph, layers, compared, warned)


def _typical(total: np.ndarray, each: list[float]) -> np.ndarray:
    """Moments over draws, of the size that layers are compared with: few draws may hold most of a sum."""
    mean, _ = mean_error(each, True)
    return total * (mean / sum(each)) if sum(each) > 0 and math.isfinite(mean) else total / len(each)


class _Pooled:
    """Moments over draws, as the walk asks for them."""

    def __init__(self, seen: Draws) -> None:
        self._seen = seen

    def __call__(self, key: str, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
        count = self._seen.count
        if key not in self._seen.grams:
            size = int(np.prod([a.size for axis in axes for a in axis if a.kind == "p"], initial=1))
            return np.eye(size), np.zeros(size)
        return self._seen.grams[key] / count, self._seen.means[key] / count


def _layer(step: Step, node: Node, compared: _Compared) -> Layer:
    walk, back, seen = compared.walk, compared.back, compared.draws
    assert walk is not None
    value, derived = walk.known.get(step.key), node.rule == "derived"
    q = p = NAN
    if derived and isinstance(value, State):
        q, p = _moments(value.gram)
    elif derived and step.key in walk.done and walk.done[step.key].second is not None:
        q = float(walk.done[step.key].second or NAN)
    g = back.g.get(step.key, NAN) if back is not None and step.key not in back.reset else NAN
    chi = back.chi.get(step.key, NAN) if back is not None else NAN
    found = _with_draws(Layer(
        node.name, step.op, node.rule, q, NAN, NAN, p / q if q > 0 else NAN, NAN, NAN, g, NAN, NAN, chi, "measured",
        step.key, node.why,
    ), seen)  # fmt: skip
    own = walk.done[step.key].scatter if step.key in walk.done else 0.0
    of_gradients = back.scatter.get(step.key, 0.0) if back is not None else 0.0
    variances = scattering.variance(compared.scatter.get(step.key, {})), own**2, of_gradients
    known = [math.sqrt(one / seen.count) for one in variances]
    return replace(
        found,
        q_error=_at_least(found.q_error, known[0] * q),
        rho_error=_at_least(found.rho_error, known[1]),
        g_error=_at_least(found.g_error, known[2] * found.g_measured),
    )


def _at_least(error: float, known: float) -> float:
    """A standard error over draws, which may all have kept everything, and what masks are known to make of it."""
    return max(error, known) if known > 0 else error


def _with_draws(layer: Layer, seen: Draws) -> Layer:
    q, q_error = mean_error(seen.q.get(layer.key, []), False)
    ratios = [
        a / b for a, b in zip(seen.p.get(layer.key, []), seen.q.get(layer.key, []), strict=True) if b > 0
    ]
    rho, rho_error = mean_error(ratios, False)
    g, g_error = mean_error(seen.g.get(layer.key, []), True)
    return replace(
        layer,
        q_measured=q,
        q_error=q_error,
        rho_measured=rho,
        rho_error=rho_error,
        g_measured=g,
        g_error=g_error,
    )


def _moments(gram: np.ndarray) -> tuple[float, float]:
    count = len(gram)
    q = float(np.mean(np.diagonal(gram)))
    return q, float((gram.sum() - count * q) / (count * (count - 1))) if count > 1 else NAN


def _judged(rough: list[Layer], draws: int) -> tuple[Layer, ...]:
    numbers = _how_many(rough)
    times = judging.threshold(judging.LEVEL, numbers, draws)
    alone = judging.threshold(judging.DOUBT, 1, draws)
    out = []
    for one in rough:
        if one.method != "derived" or math.isnan(one.q_predicted):
            out.append(one)
            continue
        verdict: Verdict = "agrees"
        for row in one.compared.values():
            if judging.differs(*row, times):
                verdict = "disagrees"
                break
            if judging.differs(*row, alone):
                verdict = "inconclusive"
        out.append(replace(one, verdict=verdict))
    return tuple(out)


def _how_many(layers: Sequence[Layer]) -> int:
    return sum(
        not math.isnan(row[0]) for one in layers if one.method == "derived" for row in one.compared.values()
    )


def _undecided(layers: Sequence[Layer], draws: int) -> list[str]:
    """A sentence on layers that are inconclusive, with how many draws would decide."""
    held = [one for one in layers if one.verdict == "inconclusive"]
    if not held:
        return []
    numbers, alone = _how_many(layers), judging.threshold(judging.DOUBT, 1, draws)
    more = [
        judging.needed(*row, numbers, draws)
        for one in held
        for row in one.compared.values()
        if judging.differs(*row, alone)
    ]
    enough = f"draws={max(more)} would decide" if all(more) else "more draws would decide"
    many = "is 1 layer" if len(held) == 1 else f"are {len(held)} layers"
    return [
        f"There {many}, first {held[0].name}, where a number is further off than its own error accounts for, but not "
        f"by what belongs to all of them at once: {enough}."
    ]


def _finished(
    found: Opened, graph: Graph, layers: tuple[Layer, ...], compared: _Compared, warned: list[str]
) -> Report:
    held = {layer.key: layer for layer in layers}
    if found.program is None:
        parts, depth, keys = [], blocks_.depth_by_nodes(graph.nodes), [n.key for n in graph.nodes]
    else:
        parts = blocks_.parts(found.program, found.copy, WEIGHTED)
        depth = blocks_.depth_of(found.program, WEIGHTED | {"lstm", "gru", "rnn_tanh", "rnn_relu"})
        keys = [step.key for step in found.program.steps if step.op in WEIGHTED]
    blocks, scale = _blocks(parts, held, compared)
    reach = judging.RULE_OF_THUMB * float(scale)
    sizes = {node.key: math.prod(node.shape) for node in graph.nodes}
    first, last = judging.ends(layers, keys, sizes)
    rho = next((_either(one.rho_predicted, one.rho_measured) for one in reversed(layers)), NAN)
    wrong = [one for one in layers if one.verdict == "disagrees"]
    trainable, answer, limits, change = judging.sentences(
        depth, scale, reach, first, last, rho, blocks, graph.copies, wrong
    )
    condition, reason = _condition(found)
    warned = [*warned, *_undecided(layers, compared.draws.count)]
    return Report(
        layers, blocks, scale, reach, depth, condition, reason, _warnings(graph, warned), compared.draws.count,
        judging.LEVEL, judging.TOLERANCE, graph, trainable, answer, limits, change, type(found.copy).__name__,
        judging.DOUBT,
    )  # fmt: skip


def _either(one: float, two: float) -> float:
    return two if math.isnan(one) else one


def _blocks(
    parts: list[blocks_.Part], held: dict[str, Layer], compared: _Compared
) -> tuple[tuple[Block, ...], Scale]:
    g = dict(compared.back.g) if compared.back is not None else {}
    q, rho = {}, {}
    for key, layer in held.items():
        q[key] = _either(layer.q_predicted, layer.q_measured)
        rho[key] = _either(layer.rho_predicted, layer.rho_measured)
        if key not in g and not math.isnan(layer.g_measured):
            g[key] = layer.g_measured
    blocks = [blocks_.block_of(part, held, g, q, rho) for part in parts]
    return tuple(blocks), blocks_.scale_of(blocks, [q.get(part.start, NAN) for part in parts])


def _condition(found: Opened) -> tuple[float, str]:
    """Condition number of the tangent kernel on the batch, where kernels are derived."""
    if len(found.example) != 1 or not found.example[0].is_floating_point():
        return NAN, "Kernels are derived for one floating-point input."
    x = found.example[0]
    try:
        with untouched():
            network = of_opened(found, "as_if_random")
            pairs = x.numel() // max(1, network.features)
            if network.architecture.pools and pairs > _PAIRS:
                return (
                    NAN,
                    f"It has {pairs} inputs and positions; the kernel is computed for {_PAIRS} at most.",
                )
            kernels = network.kernels(x)
            kernel = np.asarray(kernels.ntk)
        values, error = np.linalg.eigvalsh(kernel), kernels.error * float(np.abs(kernel).max())
        if values[0] < len(kernel) ** 0.5 * error:
            return (
                NAN,
                "Its smallest eigenvalue is below the error of the samples that the kernel is computed from.",
            )
        if values[0] <= 0:
            return math.inf, "The tangent kernel on this batch is singular."
        return float(values[-1] / values[0]), ""
    except (WidelimitError, ValueError, AttributeError) as error:
        return NAN, f"Kernels are not derived here: {str(error)[:200]}"


def _warnings(graph: Graph, warned: list[str]) -> tuple[str, ...]:
    out = [*warned, *graph.notes]
    widths = {node.name: node.shape[_UNITS[node.op]] for node in graph.nodes[:-1] if node.op in _UNITS}
    narrow = min(widths, key=widths.__getitem__, default="")
    if narrow and 1 < widths[narrow] < _NARROW:
        out.append(
            f"Layers of {widths[narrow]} units, as {narrow}, are narrow: predictions are for wide ones, and draws "
            "scatter. What reads n units has gradients in front of a batch norm that are larger by up to some 2/n."
        )
    total = sum(1 / node.shape[-1] for node in graph.nodes[:-1] if node.op == "linear" and node.shape)
    if total > 0.25:
        out.append(f"The sum of 1/width over layers is {total:.2g}: one draw may be far from the mean.")
    said: set[str] = set()
    for group in graph.shared:  # names of one tensor, and where it is used, are one piece of news
        if len(group) > 1 and not said.intersection(group):
            out.append(f"Weights are shared: {', '.join(group[:4])}.")
        said.update(group)
    return tuple(dict.fromkeys(out))


def _by_hooks(
    found: Opened,
    example: tuple[Any, ...],
    states: list[dict[str, torch.Tensor]],
    seed: int,
    backward: bool,
    warned: list[str],
) -> Report:
    args = tuple(one.detach().clone() if isinstance(one, torch.Tensor) else one for one in example)
    try:
        seen = hooks.measure(found.copy, states, args, seed=seed, backward=backward)
    except RuntimeError as error:
        raise ArgumentError(
            "module", "must run on the example in every draw", but=f"raises {error}"
        ) from None
    graph = graph_of(found)
    layers = tuple(
        _with_draws(Layer(
            node.name, node.op, "measured", NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, "measured", node.key,
            node.why,
        ), seen)
        for node in graph.nodes
    )  # fmt: skip
    return _finished(found, graph, layers, _Compared(None, None, seen, backward), warned)
