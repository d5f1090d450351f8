"""The kinds of layers: what each is made of, and what it does to the two kernels.

A kind of layer is one class here, with its rule (`Layer.kernels`); ``numerics.architecture`` and
``validate.network`` have one entry each for it, found by the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sympy import Eq, Expr, Function, Sum, sqrt

from widelimit.theory.architecture import formulas
from widelimit.theory.architecture.names import BATCH, NOW, POSITIONS, SHIFT, A, B, Below, at_pair, shown
from widelimit.theory.calculus import exact
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.equations import Rewritten
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


Both = tuple[Rewritten, Rewritten]  # K and Theta


@dataclass(frozen=True)
class Layer:
    """A kind of layer; a subclass is a frozen dataclass of what users choose, and says its rule.

    >>> class Halve(Layer):  # a kind of one's own
    ...     def kernels(self, below):
    ...         k, theta = below.both()
    ...         return k / 4, theta / 4
    >>> Architecture((Dense(), Halve())).layers[1].inner
    ()
    """

    weighted = False  # whether weights with a mean of zero come last, so that a residual branch may end here
    dimensions = 0  # of positions that the layer needs
    reads_sequences = False  # whether inputs are (time, features), in front of the first layer
    mixes_positions = False  # whether covariances between positions are needed
    averages_positions = False  # whether variances behind the layer need each input's own kernel
    carries_gain = False  # whether a trained gain in front goes through to an activation inside

    def kernels(self, below: Below) -> Both:
        """Return K and Theta behind the layer, written in those in front of it."""
        raise NotImplementedError(f"{type(self).__name__} does not say its rule.")

    @property
    def inner(self) -> tuple[Layer, ...]:
        """Layers inside this one, which read what it reads."""
        return ()

    @property
    def trains_gain(self) -> bool:
        """Whether a gain is trained that `kernels` leaves to an activation right behind (it multiplies its slope)."""
        return False

    def in_time(self) -> tuple[Eq, ...]:
        """Return the recursion in time behind `kernels`, of layers that read a sequence."""
        return ()


@dataclass(frozen=True)
class Dense(Layer):
    """W x + b, W of variance sigma_w^2 / fan-in. `width` matters to finite networks only; None is the default width.

    `trained_w`, `trained_b`: whether weights and biases are trained; what is frozen has no part in the tangent kernel.
    """

    sigma_w: float = 1.0
    sigma_b: float = 0.0
    width: int | None = None
    trained_w: bool = True
    trained_b: bool = True

    weighted = True

    def __post_init__(self) -> None:
        _scales(self.sigma_w, self.sigma_b)
        _width(self.width)

    def kernels(self, below: Below) -> Both:
        """``theory.kernel.next_kernel`` and ``next_tangent``."""
        return _behind_weights(self, *below.both(), below.new)


@dataclass(frozen=True)
class Convolution(Layer):
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
    weighted = True

    def __post_init__(self) -> None:
        _scales(self.sigma_w, self.sigma_b)
        _width(self.width)
        if exact.whole("size", self.size, 1) % 2 == 0:
            raise ArgumentError("size", "must be an odd number", self.size)
        if self.dimensions not in (1, 2):
            raise ArgumentError("dimensions", "must be 1 or 2", self.dimensions)
        if self.padding not in ("circular", "zeros"):
            raise ArgumentError("padding", "must be circular or zeros", self.padding)

    def kernels(self, below: Below) -> Both:
        """Return those of a dense layer that reads averages over the filter, `formulas.filtered`."""
        half = self.size // 2
        sizes = {formulas.SIZE: self.size, formulas.DIMENSIONS: self.dimensions}
        k, theta = (
            formulas.filtered().subs({formulas.TOTAL: Sum(one, (SHIFT, -half, half)), **sizes})
            for one in below.both(A + SHIFT, B + SHIFT)
        )
        return _behind_weights(self, k, theta, below.new)


@dataclass(frozen=True)
class Act(Layer):
    """An activation, applied to every unit."""

    activation: Activation
    carries_gain = True

    def __post_init__(self) -> None:
        _known(self.activation)

    @staticmethod
    def of(activation: str | Activation) -> Act:
        """Return the layer of a catalogue name or an expression."""
        return Act(Activation.of(activation))

    def kernels(self, below: Below) -> Both:
        """Return T and Tdot Theta of ``theory.kernel.pair``; behind a trained gain, `formulas.gained`."""
        (k, theta), (q, q2) = below.both(), below.units("q")
        rho, steep = k / sqrt(q * q2), slope(self.activation)
        t, tdot = (at_pair(expectation(f), q, q2, rho) for f in (self.activation.expr, steep))
        if not below.gained:
            return t, tdot * theta
        of_gain = at_pair(expectation(X * steep), q, q2, rho)
        gained = formulas.gained().subs({THETA: tdot * theta - tdot * k, formulas.K: of_gain})
        return t, gained


@dataclass(frozen=True)
class Dropout(Layer):
    """Keep each unit with probability `keep` and divide by it; masks of different inputs are independent."""

    keep: float

    def __post_init__(self) -> None:
        exact.fraction("keep", self.keep)

    def kernels(self, below: Below) -> Both:
        """`formulas.dropped`, of both kernels."""
        gain = (
            formulas.dropped()
            .subs(formulas.KEEP, shown(self.keep))
            .subs(formulas.SAME, Function("same")(A, B))
        )
        k, theta = (gain.subs(formulas.K, one) for one in below.both())
        return k, theta


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Subtract the mean over an input's units, at all positions, and divide by their standard deviation.

    `affine` trains a gain and a shift of each channel as well. Normalisation over groups of channels has the same
    limit, as long as the channels of each group are many.
    """

    affine: bool = False

    @property
    def trains_gain(self) -> bool:
        """Whether the normalisation is affine."""
        return self.affine

    def kernels(self, below: Below) -> Both:
        """`formulas.about_means` of K, both kernels `formulas.rescaled`; trained gain and shift add theirs."""
        k, theta = below.both()
        means, centres, squares = below.units("m"), below.over_positions("m"), below.over_positions("q")
        average = [
            formulas.averaged().subs(formulas.COUNT, POSITIONS).subs(formulas.TOTAL, s)
            for s in (*centres, *squares)
        ]
        widths = [
            formulas.deviation().subs({formulas.SQUARE: square, formulas.CENTRE1: centre})
            for centre, square in zip(average[:2], average[2:], strict=True)
        ]
        names = (formulas.M1, formulas.M2, formulas.CENTRE1, formulas.CENTRE2)
        about = dict(zip(names, (*means, *average[:2]), strict=True))
        centred = formulas.about_means().subs(about).subs(formulas.K, k)
        return _normalised(self.affine, centred, theta, widths, below)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Normalise each unit or channel over the batch, the inputs that the kernel is asked for, and over positions.

    The rule is that of the limit of large batches.

    `affine` trains a gain and a shift as well.
    """

    affine: bool = False
    mixes_positions = True

    @property
    def trains_gain(self) -> bool:
        """Whether the normalisation is affine."""
        return self.affine

    def kernels(self, below: Below) -> Both:
        """`formulas.about_batch` of both kernels, `formulas.rescaled`; trained gain and shift add theirs.

        ``centred`` stands for the first, with the means over the batch and all positions.
        """
        centred, trace = Function("centred"), Function("trace")
        k, theta = (centred(one) for one in below.both())
        width = sqrt(formulas.averaged().subs({formulas.TOTAL: trace(k), formulas.COUNT: BATCH}))
        return _normalised(self.affine, k, theta, [width, width], below)


@dataclass(frozen=True)
class Residual(Layer):
    """x + branch(x); the branch ends with a weighted layer, so that it is uncorrelated with x."""

    branch: tuple[Layer, ...]
    carries_gain = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "branch", _layers("branch", self.branch))
        if not self.branch or not self.branch[-1].weighted:
            raise DomainError(
                "A residual branch must end with a dense or convolution layer: otherwise branch and shortcut are "
                "correlated, and their kernels do not add."
            )

    @property
    def inner(self) -> tuple[Layer, ...]:
        """The branch."""
        return self.branch

    def kernels(self, below: Below) -> Both:
        """`formulas.added`, of both kernels."""
        k, theta = (
            formulas.added().subs({formulas.K: one, formulas.BRANCH: branch})
            for one, branch in zip(below.both(), below.of_branch(), strict=True)
        )
        return k, theta


@dataclass(frozen=True)
class Flatten(Layer):
    """Put all positions of an image or signal into one vector."""

    def kernels(self, below: Below) -> Both:
        """Return the mean over equal positions, `formulas.averaged`."""
        k, theta = (
            formulas.averaged().subs({formulas.TOTAL: Sum(one, (A, 1, POSITIONS)), formulas.COUNT: POSITIONS})
            for one in below.both(A, A)
        )
        return k, theta


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """Average each channel over all positions."""

    mixes_positions = averages_positions = True

    def kernels(self, below: Below) -> Both:
        """Return the mean over all pairs of positions, `formulas.pooled`."""
        over = (A, 1, POSITIONS), (B, 1, POSITIONS)
        k, theta = (
            formulas.pooled().subs({formulas.TOTAL: Sum(one, *over), formulas.COUNT: POSITIONS})
            for one in below.both()
        )
        return k, theta


@dataclass(frozen=True)
class Recurrent(Layer):
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
    reads_sequences = True

    def __post_init__(self) -> None:
        _known(self.activation)
        _scales(self.sigma_w, self.sigma_b)
        _scales(self.sigma_v, self.sigma_b, "sigma_v")
        _width(self.width)

    def kernels(self, below: Below) -> Both:
        """Return T and Tdot G of the last step's pre-activations, whose kernels H and G `in_time` follows."""
        t, tdot, _, g = self._step()
        return t, tdot * g

    def in_time(self) -> tuple[Eq, ...]:
        """``theory.kernel.next_recurrent`` and ``next_recurrent_tangent``."""
        t, tdot, h, g = self._step()
        after_h, after_g = h.subs(NOW, NOW + 1), g.subs(NOW, NOW + 1)
        here = {
            SIGMA_W: shown(self.sigma_w), SIGMA_V: shown(self.sigma_v), SIGMA_B: shown(self.sigma_b),
            T: t, TDOT: tdot, THETA: g, INPUT: Function("S")(NOW + 1),
        }  # fmt: skip
        below = next_recurrent_tangent().subs({TRAINED_W: 0, TRAINED_B: 0}).subs(here)
        return (
            Eq(after_h, next_recurrent().subs(here), evaluate=False),
            Eq(after_g, after_h * int(self.trained) + below, evaluate=False),
        )

    def _step(self) -> tuple[Expr, Expr, Expr, Expr]:
        """T, Tdot, H and G at time t, H and G the kernels of the pre-activations."""
        h, g, q, q2 = (Function(name)(NOW) for name in ("H", "G", "Q", "Q'"))
        nodes = (expectation(self.activation.expr), expectation(slope(self.activation)))
        t, tdot = (at_pair(node, q, q2, h / sqrt(q * q2)) for node in nodes)
        return t, tdot, h, g


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
            if layer.inner:
                yield from Architecture(layer.inner).walk()

    @property
    def pools(self) -> bool:
        """Whether positions are mixed with one another, so that covariances between positions are needed."""
        return any(layer.mixes_positions for layer in self.walk())


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


def _behind_weights(layer: Dense | Convolution, k: Expr, theta: Expr, new: Expr) -> Both:
    """Both kernels behind weights that read units of the kernels k and theta; `new` is the name of the first."""
    scales = {SIGMA_W: shown(layer.sigma_w), SIGMA_B: shown(layer.sigma_b), T: k, TDOT: 1, THETA: theta}
    trained = {TRAINED_W: int(layer.trained_w), TRAINED_B: int(layer.trained_b)}
    if all(trained.values()):  # its own parameters add all of K
        below = next_tangent().subs({TRAINED_W: 0, TRAINED_B: 0}).subs(scales)
        return next_kernel().subs(scales), new + below
    return next_kernel().subs(scales), next_tangent().subs(trained).subs(scales)


def _normalised(affine: bool, k: Expr, theta: Expr, widths: list[Expr], below: Below) -> Both:
    """Both kernels, k about its means, behind a normalisation that divides units by `widths`."""
    by = {formulas.D1: widths[0], formulas.D2: widths[1]}
    k, theta = (formulas.rescaled().subs(by).subs(formulas.K, one) for one in (k, theta))
    if affine:
        shifted = formulas.shifted().subs(THETA, theta)
        theta = formulas.gained().subs({THETA: shifted, formulas.K: below.new})
    return k, theta


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
        if not isinstance(layer, Layer):
            raise ArgumentError(
                name, "must hold layers of widelimit.theory.architecture alone", but=f"holds {layer!r}"
            )
    return found
