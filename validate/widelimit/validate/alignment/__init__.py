"""Alignment of feedback in torch: layers that learn their own backward weights, and advice for a network of yours.

layers   `Linear(rule=...)`: a linear layer whose error signal returns through its own weights B, which a local rule
         aligns with W^T; `converted`: a copy of a network with such layers
change   what each rule does to B, from the inputs and outputs of a batch
advice   `advise(module, x, batch=)`: for every layer of a network, what each rule will come to
measured  layers of a network, their inputs on a batch, and the error signal that comes back through given feedback
"""

from widelimit.validate.alignment.advice import Advice, LayerAdvice, advise
from widelimit.validate.alignment.layers import Linear, converted

__all__ = ["Advice", "LayerAdvice", "Linear", "advise", "converted"]
