"""What theory predicts for the mean-field claims, and what wrong theories would: functions of a point's inputs.

A point names an activation, ``sigma_w``, ``sigma_b``, often a ``depth``, and either synthetic starting moments
(``q0``, ``one_minus_c0`` of h^0) or real inputs (``data``, see `widelimit.validate.harness.inputs.pair`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from widelimit.theory.errors import DomainError
from widelimit.validate.claims.meanfield.measured import scaled
from widelimit.validate.harness.claim import Inputs
from widelimit.validate.harness.inputs import first_moments

# A theory is tried on the neighbouring activation: nearly the same shape, and the same slope at 0 where there is one.
NEIGHBOURS: Mapping[str, str] = {
    "tanh": "erf_s",
    "erf_s": "tanh",
    "erf": "erf_s",
    "hard_tanh": "erf_s",
    "arctan": "tanh",
    "sin": "tanh",
    "relu": "leaky_relu(0.2)",
    "gelu": "relu",
    "swish": "relu",
    "elu": "tanh",
}
# Rates and fixed points of those are too close: a less similar one, still odd, of slope 1 at 0 and saturating.
FARTHER: Mapping[str, str] = {
    "tanh": "arctan",
    "erf_s": "arctan",
    "hard_tanh": "tanh",
    "relu": "leaky_relu(0.4)",
}

STEP = 6  # layers between rows of gradients
COVARIANCE_AT = (
    2  # layers back where gradients of two inputs are compared: farther back they are lost in noise
)
DELTA = 0.06  # a change of c that is followed


class History(NamedTuple):
    """Moments after layers 1, ..., depth: mean length of the two inputs, correlation, and its distance from 1."""

    q: np.ndarray
    c: np.ndarray
    one_minus_c: np.ndarray


def altered(inputs: Inputs, **changes: Any) -> Inputs:
    """The inputs with some of them replaced."""
    return {**inputs, **changes}


def neighbour(inputs: Inputs) -> Inputs:
    """The same point for the activation that a counterfactual mistakes this one for."""
    return altered(inputs, activation=NEIGHBOURS.get(str(inputs["activation"]), "tanh"))


def farther(inputs: Inputs) -> Inputs:
    """The same point for an activation of the same kind that is easier to tell from this one."""
    return altered(
        inputs, activation=FARTHER.get(str(inputs["activation"]), str(neighbour(inputs)["activation"]))
    )


# --- layer by layer -----------------------------------------------------------------------------------------------


def start(inputs: Inputs) -> tuple[float, float, float]:
    """q_a, q_b and c of the pre-activations that a point starts from: h^0, or h^1 of its real inputs."""
    if "data" in inputs:
        return first_moments(str(inputs["data"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]))
    q = float(inputs.get("q0", 1.0))
    return q, q, 1.0 - float(inputs.get("one_minus_c0", 1.0))


def history(inputs: Inputs) -> History:
    """q, c and 1 - c layer by layer, from the moments that the point's inputs really have.

    With ``size`` among the inputs, of a network of that width. Raises `DomainError` where two inputs are so alike that
    their correlation at finite width is not known.
    """
    return _history(tuple(sorted(inputs.items())))


@lru_cache(maxsize=1024)
def _history(items: tuple) -> History:
    from widelimit.numerics import meanfield

    inputs = dict(items)
    q_a, q_b, c = start(inputs)
    drawn = "data" in inputs  # h^1, by weights and biases; else h^0, which is given

    def propagated(*lengths: float) -> meanfield.Propagation:
        return meanfield.propagate(
            inputs["activation"],
            sigma_w=float(inputs["sigma_w"]),
            sigma_b=float(inputs["sigma_b"]),
            q0=lengths,
            one_minus_c0=1.0 - c if drawn else float(inputs.get("one_minus_c0", 1.0)),
            depth=int(inputs["depth"]),
            keep=float(inputs.get("keep", 1.0)),
            width=inputs.get("size"),
            weights=str(inputs.get("weights", "gaussian")),
            given=not drawn,
        )

    found = propagated(q_a, q_b)
    layers = slice(0, -1) if drawn else slice(1, None)
    q, c_, apart = (found.q + found.q_2) / 2, found.c, found.one_minus_c
    if found.at_width is not None:
        other = found if q_a == q_b else propagated(q_b, q_a)
        q = q + sum(one.at_width.correction[0] for one in (found, other) if one.at_width is not None) / 2
        c_, apart = found.at_width.c[0], apart - found.at_width.c_correction[0]
        if not np.isfinite(c_[layers]).all():
            raise DomainError(
                f"How {inputs['activation']} moves inputs this alike at finite width is not known."
            )
    return History(*(np.asarray(v)[layers] for v in (q, c_, apart)))


def equal_inputs(inputs: Inputs) -> Inputs:
    """The point for two equal inputs, which only masks of dropout tell apart."""
    return altered(inputs, one_minus_c0=0.0)


def critical(inputs: Inputs) -> Inputs:
    """The point at its own edge of chaos: sigma_w from theory, inputs of the length q*."""
    line = edge(str(inputs["activation"]), float(inputs["sigma_b"]))
    return altered(inputs, sigma_w=float(line.sigma_w), q0=float(line.q_star))


class Critical(NamedTuple):
    """An edge of chaos, and l (1 - c^l) of networks that stand there."""

    sigma_w: float
    merging: np.ndarray


def critical_history(inputs: Inputs) -> Critical:
    """The edge of chaos of a point's activation, and how inputs merge there."""
    at = critical(inputs)
    return Critical(float(at["sigma_w"]), scaled(history(at).one_minus_c))


class Mistake(NamedTuple):
    """How a wrong theory steps from one layer to the next; the defaults are the right one."""

    covariance_bias: float = 1.0  # share of sigma_b^2 that the covariance of two inputs gets
    covariance_keep: float = 0.0  # power of 1/keep in front of the covariance
    stale_length: bool = False  # the covariance divided by the lengths of the layer before


def wrong_history(inputs: Inputs, mistake: Mistake) -> History:
    """As `history`, with a mistake in the recursion.

    q' = (sigma_w^2/keep) V(q) + sigma_b^2 and c' = (sigma_w^2 E phi(u_a) phi(u_b) + sigma_b^2) / sqrt(q_a' q_b') are
    stepped here with the compiled expectations alone, apart from the solver whose result they are compared with.
    """
    sigma_w, sigma_b = float(inputs["sigma_w"]), float(inputs["sigma_b"])
    keep = float(inputs.get("keep", 1.0))
    second_moment, product = _expectations(str(inputs["activation"]))
    q_a, q_b, c = start(inputs)
    rows = [(q_a, q_b, c)]
    for _ in range(int(inputs["depth"])):
        old = (q_a * q_b) ** 0.5
        covariance = sigma_w**2 * product(q_a, q_b, c) / keep**mistake.covariance_keep
        covariance += mistake.covariance_bias * sigma_b**2
        q_a, q_b = (sigma_w**2 / keep * second_moment(q) + sigma_b**2 for q in (q_a, q_b))
        c = min(covariance / (old if mistake.stale_length else (q_a * q_b) ** 0.5), 1.0)
        rows.append((q_a, q_b, c))
    table = np.array(rows[:-1] if "data" in inputs else rows[1:])
    return History((table[:, 0] + table[:, 1]) / 2, table[:, 2], 1 - table[:, 2])


@lru_cache(maxsize=64)
def _expectations(activation: str) -> tuple[Callable[..., float], Callable[..., float]]:
    """E phi(u)^2 as a function of q, and E phi(u_a) phi(u_b) of q_a, q_b, c."""
    from sympy import Symbol

    from widelimit.numerics.compile import compile
    from widelimit.theory.calculus.activation import Activation, x
    from widelimit.theory.calculus.gaussian.expectation import Expectation

    phi = Activation.of(activation).expr
    u, v = Symbol("u", real=True), Symbol("v", real=True)
    q_a, q_b, c = Symbol("q_a", positive=True), Symbol("q_b", positive=True), Symbol("c", real=True)
    second = Expectation(phi.subs(x, u) ** 2, u, q_a).doit()
    product = Expectation(phi.subs(x, u) * phi.subs(x, v), (u, v), (q_a, q_b, c)).doit()
    one, two = _scalar(compile([second], [q_a])), _scalar(compile([product], [q_a, q_b, c]))
    # the density of a pair of equal inputs is no function: their product is a square
    return one, lambda a, b, c: one(a) if c >= 1 and a == b else two(a, b, c)


def _scalar(compiled: Callable) -> Callable[..., float]:
    return lambda *arguments: float(np.asarray(compiled(*arguments)[0]))


# --- fixed points and rates ---------------------------------------------------------------------------------------


def solution(inputs: Inputs) -> Any:
    """The fixed points, slopes and depth scales at a point: `widelimit.numerics.meanfield.solve`."""
    return _solution(str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]))


@lru_cache(maxsize=1024)
def _solution(activation: str, sigma_w: float, sigma_b: float) -> Any:
    from widelimit.numerics import meanfield

    return meanfield.solve(activation, sigma_w=sigma_w, sigma_b=sigma_b)


def chaotic(inputs: Inputs) -> bool:
    """Whether two inputs stay apart: chi_1 > 1, so that c* < 1."""
    return float(solution(inputs).chi_1) > 1


def rates(inputs: Inputs) -> np.ndarray:
    """1/xi_c and 1/xi_q."""
    found = solution(inputs)
    return np.array([1 / float(found.xi_c), 1 / float(found.xi_q)])


def distances(inputs: Inputs) -> tuple[int, ...]:
    """Layers before the output at which gradients are read."""
    return tuple(range(STEP, int(inputs["distance"]) + 1, STEP))


@lru_cache(maxsize=256)
def edge(activation: str, sigma_b: float) -> Any:
    """The edge of chaos chi_1 = 1 at this sigma_b: `widelimit.numerics.meanfield.critical_line`."""
    from widelimit.numerics import meanfield

    return meanfield.critical_line(activation, sigma_b=sigma_b)
