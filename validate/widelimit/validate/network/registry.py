"""The registry of kinds of layers: how each is read from torch, drawn, rebuilt with a user's weights, and tested.

A kind is one `Kind`, registered in a file of `kinds`; its rule for the kernels is a method of its class in
``theory.architecture`` and a function of ``numerics.architecture.rules``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from widelimit.theory import architecture as arch
from widelimit.theory.errors import InternalError, WidelimitError
from widelimit.validate.network.known import KNOWN, WEIGHTED
from widelimit.validate.network.parts import Draw, Wired
from widelimit.validate.network.walk import Place, unknown
from widelimit.validate.network.weights import Declared, Weights


@dataclass(frozen=True)
class Read:
    """A layer as theory knows it; `layer` is None for one that does nothing. `weights`: what it holds, if anything."""

    place: Place
    layer: arch.Layer | None
    weights: Weights | None = None
    branch: tuple[Read, ...] = ()


@dataclass
class Flow:
    """The units between two layers, None where they are not known, and the place that gave them.

    `spatial`: dimensions of positions; `positions`: how many there are, if a layer says so. `flattened`: units of every
    position stand in one vector. `ones`: how many axes of length 1 pooling left behind.
    `features`, `dimensions`: units and dimensions of positions of an input; `largest`: the longest filter.
    """

    units: int | None = None
    source: Place | None = None
    spatial: int = 0
    positions: int | None = None
    shape: tuple[int, ...] | None = None
    flattened: bool = False
    ones: int = 0
    features: int | None = None
    dimensions: int = 0
    largest: int = 1
    problems: list[str] = field(default_factory=list)

    def take(self, place: Place, units: int, what: str = "features") -> None:
        """A layer reads `units` of them: refused if the layer before gives another number."""
        given, where = self.units, named(self.source)
        if given is not None and self.flattened:
            count = units // given if units % given == 0 else None
            if count is None or (self.positions is not None and self.positions != count):
                of = f"{self.positions} positions" if self.positions else "every position"
                self.misfit(place, f"reads {units} {what}, but {where} gives {given} at {of}")
            self.positions = self.positions or count
        elif given is not None and given != units:
            self.misfit(place, f"reads {units} {what}, but {where} gives {given}")
        if self.features is None:
            self.features = units
        self.units, self.source, self.flattened = units, place, False

    def misfit(self, place: Place, text: str) -> None:
        """Note that a layer does not fit those before."""
        self.problems.append(f"Layer '{place.name}' ({type(place.layer).__name__}) {text}")


def named(source: Place | None) -> str:
    """Say where units come from."""
    return "the input" if source is None else str(source)


class Unknown(Exception):
    """A layer that theory does not know."""


def refuse(place: Place, why: str) -> Unknown:
    """Return what a reader raises where it does not know a layer."""
    return Unknown(unknown(place.name, place.layer, why))


@dataclass(frozen=True)
class Space:
    """Units in front of a layer: `channels` at each of the positions of a `shape`."""

    channels: int
    shape: tuple[int, ...] = ()

    @property
    def positions(self) -> int:
        """How many there are."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Drawing:
    """How modules are drawn: the `width` of layers without one of their own, the parametrisation, random numbers."""

    width: int
    ntk: bool
    draw: Draw

    def one(self, layer: arch.Layer, space: Space, outputs: int | None) -> tuple[nn.Module, Space]:
        """Draw a layer's module; `outputs` units come out of it, or as many as it says (None)."""
        return KINDS[type(layer)].drawn(layer, space, self, outputs)

    def graph(self, architecture: arch.Architecture, space: Space, outputs: int | None) -> nn.Sequential:
        """Draw the layers of an architecture, wired as it says."""
        if architecture.inputs is None:
            return self.all(architecture.layers, space, outputs)
        modules: list[nn.Module] = []
        spaces, last = {-1: space}, len(architecture.layers) - 1
        for place, (layer, reads) in enumerate(zip(architecture.layers, architecture.inputs, strict=True)):
            below = [spaces[one] for one in reads]
            whole = replace(below[0], channels=sum(one.channels for one in below) if layer.joins and not layer.adds
                            else below[0].channels)  # fmt: skip
            module, spaces[place] = self.one(layer, whole, outputs if place == last else None)
            modules.append(module)
        return Wired(modules, architecture.inputs)

    def all(self, layers: tuple[arch.Layer, ...], space: Space, outputs: int | None) -> nn.Sequential:
        """Draw layers one behind the other; `outputs` units come out of the last."""
        modules: list[nn.Module] = []
        for number, layer in enumerate(layers, 1):
            module, space = self.one(layer, space, outputs if number == len(layers) else None)
            modules.append(module)
        return nn.Sequential(*modules)


Reader = Callable[[Place, Declared, Flow], Read]


def _silent(_module: Any) -> int | None:
    return None


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    `layer`: its class in theory. `torch`: the classes of torch that `read` reads as it, or refuses by a setting;
    `listed`: how users are told of them. `drawn(layer, space, drawing, outputs)` draws its module, and says what comes
    out; `rebuilt(read, place)` is the module with the weights of the user's layer at a place. `spatial(module)`: how
    many dimensions of positions the inputs of a network have in which it stands first, None where it does not say.
    `example`: layers among which it stands (a readout is put behind them) and the shape of their inputs, on which wide
    modules are tested against ``numerics.architecture.kernels``; `inputs`: what each of them reads, in a graph.
    """

    layer: type[arch.Layer]
    torch: tuple[type[nn.Module], ...]
    listed: str
    read: Reader
    drawn: Callable[[Any, Space, Drawing, int | None], tuple[nn.Module, Space]]
    rebuilt: Callable[[Read, Place], nn.Module]
    example: tuple[tuple[arch.Layer, ...], tuple[int, ...]]
    spatial: Callable[[Any], int | None] = _silent
    inputs: tuple[tuple[int, ...], ...] | None = None


def by_example(place: Place, _declared: Declared, _flow: Flow) -> Read:
    """The reader of kinds that are read operation by operation alone, and so never rebuilt (`never`)."""
    raise refuse(place, "it is read from an example of the inputs alone; pass one as `example`")


def never(_read: Read, place: Place) -> nn.Module:
    """What would rebuild a layer of a kind that `by_example` refuses to read in a row."""
    raise InternalError(f"Layer {place.name!r} is of a kind that is not read in a row.")


KINDS: dict[type[arch.Layer], Kind] = {}
_READERS: dict[type[nn.Module], Reader] = {}
_SPATIAL: dict[type[nn.Module], Callable[[Any], int | None]] = {}


def register(kind: Kind) -> None:
    """Add a kind of layer."""
    KINDS[kind.layer] = kind
    for one in kind.torch:
        reads(one, kind.read, kind.spatial)
    if kind.layer.weighted or kind.layer.reads_sequences:
        WEIGHTED.update(kind.torch)


def reads(torch: type[nn.Module], reader: Reader, spatial: Callable[[Any], int | None] = _silent) -> None:
    """Have a class of torch read that is not a layer of theory, or add one to a kind."""
    KNOWN.add(torch)
    _READERS[torch], _SPATIAL[torch] = reader, spatial


def listed() -> str:
    """Say what is known, for users whose module is not."""
    names = sorted(kind.listed for kind in KINDS.values() if kind.listed)
    return (
        f"Known are {', '.join(names)}, Identity, nested Sequential and, from widelimit.validate.modules, "
        "Shortcut(branch) and LastStep(nn.RNN). With `example`, a batch of inputs, modules with a forward of their own "
        "are read too, operation by operation."
    )


def spatial_of(places: Iterator[Place]) -> int:
    """How many dimensions of positions the inputs have, by the first layer that says so."""
    said = (_SPATIAL[place.kind](place.layer) for place in places if place.kind in _SPATIAL)
    return next((one for one in said if one is not None), 0)


def read_all(places: list[Place] | tuple[Place, ...], declared: Declared, flow: Flow) -> list[Read]:
    """Read layers in their order; what is refused stands in `Flow.problems`."""
    found = []
    for place in places:
        try:
            found.append(_READERS[place.kind](place, declared, flow))
        except Unknown as refusal:
            flow.problems.append(str(refusal))
            flow.units = None
        except WidelimitError as refusal:  # a layer of theory that cannot be
            text = str(refusal)[:1].lower() + str(refusal)[1:].rstrip(".")
            flow.problems.append(unknown(place.name, place.layer, text))
            flow.units = None
    return found
