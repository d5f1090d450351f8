"""Pictures of results, and their tables of symbols, values and meanings.

One module a topic, found by its name from the module that a result's class stands in; it has `PICTURES`, a function
(result, axes, options) for each class, and `NO_PICTURE`, a reason for each class that has none.

drawing    finds the function of a result, and the axes       kit        what many pictures are made of
tables     a result as an HTML table                          notation   symbols and meanings of the README
labelled   datasets over a grid                               commands   what ``widelimit predict --plot`` draws
files      pictures and numbers as files                      harness    verdicts and audits
"""

from widelimit.validate.pictures.drawing import draw, reason_against
from widelimit.validate.pictures.tables import table

__all__ = ["draw", "reason_against", "table"]
