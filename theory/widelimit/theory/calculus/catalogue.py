"""The activations that have names, one list for every door: formulas, parameters and defaults are PyTorch's.

A `Rule` builds phi(u). Its parameters have torch's names and defaults, and may be given by position or by name:
``leaky_relu(0.1)``, ``softplus(beta=2)``. What torch does differently on purpose is written beside the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sympy import (
    Abs,
    Expr,
    Heaviside,
    Integer,
    Max,
    Min,
    Piecewise,
    Rational,
    S,
    atan,
    exp,
    log,
    pi,
    sign,
    sin,
    sqrt,
    tanh,
)
from sympy import erf as _erf

from widelimit.theory.calculus import exact
from widelimit.theory.errors import ArgumentError, ParseError

Check = Callable[..., None]
NEGLIGIBLE = (
    20  # torch's softplus is x where beta x is above a threshold: from 20 on rounding, 2e-9 of the value
)


@dataclass(frozen=True)
class Rule:
    """One activation by name: `build(u, *parameters)` is phi(u); a default of None has to be given."""

    name: str
    build: Callable[..., Expr]
    parameters: Mapping[str, Expr | None] = field(default_factory=dict)
    check: Check = lambda *_: None

    def at(self, argument: Expr, *given: object, **named: object) -> Expr:
        """Return phi(argument) with parameters by position or by name."""
        return self.build(exact.plain("argument", argument), *self.filled(given, named))

    def filled(
        self, given: tuple[object, ...], named: Mapping[str, object] = MappingProxyType({})
    ) -> tuple[Expr, ...]:
        """Complete parameters by defaults and check them: numbers, or SymPy expressions in symbols."""
        if len(given) > len(self.parameters):
            raise ParseError(f"Activation '{self.name}' takes {len(self.parameters)} parameter(s).")
        values = dict(self.parameters)
        for key, value in [*zip(self.parameters, given, strict=False), *named.items()]:
            if key not in values:
                known = ", ".join(f"`{name}`" for name in self.parameters) or "none"
                raise ParseError(
                    f"Activation '{self.name}' takes no keyword argument `{key}`; it has {known}."
                )
            values[key] = rounded(
                exact.number(key, value, f"It is a parameter of '{self.name}'.", symbols=True)
            )
        if None in values.values():
            example = ", ".join("3" if v is None else str(v) for v in values.values())
            raise ParseError(f"Activation '{self.name}' needs a parameter: write '{self.name}({example})'.")
        self.check(*values.values())
        return tuple(values.values())


def rounded(value: Expr) -> Expr:
    """Read a float as the decimal that it prints as: a slope of 0.1 is 1/10."""
    return Rational(repr(float(value))) if value.is_Float else value


def _order(n: Expr) -> None:
    if not (n.is_Integer and 1 <= n <= 64):
        raise ParseError(f"The order of 'monomial' must be a whole number from 1 to 64, but is {n}.")


def _positive(name: str) -> Check:
    def check(*values: Expr) -> None:
        exact.positive(name, values[0], symbols=True)

    return check


def _not_negative(name: str) -> Check:
    def check(*values: Expr) -> None:
        exact.at_least(name, values[0], 0, symbols=True)

    return check


def _ordered(low: Expr, high: Expr) -> None:
    if (high - low).is_number and not high - low > 0:
        raise ArgumentError("max_val", f"must be above `min_val`, which is {low}", high)


def _scaled(alpha: Expr) -> None:
    if alpha.is_zero:
        raise ArgumentError("alpha", "must not be zero", alpha)


def softplus(u: Expr) -> Expr:
    """log(1 + exp(u)), by pieces: no overflow on either side."""
    return Piecewise((u + log(1 + exp(-u)), u > 0), (log(1 + exp(u)), True))


def _softplus(u: Expr, beta: Expr, threshold: Expr) -> Expr:
    smooth = softplus(beta * u) / beta
    if threshold.is_number and threshold < NEGLIGIBLE:
        return Piecewise((u, beta * u > threshold), (smooth, True))
    return smooth


def _leaky(u: Expr, slope: Expr) -> Expr:
    return Piecewise((u, u > 0), (slope * u, True))


def _elu(u: Expr, alpha: Expr) -> Expr:
    return Piecewise((u, u > 0), (alpha * (exp(u) - 1), True))


def _sigmoid(u: Expr) -> Expr:
    return (1 + tanh(u / 2)) / 2


def _relu6(u: Expr) -> Expr:
    return Min(Max(u, 0), 6)


def _clipped(u: Expr, low: Expr, high: Expr) -> Expr:
    return Max(low, Min(high, u))


_SELU = (
    Rational("1.0507009873554804934193"),
    Rational("1.6732632423543772848170"),
)  # torch's scale and alpha
_HALF, _ONE = S.Half, S.One

CATALOGUE: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            Rule("linear", lambda u: u),
            Rule("relu", lambda u: Max(u, 0)),
            Rule("leaky_relu", _leaky, {"negative_slope": Rational(1, 100)}),
            Rule("prelu", _leaky, {"weight": Rational(1, 4)}),
            Rule(
                "rrelu",
                lambda u, a, b: _leaky(u, (a + b) / 2),
                {"lower": Rational(1, 8), "upper": Rational(1, 3)},
            ),
            Rule("hard_tanh", _clipped, {"min_val": -_ONE, "max_val": _ONE}, _ordered),
            Rule("shifted_relu", lambda u: Max(u + _HALF, 0) - _HALF),
            Rule("relu6", _relu6),
            Rule("squared_relu", lambda u: Max(u, 0) ** 2),
            Rule("hard_sigmoid", lambda u: _relu6(u + 3) / 6),
            Rule("hard_swish", lambda u: u * _relu6(u + 3) / 6),
            Rule("erf", lambda u: _erf(u)),
            Rule("erf_s", lambda u: _erf(sqrt(pi) * u / 2)),
            Rule("tanh", lambda u: tanh(u)),
            Rule("arctan", lambda u: atan(u)),
            Rule("sin", lambda u: sin(u)),
            Rule("sigmoid", _sigmoid),
            Rule("log_sigmoid", lambda u: -softplus(-u)),
            Rule("softplus", _softplus, {"beta": _ONE, "threshold": Integer(20)}, _positive("beta")),
            Rule("softsign", lambda u: u / (1 + Abs(u))),
            Rule("tanhshrink", lambda u: u - tanh(u)),
            Rule("softshrink", lambda u, a: u - _clipped(u, -a, a), {"lambd": _HALF}, _not_negative("lambd")),
            Rule(
                "hardshrink",
                lambda u, a: Piecewise((u, u > a), (u, u < -a), (0, True)),
                {"lambd": _HALF},
                _not_negative("lambd"),
            ),
            Rule(
                "threshold",
                lambda u, t, v: Piecewise((u, u > t), (v, True)),
                {"threshold": None, "value": None},
            ),
            Rule("elu", _elu, {"alpha": _ONE}),
            Rule(
                "celu",
                lambda u, a: Piecewise((u, u > 0), (a * (exp(u / a) - 1), True)),
                {"alpha": _ONE},
                _scaled,
            ),
            Rule("selu", lambda u: _SELU[0] * _elu(u, _SELU[1])),
            Rule("gelu", lambda u: u * (1 + _erf(u / sqrt(2))) / 2),
            Rule("gelu_tanh", lambda u: u * (1 + tanh(sqrt(2 / pi) * (u + Rational("0.044715") * u**3))) / 2),
            Rule("quick_gelu", lambda u: u * _sigmoid(Rational("1.702") * u)),
            Rule("swish", lambda u, beta: u * _sigmoid(beta * u), {"beta": _ONE}),
            Rule("mish", lambda u: u * tanh(softplus(u))),
            Rule("squareplus", lambda u, b: (u + sqrt(u**2 + b)) / 2, {"b": Integer(4)}, _positive("b")),
            Rule("snake", lambda u, a: u + sin(a * u) ** 2 / a, {"a": _ONE}, _positive("a")),
            Rule("gaussian", lambda u: exp(-(u**2))),
            Rule("abs", lambda u: Abs(u)),
            Rule("sign", lambda u: sign(u)),
            Rule("step", lambda u: Heaviside(u)),
            Rule("monomial", lambda u, n: u**n, {"n": None}, _order),
        )
    }
)
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "silu": "swish", "logistic": "sigmoid", "expit": "sigmoid", "identity": "linear", "atan": "arctan",
        "erfs": "erf_s", "soft_sign": "softsign", "soft_plus": "softplus", "hard_silu": "hard_swish",
        "log_expit": "log_sigmoid", "relu_squared": "squared_relu", "new_gelu": "gelu_tanh", "gelu_new": "gelu_tanh",
        "heaviside": "step", "hard_clip": "hard_tanh", "tanh_shrink": "tanhshrink", "swish1": "swish",
    }
)  # fmt: skip


def squashed(name: str) -> str:
    """A name without case, hyphens, spaces and underscores: 'Hard-Tanh', 'hard_tanh' and 'HardTanh' are one."""
    return "".join(letter for letter in name.lower() if letter not in "_- ")


_BY_NAME = {squashed(name): rule for name, rule in CATALOGUE.items()}
_BY_NAME |= {squashed(alias): CATALOGUE[name] for alias, name in ALIASES.items()}


def find(name: str) -> Rule | None:
    """Return the rule of a name or an alias, in any spelling, or None.

    >>> find("Hardtanh").name, find("SiLU").name, find("cosine")
    ('hard_tanh', 'swish', None)
    """
    return _BY_NAME.get(squashed(name))
