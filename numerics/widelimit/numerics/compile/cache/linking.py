"""Functions that compiled code calls: linked into their callers, and no machine code of their own.

numba makes machine code of every function of a chain, and optimises and translates with each all that it calls: a chain
of ten costs ten times its last. Here a function that is asked for by compiled code (a callee) is typed and lowered, and
waits to be linked into the function that Python calls (an entry), where LLVM sees all of it once. A callee that Python
calls, or whose address is taken, is compiled again by then, as numba would have done at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba.core import compiler, dispatcher, sigutils
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher
from numba.core.environment import lookup_environment
from numba.core.registry import CPUDispatcher

_FunctionCompiler: Any = vars(dispatcher)["_FunctionCompiler"]
_ENVIRONMENT = "_ZN08NumbaEnv"  # how numba names what a function finds its Python objects by


def njit(function: Callable[..., Any] | None = None, *, cache: bool = False, **options: Any) -> Any:
    """As ``numba.njit``, for a function of any types."""

    def made(function: Callable[..., Any]) -> Any:
        plain = numba.njit(**options)(function)
        if not isinstance(plain, Dispatcher):  # NUMBA_DISABLE_JIT
            return plain
        found = Function(plain.py_func, plain.locals, plain.targetoptions)
        if cache:
            found.enable_caching()
        return found

    return made if function is None else made(function)


class Linked(JITCodeLibrary):
    """The code of a callee, as it was lowered, with all that it calls."""

    def finalize(self) -> None:
        """Link what is called, where numba would go on to machine code."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)  # noqa: SLF001 - as numba's own does
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)  # noqa: SLF001
        self._finalized = True


class Entries(FunctionCache):
    """numba's cache of the machine code of one function, in which callees have nothing to keep."""

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep an entry."""
        if not isinstance(data.library, Linked):
            super().save_overload(sig, data)


class _Compiler(_FunctionCompiler):
    """numba's compiler of one function; `called` while compiled code asks for it."""

    called = False

    @contextmanager
    def asked(self, called: bool) -> Iterator[None]:
        """Compile for compiled code, or for Python."""
        before, self.called = self.called, called
        try:
            yield
        finally:
            self.called = before

    def _compile_core(self, args: Any, return_type: Any) -> Any:
        found = self._callee(args, return_type) if self.called else super()._compile_core(args, return_type)
        return found if self.called else _with_environments(found)

    def _callee(self, args: Any, return_type: Any) -> Any:
        """Lower a function, under a key by which its callers find it."""
        flags: Any = compiler.Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
        context = self.targetdescr.target_context
        library = Linked(context.codegen(), self.py_func.__qualname__)
        found = compiler.compile_extra(
            self.targetdescr.typing_context, context, self.py_func, args, return_type, flags, self.locals,
            library=library, pipeline_class=self.pipeline_class,
        )._replace(entry_point=object())  # fmt: skip
        context.insert_user_function(found.entry_point, found.fndesc, [library])
        return found


def _with_environments(entry: Any) -> Any:
    """Set the environments of callees that were linked into an entry, which keeps them alive, as numba's cache does."""
    names = [one.name for one in entry.library._final_module.global_variables]  # noqa: SLF001
    found = [lookup_environment(name) for name in names if name.startswith(_ENVIRONMENT)]
    kept = [one for one in found if one is not None]
    for one in kept:
        entry.library.codegen.set_env(one.env_name, one)
    return entry._replace(referenced_envs=kept)


class Function(CPUDispatcher):
    """numba's function, for each choice of types an entry or a callee."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        old = self._compiler
        self._compiler: Any = _Compiler(
            old.py_func, old.targetdescr, old.targetoptions, old.locals, old.pipeline_class
        )

    def enable_caching(self) -> None:
        """Keep machine code in numba's files."""
        self._cache: Any = Entries(self.py_func)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return the types of a call in code that is being compiled."""
        with global_compiler_lock, self._compiler.asked(called=True):
            return super().get_call_template(args, kws)

    def get_compile_result(self, sig: Any) -> Any:
        """Return an entry, whose address can be taken."""
        with global_compiler_lock, self._compiler.asked(called=False):
            self._drop_callee(tuple(sig.args))
            return super().get_compile_result(sig)

    def compile(self, sig: Any) -> Any:
        """Compile for these types, if that has not been done."""
        with global_compiler_lock:
            if not self._compiler.called:
                self._drop_callee(tuple(sigutils.normalize_signature(sig)[0]))
            return super().compile(sig)

    def add_overload(self, cres: Any) -> None:
        """Register what was compiled; Python does not get to see callees."""
        if isinstance(cres.library, Linked):
            self.overloads[tuple(cres.signature.args)] = cres
        else:
            super().add_overload(cres)

    def _drop_callee(self, args: tuple) -> None:
        known: Any = self.overloads.get(args)
        if known is not None and isinstance(known.library, Linked):
            del self.overloads[args]
