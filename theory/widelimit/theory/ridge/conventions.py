"""How the same quantities are written elsewhere: a table for readers of other papers and users of scikit-learn.

`penalty_from(name)` gives our penalty in terms of the source's symbols, so that the table can be computed with.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Symbol, symbols

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.equations import Rewritten
from widelimit.theory.ridge.formulas import penalty_symbol

N, P = symbols("N P", positive=True)  # samples, dimensions


@dataclass(frozen=True)
class Convention:
    """One source's notation. `penalty` is our lambda in its symbols; `words` translate the rest, theirs = ours."""

    name: str
    source: str
    setting: str
    penalty: Expr
    words: tuple[str, ...]


_theirs = Symbol("lambda_theirs", real=True)
_alpha = Symbol("alpha_theirs", positive=True)

CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "widelimit",
        "mel2021anisotropic",
        "minimise (1/N) sum of squares + lambda |w|^2; a factor 1/2 on both terms changes nothing",
        penalty_symbol,
        ("alpha = N/P", "E includes the label noise", "F = E/(signal + noise)"),
    ),
    Convention(
        "scikit-learn",
        "pedregosa2011scikit",
        "minimise sum of squares + alpha |w|^2 (sklearn.linear_model.Ridge)",
        _alpha / N,
        ("alpha = N lambda", "its intercept takes one sample: N - 1 of them are left"),
    ),
    Convention(
        "Hastie et al.",
        "hastie2022surprises",
        "minimise (1/n) sum of squares + lambda |beta|^2, gamma = p/n",
        _theirs,
        ("gamma = 1/alpha", "their risk = E - sigma2", "companion Stieltjes transform v(-lambda) = 1/kappa"),
    ),
    Convention(
        "Dobriban and Wager",
        "dobriban2018high",
        "random w with E w_j^2 = alpha_DW^2/p, gamma = p/n, noise variance 1",
        _theirs,
        ("gamma = 1/alpha", "best penalty = gamma/alpha_DW^2"),
    ),
    Convention(
        "Wu and Xu",
        "wu2020optimal",
        "inputs carry 1/sqrt(n), estimator (X^T X + lambda)^-1 X^T y",
        _theirs,
        ("w = beta/sqrt(n)", "m(-lambda) = 1/kappa", "m'(-lambda)/m(-lambda)^2 = 1/(1 - rho)"),
    ),
    Convention(
        "Bordelon, Canatar and Pehlevan",
        "bordelon2020spectrum; canatar2021spectral",
        "kernel regression, minimise sum of squares + lambda |f|^2",
        _theirs / N,
        (
            "kappa_theirs = N kappa",
            "gamma = rho",
            "kappa_theirs = lambda_theirs + sum kappa_theirs s/(kappa_theirs + N s)",
        ),
    ),
)
"""The conventions, ours first."""


def penalty_from(name: str) -> Rewritten:
    """Our penalty in the symbols of the named convention.

    >>> penalty_from("scikit-learn")
    alpha_theirs/N
    """
    known = {convention.name: convention for convention in CONVENTIONS}
    return known[exact.one_of("name", name, known)].penalty


def table() -> str:
    """Return the conventions as a Markdown table.

    >>> table().splitlines()[0]
    '| source | setting | our penalty | the rest |'
    """
    rows = ["| source | setting | our penalty | the rest |", "|---|---|---|---|"]
    for c in CONVENTIONS:
        cells = (c.name, c.setting, str(c.penalty), "; ".join(c.words))
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(rows)
