"""The walk through a program: what theory knows behind every operation, and how gradients come back through it.

A rule takes a `Step` with its arguments as values (a `State`, a fixed tensor, a `Parameter`, a tuple of them) and
gives a `Done`; it raises `Measured` where it does not hold. ``rules`` registers them by torch's names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from widelimit.numerics.results import by_value
from widelimit.theory.errors import WidelimitError
from widelimit.validate.network.graph.programs import Program, Ref, Step, refs
from widelimit.validate.network.graph.records import Softmax
from widelimit.validate.network.graph.states import (
    LARGEST,
    Atom,
    Axes,
    Measured,
    Samples,
    State,
    empirical,
    laid_out,
    side_by_side,
)
from widelimit.validate.network.graph.tensors import constant, mean_square

Pull = Callable[[np.ndarray], np.ndarray]  # gradients' second moments behind an operation -> in front of it
EACH = {
    "batch_norm",
    "dropout",
    "contiguous",
    "clone",
}  # what acts on units one by one, with functions of one variable


@dataclass(frozen=True)
class Scaled:
    """The way back through a number that units are multiplied by, whose square is `factor`."""

    factor: float = 1.0

    def __call__(self, g: np.ndarray) -> np.ndarray:
        """Return the moments times it."""
        return g if self.factor == 1 else self.factor * g


unchanged = Scaled()


@by_value
@dataclass(frozen=True)
class Divided:
    """The way back through division by fixed numbers, one for each position."""

    by: np.ndarray

    def __call__(self, g: np.ndarray) -> np.ndarray:
        """Return the moments over their products."""
        return g / np.outer(self.by, self.by)


@by_value
@dataclass(frozen=True)
class Parameter:
    """A tensor of random numbers, a parameter or computed from some: its mean square, pooled over draws.

    `values` in each draw; `origins`: names of the parameters that it is made of; `centred`: every row sums to zero.
    """

    name: str
    values: tuple[torch.Tensor, ...]
    square: float
    origins: frozenset[str]
    centred: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return tuple(self.values[0].shape)


def parameter(name: str, values: list[torch.Tensor], origins: frozenset[str]) -> Parameter | torch.Tensor:
    """Random numbers as theory takes them; what is one and the same number in all places and draws is fixed."""
    if all(constant(one) for one in values) and len({float(one.reshape(-1)[0]) for one in values}) == 1:
        return values[0]
    square = float(np.mean([mean_square(one) for one in values]))
    return Parameter(name, tuple(values), square, origins, _centred(values[0], square))


def _centred(value: torch.Tensor, square: float) -> bool:
    """Whether rows of many numbers sum to zero, as those of standardised weights do."""
    if value.ndim < 2 or value[0].numel() < 2:
        return False
    sums = value.double().reshape(len(value), -1).sum(dim=1)
    return bool(sums.abs().max() < 1e-3 * (square * value[0].numel()) ** 0.5)


@by_value
@dataclass(frozen=True)
class Done:
    """What a rule gives: the value, how gradients come back (by key of input), and a word on the rule.

    `second`: mean square of what comes out, where no `State` says it; `opaque`: no way back, which has to be
    measured; `inside`: operations that the rule takes with it, which gradients pass by. `slopes`: of a function of
    one variable, its derivative at samples of the units that it is of. `scatter`: relative standard deviation of
    the mean square in one draw by what is drawn for all units at once. `each`: where slopes and what the operation
    does to a unit are not independent, gradients (samples, P) of single units behind it -> in front of it, at the
    same samples. `own`: units have weights of their own here, which slopes behind know; `heavy`: gradients of such
    units in front have tails so heavy that a mean square says little.
    """

    value: Any
    pulls: tuple[tuple[str, Pull], ...] = ()
    why: str = ""
    activation: str = ""
    second: float | None = None
    opaque: bool = False
    inside: frozenset[str] = frozenset()
    slopes: Callable[[], np.ndarray] | None = None
    scatter: float = 0.0
    each: Callable[[np.ndarray], np.ndarray] | None = None
    own: bool = False
    heavy: bool = False


Rule = Callable[["Walk", Step, tuple[Any, ...], dict[str, Any]], Done]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Make a function the rule of operations."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


@by_value
@dataclass
class Walk:
    """The walk of one program. `known`: values by key; `done`: what rules gave; `refused`: why there was no rule.

    `seen`: measured second moments of what comes out of operations, by key, from which it goes on where it has no rule:
    functions of the axes, that give (gram, mean). `quick`: only rules are asked for, not their numbers. `softmaxes`:
    what the logits of attention are, by key of the operation that turns them into weights. `used`: steps that use
    weights, and which of their numbers; `tied`: those that share some; `twins`: the first users of what a step uses
    again. `beside`: parts of units of several laws, side by side, by key; what acts on units one by one acts on each
    part.
    """

    program: Program
    parameters: dict[str, Parameter | torch.Tensor]
    example: list[torch.Tensor]
    seen: Callable[[str, Axes], tuple[np.ndarray, np.ndarray]]
    copies: dict[str, str]
    samples: Samples = field(default_factory=lambda: Samples(256))
    known: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Done] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    used: dict[str, list[tuple[str, range]]] = field(default_factory=dict)
    tied: set[str] = field(default_factory=set)
    twins: dict[str, set[str]] = field(default_factory=dict)
    data: set[str] = field(default_factory=set)
    softmaxes: dict[str, Softmax] = field(default_factory=dict)
    beside: dict[str, tuple[Done, ...]] = field(default_factory=dict)
    changed: str = ""
    quick: bool = False

    def go(self) -> Walk:
        """Walk through all steps."""
        env = self.known
        env.update(self.program.held)
        env.update({key: self.parameters[name] for key, name in self.program.tensors.items()})
        env.update(zip(self.program.inputs, self.example, strict=True))
        self.data.update(self.program.inputs)
        for step in self.program.steps:
            self._one(step)
        return self

    def _one(self, step: Step) -> None:
        args, kwargs = self._values(step.args), self._values(step.kwargs)
        found = list(_leaves((args, kwargs)))
        if not self.changed and step.op.startswith("in place") and self._own(args, found):
            self.known[step.key] = _fixed(step, args, kwargs)
            return
        if self.changed or step.op.startswith("in place"):  # other tensors may have changed with it
            self.changed = self.changed or step.key
            self.refused[step.key] = f"a tensor was changed in place ({self.changed})"
            self.known[step.key] = self._measured(step, found)
            return
        if step.op in _RANDOM and not any(
            isinstance(one, State | Parameter | Unknown | Special) for one in found
        ):
            self.known[step.key] = _drawn(step, args)
            return
        if step.op in LIKE and isinstance(args[0], State):
            self.known[step.key] = step.call(torch.zeros(args[0].shape), *args[1:], **kwargs)
            return
        if not any(isinstance(one, State | Parameter | Unknown | Special) for one in found):
            self.known[step.key] = _fixed(step, args, kwargs)
            if any(one in self.data for one in refs((step.args, step.kwargs))):
                self.data.add(step.key)
            return
        if self._of_weights(step, found):
            self.known[step.key] = _computed(step, args, kwargs, found)
            return
        try:
            self.known[step.key] = self._ruled(step, args, kwargs, found).value
        except Measured as reason:
            self.refused[step.key] = str(reason)
            self.known[step.key] = self._measured(step, found)
        except (WidelimitError, ArithmeticError) as error:  # moments that do not exist, or overflow
            self.refused[step.key] = str(error)
            self.known[step.key] = self._measured(step, found)

    def _own(self, args: Any, found: list[Any]) -> bool:
        """Whether fixed numbers that the module made itself are changed, by fixed ones."""
        if any(isinstance(one, State | Parameter | Unknown | Special) for one in found):
            return False
        given = [*self.example, *(one for one in self.program.held.values() if isinstance(one, torch.Tensor))]
        given += [one for one in self.parameters.values() if isinstance(one, torch.Tensor)]
        held = {one.untyped_storage().data_ptr() for one in given}
        return isinstance(args[0], torch.Tensor) and args[0].untyped_storage().data_ptr() not in held

    def _of_weights(self, step: Step, found: list[Any]) -> bool:
        """Whether a step computes with weights and fixed numbers alone, and with nothing that comes from the inputs."""
        if step.op == "embedding" or any(isinstance(one, State | Unknown | Special) for one in found):
            return False
        return not any(one in self.data for one in refs((step.args, step.kwargs)))

    def _ruled(self, step: Step, args: Any, kwargs: Any, found: list[Any]) -> Done:
        if any(isinstance(one, Unknown) for one in found):
            raise Measured(next(one.why for one in found if isinstance(one, Unknown)))
        if step.op not in RULES:
            raise Measured(f"no rule for {step.op}")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            first = next(refs(step.args[:1]), "")
            if first in self.beside and step.op in EACH:
                done = self._each(step, args, kwargs, self.beside[first])
            else:
                done = RULES[step.op](self, step, args, kwargs)
        if isinstance(done.value, State) and step.shape is not None and done.value.shape != step.shape:
            raise Measured("a rule whose shape is not torch's")
        if isinstance(done.value, torch.Tensor):  # a number that units average to
            self.data.add(step.key)
        self.done[step.key] = done
        return done

    def _each(self, step: Step, args: Any, kwargs: Any, parts: tuple[Done, ...]) -> Done:
        """A rule for units one by one, applied to each part of those that stand side by side."""
        ends = np.cumsum([one.value.width for one in parts])
        found = []
        for one, end in zip(parts, ends, strict=True):
            own = slice(int(end) - one.value.width, int(end))
            given = (
                value[own] if isinstance(value, torch.Tensor) and value.shape == (ends[-1],) else value
                for value in args[1:]
            )
            found.append(RULES[step.op](self, step, (one.value, *given), kwargs))
        self.beside[step.key] = tuple(found)
        states = [one.value for one in found]
        dim = next(d for d, axis in enumerate(states[0].axes) if any(a.kind == "u" for a in axis))
        whole, like = side_by_side(step.key, states, dim), found[-1]
        heavy = any(one.heavy or one.opaque for one in found)
        like = next((one for one in found if one.heavy or one.opaque), like)
        why = f"{like.why}, each of {len(parts)} parts"
        return Done(whole, like.pulls, why, like.activation, heavy=heavy)

    def _values(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return self.known[value.key]
        if isinstance(value, tuple | list):
            return tuple(self._values(one) for one in value)
        if isinstance(value, dict):
            return {name: self._values(one) for name, one in value.items()}
        return value

    def _measured(self, step: Step, found: list[Any]) -> Any:
        why = self.refused[step.key]
        if not why.startswith(("behind", "no rule")):
            why = f"behind {step.key}, which is measured"
        if step.shape is None or not step.floating:
            return Unknown(why)
        states = [one for one in found if isinstance(one, State)]
        axes = roles(step.shape, states)
        if axes is None or np.prod([a.size for axis in axes for a in axis if a.kind == "p"]) > LARGEST:
            return Unknown(why)
        sources = {key: b"?" for one in states for key in one.sources}
        sources.update({key: b"?" for one in found if isinstance(one, Unknown) for key in one.sources})
        sources.update(dict.fromkeys(self.twins.get(step.key, ()), b"?"))
        gram, mean = self.seen(step.key, axes)
        return empirical(step.key, axes, gram, mean, sources)

    def weight(self, step: Step, value: Any) -> float:
        """Mean square of weights, which nothing else has used; raises `Measured` where something has."""
        if isinstance(value, torch.Tensor):
            return mean_square(value)
        if not isinstance(value, Parameter):
            raise Measured("weights that are computed")
        again = ""
        for origin in sorted(value.origins):
            name = self.copies.get(origin, origin)
            here, users = _numbers_of(value, self.parameters.get(origin)), self.used.setdefault(name, [])
            before = next((user for user, there in users if user != step.key and _meet(here, there)), None)
            if before is not None:
                self.tied.update((before, step.key))
                self.twins.setdefault(step.key, set()).add(before)
                same = "is used before" if name == origin else f"equals {name}, used before"
                again = f"its weight {origin} {same} ({before}): draws are not independent"
            users.append((step.key, here))
        if again:
            raise Measured(again)
        return value.square


def _numbers_of(value: Parameter, whole: Any) -> range:
    """Which numbers of a parameter, in their order, a tensor may hold: those of a part, if it is a view of one."""
    one = value.values[0]
    origin = whole.values[0] if isinstance(whole, Parameter) else one
    if one.numel() == 0 or one.untyped_storage().data_ptr() != origin.untyped_storage().data_ptr():
        return range(2**62)
    start = one.storage_offset() - origin.storage_offset()
    reach = sum((size - 1) * step for size, step in zip(one.shape, one.stride(), strict=True))
    return range(start, start + reach + 1)


def _meet(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


@by_value
@dataclass(frozen=True)
class Unknown:
    """A tensor of which nothing is known, and why."""

    why: str
    sources: tuple[str, ...] = ()


class Special:
    """A value with rules of its own (logits and weights of attention)."""


@by_value
@dataclass(frozen=True)
class Mask(Special):
    """Numbers drawn as the module runs: `scale` with probability `keep`, else 0, one for each entry of a shape."""

    keep: float
    shape: tuple[int, ...]
    scale: float = 1.0


_RANDOM = frozenset({
    "bernoulli", "rand", "randn", "randint", "randperm", "normal", "multinomial", "rand_like", "randn_like",
})  # fmt: skip
LIKE = frozenset({
    "new_empty", "new_zeros", "new_ones", "new_full", "empty_like", "zeros_like", "ones_like", "full_like",
})  # fmt: skip


def _drawn(step: Step, args: Any) -> Mask | Unknown:
    """Numbers that are drawn as the module runs, which are no fixed ones."""
    if step.op == "bernoulli" and len(args) > 1 and isinstance(args[1], float) and step.shape is not None:
        return Mask(args[1], step.shape)
    return Unknown(f"numbers that {step.op} draws as the module runs")


def key(step: Step, place: int) -> str:
    """The key of an argument."""
    return next(refs(step.args[place]))


def _leaves(value: Any) -> Any:
    if isinstance(value, tuple | list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    else:
        yield value


def _computed(step: Step, args: Any, kwargs: Any, found: list[Any]) -> Any:
    """An operation on weights alone is carried out in every draw."""
    held = [one for one in found if isinstance(one, Parameter)]
    values = [_fixed(step, _in_draw(args, k), _in_draw(kwargs, k)) for k in range(len(held[0].values))]
    if isinstance(values[0], tuple):
        return tuple(_of_weights(step, [one[i] for one in values], held) for i in range(len(values[0])))
    return _of_weights(step, values, held)


def _of_weights(step: Step, values: list[Any], held: list[Parameter]) -> Any:
    if not all(isinstance(one, torch.Tensor) and one.is_floating_point() and one.numel() for one in values):
        return Unknown("computed from weights in a way that theory does not follow")
    return parameter(step.key, values, frozenset().union(*(one.origins for one in held)))


def _in_draw(value: Any, draw: int) -> Any:
    if isinstance(value, Parameter):
        return value.values[draw]
    if isinstance(value, tuple):
        return tuple(_in_draw(one, draw) for one in value)
    if isinstance(value, dict):
        return {name: _in_draw(one, draw) for name, one in value.items()}
    return value


def _fixed(step: Step, args: Any, kwargs: Any) -> Any:
    """An operation on fixed tensors is carried out."""
    try:
        with torch.no_grad():
            value = step.call(
                *(list(one) if isinstance(one, tuple) else one for one in args),
                **{name: list(one) if isinstance(one, tuple) else one for name, one in kwargs.items()},
            )
    except Exception:  # whatever torch says of numbers here, the run of the program will have said before
        return Unknown("computed from fixed numbers in a way that cannot be repeated")
    return tuple(value) if isinstance(value, list) else value


def roles(shape: tuple[int, ...], states: list[State]) -> Axes | None:
    """Which axes of a measured tensor are units: as in a tensor that went in, else the last one."""
    if not shape:
        return None
    for state in states:
        if len(state.axes) == len(shape):
            role = [any(atom.kind == "u" for atom in axis) for axis in state.axes]
            if any(role):
                return tuple((Atom("u" if r else "p", n),) for r, n in zip(role, shape, strict=True))
    place = 1 if len(shape) > 3 else len(shape) - 1
    return tuple((Atom("u" if i == place else "p", n),) for i, n in enumerate(shape))


def moments_of(value: torch.Tensor, axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Second moments and means over units of a tensor."""
    rows = laid_out(value.detach().double().numpy(), axes)
    return rows @ rows.T / rows.shape[1], rows.mean(axis=1)
