"""Claims in short, about 25 lines each, wrong theories included: `declare` builds the `Claim` that all else reads.

declaration   `declare`; scales: `largest`, a number as a floor
calls         functions called with the inputs that their signatures name; solvers of numerics by name
rows          predictions as named attributes of a solver's result; `row`: arrays over an index, rows of some points
theories      `wrong` theories: `altered` inputs, `instead` other attributes, `another` solver, or a formula;
              `at_size`: what is predicted of finite sizes
points        `table`: points as rows of values; `spend`: sizes and replicates from a target; `presets`: by hand
"""

from widelimit.validate.harness.declare.declaration import declare, largest
from widelimit.validate.harness.declare.points import presets, spend, table
from widelimit.validate.harness.declare.rows import row
from widelimit.validate.harness.declare.theories import altered, another, at_size, instead, wrong

__all__ = [
    "altered",
    "another",
    "at_size",
    "declare",
    "instead",
    "largest",
    "presets",
    "row",
    "spend",
    "table",
    "wrong",
]
