"""Networks as compositions of layers, and what each layer does to the two kernels.

An `Architecture` is a tuple of layers from input to output. `recursion` writes its NNGP and tangent kernels
symbolically,
``widelimit.numerics.architecture`` computes them, ``widelimit.validate.network`` builds and reads torch modules.

Every weighted layer has weights of variance sigma_w^2 / fan-in and biases of variance sigma_b^2; its rule is
K' = sigma_w^2 A[K] + sigma_b^2 and Theta' = K' + sigma_w^2 A[Theta], A the average over the filter; of the K' in Theta'
only the terms of trained parameters count. An
activation turns K
into T and Theta into Tdot Theta, which needs Gaussian units: an activation has to follow a weighted layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Union, get_args

from sympy import Eq, Expr, Function, Integer, Rational, Sum, Symbol, Tuple, sqrt

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.equations import Equations
from widelimit.theory.errors import ArgumentError, DomainError
from widelimit.theory.kernel import (
    INPUT,
    SIGMA_B,
    SIGMA_V,
    SIGMA_W,
    TDOT,
    THETA,
    TRAINED_B,
    TRAINED_W,
    T,
    expectation,
    next_kernel,
    next_recurrent,
    next_recurrent_tangent,
    next_tangent,
    slope,
)  # fmt: skip

Padding = Literal["circular", "zeros"]
_LEAST, _LARGEST = 1e-100, 1e100  # scales whose squares, and products of a few, are floats


@dataclass(frozen=True)
class Dense:
    """W x + b, W of variance sigma_w^2 / fan-in. `width` matters to finite networks only; None is the default width.

    `trained_w`, `trained_b`: whether weights and biases are trained; what is frozen has no part in the tangent kernel.
    """

    sigma_w: float = 1.0
    sigma_b: float = 0.0
    width: int | None = None
    trained_w: bool = True
    trained_b: bool = True

    def __post_init__(self) -> None:
        _scales(self.sigma_w, self.sigma_b)
        _width(self.width)


@dataclass(frozen=True)
class Convolution:
    """A convolution over `dimensions` (1 or 2) with an odd `size`, stride 1, fan-in = channels times filter points.

    `trained_w`, `trained_b` as in `Dense`.
    """

    size: int
    sigma_w: float = 1.0
    sigma_b: float = 0.0
    dimensions: int = 1
    padding: Padding = "circular"
    width: int | None = None
    trained_w: bool = True
    trained_b: bool = True

    def __post_init__(self) -> None:
        _scales(self.sigma_w, self.sigma_b)
        _width(self.width)
        if exact.whole("size", self.size, 1) % 2 == 0:
            raise ArgumentError("size", "must be an odd number", self.size)
        if self.dimensions not in (1, 2):
            raise ArgumentError("dimensions", "must be 1 or 2", self.dimensions)
        if self.padding not in ("circular", "zeros"):
            raise ArgumentError("padding", "must be circular or zeros", self.padding)


@dataclass(frozen=True)
class Act:
    """An activation, applied to every unit."""

    activation: Activation

    def __post_init__(self) -> None:
        _known(self.activation)

    @staticmethod
    def of(activation: str | Activation) -> Act:
        """Return the layer of a catalogue name or an expression."""
        return Act(Activation.of(activation))


@dataclass(frozen=True)
class Dropout:
    """Keep each unit with probability `keep` and divide by it; masks of different inputs are independent."""

    keep: float

    def __post_init__(self) -> None:
        exact.fraction("keep", self.keep)


@dataclass(frozen=True)
class LayerNorm:
    """Subtract the mean over an input's units, at all positions, and divide by their standard deviation.

    `affine` trains a gain and a shift of each channel as well. Normalisation over groups of channels has the same
    limit, as long as the channels of each group are many.
    """

    affine: bool = False


@dataclass(frozen=True)
class BatchNorm:
    """Normalise each unit or channel over the batch, the inputs that the kernel is asked for, and over positions.

    The rule is that of the limit of large batches.

    `affine` trains a gain and a shift as well.
    """

    affine: bool = False


@dataclass(frozen=True)
class Residual:
    """x + branch(x); the branch ends with a weighted layer, so that it is uncorrelated with x."""

    branch: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "branch", _layers("branch", self.branch))
        if not self.branch or not isinstance(self.branch[-1], Dense | Convolution):
            raise DomainError(
                "A residual branch must end with a dense or convolution layer: otherwise branch and shortcut are "
                "correlated, and their kernels do not add."
            )


@dataclass(frozen=True)
class Flatten:
    """Put all positions of an image or signal into one vector."""


@dataclass(frozen=True)
class GlobalAveragePool:
    """Average each channel over all positions."""


@dataclass(frozen=True)
class Recurrent:
    """h_t = phi(W h_(t-1) + V x_t + b) from h_0 = 0 over a sequence, weights tied in time; the last h_t is the output.

    W has variance sigma_w^2 / fan-in, V sigma_v^2 / fan-in. Tied and untied weights have the same kernels. `trained`:
    whether weights and biases are trained; a frozen layer has no part in the tangent kernel.
    """

    activation: Activation
    sigma_w: float = 1.0
    sigma_v: float = 1.0
    sigma_b: float = 0.0
    width: int | None = None
    trained: bool = True

    def __post_init__(self) -> None:
        _known(self.activation)
        _scales(self.sigma_w, self.sigma_b)
        _scales(self.sigma_v, self.sigma_b, "sigma_v")
        _width(self.width)


Layer = Union[  # noqa: UP007 - a forward reference inside `Residual` needs a name
    Dense, Convolution, Act, Dropout, LayerNorm, BatchNorm, Residual, Flatten, GlobalAveragePool, Recurrent
]


@dataclass(frozen=True)
class Architecture:
    """Layers from input to output.

    Raises `ArgumentError` for what is no layer of this module, and if there is none.

    >>> mlp("relu", sigma_w=1.5, sigma_b=0.1, depth=1).layers[0]
    Dense(sigma_w=1.5, sigma_b=0.1, width=None, trained_w=True, trained_b=True)
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _layers("layers", self.layers))
        if not self.layers:
            raise ArgumentError("layers", "must hold at least one layer", self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def walk(self) -> Iterator[Layer]:
        """All layers, those inside residual branches too."""
        for layer in self.layers:
            yield layer
            if isinstance(layer, Residual):
                yield from Architecture(layer.branch).walk()

    @property
    def pools(self) -> bool:
        """Whether positions are mixed with one another, so that covariances between positions are needed."""
        return any(isinstance(layer, GlobalAveragePool | BatchNorm) for layer in self.walk())


def mlp(
    activation: str | Activation,
    *,
    sigma_w: float,
    sigma_b: float = 0.0,
    depth: int,
    width: int | None = None,
) -> Architecture:
    """`depth` hidden layers and a linear readout, all with the same scales."""
    depth = exact.whole("depth", depth, 0)
    hidden = (Dense(sigma_w, sigma_b, width), Act.of(activation)) * depth
    return Architecture((*hidden, Dense(sigma_w, sigma_b)))


@dataclass(frozen=True)
class Rule(Equations):
    """What one layer does: `nngp` and `ntk` are equations for K and Theta behind it.

    `where`: the recursion in time of a recurrent layer; H and G are its kernels at a step, S(t) = x_t.x'_t / n.
    """

    layer: Layer
    nngp: Eq
    ntk: Eq
    where: tuple[Eq, ...] = ()

    def __str__(self) -> str:
        return (
            f"{type(self.layer).__name__}: {self.nngp.lhs} = {self.nngp.rhs}; {self.ntk.lhs} = {self.ntk.rhs}"
        )


def recursion(architecture: Architecture) -> tuple[Rule, ...]:
    """Write the kernels of `architecture` for two inputs, layer by layer.

    K_l(a, b) is the NNGP covariance of positions a of one input and b of the other behind layer l, Theta_l the tangent
    kernel, q_l(a), q'_l(b) the variances and m_l, m'_l the means of units (zero behind weighted layers). Layers of a
    residual branch are numbered on, from the same start as the shortcut.

    >>> rules = recursion(mlp("relu", sigma_w=2, sigma_b=1, depth=1))
    >>> print(rules[-1])
    Dense: K_3(a, b) = 4*K_2(a, b) + 1; Theta_3(a, b) = K_3(a, b) + 4*Theta_2(a, b)
    """
    rules: list[Rule] = []
    _extend(rules, architecture.layers, 0)
    return tuple(rules)


A, B = Symbol("a", integer=True), Symbol("b", integer=True)
_SHIFT = Symbol("s", integer=True)
_TIME = Symbol("t", integer=True, positive=True)
_POSITIONS = Symbol("n", integer=True, positive=True)
_BATCH = Symbol("B", integer=True, positive=True)


def _extend(rules: list[Rule], layers: tuple[Layer, ...], before: int) -> int:
    """Append the rules of `layers`, which read the kernels numbered `before`; return the last number."""
    for layer, previous in zip(layers, (None, *layers), strict=False):
        if isinstance(layer, Residual):
            last = _extend(rules, layer.branch, before)
            after = last + 1
            k, theta = (
                _kernel("K", before) + _kernel("K", last),
                _kernel("Theta", before) + _kernel("Theta", last),
            )
        else:
            after = max((int(str(rule.nngp.lhs.func).split("_")[1]) for rule in rules), default=0) + 1
            k, theta = _rule(layer, before, after)
            gained = isinstance(previous, LayerNorm | BatchNorm) and previous.affine
            if gained and isinstance(layer, Act):
                theta += _gain(layer, before)
        rules.append(
            Rule(
                layer,
                Eq(_kernel("K", after), k, evaluate=False),
                Eq(_kernel("Theta", after), theta, evaluate=False),
                _in_time(layer) if isinstance(layer, Recurrent) else (),
            )
        )
        before = after
    return before


def _gain(layer: Act, before: int) -> Expr:
    """What the trained gain of a normalisation adds to its mean k where an activation has the same unit's slope."""
    k, q, q2 = _kernel("K", before), Function(f"q_{before}")(A), Function(f"q'_{before}")(B)
    steep, rho = slope(layer.activation), k / sqrt(q * q2)
    return _at(expectation(X * steep), q, q2, rho) - _at(expectation(steep), q, q2, rho) * k


def _kernel(name: str, number: int, a: Expr = A, b: Expr = B) -> Expr:
    return Function(f"{name}_{number}")(a, b)


def _number(value: float) -> Expr:
    return Integer(int(value)) if float(value).is_integer() else exact.plain("value", value)


def _rule(layer: Layer, before: int, after: int) -> tuple[Expr, Expr]:
    k, theta, new = _kernel("K", before), _kernel("Theta", before), _kernel("K", after)
    q, q2 = Function(f"q_{before}")(A), Function(f"q'_{before}")(B)
    if isinstance(layer, Dense):
        return _weighted(layer, k, theta, new)
    if isinstance(layer, Convolution):
        half = layer.size // 2
        weight = Rational(1, layer.size**layer.dimensions)

        def average(name: str) -> Expr:
            return weight * Sum(_kernel(name, before, A + _SHIFT, B + _SHIFT), (_SHIFT, -half, half))

        return _weighted(layer, average("K"), average("Theta"), new)
    if isinstance(layer, Act):
        rho = k / sqrt(q * q2)
        t, tdot = (
            _at(f, q, q2, rho)
            for f in (expectation(layer.activation.expr), expectation(slope(layer.activation)))
        )
        return t, tdot * theta
    if isinstance(layer, Dropout):
        same = Function("same")(A, B)  # 1 for one unit of one input, else 0
        gain = 1 + (1 / _number(layer.keep) - 1) * same
        return k * gain, theta * gain
    if isinstance(layer, LayerNorm):
        mean, mean2 = (_over_positions(f"m{dash}_{before}") for dash in ("", "'"))
        scale = sqrt(
            (_over_positions(f"q_{before}") - mean**2) * (_over_positions(f"q'_{before}") - mean2**2)
        )
        m, m2 = Function(f"m_{before}")(A), Function(f"m'_{before}")(B)
        centred_k = k - m * mean2 - mean * m2 + mean * mean2
        return centred_k / scale, theta / scale + (new + 1 if layer.affine else 0)
    if isinstance(layer, BatchNorm):
        centred, trace = Function("centred"), Function("trace")
        variance = trace(centred(k)) / _BATCH
        return centred(k) / variance, centred(theta) / variance + (new + 1 if layer.affine else 0)
    if isinstance(layer, Flatten):
        return tuple(Sum(_kernel(n, before, A, A), (A, 1, _POSITIONS)) / _POSITIONS for n in ("K", "Theta"))
    if isinstance(layer, GlobalAveragePool):
        return tuple(
            Sum(_kernel(n, before), (A, 1, _POSITIONS), (B, 1, _POSITIONS)) / _POSITIONS**2
            for n in ("K", "Theta")
        )
    if isinstance(layer, Recurrent):
        t, tdot, _, g = _step(layer)
        return t, tdot * g
    raise ArgumentError("layer", "must be a layer of widelimit.theory.architecture", layer)


def _weighted(layer: Dense | Convolution, k: Expr, theta: Expr, new: Expr) -> tuple[Expr, Expr]:
    """Both kernels behind weights that read units of the kernels k and theta; `new` is the name of the first."""
    scales = {SIGMA_W: _number(layer.sigma_w), SIGMA_B: _number(layer.sigma_b), T: k, TDOT: 1, THETA: theta}
    if layer.trained_w and layer.trained_b:  # its own parameters add all of K
        return next_kernel().subs(scales), new + next_tangent().subs({TRAINED_W: 0, TRAINED_B: 0}).subs(
            scales
        )
    trained = {TRAINED_W: int(layer.trained_w), TRAINED_B: int(layer.trained_b)}
    return next_kernel().subs(scales), next_tangent().subs(trained).subs(scales)


def _over_positions(name: str) -> Expr:
    return Sum(Function(name)(A), (A, 1, _POSITIONS)) / _POSITIONS


def _step(layer: Recurrent) -> tuple[Expr, Expr, Expr, Expr]:
    """T, Tdot, H and G at time t, H and G the kernels of the pre-activations."""
    h, g, q, q2 = (Function(name)(_TIME) for name in ("H", "G", "Q", "Q'"))
    nodes = (expectation(layer.activation.expr), expectation(slope(layer.activation)))
    t, tdot = (_at(node, q, q2, h / sqrt(q * q2)) for node in nodes)
    return t, tdot, h, g


def _in_time(layer: Recurrent) -> tuple[Eq, ...]:
    t, tdot, h, g = _step(layer)
    after_h, after_g = h.subs(_TIME, _TIME + 1), g.subs(_TIME, _TIME + 1)
    here = {
        SIGMA_W: _number(layer.sigma_w), SIGMA_V: _number(layer.sigma_v), SIGMA_B: _number(layer.sigma_b),
        T: t, TDOT: tdot, THETA: g, INPUT: Function("S")(_TIME + 1),
    }  # fmt: skip
    below = next_recurrent_tangent().subs({TRAINED_W: 0, TRAINED_B: 0}).subs(here)
    return (
        Eq(after_h, next_recurrent().subs(here), evaluate=False),
        Eq(after_g, after_h * int(layer.trained) + below, evaluate=False),
    )


def _at(node: Expr, q: Expr, q2: Expr, rho: Expr) -> Expr:
    """E at variances q, q2 and correlation rho, the closed form where there is one."""
    from widelimit.theory.kernel import PAIR_SYMBOLS

    return node.doit().subs(dict(zip(PAIR_SYMBOLS, Tuple(q, q2, rho), strict=True)), simultaneous=True)


def _scales(sigma_w: object, sigma_b: object, name: str = "sigma_w") -> None:
    for argument, value, least in ((name, exact.positive(name, sigma_w, symbols=True), _LEAST),
                                   ("sigma_b", exact.non_negative("sigma_b", sigma_b, symbols=True), 0)):  # fmt: skip
        if value.is_number and not least <= value <= _LARGEST:
            raise ArgumentError(argument, f"must lie in [{float(least):g}, {_LARGEST:g}]", value)


def _width(value: object) -> None:
    if value is not None:
        exact.whole("width", value, 1)


def _known(activation: object) -> None:
    if not isinstance(activation, Activation):
        raise ArgumentError("activation", "must be an Activation", activation, "Act.of reads names and text.")


def _layers(name: str, layers: object) -> tuple[Layer, ...]:
    """`layers` as a tuple of layers of this module."""
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise ArgumentError(name, "must be a tuple of layers", layers)
    found = tuple(layers)
    for layer in found:
        if not isinstance(layer, get_args(Layer)):
            raise ArgumentError(
                name, "must hold layers of widelimit.theory.architecture alone", but=f"holds {layer!r}"
            )
    return found
