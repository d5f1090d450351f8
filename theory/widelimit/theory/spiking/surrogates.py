"""Surrogate derivatives: the noise under which each is the derivative of an expected spike, times Z.

A unit that fires when u + noise > 0 fires with a probability P(u) whose derivative is the noise's density. A surrogate
s(u) that has an integral Z is therefore Z times the derivative of the expected spike under noise of density s/Z.
Names and slopes are those of libraries: of the box, the slope is its half width w; of the Gaussian it is one over the
standard deviation.
"""

from __future__ import annotations

from typing import NamedTuple

from sympy import Abs, Expr, Integer, Piecewise, Symbol, atan2, erfc, exp, oo, pi, sqrt

from widelimit.theory.calculus.exact import one_of

POTENTIAL = Symbol("u", real=True)  # less the threshold
SLOPE = Symbol("beta", positive=True)
SCALE = Symbol("Z", positive=True)
DEPTH = Symbol("L", integer=True, nonnegative=True)


class _Surrogate(NamedTuple):
    value: Expr
    scale: Expr
    probability: Expr
    variance: Expr


def _table() -> dict[str, _Surrogate]:
    u, k = POTENTIAL, SLOPE
    size, turn = Abs(u), pi * k * u / 2
    below = (Integer(0), k * u <= -1), ((1 + k * u) ** 2 / 2, u < 0)
    triangle = Piecewise(*below, (1 - (1 - k * u) ** 2 / 2, k * u < 1), (1, True))
    fast = Piecewise((1 / (2 * (1 - k * u)), u < 0), (1 - 1 / (2 * (1 + k * u)), True))
    return {
        "fast_sigmoid": _Surrogate(1 / (1 + k * size) ** 2, 2 / k, fast, oo),
        "sigmoid": _Surrogate(
            k / ((1 + exp(k * u)) * (1 + exp(-k * u))),
            Integer(1),
            1 / (1 + exp(-k * u)),
            pi**2 / (3 * k**2),
        ),
        "arctan": _Surrogate(k / (2 * (1 + turn**2)), Integer(1), atan2(1, -turn) / pi, oo),
        "triangle": _Surrogate(
            Piecewise((1 - k * size, k * size < 1), (0, True)), 1 / k, triangle, 1 / (6 * k**2)
        ),
        "box": _Surrogate(
            Piecewise((1, size < k), (0, True)),
            2 * k,
            Piecewise((0, u <= -k), ((u + k) / (2 * k), u < k), (1, True)),
            k**2 / 3,
        ),
        "gaussian": _Surrogate(
            k * exp(-((k * u) ** 2) / 2) / sqrt(2 * pi),
            Integer(1),
            erfc(-k * u / sqrt(2)) / 2,
            k**-2,
        ),
    }


_SURROGATES = _table()
NAMES = tuple(_SURROGATES)


def _of(name: str) -> _Surrogate:
    return _SURROGATES[one_of("name", name, NAMES)]


def surrogate(name: str) -> Expr:
    """Return s(u) of a surrogate by its name, u the potential less the threshold, as libraries define it.

    >>> surrogate("fast_sigmoid")
    (beta*Abs(u) + 1)**(-2)
    """
    return _of(name).value


def surrogate_scale(name: str) -> Expr:
    """Return Z, the integral of a surrogate.

    >>> [str(surrogate_scale(name)) for name in NAMES]
    ['2/beta', '1', '1', '1/beta', '2*beta', '1']
    """
    return _of(name).scale


def firing_probability(name: str) -> Expr:
    """Return P(u), the probability of a spike whose derivative is s/Z."""
    return _of(name).probability


def noise_variance(name: str) -> Expr:
    """Return the variance of the noise whose density is s/Z; infinite for the fast sigmoid and the arctan.

    >>> noise_variance("triangle"), noise_variance("arctan")
    (1/(6*beta**2), oo)
    """
    return _of(name).variance


def gradient_scale() -> Expr:
    """Return Z^L: L layers of surrogates scale the gradient of expected spikes by this.

    >>> gradient_scale().subs({SCALE: 2 / Integer(25), DEPTH: 3})
    8/15625
    """
    return SCALE**DEPTH
