"""The recursion of both kernels as compiled functions of numbers: what every loop over entries calls.

`theory.kernel` states it in sigma_w and sigma_b; loops have their squares at hand, and numba inlines the functions.
Of a recurrent layer with T = 0.5, Tdot = 0.3, Theta = 2, all of whose parameters train:

>>> next_recurrent(0.5, 2.0, 0.5, 0.4, 0.1), next_recurrent_tangent(0.5, 0.3, 2.0, 2.0, 0.5, 0.4, 0.1, 1, 1)
(1.3, 2.5)
"""

from __future__ import annotations

import numpy as np
from numba import types
from sympy import Symbol, sqrt

from widelimit.numerics.compile import compile
from widelimit.numerics.compile.cache import njit
from widelimit.theory import kernel as theory

_SW2, _SB2 = Symbol("sw2", positive=True), Symbol("sb2", nonnegative=True)
_SQUARES = {theory.SIGMA_W: sqrt(_SW2), theory.SIGMA_B: sqrt(_SB2)}
_TRAINED = (theory.TRAINED_W, theory.TRAINED_B)
_NGP, _NTK = theory.next_kernel().subs(_SQUARES), theory.next_tangent().subs(_SQUARES)

next_kernel = compile(_NGP, (theory.T, _SW2, _SB2), name="next_kernel")  # of T, sigma_w^2, sigma_b^2
next_both = (
    compile(  # the same, and the tangent kernel, of T, Tdot, Theta, sigma_w^2, sigma_b^2 and what is trained
        (_NGP, _NTK), (theory.T, theory.TDOT, theory.THETA, _SW2, _SB2, *_TRAINED), name="next_both"
    )
)
close_kernel = compile(  # of the mean variance, sigma_w^2 and the mean squared difference of two inputs
    theory.close_kernel().subs(_SQUARES), (theory.MEAN, _SW2, theory.DISTANCE), name="close_kernel"
)

_SV2 = Symbol("sv2", nonnegative=True)
_WITH_INPUTS = {**_SQUARES, theory.SIGMA_V: sqrt(_SV2)}
next_recurrent = compile(  # of T, sigma_w^2, sigma_v^2, S, sigma_b^2
    theory.next_recurrent().subs(_WITH_INPUTS),
    (theory.T, _SW2, _SV2, theory.INPUT, _SB2),
    name="next_recurrent",
)
next_recurrent_tangent = compile(  # of T, Tdot, Theta, the same scales and inputs, and what is trained
    theory.next_recurrent_tangent().subs(_WITH_INPUTS),
    (theory.T, theory.TDOT, theory.THETA, _SW2, _SV2, theory.INPUT, _SB2, *_TRAINED), name="next_recurrent_tangent",
)  # fmt: skip

pulled = compile(  # sigma_w^2 Tdot, the growth of gradients or small differences, of Tdot and sigma_w^2
    _NTK.subs({theory.T: 0, theory.THETA: 1, theory.TRAINED_B: 0}), (theory.TDOT, _SW2), name="pulled"
)

_F = types.float64
_C1 = types.Array(_F, 1, "C")
_both = next_both.njit


@njit(types.void(_C1, _C1, _F, _F, _F, _F), nogil=True, error_model="numpy", cache=True)
def _advance(k, theta, sw2, sb2, trained_w, trained_b):
    for i in range(k.size):
        k[i], theta[i] = _both(k[i], 1.0, theta[i], sw2, sb2, trained_w, trained_b)


def weighted(
    k: np.ndarray, theta: np.ndarray, sw2: float, sb2: float, *, trained: tuple[bool, bool] = (True, True)
) -> tuple[np.ndarray, np.ndarray]:
    """Return both kernels behind a layer of weights, given those of the units that it reads; any shape, two new arrays.

    `sw2`, `sb2`: variances sigma_w^2 and sigma_b^2; `trained`: whether weights and biases are, see
    ``theory.kernel.next_tangent``.

    >>> k, theta = weighted(np.array([0.5]), np.array([2.0]), 2.0, 0.1)
    >>> k.tolist(), theta.tolist()
    ([1.1], [5.1])
    """
    k, theta = (np.array(one, dtype=float, order="C") for one in (k, theta))
    _advance(k.reshape(-1), theta.reshape(-1), sw2, sb2, *map(float, trained))
    return k, theta
