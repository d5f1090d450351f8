"""Units of recurrent cells, element by element: what a step makes of drives and states, and where it would rest.

Drives are a = W h + W_in x + b, one for each gate. A vanilla cell is h' = tanh(a); a GRU h' = (1 - z) n + z h; an LSTM
c' = f c + i g, h' = o tanh(c'), in the form and order of torch. A complement 1 - sigma(a) is written sigma(-a), which
keeps its digits where the gate saturates.
"""

from __future__ import annotations

from typing import Any

from sympy import Expr, Function, Symbol, exp, tanh

RESET, UPDATE = Symbol("a_r", real=True), Symbol("a_z", real=True)  # drives of a GRU's gates
DRIVE = Symbol("a_n", real=True)  # of the candidate, without what the reset gate multiplies
RECURRENT = Symbol("m", real=True)  # W_hn h + b_hn, which it multiplies
STATE = Symbol("h", real=True)
INPUT, FORGET = Symbol("a_i", real=True), Symbol("a_f", real=True)  # drives of an LSTM's gates
CANDIDATE, OUTPUT = Symbol("a_g", real=True), Symbol("a_o", real=True)
MEMORY = Symbol("c", real=True)


class sigma(Function):  # type: ignore[misc]  # SymPy is untyped
    """The logistic function 1 / (1 + exp(-a)), kept as it is so that slopes are products: sigma' = sigma(a) sigma(-a).

    >>> sigma(RESET).diff(RESET)
    sigma(-a_r)*sigma(a_r)
    """

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the derivative sigma(a) sigma(-a)."""
        return sigma(self.args[0]) * sigma(-self.args[0])

    def _eval_rewrite_as_exp(self, arg: Expr, **kwargs: Any) -> Expr:
        return 1 / (1 + exp(-arg))

    def _eval_evalf(self, prec: int) -> Expr:
        return self.rewrite(exp)._eval_evalf(prec)  # noqa: SLF001 - the protocol of SymPy's functions


def vanilla() -> Expr:
    """Return h' = tanh(a) of a unit of a vanilla cell."""
    return tanh(DRIVE)


def gru_candidate() -> Expr:
    """Return n = tanh(a_n + sigma(a_r) m) of a GRU in torch's form: the reset gate acts after the product.

    >>> gru_candidate()
    tanh(a_n + m*sigma(a_r))
    """
    return tanh(DRIVE + sigma(RESET) * RECURRENT)


def gru_reset() -> Expr:
    """Return r h = sigma(a_r) h, what a GRU in the papers' form multiplies by its recurrent weights."""
    return sigma(RESET) * STATE


def gru_next(candidate: Expr) -> Expr:
    """Return h' = (1 - z) n + z h of a GRU of either form, from its candidate n.

    >>> gru_next(vanilla())
    h*sigma(a_z) + tanh(a_n)*sigma(-a_z)
    """
    return sigma(-UPDATE) * candidate + sigma(UPDATE) * STATE


def lstm_memory() -> Expr:
    """Return c' = f c + i g of an LSTM."""
    return sigma(FORGET) * MEMORY + sigma(INPUT) * tanh(CANDIDATE)


def lstm_output(memory: Expr) -> Expr:
    """Return h' = o tanh(c') of an LSTM."""
    return sigma(OUTPUT) * tanh(memory)


def lstm_rest() -> Expr:
    """Return the memory c = i g / (1 - f) at which an LSTM with constant gates rests.

    >>> lstm_rest()
    tanh(a_g)*sigma(a_i)/sigma(-a_f)
    """
    return sigma(INPUT) * tanh(CANDIDATE) / sigma(-FORGET)
