"""The rules of `advise`, each a function of a report that returns changes with predicted numbers.

copies      layers that were drawn once and copied
gains       layers between two activations: the scale at which squared gradients keep their size
branches    residual branches without normalisation
temperature attention next to its collapse
by_hand     Post-LN, great depth without shortcuts, narrow layers
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import WidelimitError
from widelimit.validate.network.graph.records import Graph, Node, Report

WEIGHTED = ("linear", "conv1d", "conv2d", "conv3d")
NORMS = ("layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm", "_native_batch_norm_legit")
PASSING = (
    "dropout", "view", "reshape", "transpose", "permute", "contiguous", "flatten", "unflatten", "select", "squeeze",
    "unsqueeze", "expand", "alias", "detach", "to", "clone",
)  # fmt: skip
TURNING = ("mul", "add", "sub", "neg", "cat", "stack")  # of rotary positions
SMALL = 0.02  # length at which saturating activations are critical, and still bend
WORTH = math.log(2.0)  # changes of squared gradients over all layers below a factor of two are left alone
DEEP = 40  # layers without shortcuts or norms from which shaping pays
NARROW = 0.25  # sum of 1/width from which one draw says little


@dataclass(frozen=True)
class Action:
    """What is done to one parameter: "scale" to sigma_w = `value`, "zero", or "redraw" while it equals `other`."""

    parameter: str
    kind: Literal["scale", "zero", "redraw"]
    value: float = math.nan
    before: str = ""
    after: str = ""
    other: str = ""


@dataclass(frozen=True)
class Change:
    """One change: `target`, `what` (the rule), `before` and `after`, `because` and the predicted `effect`, sentences.

    `actions` are what `Advice.apply` does; none where the change is to be made by hand.
    """

    target: str
    what: str
    before: str
    after: str
    because: str
    effect: str
    actions: tuple[Action, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        hand = "" if self.actions else " (by hand)"
        return (
            f"{self.what} of {self.target}{hand}: {self.before} -> {self.after}. {self.because} {self.effect}"
        )


@dataclass(frozen=True)
class Wiring:
    """A graph with what takes each tensor, and which parameters may be changed."""

    report: Report
    nodes: dict[str, Node]
    takers: dict[str, list[Node]]
    left: frozenset[str]  # parameters that are trained or shared

    @classmethod
    def of(cls, report: Report) -> Wiring:
        """Read the graph of a report."""
        graph = report.graph
        takers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for key in node.inputs:
                takers.setdefault(key, []).append(node)
        return cls(report, {node.key: node for node in graph.nodes}, takers, _left(graph))

    def before(self, key: str) -> Node | None:
        """The first operation upstream of a tensor that does more than pass it on."""
        node = self.nodes.get(key)
        while node is not None and node.op in PASSING and node.inputs:
            node = self.nodes.get(node.inputs[0])
        return node

    def projection(self, key: str) -> Node | None:
        """The one layer with weights that queries or keys come from, by sums and products with fixed numbers alone."""
        found: dict[str, Node] = {}
        open_ = [key]
        while open_:
            node = self.nodes.get(open_.pop())
            if node is None or not (node.weight or node.op in PASSING + TURNING):
                return None
            if node.weight:
                found[node.key] = node
            else:
                open_ += node.inputs
        return next(iter(found.values())) if len(found) == 1 else None

    def behind(self, key: str) -> Iterator[Node]:
        """The first operations downstream of a tensor that do more than pass it on."""
        for node in self.takers.get(key, []):
            if node.op in PASSING:
                yield from self.behind(node.key)
            else:
                yield node

    def upstream(self, key: str) -> set[str]:
        """All tensors that a tensor is made of."""
        found: set[str] = set()
        open_ = [key]
        while open_:
            one = open_.pop()
            if one not in found:
                found.add(one)
                node = self.nodes.get(one)
                open_ += list(node.inputs) if node is not None else []
        return found

    def free(self, node: Node) -> bool:
        """Whether a layer's weights may be changed."""
        return bool(node.weight) and node.weight not in self.left and node.sigma_w > 0

    def q(self, key: str) -> float:
        """Mean square of a tensor, predicted where it is, else measured; nan for none."""
        for layer in self.report.layers:
            if layer.key == key:
                return layer.q_predicted if math.isfinite(layer.q_predicted) else layer.q_measured
        return math.nan

    def rho(self, key: str) -> float:
        """Correlation of two positions or inputs of a tensor."""
        for layer in self.report.layers:
            if layer.key == key:
                return layer.rho_predicted if math.isfinite(layer.rho_predicted) else layer.rho_measured
        return math.nan


def _left(graph: Graph) -> frozenset[str]:
    tied = {name for group in graph.shared for name in group}
    for node in graph.nodes:  # a group may name the uses of one parameter
        if {node.name, node.key, node.module} & tied:
            tied |= {node.weight, node.bias}
    return frozenset((tied | {name for name, _ in graph.trained}) - {""})


def changes(report: Report, depth: int | None) -> tuple[list[Change], list[str]]:
    """Return all changes in order, and sentences about what is left alone."""
    wiring = Wiring.of(report)
    found = [
        *copies(wiring), *gains(wiring, depth), *branches(wiring, depth), *temperature(wiring), *by_hand(wiring, depth),
    ]  # fmt: skip
    kept = [f"{name} is left alone: {why}" for name, why in report.graph.trained]
    kept += [f"{' and '.join(group)} are one and left alone." for group in report.graph.shared]
    kept += not_judged(wiring)
    return found, kept


def copies(wiring: Wiring) -> Iterator[Change]:
    """Layers that start as copies of each other are drawn anew: their outputs add like l^2 along the stream."""
    for group in wiring.report.graph.copies:
        first, *others = group
        weights = {
            node.weight: node.module
            for node in wiring.nodes.values()
            if node.weight and node.weight not in wiring.left and node.sigma_w > 0
        }
        actions = []
        for other in others:
            for weight in weights:
                if weight == other or weight.startswith(f"{other}."):
                    source = first + weight[len(other) :]
                    if source in weights:
                        actions.append(
                            Action(weight, "redraw", math.nan, f"a copy of {source}", "a fresh draw", source)
                        )
        if actions:
            count = len(group)
            yield Change(
                ", ".join(others), "fresh draws", f"copies of {first}", "independent draws",
                f"The {count} layers start as one: what they add to the stream grows as {count}^2, not as {count}.",
                f"What the layers add to the mean square of the stream falls by up to {count} times.", tuple(actions),
            )  # fmt: skip


def gains(wiring: Wiring, depth: int | None) -> Iterator[Change]:
    """Layers from one activation to another, with nothing that would set the scale: the edge of chaos."""
    groups: dict[str, list[Node]] = {}
    for node in wiring.nodes.values():
        if node.op not in WEIGHTED or not wiring.free(node):
            continue
        source = wiring.before(node.inputs[0]) if node.inputs else None
        behind = list(wiring.behind(node.key))
        if source is not None and source.activation and behind and all(one.activation for one in behind):
            groups.setdefault(source.activation, []).append(node)
    for activation, nodes in groups.items():
        try:
            change = _gain(wiring, activation, nodes, depth)
        except WidelimitError:  # no edge of chaos for this activation
            continue
        if change is not None:
            yield change


def _gain(wiring: Wiring, activation: str, nodes: list[Node], depth: int | None) -> Change | None:
    phi = Activation.of(activation)
    logs = [math.log(_factor(wiring, phi, node)) for node in nodes]
    mean, count = sum(logs) / len(logs), depth or len(nodes)
    if not math.isfinite(mean) or abs(mean) * count < WORTH:
        return None
    sigma, bias, length, after = _critical(phi, count)
    actions = _entering(wiring, activation, length) if math.isfinite(length) else []
    for node in nodes:
        actions += [_scaled(node, sigma), *_biased(wiring, node, bias)]
    scales = sorted(node.sigma_w**2 for node in nodes)
    close = scales[-1] - scales[0] < 0.05 * scales[0]
    span = f"{scales[0]:.3g}" if close else f"{scales[0]:.3g} to {scales[-1]:.3g}"
    return Change(
        f"{len(nodes)} layer{'s' * (len(nodes) > 1)} behind {activation}", "gain", f"sigma_w^2 = {span}",
        f"sigma_w^2 = {sigma**2:.4g}, biases {f'of {bias:.3g}' if bias else '0'}",
        f"At the edge of chaos of {activation} squared gradients keep their size from layer to layer.",
        f"Over {count} layers squared gradients change by {_exp(mean * count):.3g}, by {_exp(after):.3g} after it.",
        tuple(actions),
    )  # fmt: skip


def _critical(phi: Activation, count: int) -> tuple[float, float, float, float]:
    """Scales on the edge of chaos, the length to enter with (nan for any), and the log of the gradients' change there.

    Of the edge at a small length and at 1, what changes gradients least over the layers, lengths being near there.
    """
    from widelimit.numerics import meanfield
    from widelimit.numerics.kernel.maps import moments

    found = []
    for length in (SMALL, 1.0):
        line = meanfield.critical_line(phi, q_star=length)
        sigma, bias = float(line.sigma_w), float(line.sigma_b)
        worst = 0.0
        for start in (0.8 * length, 1.25 * length):  # a draw enters with a length near it
            lengths = meanfield.propagate(phi, sigma_w=sigma, sigma_b=bias, q0=start, depth=count).q
            factors = [sigma**2 * float(moments(phi, float(q), 1.0).tdot) for q in lengths[:-1]]
            change = sum(math.log(one) for one in factors) if min(factors) > 0 else -math.inf
            worst = change if abs(change) > abs(worst) else worst
        found.append((sigma, bias, length, worst))
    best = min(found, key=lambda one: (round(abs(one[3]), 2), one[2]))
    any_length = all(abs(one[0] - best[0]) < 1e-9 and one[1] == best[1] for one in found)
    return (*best[:2], math.nan if any_length else best[2], best[3])


def _entering(wiring: Wiring, activation: str, length: float) -> list[Action]:
    """Scale the layers from the inputs to the activation, so that units enter with the variance of the edge."""
    found: list[Action] = []
    for node in wiring.nodes.values():
        first = (
            node.op in WEIGHTED and wiring.free(node) and not any(one in wiring.nodes for one in node.inputs)
        )
        behind = list(wiring.behind(node.key))
        if (
            first
            and behind
            and all(one.activation == activation for one in behind)
            and wiring.q(node.key) > 0
        ):
            found.append(_scaled(node, node.sigma_w * math.sqrt(length / wiring.q(node.key))))
            found += _biased(wiring, node, 0.0)
    return found


def _biased(wiring: Wiring, node: Node, sigma: float) -> list[Action]:
    if not node.bias or node.bias in wiring.left:
        return []
    if sigma and node.sigma_b > 0:
        return [Action(node.bias, "scale", sigma, f"sigma_b {node.sigma_b:.4g}", f"sigma_b {sigma:.4g}")]
    return [Action(node.bias, "zero", 0.0, "as drawn", "0")]


def _factor(wiring: Wiring, phi: Activation, node: Node) -> float:
    """sigma_w^2 E phi'^2 at the variance of what goes into the activation in front of a layer."""
    from widelimit.numerics.kernel.maps import moments

    source = wiring.before(node.inputs[0])
    q = wiring.q(source.inputs[0]) if source is not None and source.inputs else math.nan
    if not q > 0:
        q = 1.0
    return float(node.sigma_w**2 * moments(phi, q, 1.0).tdot)


def branches(wiring: Wiring, depth: int | None) -> Iterator[Change]:
    """The last layers of residual branches that nothing normalises are scaled by one over the root of their number."""
    if any(node.op in NORMS for node in wiring.nodes.values()):
        return
    found = [one for node in wiring.nodes.values() if (one := _branch(wiring, node)) is not None]
    count = depth or len(found)
    growth = _growth(wiring)
    if len(found) < 2 or (math.isfinite(growth) and count * math.log(max(growth, 1.0)) < WORTH):
        return
    actions = [_scaled(one, one.sigma_w / count**0.5) for one in found]
    effect = "Each branch then adds a share of the stream that falls with their number."
    if math.isfinite(growth):
        before, after = count * math.log(max(growth, 1.0)), count * math.log1p(max(growth - 1, 0.0) / count)
        effect = f"Squared gradients grow {_exp(after):.3g} times over {count} blocks in place of {_exp(before):.3g}."
    yield Change(
        f"the last layers of {len(found)} branches", "residual scale", "as drawn", f"divided by sqrt({count})",
        "Nothing normalises the stream: each block multiplies signals and gradients.", effect, tuple(actions),
    )  # fmt: skip


def _branch(wiring: Wiring, node: Node) -> Node | None:
    """The last layer of the branch that an addition adds to a shortcut; the shortcut may be the network's input."""
    if node.op not in ("add", "add_") or not 0 < len(node.inputs) < 3:
        return None
    for key, other in zip(node.inputs, node.inputs[::-1], strict=True):
        last, shortcut = wiring.before(key), wiring.before(other)
        if (
            last is None
            or shortcut is None
            or last.op not in WEIGHTED
            or not wiring.free(last)
            or not last.inputs
        ):
            continue
        if (
            len(node.inputs) == 1
        ):  # a layer behind an activation: an embedding of the input has none in front of it
            inner = wiring.before(last.inputs[0])
            if inner is not None and inner.activation:
                return last
        elif shortcut.key != last.key and shortcut.key in wiring.upstream(last.key):
            return last
    return None


def _growth(wiring: Wiring) -> float:
    """Geometric mean of the blocks' factors on squared gradients."""
    factors = [block.lambda_ for block in wiring.report.blocks if block.shortcut]
    logs = [math.log(one) for one in factors if math.isfinite(one) and one > 0]
    if not logs:  # by the gradients behind the sums themselves
        sums = [
            layer for layer in wiring.report.layers if layer.op in ("add", "add_") and layer.g_measured > 0
        ]
        if len(sums) > 1:
            logs = [math.log(sums[0].g_measured / sums[-1].g_measured) / (len(sums) - 1)]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def temperature(wiring: Wiring) -> Iterator[Change]:
    """Queries and keys whose logits come near sqrt(2 ln T), where attention collapses onto single tokens."""
    for node in wiring.nodes.values():
        softmax = node.softmax
        if softmax is None or softmax.added or softmax.tokens < 2:
            continue
        edge = math.sqrt(2 * math.log(softmax.tokens))
        if softmax.std <= edge / 2:
            continue
        sides = [wiring.projection(one) for one in (softmax.queries, softmax.keys)]
        share = math.sqrt(edge / 4 / softmax.std)
        able = sides[0] is not sides[1] and all(one is not None and wiring.free(one) for one in sides)
        actions = tuple(_scaled(one, one.sigma_w * share) for one in sides if able and one is not None)
        yield Change(
            node.name, "temperature", f"logits of standard deviation {softmax.std:.3g}", f"{edge / 4:.3g}",
            f"Attention over T = {softmax.tokens} tokens collapses onto single ones from sqrt(2 ln T) = {edge:.3g} on.",
            "Gradients reach all tokens again.", actions,
        )  # fmt: skip


def not_judged(wiring: Wiring) -> Iterator[str]:
    """Attention whose temperature says nothing alone."""
    for node in wiring.nodes.values():
        if node.softmax is not None and node.softmax.added:
            yield f"The temperature of {node.name} is left alone: numbers that differ are added to its logits."


def by_hand(wiring: Wiring, depth: int | None) -> Iterator[Change]:
    """What needs another module."""
    report = wiring.report
    post = [block for block in report.blocks if block.normalised == "post"]
    if len(post) >= 2:
        yield Change(
            ", ".join(block.name for block in post), "Pre-LN", "norms behind sums", "norms in front of branches",
            "Behind Post-LN differences between tokens and their gradients fall exponentially with depth.",
            "With Pre-LN they fall as a power of depth.",
        )  # fmt: skip
    yield from _shaping(wiring, depth)
    widths = [node.shape[-1] if node.op == "linear" else node.shape[1] for node in wiring.nodes.values()
              if node.op in WEIGHTED and len(node.shape) > 1 and list(wiring.behind(node.key))]  # fmt: skip
    narrow = sum(1 / width for width in widths if width)
    if narrow > NARROW and not any(node.op in NORMS for node in wiring.nodes.values()):
        yield Change(
            "the widths", "width or normalisation", f"sum of 1/width {narrow:.2g}", f"below {NARROW}",
            f"One draw lies as far as {100 * math.sqrt(5 * narrow):.0f} per cent from the mean.",
            "Wider layers, or normalisation, make draws alike.",
        )  # fmt: skip


def _shaping(wiring: Wiring, depth: int | None) -> Iterator[Change]:
    names = {node.activation for node in wiring.nodes.values() if node.activation}
    layers = [node for node in wiring.nodes.values() if node.op in WEIGHTED]
    count = depth or len(layers)
    normed = any(node.op in NORMS for node in wiring.nodes.values())
    plain = not normed and not any(block.shortcut for block in wiring.report.blocks)
    if not plain or len(names) != 1 or count < DEEP:
        return
    from widelimit.numerics.shaping import shape

    name = next(iter(names))
    for one, method in ((name, "dks"), ("leaky_relu", "tat")):
        try:
            found = shape(one, depth=count, method=method)
        except WidelimitError:
            continue
        inner = f"{one}({found.input_scale:.6g} * x + {found.input_shift:.6g}) + {found.output_shift:.6g}"
        if found.negative_slope is not None:
            inner = f"leaky_relu(x, {found.negative_slope:.6g})"
        after = f"{found.output_scale:.6g} * ({inner})"
        yield Change(
            f"{name} of {count} layers", "shaping", name, f"{after}, with sigma_w^2 = 1 and biases 0",
            "Without shortcuts or normalisation, shaped activations keep lengths and correlations at this depth.",
            f"The map of all layers has the slope {found.target:g} at equal inputs."
            if method == "dks" else f"Independent inputs come to the correlation {found.target:g}.",
        )  # fmt: skip
        return


def _scaled(node: Node, sigma: float) -> Action:
    return Action(node.weight, "scale", sigma, f"sigma_w {node.sigma_w:.4g}", f"sigma_w {sigma:.4g}")


def _exp(value: float) -> float:
    return math.exp(max(-700.0, min(700.0, value)))
