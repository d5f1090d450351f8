"""Users' tables of numbers: text, NumPy and Parquet files, compressed or not.

reading  a file by its name and first bytes
text     columns, separators, encodings, decimal commas
table    `Table`: names and numbers, checked
matlab   arrays of .mat files
door     files that an argument names: opened, or a sentence
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
