"""Strong balance, correlations in time, and the phase diagram."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.coding import solver
from widelimit.numerics.coding.units import Kind
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.results import by_value, pictured
from widelimit.theory import coding as theory
from widelimit.theory.dynamics import DISORDER, NOISE, VARIANCE

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class StrongBalance:
    """Limits of large balance: `drive` m, so that b times the bias tends to it; `noise_coefficient`, the limit of
    b N Var x_hat; `chaos_coefficient`, that of b^2 N Var x_hat without noise; `crossover`, the balance at which both
    laws give the same variance (inf without chaos, nan without noise and chaos). With b = beta N the error is
    superclassical: N^2 Var tends to noise_coefficient/beta, N^2 bias^2 to (drive/beta)^2.
    """

    drive: float
    unit_variance: float
    gain: float
    noise_coefficient: float
    chaos_coefficient: float
    crossover: float


@pictured
class Correlations(NamedTuple):
    """Autocovariances in time: `units`, Delta of h about its mean, and `rates`, C of phi(h) within a network."""

    units: Any
    rates: Any


@functools.cache
def _coefficients() -> Compiled:
    t = theory
    arguments_ = (NOISE, t.SQUARE, t.GAIN, t.RATES, t.STILL, VARIANCE, DISORDER)
    return compile((t.noise_coefficient(), t.chaos_coefficient()), arguments_, name="strong_balance")


def strong_balance(
    activation: Kind, *, noise: float = 0.0, disorder: float = 0.0, signal: float = 0.0
) -> StrongBalance:
    """Return the laws of large balance: noise is suppressed as 1/b, chaos as 1/b^2.

    b N Var x_hat tends to sigma^2 B/(2 A), with averages at the variance that disorder leaves; without noise b^2 N Var
    tends to [C(0) - C''(0)]/A^2.

    >>> p = strong_balance("tanh", noise=0.75, signal=0.2)
    >>> round(p.noise_coefficient / 0.1, 4), round((p.drive / 0.1) ** 2, 3)
    (2.3705, 6.223)
    >>> round(strong_balance("tanh", disorder=1.6).chaos_coefficient, 4)  # at a balance of 10^6: 1.0626
    1.0626
    """
    for name, value in {"noise": noise, "disorder": disorder, "signal": signal}.items():
        arguments.finite_number(name, value)
    neuron, given = solver.door(activation, 1.0, noise, disorder, 0.0, signal)
    given = given._replace(balance=np.array([math.inf]))
    state = solver.settle(neuron, given)
    b, rates = (float(one[0]) for one in neuron.squares(state.drive, state.variance))
    sigma, g, a = float(given.noise[0]), float(given.disorder[0]), float(state.gain[0])
    slow, fast = _coefficients()(sigma, b, a, rates, float(state.still[0]), float(state.variance[0]), g)
    chaos = float(fast) if g > 0 and 0 in state.paths else 0.0
    cross = chaos / float(slow) if slow > 0 and chaos > 0 else math.inf
    return StrongBalance(float(state.drive[0]), float(state.variance[0]), a, float(slow), chaos, cross)


def correlation(
    activation: Kind,
    *,
    times: Any,
    balance: float = 0.0,
    noise: float = 0.0,
    disorder: float = 0.0,
    signal: float = 0.0,
) -> Correlations:
    """Return Delta(tau) of h about w m, and C(tau) of phi(h) within one network, at lags `times`.

    Fluctuations that the feedback sends back are of order N^(-1/2) and left out; what does not fade (`frozen_variance`)
    is part of Delta, and not of C.

    >>> p = correlation("tanh", times=[0.0, 1.0], noise=0.75)
    >>> (p.units / 0.28125).round(6).tolist()
    [1.0, 0.367879]
    """
    lag = np.abs(arguments.finite("times", times))
    for name, value in {"balance": balance, "noise": noise, "disorder": disorder, "signal": signal}.items():
        arguments.finite_number(name, value)
    neuron, given = solver.door(activation, balance, noise, disorder, 0.0, signal)
    state = solver.settle(neuron, given)
    variance, path = float(state.variance[0]), state.paths.get(0)
    if path is not None:
        rho, found = path.rho_at(lag), path.balance.modes
    elif given.disorder[0] > 0 or variance == 0:
        zero = np.zeros(lag.shape)
        return Correlations(arguments.scalar(zero + variance), arguments.scalar(zero))
    else:
        assert state.modes is not None
        rho, found = np.exp(-lag), state.modes
    rates = found.value(rho) - state.still[0]
    return Correlations(arguments.scalar(variance * rho), arguments.scalar(np.asarray(rates)))


def phase_diagram(
    activation: Kind,
    *,
    balance: Any,
    delay: Any,
    noise: float = 0.0,
    disorder: float = 0.0,
    signal: float = 0.0,
) -> Any:
    """Return `solve` on the grid balance x delay as an `xarray.Dataset` with dimensions of these names.

    `variance` is inf where the network oscillates; the line of Hopf is where balance is `critical_balance`.

    >>> d = phase_diagram("tanh", balance=[4.0, 30.0], delay=[0.05, 0.1], noise=0.75)
    >>> d.phase.sel(balance=30.0, delay=0.1).item(), dict(d.sizes)
    ('oscillating', {'balance': 2, 'delay': 2})
    """
    from widelimit.numerics.labelled import Labelled

    b, d = arguments.increasing("balance", balance), arguments.increasing("delay", delay)
    found = solver.solve(
        activation, balance=b[:, None], delay=d[None, :], noise=noise, disorder=disorder, signal=signal
    )
    values = {f.name: (("balance", "delay"), getattr(found, f.name)) for f in fields(found)}
    coordinates = {
        "balance": ("balance", b, {"long_name": "balance b"}),
        "delay": ("delay", d, {"long_name": "delay over the membrane constant"}),
    }
    return Labelled(values, coordinates)


def predict(
    activation: str = "tanh",
    balance: float = 4.0,
    noise: float = 0.75,
    disorder: float = 0.0,
    delay: float = 0.0,
    signal: float = 0.2,
) -> solver.Coding:
    """Return the error of a balanced network, for the command line; see `solve`.

    Args:
        activation: a catalogue name or an increasing expression in x.
        balance: b.
        noise: sigma.
        disorder: g.
        delay: d.
        signal: x.

    >>> round(predict().bias, 6)
    0.047357
    """
    return solver.solve(
        activation, balance=balance, noise=noise, disorder=disorder, delay=delay, signal=signal
    )
