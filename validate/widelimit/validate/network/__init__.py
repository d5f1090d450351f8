"""Users' torch modules.

reading   `from_torch`: a module becomes a `Network` with kernels, Fisher information and phase
walk      what runs in a module, in order
layers    how each layer of torch is read, or refused by its name
weights, noise    scales of its weights, and whether they are noise
replay    the same network written anew, run beside the user's
result    `Network`: what can be asked of it
modules   torch modules of an architecture's layers
"""

from widelimit.validate.network.reading import (
    from_torch,
)
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
    "ModuleError",
    "Network",
    "Scale",
    "from_torch",
]
