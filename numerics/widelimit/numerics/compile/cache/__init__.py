"""Generated modules and what was derived for them, kept between processes.

modules  keys, generated modules by key, what was derived as trees
code     modules' text, sealed: what is imported is what was written
folder   the user's own folder, private or refused; files written atomically and verified
trees    SymPy expressions as JSON, rebuilt without evaluating text
"""

from widelimit.numerics.compile.cache.modules import (
    digest,
    module,
    remembered,
    sources,
)

__all__ = [
    "digest",
    "module",
    "remembered",
    "sources",
]
