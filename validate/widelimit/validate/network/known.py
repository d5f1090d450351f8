"""Classes of torch that are read; `registry.register` and `registry.reads` add to them."""

from __future__ import annotations

from torch import nn

from widelimit.validate.network.parts import Shortcut

# containers, which `walk` goes through, and what is read as a layer, or as nothing
KNOWN: set[type[nn.Module]] = {nn.Sequential, Shortcut}
WEIGHTED: set[type[nn.Module]] = set()  # those with weights and biases
