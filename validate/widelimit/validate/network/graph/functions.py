"""Rules of functions of one variable: chains of them are one activation of the Gaussian units they started from."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sympy import Abs, Expr, Float, Max, Min, Rational, cos, erf, exp, log, sin, sqrt, tanh

from widelimit.numerics.architecture import compiled
from widelimit.numerics.kernel.layers import Block
from widelimit.numerics.kernel.maps import pair_map
from widelimit.theory.calculus import catalogue
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.validate.network.graph.programs import Step
from widelimit.validate.network.graph.states import Draw, Measured, Pointwise, Samples, State, limited
from widelimit.validate.network.graph.walking import EACH, Done, Pull, Walk, key, rule, unchanged

Build = Callable[..., Expr]


def _at(name: str, *parameters: Any) -> Build:
    def build(u: Expr, *given: Any) -> Expr:
        found = catalogue.find(name)
        assert found is not None
        return found.at(u, *(number(one) for one in (given or parameters)))

    return build


def number(value: Any) -> Expr:
    """A number of torch's as the decimal that it prints as."""
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise Measured("a tensor where a number is expected")
        value = value.item()
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise Measured(f"the number {value}")
    return Rational(repr(float(value))) if isinstance(value, float) else Rational(int(value))


def _gelu(u: Expr, *_: Any, approximate: str = "none") -> Expr:
    return _at("gelu_tanh" if approximate == "tanh" else "gelu")(u)


def _softplus(u: Expr, beta: Any = 1, threshold: Any = 20) -> Expr:
    b, t = number(beta), number(threshold)
    if t < 20:
        raise Measured(f"softplus with the threshold {t}, behind which it jumps")
    return log(1 + exp(b * u)) / b if b > 0 else u


def _pow(u: Expr, power: Any) -> Expr:
    n = number(power)
    if not (n.is_Integer and 0 < n <= 8):
        raise Measured(f"the power {n}")
    return u**n


def _clamp(u: Expr, low: Any = None, high: Any = None, min: Any = None, max: Any = None) -> Expr:
    low, high = low if low is not None else min, high if high is not None else max
    out = u if low is None else Max(u, number(low))
    return out if high is None else Min(out, number(high))


UNARY: dict[str, Build] = {
    "relu": _at("relu"),
    "relu6": _at("relu6"),
    "leaky_relu": _at("leaky_relu", 0.01),
    "hardtanh": _at("hard_tanh", -1.0, 1.0),
    "gelu": _gelu,
    "silu": _at("swish", 1),
    "mish": _at("mish"),
    "tanh": lambda u: tanh(u),
    "sigmoid": lambda u: 1 / (1 + exp(-u)),
    "softplus": _softplus,
    "elu": lambda u, alpha=1.0, scale=1, input_scale=1: _elu(u, alpha, scale, input_scale),
    "celu": lambda u, alpha=1.0: Max(u, 0) + Min(0, number(alpha) * (exp(u / number(alpha)) - 1)),
    "selu": _at("selu"),
    "hardswish": _at("hard_swish"),
    "hardsigmoid": _at("hard_sigmoid"),
    "log_sigmoid": _at("log_sigmoid"),
    "softsign": _at("softsign"),
    "erf": lambda u: erf(u),
    "sin": lambda u: sin(u),
    "cos": lambda u: cos(u),
    "abs": lambda u: Abs(u),
    "square": lambda u: u**2,
    "pow": _pow,
    "exp": lambda u: exp(u),
    "arctan": _at("arctan"),
    "atan": _at("arctan"),
    "clamp": _clamp,
    "neg": lambda u: -u,
    "sqrt": lambda u: sqrt(u),
    "reciprocal": lambda u: 1 / u,
    "rsqrt": lambda u: 1 / sqrt(u),
    "log": lambda u: log(u),
}


def _elu(u: Expr, alpha: Any, scale: Any, input_scale: Any) -> Expr:
    a, s, i = number(alpha), number(scale), number(input_scale)
    return s * (Max(u, 0) + Min(0, a * (exp(i * u) - 1)))


def as_function(state: State, name: str) -> Pointwise:
    """A state as a function of its root: of itself, if it is none."""
    return state.function or Pointwise(state, name, X, lambda t: t)


def applied(
    function: Pointwise, expr: Expr | None, call: Callable[[torch.Tensor], torch.Tensor], like: State
) -> tuple[State, Pull, str]:
    """The state of a function of a root, how gradients come back to the root, and the activation's name."""
    root = function.root
    if root.gaussian and expr is not None and expr != X and expr.free_symbols <= {X} and expr.has(X):
        activation = _activation(expr)
        gram, mean, slopes = dual(activation, root.gram)
        how = activation.name if catalogue.find(activation.name) else short(activation.expr)
    else:
        gram, mean, slopes = sampled(root, call)
        how = ""
    fn = Pointwise(root, function.key, expr, call)
    state = replace(
        like,
        gram=limited(gram),
        mean=mean,
        gaussian=False,
        scatter=None,
        sources=root.sources,
        units=root.units,
        draw=drawn(root.draw, call),
        function=fn,
    )
    return state, lambda g: g * slopes, how


@functools.lru_cache(maxsize=64)
def _activation(expr: Expr) -> Activation:
    """The activation of an expression, which blocks have in common."""
    return Activation.of(expr)


def dual(activation: Activation, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E phi(u) phi(v), E phi(u) and E phi'(u) phi'(v) of centred Gaussian units with second moments `gram`."""
    q = np.ascontiguousarray(np.diagonal(gram))
    layer = pair_map(activation).at(q, None)
    block = Block(gram.copy(), np.ones_like(gram))
    layer.advance(block)
    np.fill_diagonal(block.c, layer.v1)
    return (
        block.c,
        np.asarray(compiled.unit_mean(activation)(np.maximum(q, 1e-100)), dtype=float),
        block.theta,
    )


def short(expr: Expr) -> str:
    """An expression with ten digits of its numbers.

    >>> short(X * Rational(851, 500))
    '1.702*x'
    """
    return str(expr.xreplace({one: Float(one, 10) for one in expr.atoms(Rational) if not one.is_Integer}))


def drawn(draw: Draw | None, call: Callable[[torch.Tensor], torch.Tensor]) -> Draw | None:
    """Samples of a function of what is sampled."""
    if draw is None:
        return None
    return lambda samples: call(torch.from_numpy(draw(samples))).numpy()


def sampled(
    root: State, call: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from samples of units, scaled to the mean squares that are known."""
    y, s = _at_samples(root, call)
    return y.T @ y / len(y), y.mean(axis=0), s.T @ s / len(s)


def _at_samples(root: State, call: Callable[[torch.Tensor], torch.Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """A function and its slope at samples of units, scaled to the mean squares that are known."""
    if root.draw is None:
        raise Measured("a function of units whose law is not known")
    values = root.draw(Samples(root.positions))
    have, want = np.mean(values**2, axis=0), np.diagonal(root.gram)
    values = values * np.sqrt(np.divide(want, have, out=np.ones_like(want), where=have > 0))
    at = torch.from_numpy(values).requires_grad_()
    with torch.enable_grad():
        out = call(at)
        (slope,) = torch.autograd.grad(out.sum(), at)
    return out.detach().numpy(), slope.numpy()


def _unary(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state = args[0]
    if not isinstance(state, State):
        raise Measured(f"{step.op} of weights")
    function = as_function(state, key(step, 0))
    expr = None
    if function.expr is not None and step.op in UNARY:
        expr = UNARY[step.op](function.expr, *args[1:], **_named(kwargs))
    return finish(function, expr, lambda t: step.call(function.call(t), *args[1:], **kwargs), state)


def _named(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in kwargs.items()
        if name in ("approximate", "min", "max", "beta", "threshold")
    }


def finish(
    function: Pointwise, expr: Expr | None, call: Callable[[torch.Tensor], torch.Tensor], like: State
) -> Done:
    """What a rule gives for a function of a root."""
    state, pull, how = applied(function, expr, call, like)
    why = f"dual of {how}" if how else "function of sampled units"
    root = function.root
    slopes = None if root.draw is None else (lambda: _at_samples(root, call)[1])
    return Done(state, ((function.key, pull),), why, how or "a function", slopes=slopes)


for _name in (*UNARY, "prelu"):
    if _name not in ("neg", "prelu"):
        rule(_name)(_unary)
        EACH.add(_name)


@rule("dropout", "feature_dropout", "alpha_dropout")
def _dropout(walk: Walk, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
    state, p, train = args[0], float(args[1]), bool(args[2])
    if not train or p == 0:
        return Done(state, ((key(step, 0), unchanged),), "off")
    if not isinstance(state, State):
        raise Measured(f"{step.op} of weights")
    if step.op != "dropout":
        raise Measured(f"{step.op} in training")
    keep = 1 - p
    gram = state.gram.copy()
    np.fill_diagonal(gram, np.diagonal(gram) / keep)
    before = state.draw

    def draw(samples: Samples) -> np.ndarray:
        assert before is not None
        values = before(samples)
        return values * (samples.generator(step.key).random(values.shape) < keep) / keep

    def pull(g: np.ndarray) -> np.ndarray:
        out = g.copy()
        np.fill_diagonal(out, np.diagonal(g) / keep)
        return out

    new = replace(
        state, gram=gram, gaussian=False, function=None, draw=None if before is None else draw,
        sources={**state.sources, step.key: b"mask"},
    )  # fmt: skip
    return Done(new, ((key(step, 0), pull),), f"keeps {keep:.3g} of the units")
