"""Users' tables of numbers: text, NumPy and Parquet files, compressed or not.

reading  a file by its name and first bytes
text     columns, separators, encodings, decimal commas
table    `Table`: names and numbers, checked
matlab   arrays of .mat files
numbers  the numbers of a file that an argument names
"""

from widelimit.numerics.files.reading import (
    FORMATS,
    TEXT,
    Array,
    free_memory,
    kind,
    read,
)

__all__ = [
    "FORMATS",
    "TEXT",
    "Array",
    "free_memory",
    "kind",
    "read",
]
