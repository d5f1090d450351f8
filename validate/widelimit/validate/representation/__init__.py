"""Spectra of users' networks: a penalty that imposes an exponent, and the exponent that a module has.

penalty    `regulariser`, a torch loss
recorded   `from_module`, the exponent of a layer from two noisy passes
"""

from widelimit.validate.representation.penalty import regulariser
from widelimit.validate.representation.recorded import from_module, passes

__all__ = ["from_module", "passes", "regulariser"]
