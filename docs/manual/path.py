"""The path of a formula from SymPy to a verdict, with what it is at every station: made when the page is made."""

from __future__ import annotations

import textwrap
from typing import Any

from docs.manual.docstrings import raw

_LONG = 2000  # letters of generated code that are shown
STATIONS = """# The house, and the path of a formula

Three floors, on each an engine and one room a topic; imports go down only.

| floor | knows | what it does |
|---|---|---|
| `theory` | SymPy, mpmath | what is true, and why: expressions, derivations that check themselves |
| `numerics` | NumPy, SciPy, numba | the same expressions compiled to solvers; no formula is typed again |
| `validate` | torch, Matplotlib | simulations that could prove it wrong, verdicts, reports, pictures, commands |

A formula is written once, as SymPy. What follows is printed by the code itself, for two activations: one whose
expectation has a closed form, and one whose has not.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [STATIONS]
    for name in ("relu", "tanh"):
        parts.append(f"## `{name}`")
        for title, text, kind in stations(name):
            block = raw(text) if kind == "html" else f"```{kind}\n{textwrap.dedent(text).strip()}\n```"
            parts.append(f"**{title}**\n\n{block}")
    parts.append(
        "## The verdict\n\nA claim takes its prediction from this solver, its measurement from networks drawn at "
        "several widths, and at least one wrong theory: see [how to read a verdict](verdicts.md), and the tutorial "
        "[a claim of one's own](tutorials/08_own_claim.md)."
    )
    return "\n\n".join(parts) + "\n"


def stations(name: str) -> list[tuple[str, str, str]]:
    """What V(q) = E phi(sqrt(q) z)^2 of an activation is, from text to a number: (title, text, kind)."""
    from sympy import Symbol

    from widelimit.numerics.compile import compile
    from widelimit.theory.calculus.activation import Activation
    from widelimit.theory.calculus.gaussian.expectation import Expectation
    from widelimit.theory.calculus.mathml import mathml
    from widelimit.theory.meanfield import derive

    q = Symbol("q", positive=True)
    phi = Activation.of(name)
    (x,) = phi.expr.free_symbols
    node = Expectation(phi.expr**2, x, q)
    closed = node.doit()
    compiled = compile(closed, (q,))
    step = derive(name)["length-map"]
    shown = compiled.source[:_LONG]
    shown += "\n..." if len(compiled.source) > _LONG else ""
    whole = f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{mathml(closed)}</math>'
    return [
        ("1. The activation, read by a whitelist", repr(phi.expr), "python"),
        ("2. An expectation, not evaluated", str(node), "python"),
        ("3. By rules: a closed form, or what is left for quadrature", whole, "html"),
        ("4. The step of the derivation that uses it", f"{step.equation}\n{step.because}", "text"),
        ("5. Python, written by the compiler and jitted by numba", shown, "python"),
        ("6. A number, the same at 30 digits, and the bound of its error", _number(compiled), "text"),
    ]


def _number(compiled: Any) -> str:
    from mpmath import nstr

    exact = nstr(compiled.mpmath(30)(0.8), 30)
    return f"V(0.8) = {float(compiled(0.8))!r}\n         {exact}\nerror    {float(compiled.error(0.8)):.1e}"
