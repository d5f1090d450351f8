"""Records of equations that pickle and copy: SymPy rebuilds an ``Eq`` by evaluating it, which makes ``5 = 5`` true.

What a derivation says is lost that way: an equation whose two sides SymPy sees to be the same comes back as ``True``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from sympy import Eq, Expr

Rewritten: TypeAlias = Expr
"""What an operation on expressions returns: mathematics that stands elsewhere, written otherwise. No formula."""


def residual(equation: Eq) -> Rewritten:
    """Return the left side of an equation less its right side, which is zero where it holds.

    >>> residual(Eq(5, 3, evaluate=False))
    2
    """
    return equation.lhs - equation.rhs


class _Sides(NamedTuple):
    """An equation on its way between processes."""

    left: Expr
    right: Expr


class Equations:
    """Mix-in of a frozen dataclass with equations among its fields, alone or in tuples: copies keep them as they are.

    >>> import copy
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Line(Equations):
    ...     equation: Eq
    >>> copy.deepcopy(Line(Eq(5, 5, evaluate=False)))
    Line(equation=Eq(5, 5))
    """

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields, each equation as its two sides."""
        return {name: _packed(value) for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what `__getstate__` gave."""
        for name, value in state.items():
            object.__setattr__(self, name, _unpacked(value))


def _packed(value: Any) -> Any:
    if isinstance(value, Eq):
        return _Sides(value.lhs, value.rhs)
    if isinstance(value, Mapping):  # also a view, which does not pickle
        return dict(value)
    return tuple(map(_packed, value)) if type(value) is tuple else value


def _unpacked(value: Any) -> Any:
    if isinstance(value, _Sides):
        return Eq(value.left, value.right, evaluate=False)
    return tuple(map(_unpacked, value)) if type(value) is tuple else value
