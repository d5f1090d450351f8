"""Generated modules and what was derived for them, kept between processes.

modules  keys, generated modules by key, what was derived as trees
code     machine code of loops and generated modules, sealed: what is loaded is what was written
linking  functions that compiled code calls become part of their callers, and are not compiled alone
files    the files that a file rests on
private  the user's own folder, private or refused; files written atomically and verified
trees    SymPy expressions as JSON, rebuilt without evaluating text
"""

from widelimit.numerics.compile.cache.code import njit
from widelimit.numerics.compile.cache.modules import digest, module, remembered, sources
from widelimit.numerics.compile.cache.private import folder

__all__ = ["digest", "folder", "module", "njit", "remembered", "sources"]
