"""Which code a claim's samples come from.

code    `fingerprint` of a claim: the file that simulates, and all that it imports
files   the files behind modules
values  what functions carry with them: closures, bound arguments, constants
"""

from widelimit.validate.harness.provenance.code import (
    fingerprint,
)

__all__ = [
    "fingerprint",
]
