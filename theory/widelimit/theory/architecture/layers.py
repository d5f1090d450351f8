"""The kinds of layers: what each is made of, and what it does to the two kernels.

A kind of layer is one class here, with its rule (`Layer.kernels`); ``numerics.architecture`` and
``validate.network`` have one entry each for it, found by the class.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sympy import Eq, Expr, Function, Integer, Sum, sqrt

from widelimit.theory.architecture import formulas
from widelimit.theory.architecture.names import (
    BATCH,
    NOW,
    POSITIONS,
    SHIFT,
    SHIFT2,
    A,
    B,
    Below,
    at_pair,
    shown,
)
from widelimit.theory.architecture.wiring import chained, wired
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

Padding = Literal["circular", "zeros", "reflect", "replicate"]
Sizes = int | tuple[int, ...]  # one number for all dimensions, or one each
_MOST = 1_000_000  # positions, or units side by side
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
    samples = False  # whether the law of units is needed, not their second moments alone
    joins = False  # whether it reads several layers
    adds = False  # whether it adds what it reads, whose kernels add where one of them has signs of its own

    @property
    def odd(self) -> bool:
        """Whether units behind the layer change their signs with those in front; weights and others make new units."""
        return False

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
    """A convolution over `dimensions` (1 to 3) of positions; fan-in is channels times filter points.

    `size`, `stride`, `dilation` and `pad` are one number, or one for each dimension. Output a reads the positions
    a stride + s dilation - pad, s = 0 .. size - 1; `pad` None keeps the size of what is read at stride 1, which needs
    an odd `size`. `padding`: what stands outside. `depthwise`: every unit reads one channel (or few), so that units are
    not Gaussian; filters that read many channels of a group have the kernels of those that read all.
    `trained_w`, `trained_b` as in `Dense`.
    """

    size: Sizes
    sigma_w: float = 1.0
    sigma_b: float = 0.0
    dimensions: int = 1
    padding: Padding = "circular"
    width: int | None = None
    trained_w: bool = True
    trained_b: bool = True
    stride: Sizes = 1
    dilation: Sizes = 1
    pad: Sizes | None = None
    depthwise: bool = False
    weighted = True

    def __post_init__(self) -> None:
        _scales(self.sigma_w, self.sigma_b)
        _width(self.width)
        if self.dimensions not in (1, 2, 3):
            raise ArgumentError("dimensions", "must be 1, 2 or 3", self.dimensions)
        for name in ("size", "stride", "dilation"):
            _sizes(name, getattr(self, name), self.dimensions, 1)
        if self.pad is not None:
            _sizes("pad", self.pad, self.dimensions, 0)
        if self.pad is None and any(one % 2 == 0 for one in self.sizes):
            raise ArgumentError("size", "must be an odd number", self.size, "Other sizes need `pad`.")
        if self.padding not in ("circular", "zeros", "reflect", "replicate"):
            raise ArgumentError("padding", "must be circular, zeros, reflect or replicate", self.padding)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Points of the filter along each dimension."""
        return per_dimension(self.size, self.dimensions)

    @property
    def pads(self) -> tuple[int, ...]:
        """Positions in front of the first that is read, and behind the last, in each dimension."""
        if self.pad is not None:
            return per_dimension(self.pad, self.dimensions)
        steps = per_dimension(self.dilation, self.dimensions)
        return tuple(d * (n - 1) // 2 for n, d in zip(self.sizes, steps, strict=True))

    def behind(self, positions: Sequence[int]) -> tuple[int, ...]:
        """Return the positions behind it; numbers below 1 where it does not fit.

        >>> Convolution(2, dimensions=2, padding="zeros", stride=(2, 1), pad=1).behind((3, 3))
        (2, 4)
        """
        steps = (per_dimension(one, self.dimensions) for one in (self.stride, self.dilation))
        return tuple(
            _count(n, dilation * (size - 1) + 1, stride, pad)
            for n, size, pad, stride, dilation in zip(positions, self.sizes, self.pads, *steps, strict=True)
        )

    @property
    def plain(self) -> bool:
        """Whether it has one odd size, keeps all positions and reads neighbours."""
        steps = {*per_dimension(self.stride, self.dimensions), *per_dimension(self.dilation, self.dimensions)}
        one = len(set(self.sizes)) == 1 and self.sizes[0] % 2 == 1
        return one and steps == {1} and set(self.pads) == {self.sizes[0] // 2}

    def kernels(self, below: Below) -> Both:
        """Return those of a dense layer that reads averages over the filter, `formulas.filtered`."""
        if self.plain:
            half = self.sizes[0] // 2
            at, over = (A + SHIFT, B + SHIFT), (SHIFT, -half, half)
            count = {formulas.SIZE: self.sizes[0], formulas.DIMENSIONS: self.dimensions}
        else:  # tap(a, s): the position that the point s of the filter reads
            tap, points = Function("tap"), math.prod(self.sizes)
            at, over = (tap(A, SHIFT), tap(B, SHIFT)), (SHIFT, 1, points)
            count = {formulas.SIZE: points, formulas.DIMENSIONS: 1}
        k, theta = (
            formulas.filtered().subs({formulas.TOTAL: Sum(one, over), **count}) for one in below.both(*at)
        )
        return _behind_weights(self, k, theta, below.new)


@dataclass(frozen=True)
class Act(Layer):
    """An activation, applied to every unit."""

    activation: Activation
    carries_gain = True

    def __post_init__(self) -> None:
        _known(self.activation)

    @property
    def odd(self) -> bool:
        """Whether the activation is."""
        return self.activation.is_odd

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
    odd = True

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


class _Normalisation:
    """What normalisations share: gains (and shifts) that may be trained, and what is added to variances."""

    affine: bool
    eps: float
    odd = True

    def __post_init__(self) -> None:
        exact.non_negative("eps", self.eps)

    @property
    def trains_gain(self) -> bool:
        """Whether the normalisation is affine."""
        return self.affine


@dataclass(frozen=True)
class LayerNorm(_Normalisation, Layer):
    """Subtract the mean over an input's units, at all positions, and divide by their standard deviation.

    `affine` trains a gain and a shift of each channel as well. `each`: by the statistics of each position alone, as
    over tokens. `eps` is added to the variance. Normalisation over groups of channels has the same limit, as long as
    the channels of each group are many.
    """

    affine: bool = False
    each: bool = False
    eps: float = 0.0

    def kernels(self, below: Below) -> Both:
        """`formulas.about_means` of K, both kernels `formulas.rescaled`; trained gain and shift add theirs."""
        k, theta = below.both()
        means, squares = below.units("m"), below.units("q")
        centres = means
        if not self.each:
            centres, squares = (
                tuple(
                    formulas.averaged().subs(formulas.COUNT, POSITIONS).subs(formulas.TOTAL, one)
                    for one in below.over_positions(name)
                )
                for name in ("m", "q")
            )
        widths = _deviations(squares, centres, self.eps)
        names = (formulas.M1, formulas.M2, formulas.CENTRE1, formulas.CENTRE2)
        centred = formulas.about_means().subs(dict(zip(names, (*means, *centres), strict=True)))
        return _normalised(self.affine, centred.subs(formulas.K, k), theta, widths, below)


@dataclass(frozen=True)
class RMSNorm(_Normalisation, Layer):
    """Divide the units of each position by the root of their mean square, to which `eps` is added.

    `affine` trains a gain of each unit as well.
    """

    affine: bool = False
    eps: float = 0.0

    def kernels(self, below: Below) -> Both:
        """Both kernels `formulas.rescaled` by `formulas.deviation` about zero; a trained gain adds its own."""
        k, theta = below.both()
        widths = _deviations(below.units("q"), (Integer(0), Integer(0)), self.eps)
        return _normalised(self.affine, k, theta, widths, below, shifts=False)


@dataclass(frozen=True)
class Affine(Layer):
    """Units times `factor`: a number in the network, or batch normalisation by statistics that were kept.

    `trained` trains a gain, which starts at 1, and a shift of each unit behind it as well.
    """

    factor: float = 1.0
    trained: bool = False
    odd = True

    def __post_init__(self) -> None:
        value = exact.plain("factor", self.factor)
        if value.is_number and not _LEAST <= abs(value) <= _LARGEST:
            raise ArgumentError("factor", f"must have a magnitude in [{_LEAST:g}, {_LARGEST:g}]", self.factor)

    @property
    def trains_gain(self) -> bool:
        """Whether gain and shift are trained."""
        return self.trained

    def kernels(self, below: Below) -> Both:
        """Both kernels `formulas.rescaled` by 1/factor; a trained gain and shift add theirs."""
        width = 1 / shown(self.factor)
        return _normalised(self.trained, *below.both(), [width, width], below)


@dataclass(frozen=True)
class BatchNorm(_Normalisation, Layer):
    """Normalise each unit or channel over the batch, the inputs that the kernel is asked for, and over positions.

    The rule is that of the limit of large batches.

    `affine` trains a gain and a shift as well. `eps` is added to the variance.
    """

    affine: bool = False
    eps: float = 0.0
    mixes_positions = True

    def kernels(self, below: Below) -> Both:
        """`formulas.about_batch` of both kernels, `formulas.rescaled`; trained gain and shift add theirs.

        ``centred`` stands for the first, with the means over the batch and all positions.
        """
        centred, trace = Function("centred"), Function("trace")
        k, theta = (centred(one) for one in below.both())
        mean = formulas.averaged().subs({formulas.TOTAL: trace(k), formulas.COUNT: BATCH})
        width = sqrt(mean + shown(self.eps))
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

    odd = True

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

    mixes_positions = averages_positions = odd = True

    def kernels(self, below: Below) -> Both:
        """Return the mean over all pairs of positions, `formulas.pooled`."""
        over = (A, 1, POSITIONS), (B, 1, POSITIONS)
        k, theta = (
            formulas.pooled().subs({formulas.TOTAL: Sum(one, *over), formulas.COUNT: POSITIONS})
            for one in below.both()
        )
        return k, theta


@dataclass(frozen=True)
class AveragePool(Layer):
    """Average each channel over windows of positions, as ``torch.nn.AvgPool1d`` to ``AvgPool3d`` do.

    `size`, `stride` (None: the size) and `pad` are one number, or one for each dimension. `counts_pads`: whether the
    zeros outside count. `outputs`: how many windows, for adaptive pooling, whose window a goes from floor(a n/outputs)
    to ceil((a + 1) n/outputs); `size`, `stride` and `pad` play no part then.
    """

    size: Sizes = 2
    stride: Sizes | None = None
    pad: Sizes = 0
    dimensions: int = 1
    counts_pads: bool = True
    outputs: Sizes | None = None
    mixes_positions = averages_positions = odd = True

    def __post_init__(self) -> None:
        if self.dimensions not in (1, 2, 3):
            raise ArgumentError("dimensions", "must be 1, 2 or 3", self.dimensions)
        for name, least in (("size", 1), ("pad", 0)):
            _sizes(name, getattr(self, name), self.dimensions, least)
        for name in ("stride", "outputs"):
            if getattr(self, name) is not None:
                _sizes(name, getattr(self, name), self.dimensions, 1)
        for size, pad in zip(
            *(per_dimension(one, self.dimensions) for one in (self.size, self.pad)), strict=True
        ):
            if 2 * pad > size:
                raise ArgumentError("pad", "must be at most half of `size`", self.pad)

    @property
    def strides(self) -> tuple[int, ...]:
        """From window to window, in each dimension."""
        return per_dimension(self.size if self.stride is None else self.stride, self.dimensions)

    def behind(self, positions: Sequence[int]) -> tuple[int, ...]:
        """Return the positions behind it; numbers below 1 where it does not fit.

        >>> AveragePool(3, stride=2).behind((8,)), AveragePool(outputs=2).behind((8,))
        ((3,), (2,))
        """
        if self.outputs is not None:
            return per_dimension(self.outputs, self.dimensions)
        each = (per_dimension(one, self.dimensions) for one in (self.size, self.pad))
        return tuple(
            _count(n, size, stride, pad)
            for n, stride, size, pad in zip(positions, self.strides, *each, strict=True)
        )

    def kernels(self, below: Below) -> Both:
        """Return the mean over all pairs of positions of two windows, `formulas.windowed`; tap(a, s) is in window a."""
        tap, count = Function("tap"), Function("n")
        over = (SHIFT, 1, count(A)), (SHIFT2, 1, count(B))
        k, theta = (
            formulas.windowed().subs(
                {formulas.TOTAL: Sum(one, *over), formulas.COUNT: count(A), formulas.COUNT2: count(B)}
            )
            for one in below.both(tap(A, SHIFT), tap(B, SHIFT2))
        )
        return k, theta


@dataclass(frozen=True)
class MaxPool(Layer):
    """The largest of each channel over windows of positions, as ``torch.nn.MaxPool1d`` to ``MaxPool3d`` take it.

    `size`, `stride` (None: the size), `pad` and `outputs` as in `AveragePool`; what stands outside is never largest.
    """

    size: Sizes = 2
    stride: Sizes | None = None
    pad: Sizes = 0
    dimensions: int = 1
    outputs: Sizes | None = None
    mixes_positions = averages_positions = samples = True

    def __post_init__(self) -> None:
        self.windows  # noqa: B018 it refuses what does not fit

    @property
    def windows(self) -> AveragePool:
        """Averages over the same windows."""
        return AveragePool(self.size, self.stride, self.pad, self.dimensions, True, self.outputs)

    def kernels(self, below: Below) -> Both:
        """Return E max_s u(tap(a, s)) max_t u'(tap(b, t)), and Theta at the places of both maxima, in the mean.

        u and u' are the units of two inputs in front of the layer; place(a) is the position where u is the largest in
        the window a.
        """
        mean, largest, place, tap = (Function(name) for name in ("E", "Max", "place", "tap"))
        one, two = (Function(f"u{dash}_{below.before}") for dash in ("", "'"))
        both = largest(one(tap(A, SHIFT)), SHIFT) * largest(two(tap(B, SHIFT2)), SHIFT2)
        return mean(both), mean(below.kernel("Theta", place(A), Function("place'")(B)))


@dataclass(frozen=True)
class Attention(Layer):
    """Softmax self-attention of many heads over the positions, which are tokens, output weights included.

    Logits of two tokens are q.k/sqrt(head dimension). `sigma_qk`: product of the sigmas of queries and keys, `sigma_vo`
    of values and outputs; `causal`: tokens see those up to themselves alone; `trained`: whether all four weights are.
    """

    sigma_qk: float = 1.0
    sigma_vo: float = 1.0
    causal: bool = False
    width: int | None = None
    trained: bool = True

    weighted = mixes_positions = averages_positions = True
    dimensions = 1

    def __post_init__(self) -> None:
        _scales(self.sigma_qk, 0.0, "sigma_qk")
        _scales(self.sigma_vo, 0.0, "sigma_vo")
        _width(self.width)

    def kernels(self, below: Below) -> Both:
        """Return what ``theory.attention`` has for two tokens, entry by entry.

        A and A' are softmax weights of both inputs, with logits of the covariance sigma_qk^2 K K; R(a, s, b, t) =
        (J_a)_s,. K (J'_b).,t with J_a = diag(A_a) - A_a A_a^T, entry by entry.
        """
        over = (SHIFT, 1, POSITIONS), (SHIFT2, 1, POSITIONS)
        mean, slopes = Function("E"), Function("R")(A, SHIFT, B, SHIFT2)
        shares = Function("A")(A, SHIFT) * Function("A'")(B, SHIFT2)
        (k, theta), (k_two, theta_two) = below.both(), below.both(SHIFT, SHIFT2)
        gain, scale = shown(self.sigma_vo) ** 2, (shown(self.sigma_qk) * shown(self.sigma_vo)) ** 2
        own = 2 * int(self.trained)
        seen = (own * k + theta) * k_two + k * theta_two
        tangent = (
            own * below.new
            + gain * mean(Sum(shares * theta_two, *over))
            + scale * mean(Sum(slopes * seen, *over))
        )
        return gain * mean(Sum(shares * k_two, *over)), tangent


@dataclass(frozen=True)
class Add(Layer):
    """The sum of several layers, all but one with signs of their own: weights of mean zero that others do not meet."""

    joins = adds = odd = True

    def kernels(self, below: Below) -> Both:
        """`formulas.added`, of both kernels, one after the other."""
        return _folded(below.of_all("K")), _folded(below.of_all("Theta"))


@dataclass(frozen=True)
class Concatenate(Layer):
    """Units of several layers side by side: `widths` of them each, None where all are as many."""

    widths: tuple[int, ...] | None = None
    joins = odd = True

    def __post_init__(self) -> None:
        if self.widths is None:
            return
        if not isinstance(self.widths, tuple) or len(self.widths) < 2:
            raise ArgumentError("widths", "must be a tuple of two numbers of units or more", self.widths)
        _sizes("widths", self.widths, len(self.widths), 1)

    def kernels(self, below: Below) -> Both:
        """Return the mean over all units, `formulas.averaged`."""
        k, theta = below.of_all("K"), below.of_all("Theta")
        widths = self.widths or (1,) * len(k)
        both = (
            formulas.averaged().subs(
                {
                    formulas.TOTAL: sum(n * one for n, one in zip(widths, each, strict=True)),
                    formulas.COUNT: sum(widths),
                }
            )
            for each in (k, theta)
        )
        one, two = both
        return one, two


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
    """Layers from input to output, one behind the other, or as a graph.

    `inputs`: for each layer the numbers of those that it reads, all before it, -1 for the network's input; None: each
    reads the one before. `Add` and `Concatenate` read two or more, others one. The last layer is the output.

    Raises `ArgumentError` for what is no layer of this module, if there is none, and for numbers that are none;
    `DomainError` for sums of layers that are not independent in their signs, whose kernels do not add.

    >>> mlp("relu", sigma_w=1.5, sigma_b=0.1, depth=1).layers[0].sigma_w
    1.5
    >>> block = (Dense(2.0), Act.of("relu"), Dense(1.0), Dense(0.5), Add())  # projection shortcut
    >>> Architecture(block, ((-1,), (0,), (1,), (-1,), (2, 3))).feeds[-1]
    (2, 3)
    """

    layers: tuple[Layer, ...]
    inputs: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", _layers("layers", self.layers))
        if not self.layers:
            raise ArgumentError("layers", "must hold at least one layer", self.layers)
        object.__setattr__(self, "inputs", wired(self.layers, self.inputs))

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def walk(self) -> Iterator[Layer]:
        """All layers, those inside residual branches too."""
        for layer in self.layers:
            yield layer
            if layer.inner:
                yield from Architecture(layer.inner).walk()

    @property
    def feeds(self) -> tuple[tuple[int, ...], ...]:
        """What each layer reads, see `inputs`."""
        return chained(len(self.layers)) if self.inputs is None else self.inputs

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


def _folded(kernels: list[Expr]) -> Rewritten:
    total = kernels[0]
    for one in kernels[1:]:
        total = formulas.added().subs({formulas.K: total, formulas.BRANCH: one})
    return total


def _deviations(squares: tuple[Expr, ...], centres: tuple[Expr, ...], eps: float) -> list[Rewritten]:
    """What a normalisation divides the units of both inputs by."""
    return [
        formulas.deviation().subs({formulas.SQUARE: square + shown(eps), formulas.CENTRE1: centre})
        for square, centre in zip(squares, centres, strict=True)
    ]


def _normalised(
    affine: bool, k: Expr, theta: Expr, widths: list[Expr], below: Below, shifts: bool = True
) -> Both:
    """Both kernels, k about its means, behind a normalisation that divides units by `widths`."""
    by = {formulas.D1: widths[0], formulas.D2: widths[1]}
    k, theta = (formulas.rescaled().subs(by).subs(formulas.K, one) for one in (k, theta))
    if affine:
        shifted = formulas.shifted().subs(THETA, theta) if shifts else theta
        theta = formulas.gained().subs({THETA: shifted, formulas.K: below.new})
    return k, theta


def _scales(sigma_w: object, sigma_b: object, name: str = "sigma_w") -> None:
    for argument, value, least in ((name, exact.positive(name, sigma_w, symbols=True), _LEAST),
                                   ("sigma_b", exact.non_negative("sigma_b", sigma_b, symbols=True), 0)):  # fmt: skip
        if value.is_number and not least <= value <= _LARGEST:
            raise ArgumentError(argument, f"must lie in [{float(least):g}, {_LARGEST:g}]", value)


def _sizes(name: str, value: object, dimensions: int, least: int) -> None:
    """One whole number for all dimensions, or one for each."""
    if isinstance(value, tuple) and len(value) != dimensions:
        raise ArgumentError(name, f"must be a number or {dimensions} of them", value)
    for one in value if isinstance(value, tuple) else (value,):
        if exact.whole(name, one, least) > _MOST:
            raise ArgumentError(name, f"must be at most {_MOST:,}", one)


def _count(positions: int, reach: int, stride: int, pad: int) -> int:
    """How many windows that reach over so many positions there are."""
    return (positions + 2 * pad - reach) // stride + 1


def per_dimension(value: Sizes, dimensions: int) -> tuple[int, ...]:
    """A setting of each dimension.

    >>> per_dimension(3, 2), per_dimension((1, 2), 2)
    ((3, 3), (1, 2))
    """
    return value if isinstance(value, tuple) else (value,) * dimensions


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
