"""Pruning of users' torch modules, and where the conservation of synaptic flow breaks in them.

methods       `synflow`, `snip`, `grasp`, `magnitude`, `random`: masks at a compression, a `Pruned`
flow          SynFlow's scores of any module that torch.fx can trace, at any depth
tape          the first round of scores kept, as the later ones play it
masks         from scores to masks: exactly as many weights as asked for
balance       `conservation`: flow through every cut of a module, and which node breaks the law
tracing       modules as graphs
nested        values in tuples, lists and mappings
"""

from widelimit.validate.pruning.balance import Conservation, Cut, Node, conservation
from widelimit.validate.pruning.masks import Pruned
from widelimit.validate.pruning.methods import grasp, magnitude, random, snip, synflow

__all__ = [
    "Conservation",
    "Cut",
    "Node",
    "Pruned",
    "conservation",
    "grasp",
    "magnitude",
    "random",
    "snip",
    "synflow",
]
