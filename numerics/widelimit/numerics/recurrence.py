"""Mean field of recurrent networks: the fixed point of a gated one, the two-time memory of a vanilla one."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.kernel_maps import moments
from widelimit.numerics.results import by_value
from widelimit.theory import recurrence as theory
from widelimit.theory.activation import Activation
from widelimit.theory.errors import NoFixedPointError


@by_value
@dataclass(frozen=True)
class Gated:
    """The fixed point of a minimalRNN with untied weights.

    `q_star` variance of the gate's pre-activation, `memory` = E h^2, `kept` = E u^2, `slope` = E u'^2; `chi_1`
    the growth of
    gradients per step, `time_scale` = -1 / log chi_1 the steps over which they fade (negative: grow).
    `chi_1_without_gate`: the same with E u^2 omitted, as in a published implementation, for comparison only.
    """

    q_star: float
    memory: float
    kept: float
    slope: float
    chi_1: float
    time_scale: float
    chi_1_without_gate: float


@functools.cache
def _gate() -> Compiled:
    return compile(theory.gate_moments(), (theory.MU_B, theory.Q), name="gate")


@functools.cache
def _gated_formulas() -> Compiled:
    """(E h^2, q, chi_1) as functions of the gate's moments."""
    from sympy import Symbol

    kept, written, slope = (Symbol(name, positive=True) for name in ("kept", "written", "slope"))
    symbols = dict(zip(theory.gate_moments(), (kept, written, slope), strict=True))
    memory = theory.stationary_memory().xreplace(symbols)
    variance = theory.gate_variance().subs(theory.MEMORY, memory)
    chi = theory.gated_chi_1().xreplace(symbols).subs(theory.MEMORY, memory)
    from widelimit.theory.kernel import SIGMA_W

    return compile(
        (memory, variance, chi), (kept, written, slope, SIGMA_W, theory.SIGMA_V, theory.R), name="gated"
    )


def predict(
    sigma_w: float = 1.0, sigma_v: float = 1.0, input_moment: float = 1.0, bias_mean: float = 0.0
) -> Gated:
    """Solve the mean field of a minimalRNN, h_t = u h_(t-1) + (1 - u) x_t (chen2018dynamical, eqs. (4), (5), (9)).

    Q = R E(1 - u)^2 / (1 - E u^2), q = sigma_w^2 Q + sigma_v^2 R, chi_1 = E u^2 + sigma_w^2 (Q + R) E u'^2,
    averages over
    N(bias_mean, q).

    Args:
        sigma_w: standard deviation of the recurrent weights times the root of the width.
        sigma_v: the same of the input weights.
        input_moment: mean square R of an input's components; inputs are independent in time.
        bias_mean: mean of the gate's biases; large values keep the memory longer.

    >>> point = predict(sigma_w=6.88, sigma_v=1.39, input_moment=0.46)
    >>> round(point.q_star, 8), round(point.chi_1, 8)
    (15.93622266, 0.99877951)
    """
    sw = float(arguments.positive("sigma_w", sigma_w))
    sv = float(arguments.non_negative("sigma_v", sigma_v))
    r = float(arguments.positive("input_moment", input_moment))
    mu = float(arguments.finite("bias_mean", bias_mean))
    gate, formulas = _gate(), _gated_formulas()

    def excess(q: float) -> float:
        return formulas(*gate(mu, q), sw, sv, r)[1] - q

    low, high = sv**2 * r, (sw**2 + sv**2) * r  # E h^2 lies between 0 and R
    if excess(high) > 1e-9 * high:
        raise NoFixedPointError(
            f"The gate's variance has no fixed point below {high:.3g} at these parameters."
        )
    q = (
        high
        if excess(high) >= 0
        else float(optimize.brentq(excess, max(low, 1e-12 * high), high, xtol=1e-14 * high, rtol=1e-14))
    )
    kept, written, slope = gate(mu, q)
    memory, _, chi = formulas(kept, written, slope, sw, sv, r)
    return Gated(q, memory, kept, slope, chi, _scale(chi), chi - kept)


@by_value
@dataclass(frozen=True)
class TwoTime:
    """Statistics of a vanilla network's pre-activations from rest: `variance` (time,) and, with tied weights,
    `covariance` (time, time); with untied weights all entries off its diagonal are zero.
    """

    variance: np.ndarray
    covariance: np.ndarray


def two_time(
    activation: str | Activation = "tanh", *, sigma_w: float, sigma_v: float = 0.0, sigma_b: float = 0.0,
    input_moment: float = 0.0, input_overlap: float = 0.0, start: float = 0.0, steps: int = 20, tied: bool = True,
) -> TwoTime:  # fmt: skip
    """Follow h_t = W phi(h_(t-1)) + V x_t + b for `steps` steps from h_0 of variance `start`, independent of W.

    q_t = sigma_w^2 E phi^2 + sigma_v^2 R + sigma_b^2; C(t, s) = sigma_w^2 E phi(h_(t-1)) phi(h_(s-1)) +
    sigma_v^2 r + sigma_b^2
    with tied weights and x_t . x_s / N = r = `input_overlap` at different times; zero with fresh weights at each step.

    >>> out = two_time("linear", sigma_w=0.5, sigma_b=1.0, steps=2)
    >>> out.covariance.tolist()
    [[1.0, 1.0], [1.0, 1.25]]
    """
    phi, tied = Activation.of(activation), arguments.flag("tied", tied)
    sw2, sv2, sb2 = (
        float(arguments.non_negative(n, v)) ** 2
        for n, v in (("sigma_w", sigma_w), ("sigma_v", sigma_v), ("sigma_b", sigma_b))
    )
    r = float(arguments.non_negative("input_moment", input_moment))
    overlap = float(arguments.within("input_overlap", input_overlap, -r, r))
    steps = arguments.count("steps", steps)
    before = np.zeros((steps + 1, steps + 1))  # of h_0 .. h_steps
    before[0, 0] = float(arguments.non_negative("start", start))
    for t in range(1, steps + 1):
        for s in range(t + 1):
            same = s == t
            if s == 0 or (not same and not tied):
                continue  # h_0 is independent of everything later, and so are different times of untied weights
            q_t, q_s, c = before[t - 1, t - 1], before[s - 1, s - 1], before[t - 1, s - 1]
            mean = _overlap(phi, q_t, q_s, c)
            before[t, s] = before[s, t] = sw2 * mean + sv2 * (r if same else overlap) + sb2
    return TwoTime(np.diagonal(before)[1:].copy(), before[1:, 1:])


def _overlap(phi: Activation, q1: float, q2: float, c: float) -> float:
    """E phi(u) phi(v) for variances q1, q2 and covariance c."""
    from widelimit.numerics.kernel_maps import pair_map

    one, two = np.array([q1]), np.array([q2])
    value, slope = np.array([[c]]), np.ones((1, 1))
    pair_map(phi).at(one, two).advance(value, slope, slice(0, 1), slice(0, 1), 1.0, 0.0, 0.0)
    return float(value[0, 0])


def vanilla_slope(activation: str | Activation, *, sigma_w: float, q: float, c: float = 1.0) -> float:
    """Growth sigma_w^2 E phi'(u) phi'(v) per step of gradients (c = 1) or of a difference at correlation c."""
    layer = moments(
        Activation.of(activation), float(arguments.positive("q", q)), float(arguments.correlation("c", c))
    )
    return float(arguments.positive("sigma_w", sigma_w)) ** 2 * layer.tdot


def _scale(chi: float) -> float:
    return math.inf if chi == 1.0 else -1.0 / math.log(chi)
