"""What `network.report` predicts of whole networks, as users write them."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

from widelimit.validate.harness.claim import Choice
from widelimit.validate.harness.declare import declare, table, wrong
from widelimit.validate.simulate.network import whole as simulate

if TYPE_CHECKING:
    from torch import nn

_WIDTH = 256  # of the network that is read; its weights have the scales of theory exactly


@functools.lru_cache(maxsize=16)
def _predicted(
    network: str, biases: bool = True, skip: bool = True, fan_out: bool = False
) -> tuple[float, float]:
    """Mean square behind the last operation and of the gradient behind the first, walked through what was read."""
    import torch

    from widelimit.validate.network.graph.backward import gradients
    from widelimit.validate.network.graph.reading import listed, opened
    from widelimit.validate.simulate.network import drawn

    module = drawn.build(network, _WIDTH, 0, skip)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, torch.nn.Linear):
                _exact(layer, drawn.BIAS if biases else 0.0, fan_out)
    found = opened(module, (drawn.inputs_of(network),))
    walk, steps = found.walk, listed(found)
    assert walk is not None
    end = walk.known[steps[-1].key]
    back = gradients(walk, {})
    return float(end.gram.diagonal().mean()), back.g[steps[0].key]


def _exact(layer: nn.Linear, bias: float, fan_out: bool) -> None:
    scale = 1.5 / (layer.out_features if fan_out else layer.in_features)
    layer.weight.mul_(math.sqrt(scale / float(layer.weight.square().mean())))
    layer.bias.mul_(bias / math.sqrt(float(layer.bias.square().mean())))


AGREEMENT = declare(
    "network.agreement",
    title="Whole networks, read from torch",
    statement="Rules by operation, walked forward and back, give mean squares of units and of gradients.",
    paper="new (rules for graphs)",
    domain={"network": Choice(("mlp", "residual", "transformer"))},
    rows=lambda network: list(_predicted(network)),
    over={"quantity": ("units", "gradients")},
    simulate=simulate.agreement,
    points=table("network", ["residual"], ["mlp", "transformer"]),
    sizes=(64, 96, 128),
    within=0.08,
    closer=1.8,
    noise=0.9,
    quantity="mean squares behind the last operation, and of gradients behind the first layer",
    observable="networks drawn and run in torch, independent normal cotangents",
    wrong=(
        wrong(
            "fan-out",
            "weights of variance over the fan-out",
            lambda network: list(_predicted(network, fan_out=True)),
        ),
        wrong("no biases", "biases are forgotten", lambda network: list(_predicted(network, biases=False))),
        wrong("no shortcut", "shortcuts are dropped", lambda network: list(_predicted(network, skip=False))),
    ),
)
CLAIMS = (AGREEMENT,)
