"""Mean field of recurrent networks: the fixed point of a gated one, the two-time memory of a vanilla one."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from widelimit.numerics import arguments, costs
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.quadrature import TINY
from widelimit.numerics.kernel.layers import Block
from widelimit.numerics.kernel.maps import moments
from widelimit.numerics.kernel.recursion import pulled
from widelimit.numerics.results import by_value
from widelimit.theory import recurrence as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.errors import DomainError, NoFixedPointError
from widelimit.theory.kernel import SIGMA_B, SIGMA_V, SIGMA_W, T

SCAN = 512  # points of each scan for fixed points
MOST_STEPS = 5000


@by_value
@dataclass(frozen=True)
class Gated:
    """The fixed point of a minimalRNN with untied weights.

    `q_star` variance of the gate's pre-activation, `memory` = E h^2, `kept` = E u^2, `slope` = E u'^2; `chi_1`
    the growth of
    gradients per step, `time_scale` = -1 / log chi_1 the steps over which they fade (negative: grow).
    `chi_1_without_gate`: the same with E u^2 omitted, as in a published implementation, for comparison only.

    Several fixed points can exist: `roots` lists the q of all of them in increasing order, `root_slopes` the factor by
    which a deviation of E h^2 changes per step there (stable: between -1 and 1), `root_returns` the share of it that is
    gone after a step, 1 - slope in digits of its own. The record is about the one that a network reaches from rest,
    h = 0; `stable` is about it, `several` says whether another one is stable too.
    """

    q_star: float
    memory: float
    kept: float
    slope: float
    chi_1: float
    time_scale: float
    chi_1_without_gate: float
    roots: tuple[float, ...] = ()
    root_slopes: tuple[float, ...] = ()
    root_returns: tuple[float, ...] = ()
    stable: bool = True
    several: bool = False


@functools.cache
def _gate() -> Compiled:
    """(E u^2, E (1 - u)^2, E u'^2), E h^2, next q, chi_1, d E h_t^2/d E h_(t-1)^2, 1 minus both, of a stationary q."""
    memory = theory.stationary_memory()
    there = (
        theory.gate_variance(), theory.gated_chi_1(), theory.memory_slope(), theory.gradient_loss(),
        theory.memory_return(),
    )  # fmt: skip
    return compile(
        (*theory.gate_moments(), memory, *(e.subs(theory.MEMORY, memory) for e in there)),
        (theory.MU_B, theory.Q, SIGMA_W, SIGMA_V, theory.R),
        name="gate",
    )


@functools.cache
def _step() -> Compiled:
    """E h_t^2 of E h_(t-1)^2."""
    return compile(
        theory.next_memory().subs(theory.Q, theory.gate_variance()),
        (theory.MEMORY, theory.MU_B, SIGMA_W, SIGMA_V, theory.R),
        name="step",
    )


def predict(
    sigma_w: float = 1.0, sigma_v: float = 1.0, input_moment: float = 1.0, bias_mean: float = 0.0
) -> Gated:
    """Solve the mean field of a minimalRNN, h_t = u h_(t-1) + (1 - u) x_t (chen2018dynamical, eqs. (4), (5), (9)).

    Q = R E(1 - u)^2 / (1 - E u^2), q = sigma_w^2 Q + sigma_v^2 R, chi_1 = E u^2 + sigma_w^2 (Q + R) E u'^2,
    averages over N(bias_mean, q). Where several fixed points exist, the one reached from rest (h = 0) is returned, and
    `roots` lists all. Raises `DomainError` where the gate never opens within rounding or a variance overflows.

    Args:
        sigma_w: standard deviation of the recurrent weights times the root of the width.
        sigma_v: the same of the input weights.
        input_moment: mean square R of an input's components; inputs are independent in time.
        bias_mean: mean of the gate's biases; large values keep the memory longer.

    >>> point = predict(sigma_w=6.88, sigma_v=1.39, input_moment=0.46)
    >>> round(point.q_star, 8), round(point.chi_1, 8), round(point.time_scale, 3)
    (15.93622266, 0.99877951, 818.84)
    >>> round(point.root_slopes[0], 8), round(point.root_returns[0], 8)
    (0.49742276, 0.50257724)
    """
    mu, at = _scales(sigma_w, sigma_v, input_moment, bias_mean)
    roots = _roots(mu, at)
    found = _evaluate(mu, np.array(roots), at).tolist()
    kept, _, slope, memory, _, chi, pull, loss, back = found
    steady = [0 < value < 2 for value in back]
    k = _from_rest(memory, steady, mu, at)
    return Gated(
        roots[k], memory[k], kept[k], slope[k], chi[k], _scale(loss[k]), chi[k] - kept[k],
        roots=tuple(roots), root_slopes=tuple(pull), root_returns=tuple(back), stable=steady[k],
        several=sum(steady) > 1,
    )  # fmt: skip


def memory_from_rest(
    sigma_w: float = 1.0,
    sigma_v: float = 1.0,
    input_moment: float = 1.0,
    bias_mean: float = 0.0,
    *,
    steps: int = 20,
) -> np.ndarray:
    """Follow the memory E h_t^2 of a minimalRNN from h_0 = 0 for `steps` steps: entry t - 1 is E h_t^2.

    E h_t^2 = E u^2 E h_(t-1)^2 + R E(1 - u)^2 (chen2018dynamical, eq. (4)), averages at the variance that E h_(t-1)^2
    gives the gate. It comes to `Gated.memory` at the fixed point of `predict`, whose arguments these are. Raises
    `ArgumentError` for arguments out of range.

    >>> memory_from_rest(sigma_w=6.88, sigma_v=1.39, input_moment=0.46, steps=3).round(8).tolist()
    [0.13331053, 0.22266741, 0.2698852]
    """
    mu, at = _scales(sigma_w, sigma_v, input_moment, bias_mean)
    steps = costs.affordable("steps", arguments.count("steps", steps), seconds=1e-5, each="step")
    found, here = np.empty(steps), 0.0
    for t in range(steps):
        found[t] = here = float(_step()(here, mu, *at))
    return found


def _scales(
    sigma_w: float, sigma_v: float, input_moment: float, bias_mean: float
) -> tuple[float, tuple[float, float, float]]:
    """Return mu_b, and sigma_w, sigma_v and R, as they were given."""
    sw = arguments.positive_number("sigma_w", sigma_w)
    sv = arguments.non_negative_number("sigma_v", sigma_v)
    r = arguments.positive_number("input_moment", input_moment)
    return arguments.finite_number("bias_mean", bias_mean), (sw, sv, r)


def _evaluate(mu: float, q: np.ndarray, at: tuple[float, float, float]) -> np.ndarray:
    """Return the rows of `_gate` at many q; a gate that never opens is refused."""
    columns = [np.full(q.size, mu), np.maximum(q, TINY), *(np.full(q.size, value) for value in at)]
    found = _gate().evaluate(*columns)[0]
    if not np.isfinite(found).all():
        raise DomainError(
            f"The gate at bias_mean = {mu:g} is never open to within rounding, or the variances overflow: "
            "E h^2 is not determined. Use a smaller bias_mean, sigma_w, sigma_v or input_moment."
        )
    return found


def _roots(mu: float, at: tuple[float, float, float]) -> list[float]:
    """Return every fixed point q of the gate's variance, between those that E h^2 = 0 and E h^2 = R give."""
    sw, sv, r = at
    low, high = sv * sv * r, (sw * sw + sv * sv) * r
    if not (math.isfinite(high) and high > 0):
        raise DomainError(
            f"The gate's variance, up to {high:.3g}, leaves the range of floats: use moderate sigma_w and sigma_v."
        )

    def excess(q: np.ndarray) -> np.ndarray:
        return _evaluate(mu, q, at)[4] - q

    # a share of the interval, and a share of its logarithm: roots crowd at either end
    least = max(low, 1e-30 * high)
    grid = np.unique(np.concatenate([np.geomspace(least, high, SCAN), np.linspace(least, high, SCAN)]))
    values = excess(grid)

    def one(share: float, unit: float = 1.0) -> float:
        return float(excess(np.array([share * unit]))[0])

    # two roots within one step: a minimum of |excess| that goes through zero
    turns = 1 + np.flatnonzero(
        (np.abs(values[1:-1]) < np.abs(values[:-2]))
        & (np.abs(values[1:-1]) < np.abs(values[2:]))
        & (np.sign(values[:-2]) == np.sign(values[2:]))
    )
    extra = []
    for k in turns:
        sign = np.sign(values[k])
        best = optimize.minimize_scalar(
            lambda share, sign=sign, unit=grid[k]: sign * one(share, unit),
            bounds=(grid[k - 1] / grid[k], grid[k + 1] / grid[k]),
            method="bounded",
            options={"xatol": 1e-12},
        )
        extra.append(float(best.x) * grid[k])
    grid = np.unique(np.concatenate([grid, extra]))
    sign = np.sign(excess(grid))
    found = grid[sign == 0].tolist()
    for k in np.flatnonzero(sign[1:] * sign[:-1] < 0):
        unit = float(grid[k])
        share = optimize.brentq(one, 1.0, grid[k + 1] / unit, args=(unit,), xtol=4e-16, rtol=1e-15)
        found.append(unit * float(share))
    if not found and abs(one(least)) <= 1e-9 * least:  # sigma_w so small that E h^2 adds nothing to q
        found = [least]
    if not found:
        raise NoFixedPointError(
            f"The gate's variance has no fixed point below {high:.3g} at these parameters."
        )
    return sorted(found)


def _from_rest(memory: list[float], steady: list[bool], mu: float, at: tuple[float, float, float]) -> int:
    """Return which fixed point E h^2 reaches from 0: the lowest if the recursion rises up to it, else the one it finds.

    The recursion starts below every fixed point; where it increases in E h^2 it cannot step over the lowest.
    """
    if len(memory) == 1:
        return 0
    sw, sv, r = at
    path = np.linspace(0.0, memory[0], 64)
    images = _step().evaluate(path, *(np.full(path.size, value) for value in (mu, sw, sv, r)))[0][0]
    if (np.diff(images) >= 0).all():
        return 0
    here = 0.0
    for _ in range(MOST_STEPS):
        before, here = here, float(_step()(here, mu, sw, sv, r))
        if abs(here - before) <= 1e-12 * here:
            break
    candidates = [k for k, holds in enumerate(steady) if holds] or list(range(len(memory)))
    return min(candidates, key=lambda k: abs(memory[k] - here))


@by_value
@dataclass(frozen=True)
class TwoTime:
    """Statistics of a vanilla network's pre-activations from rest: `variance` (time,) and, with tied weights,
    `covariance` (time, time); with untied weights all entries off its diagonal are zero.
    """

    variance: np.ndarray
    covariance: np.ndarray


@functools.cache
def _vanilla() -> tuple[Compiled, Compiled]:
    """The next variance, and the next covariance of two times, of E phi phi, the scales and R or r."""
    scales = (T, SIGMA_W, SIGMA_V, SIGMA_B)
    return (
        compile(theory.vanilla_variance(), (*scales, theory.R), name="vanilla"),
        compile(theory.two_time(), (*scales, theory.INPUT_OVERLAP), name="two_time"),
    )


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
    scales = tuple(
        arguments.non_negative_number(n, v)
        for n, v in (("sigma_w", sigma_w), ("sigma_v", sigma_v), ("sigma_b", sigma_b))
    )
    step, memory = _vanilla()
    r = arguments.non_negative_number("input_moment", input_moment)
    overlap = arguments.number_within("input_overlap", input_overlap, -r, r)
    steps = costs.affordable(
        "steps", arguments.count("steps", steps), memory=16.0, seconds=1e-4, power=2, each="step"
    )
    before = np.zeros((steps + 1, steps + 1))  # of h_0 .. h_steps
    before[0, 0] = arguments.non_negative_number("start", start)
    for t in range(1, steps + 1):
        for s in range(t + 1):
            same = s == t
            if s == 0 or (not same and not tied):
                continue  # h_0 is independent of everything later, and so are different times of untied weights
            q_t, q_s, c = before[t - 1, t - 1], before[s - 1, s - 1], before[t - 1, s - 1]
            mean = _overlap(phi, q_t, q_s, c)
            before[t, s] = before[s, t] = step(mean, *scales, r) if same else memory(mean, *scales, overlap)
    return TwoTime(np.diagonal(before)[1:].copy(), before[1:, 1:])


def _overlap(phi: Activation, q1: float, q2: float, c: float) -> float:
    """E phi(u) phi(v) for variances q1, q2 and covariance c."""
    from widelimit.numerics.kernel.maps import pair_map

    one, two = np.array([q1]), np.array([q2])
    value, slope = np.array([[c]]), np.ones((1, 1))
    pair_map(phi).at(one, two).advance(Block(value, slope))
    return float(value[0, 0])


def vanilla_slope(activation: str | Activation, *, sigma_w: float, q: float, c: float = 1.0) -> float:
    """Return the growth sigma_w^2 E phi'(u) phi'(v) per step of gradients (c = 1) or of a difference at correlation c.

    `q`: variance of the pre-activations u and v. Raises `ArgumentError` for scales, variances or correlations that are
    none, `InfiniteMomentError` for an activation that jumps.

    >>> vanilla_slope("relu", sigma_w=2.0, q=1.0)
    2.0
    """
    layer = moments(
        Activation.of(activation),
        arguments.positive_number("q", q),
        arguments.single("c", arguments.correlation("c", c)),
    )
    sw2 = arguments.positive_number("sigma_w", sigma_w) ** 2
    return float(pulled(layer.tdot, sw2))


@functools.cache
def _time_scale() -> Compiled:
    return compile(theory.time_scale(), (theory.LOSS,), name="time_scale")


def _scale(loss: float) -> float:
    """-1/log chi_1 for chi_1 = 1 - loss."""
    if loss == 0.0:
        return math.inf
    return float(_time_scale()(loss)) if loss < 1 else 0.0
