"""Users' torch modules.

reading   `from_torch`: a module becomes a `Network` with kernels, Fisher information and phase
walk      what runs in a module, in order
registry, kinds   a kind of layer: how it is read from torch, drawn, rebuilt and tested
known     classes of torch that are read
layers    all layers of a module read, or refused by their names
weights, noise    scales of its weights, and whether they are noise
replay    the same network written anew, run beside the user's
result    `Network`: what can be asked of it
rates       `rate_network`: a recurrent matrix read as a balanced code
modules, parts    `build`: the torch module of an architecture, and what it is made of
graph     any torch module: `read` it as a graph of operations
reporting `report`: theory beside measurement
advice    `advise`: what to change in its initialisation
advice_rules, advice_proof    the rules of it, and the paired experiment on whether it helps
"""

from widelimit.validate.network.advice import Advice, advise
from widelimit.validate.network.advice_proof import Proof
from widelimit.validate.network.advice_rules import Change
from widelimit.validate.network.graph.reading import read
from widelimit.validate.network.graph.records import Block, Graph, Layer, Node, Report
from widelimit.validate.network.rates import RateNetwork, rate_network
from widelimit.validate.network.reading import (
    from_torch,
)
from widelimit.validate.network.reporting import report
from widelimit.validate.network.result import (
    Network,
)
from widelimit.validate.network.walk import (
    ModuleError,
)
from widelimit.validate.network.weights import (
    Scale,
)

__all__ = [
    "Advice",
    "Block",
    "Change",
    "Graph",
    "Layer",
    "ModuleError",
    "Network",
    "Node",
    "Proof",
    "RateNetwork",
    "Report",
    "Scale",
    "advise",
    "from_torch",
    "rate_network",
    "read",
    "report",
]
