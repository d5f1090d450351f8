"""Compiled units of recurrent cells with their slopes, generated from `theory.calculus.cells`."""

from __future__ import annotations

from sympy import Expr, Symbol, exp

from widelimit.numerics.compile import Compiled, compile
from widelimit.theory.calculus import cells as c


def _with_slopes(
    name: str, values: list[Expr], by: tuple[Symbol, ...], arguments: tuple[Symbol, ...]
) -> Compiled:
    """Compile values, then the slopes of each by each of `by`."""
    slopes = [value.diff(symbol) for value in values for symbol in by]
    return compile(
        [e.replace(c.sigma, lambda a: 1 / (1 + exp(-a))) for e in (*values, *slopes)], arguments, name=name
    )


_GRU = (c.RESET, c.DRIVE, c.RECURRENT)
_LSTM = (c.INPUT, c.FORGET, c.CANDIDATE, c.OUTPUT)

# h', dh'/da of a_n
VANILLA = _with_slopes("vanilla", [c.vanilla()], (c.DRIVE,), (c.DRIVE,))
# n; by a_r, a_n, m
CANDIDATE = _with_slopes("candidate", [c.gru_candidate()], _GRU, _GRU)
# r h; by a_r, h
RESET = _with_slopes("reset", [c.gru_reset()], (c.RESET, c.STATE), (c.RESET, c.STATE))
# h'; by a_z, n, h. The slopes by n and h are 1 - z and z
_N = Symbol("n", real=True)
NEXT = _with_slopes("next", [c.gru_next(_N)], (c.UPDATE, _N, c.STATE), (c.UPDATE, _N, c.STATE))
# c', h'; each by a_i, a_f, a_g, a_o, c
_FLOW = (*_LSTM, c.MEMORY)
LSTM = _with_slopes("lstm", [c.lstm_memory(), c.lstm_output(c.lstm_memory())], _FLOW, _FLOW)
# c and h at rest; each by a_i, a_f, a_g, a_o
LSTM_REST = _with_slopes("lstm_rest", [c.lstm_rest(), c.lstm_output(c.lstm_rest())], _LSTM, _LSTM)
