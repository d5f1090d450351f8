"""What comes out of reading a module and of comparing it with theory: `Node` to `Report`.

They hold numbers and words alone; what a `Graph` keeps to run again (`program`) is no part of its value.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from widelimit.numerics.results import pictured
from widelimit.theory.errors import StoreError
from widelimit.validate.harness.running.atomic import replacing

if TYPE_CHECKING:
    from widelimit.validate.network.graph.programs import Program

NAN = math.nan
Verdict = Literal["agrees", "inconclusive", "disagrees", "measured"]


@dataclass(frozen=True)
class Softmax:
    """Logits of attention, as the module scales and masks them.

    `std`: standard deviation of the logits that a query sees about their mean; `tokens`: how many keys the queries see
    at most; `queries`, `keys`: keys of the operations whose products they are; `added`: whether numbers that differ
    from key to key are added to them.
    """

    std: float
    tokens: int
    queries: str
    keys: str
    added: bool


@dataclass(frozen=True)
class Node:
    """One operation of a module.

    `name`: where it stands, as in ``blocks.0.fc1`` or ``blocks.0: add``; `op`: torch's name of the operation; `rule`:
    "derived" if theory predicts what comes out of it, else "measured"; `why`: by which rule, or what is in the way.
    `key`: its name in the exported program; `inputs`: keys of the operations whose tensors it takes; `shape`: of what
    comes out. `module`: the module it belongs to, "" for the outermost; `kind`: that module's class. `weight`, `bias`:
    names of parameters it uses, "" for none. `sigma_w`, `sigma_b`: weights have variance sigma_w^2 / fan-in, biases
    sigma_b^2, as the weights are now; nan without any. `activation`: the function of one variable that it is, or "".
    `softmax`: what attention's logits are, where theory knows them.
    """

    name: str
    op: str
    rule: Literal["derived", "measured"]
    why: str
    key: str
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    module: str = ""
    kind: str = ""
    weight: str = ""
    bias: str = ""
    sigma_w: float = NAN
    sigma_b: float = NAN
    activation: str = ""
    softmax: Softmax | None = None


@pictured
@dataclass(frozen=True)
class Graph:
    """A module as a graph of operations, in the order in which they run.

    `shared`: groups of parameters' names that are one tensor, or of uses of one parameter in several operations;
    `copies`: groups of layers whose tensors are equal (drawn once and copied); `notes`: sentences about what was read.
    `method`: "export", or "hooks" where the module could not be exported and only modules are seen.
    `trained`: names of weights that are no independent noise, with what is against it.
    """

    nodes: tuple[Node, ...]
    shared: tuple[tuple[str, ...], ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()
    trained: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    method: Literal["export", "hooks"] = "export"
    program: Program | None = field(default=None, repr=False, compare=False)

    @property
    def coverage(self) -> float:
        """Share of the operations that theory derives.

        >>> nodes = Node("fc", "linear", "derived", "", "fc"), Node("rnn", "lstm", "measured", "", "rnn")
        >>> Graph(nodes).coverage
        0.5
        """
        if not self.nodes:
            return NAN
        return sum(node.rule == "derived" for node in self.nodes) / len(self.nodes)

    def __str__(self) -> str:
        rows = [f"{node.name:40}  {node.op:24}  {node.rule:8}  {node.why}" for node in self.nodes]
        return "\n".join([*rows, f"{100 * self.coverage:.0f} per cent derived", *self.notes])


@dataclass(frozen=True)
class Layer:
    """One operation of a report: what theory predicts of what comes out of it, and what draws give.

    q: mean square of a unit, averaged over inputs and positions; rho: mean product over pairs of different inputs or
    positions, divided by q; g: mean square of a component of the gradient of ``sum(c * output)``, c standard normal.
    Measured numbers are means over draws (geometric ones for q and g), with the standard error of that mean; predicted
    ones are nan where no rule exists, gradients all nan if none were asked for. `chi`: factor on squared gradients from
    behind the operation to in front of it, predicted. `method`: "derived" or "measured". `verdict`: "agrees" where q
    (and g, and rho) lie within the tolerance and the errors that each alone may have, "disagrees" beyond those that
    belong to all layers at once, between them "inconclusive"; `within` says by how much. `key`: the node's.
    """

    name: str
    op: str
    method: Literal["derived", "measured"]
    q_predicted: float
    q_measured: float
    q_error: float
    rho_predicted: float
    rho_measured: float
    rho_error: float
    g_predicted: float
    g_measured: float
    g_error: float
    chi: float
    verdict: Verdict
    key: str = ""
    why: str = ""

    @property
    def within(self) -> str:
        """How far measured numbers are from derived ones: in standard errors, and in per cent; "" for none derived.

        Per cent of the derived number, for correlations of 1.

        >>> numbers = dict(zip(("q_predicted", "q_measured", "q_error"), (2.0, 2.1, 0.05)))
        >>> numbers |= dict.fromkeys(("rho_predicted", "rho_measured", "rho_error"), NAN)
        >>> numbers |= {"g_predicted": 1.0, "g_measured": 1.0, "g_error": 0.0, "chi": NAN}
        >>> Layer("fc", "linear", "derived", **numbers, verdict="agrees").within
        'q +2.0 s.e. (+5.0 %), g +0.0 %'
        """
        return ", ".join(f"{name} {text}" for name, text in self.deviations.items())

    @property
    def compared(self) -> dict[str, tuple[float, float, float, float]]:
        """What is compared, by "q", "rho" and "g": predicted, measured, its error, and what per cent are of."""
        return {
            "q": (self.q_predicted, self.q_measured, self.q_error, self.q_predicted),
            "rho": (self.rho_predicted, self.rho_measured, self.rho_error, 1.0),
            "g": (self.g_predicted, self.g_measured, self.g_error, self.g_predicted),
        }

    @property
    def deviations(self) -> dict[str, str]:
        """The parts of `within` by "q", "rho" and "g"; those of derived numbers."""
        found = {name: _deviation(*row) for name, row in self.compared.items()}
        return {name: text for name, text in found.items() if text}


def _deviation(predicted: float, measured: float, error: float, unit: float) -> str:
    gap = measured - predicted
    if math.isnan(gap) or not unit:
        return ""
    share = f"{100 * gap / unit:+.1f} %"
    sure = error > 1e-6 * abs(predicted)  # else all draws have one and the same number
    return f"{gap / error:+.1f} s.e. ({share})" if sure else share


@dataclass(frozen=True)
class Block:
    """A repeated part of a network, such as ``blocks.3``, and what stands behind it; predicted where it is derived.

    `lambda_`: factor on squared gradients through the block, g in front of it over g behind it. `shortcut`: whether
    what goes in is added to what comes out; `normalised`: "pre", "post" or "none".
    """

    name: str
    q: float
    rho: float
    g: float
    lambda_: float
    shortcut: bool
    normalised: Literal["pre", "post", "none"]
    layers: int
    derived: bool


class Scale(float):
    """A depth scale in layers, which is a number; `power` the exponent where the decay is a power law of depth.

    >>> scale = Scale(math.inf, power=0.5)
    >>> float(scale), scale.power
    (inf, 0.5)
    """

    power: float

    def __new__(cls, value: float, power: float = NAN) -> Scale:
        """A scale with its power."""
        self = super().__new__(cls, value)
        self.power = power
        return self

    def __getnewargs__(self) -> tuple[float, float]:  # type: ignore[override]
        return float(self), self.power


@pictured
@dataclass(frozen=True)
class Report:
    """Theory beside measurement, layer by layer, and what follows for training.

    `layers`: see `Layer`. `blocks`: repeated parts. `xi_c`: depth scale in layers with weights, inf with a `power`
    where signals and gradients change as powers of depth. `trainable_depth`: 6 xi_c, an empirical rule. `depth`: layers
    with weights on the longest path. `kernel_condition`: condition number of the tangent kernel on the batch, where it
    is derived, else nan and `kernel_reason` says why. `warnings`: what to know before believing it. `draws`: how many;
    a layer `disagrees` if it is further from its prediction than `tolerance` (relative) plus as many standard errors
    as belong to `level`, divided by the number of layers that are compared, and is `inconclusive` if that is so at the
    level `doubt` of one number alone: more draws would decide. `graph`: what was read. `limits`: what
    limits training, a sentence, and `change`: what to change, a sentence; `answer`: the first of the three.
    """

    layers: tuple[Layer, ...]
    blocks: tuple[Block, ...]
    xi_c: Scale
    trainable_depth: float
    depth: int
    kernel_condition: float
    kernel_reason: str
    warnings: tuple[str, ...]
    draws: int
    level: float
    tolerance: float
    graph: Graph
    trainable: bool
    answer: str
    limits: str
    change: str
    title: str = ""
    doubt: float = 0.05

    @property
    def agrees(self) -> bool:
        """Whether no layer disagrees; some may be inconclusive."""
        return not any(layer.verdict == "disagrees" for layer in self.layers)

    def __str__(self) -> str:
        from widelimit.validate.network.graph.writing import text

        return text(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        held = {
            name: value
            for name, value in vars(self).items()
            if name not in ("graph", "layers", "blocks", "xi_c")
        }
        graph = {"method": self.graph.method, "coverage": self.graph.coverage, "shared": self.graph.shared}
        graph |= {"copies": self.graph.copies, "trained": self.graph.trained}
        return {
            **{name: list(value) if isinstance(value, tuple) else value for name, value in held.items()},
            "agrees": self.agrees,
            "xi_c": float(self.xi_c),
            "power": self.xi_c.power,
            "graph": graph | {"nodes": [asdict(node) for node in self.graph.nodes]},
            "layers": [{**asdict(layer), "within": layer.within} for layer in self.layers],
            "blocks": [asdict(block) for block in self.blocks],
        }

    def to_json(self, path: str | Path) -> None:
        """Write everything as strict JSON (what is no number as null); `StoreError` if the file cannot be written."""
        from widelimit.validate.network.graph.writing import json_text

        _write(path, json_text(self))

    def to_html(self, path: str | Path) -> None:
        """Write one page that needs nothing else; `StoreError` if the file cannot be written."""
        from widelimit.validate.network.graph.page import page

        _write(path, page(self))


def _write(path: str | Path, text: str) -> None:
    try:
        with replacing(Path(path)) as file:
            file.write_text(text, encoding="utf-8")
    except (ValueError, TypeError) as error:
        raise StoreError(f"The file {str(path)!r} cannot be written: {error}.") from None
