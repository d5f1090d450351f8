"""Readers of operations as layers: weights, normalisations, pooling, functions of units, sums, views.

Each is registered by torch's name of the operation, see `layered`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from sympy import Expr

from widelimit.theory import architecture as arch
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.validate.network.graph.functions import UNARY
from widelimit.validate.network.graph.programs import Ref, Step
from widelimit.validate.network.graph.readers import READERS, Reading, Value, alike, reads
from widelimit.validate.network.kinds.normalisation import SMALLEST_GROUP

__all__ = ["READERS"]

_FEW = 8  # channels that a filter reads, below which its units are not taken for Gaussian
_NOT_GAUSSIAN = (
    "its inputs are not Gaussian: between the last weights and it stand an activation, a sum with units behind "
    "one, dropout, averages or a filter of few channels; put a layer of weights between, or move the activation into "
    "the branch (pre-activation)"
)
_NO_LAW = (
    "the law of its inputs is not known: between the last weights and it stand dropout, averages over positions or a "
    "filter of few channels; put a layer of weights between"
)
_MODES = {"constant": "zeros", "circular": "circular", "reflect": "reflect", "replicate": "replicate"}


def _given(step: Step, *defaults: Any) -> list[Any]:
    """Arguments behind the first, with what stands for those that are left out."""
    return [*step.args[1:], *defaults[len(step.args) - 1 :]]


def _pair(value: Any, count: int) -> tuple[int, ...]:
    found = list(value) if isinstance(value, tuple | list) else [value]
    return tuple(int(one) for one in (found * count if len(found) == 1 else found))


@reads("linear")
def _linear(reading: Reading, step: Step) -> Value:
    value = reading.flat(reading.value(step))
    weight, bias = _given(step, None, step.kwargs.get("bias"))
    if value.axes[-1] != "c" or "1" in value.axes:
        raise reading.no(
            step, "it reads the last axis, which holds no units; put Flatten or a pool before it"
        )
    held, matrix, trained = reading.weights(step, weight, bias)
    layer: arch.Layer
    if value.positions:
        layer = arch.Convolution(
            1, held.sigma_w, held.sigma_b, len(value.positions), "zeros", len(matrix), *trained
        )
    else:
        layer = arch.Dense(held.sigma_w, held.sigma_b, len(matrix), *trained)
    return reading.weighted(layer, held, value, width=len(matrix), gaussian=True)


@reads("conv1d", "conv2d", "conv3d")
def _convolution(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    weight, bias, stride, pad, dilation, groups = _given(step, None, None, 1, 0, 1, 1)
    held, matrix, trained = reading.weights(step, weight, bias)
    kernel = tuple(matrix.shape[2:])
    count = len(kernel)
    stride, dilation = _pair(stride, count), _pair(dilation, count)
    if value.axes[1] != "c" or len(value.axes) != count + 2:
        raise reading.no(step, "its channels are no units")
    if _single(value, kernel, _pair(pad, count)):
        dense = arch.Dense(held.sigma_w, held.sigma_b, len(matrix), *trained)
        return reading.weighted(dense, held, value, width=len(matrix), gaussian=True)
    if len(value.positions) != count:
        raise reading.no(step, "it reads positions that were averaged")
    mode, pads = _pads(reading, step, value, pad, kernel, dilation)
    read, given = matrix.shape[1], value.width
    few = int(groups) > 1 and (read < _FEW or value.node < 0)
    kept = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    plain = pads == kept and all(k % 2 for k in kernel)
    layer = arch.Convolution(
        alike(kernel), held.sigma_w, held.sigma_b, count, mode, len(matrix), *trained,  # type: ignore[arg-type]
        stride=alike(stride), dilation=alike(dilation), pad=None if plain else alike(pads), depthwise=few,
    )  # fmt: skip
    assert given == read * int(groups)
    shape = tuple(step.shape or ())[2:]
    return reading.weighted(
        layer, held, value, width=len(matrix), gaussian=not few, positions=shape, pad=None
    )


def _single(value: Value, kernel: tuple[int, ...], pads: tuple[int, ...]) -> bool:
    """Whether a filter of one point reads units without positions."""
    pooled = value.axes[2:] == ("1",) * len(kernel) and value.pad is None
    return pooled and set(kernel) == {1} and set(pads) == {0}


def _pads(
    reading: Reading, step: Step, value: Value, pad: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[str, tuple[int, ...]]:
    """What stands outside, and how much of it in each dimension."""
    if isinstance(pad, str):
        if pad == "same" and any(d * (k - 1) % 2 for k, d in zip(kernel, dilation, strict=True)):
            raise reading.no(step, "an even filter that keeps the size pads its two sides differently")
        pads = tuple(d * (k - 1) // 2 if pad == "same" else 0 for k, d in zip(kernel, dilation, strict=True))
    else:
        pads = _pair(pad, len(kernel))
    if value.pad is None:
        return "zeros", pads
    mode, more = value.pad
    if any(pads) and mode != "zeros":
        raise reading.no(step, f"it pads with zeros behind a padding that is {mode}")
    return mode, tuple(a + b for a, b in zip(pads, more, strict=True))


@reads("pad", "constant_pad_nd")
def _pad(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    amounts, mode, fill = _given(step, (), "constant", None)
    if step.op == "constant_pad_nd":
        mode, fill = "constant", mode if mode != "constant" else None
    amounts = list(amounts)
    both = [(amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)][::-1]
    if mode not in _MODES or (fill is not None and fill != 0):
        raise reading.no(step, "padding by other numbers than zeros or those of the image")
    if (
        len(both) != len(value.positions)
        or value.axes[:2] != ("n", "c")
        or any(a != b or a < 0 for a, b in both)
    ):
        raise reading.no(step, "a padding that is not the same on both sides of an image")
    shape = tuple(step.shape or ())[2:]
    return (
        replace(value, pad=(_MODES[mode], tuple(a for a, _ in both)), positions=shape)
        if any(a for a, _ in both)
        else value
    )


def _affine(reading: Reading, step: Step, weight: Any, bias: Any, shifts: bool = True) -> bool:
    """Whether gains and shifts of a normalisation are trained; they have to start at 1 and 0."""
    trained = []
    for given, plain, what in ((weight, 1.0, "gain is not 1"), (bias, 0.0, "shift is not 0")):
        found = reading.parameter(step, given)
        if found is not None and not bool((found[0] == plain).all()):
            raise reading.no(step, f"its {what} everywhere")
        trained.append(found is not None and found[1])
    if shifts and trained[0] != trained[1]:
        raise reading.no(step, "of its gain and its shift one is trained alone; train or freeze both")
    return trained[0]


@reads("layer_norm", "rms_norm")
def _by_units(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    centred = step.op == "layer_norm"
    if centred:
        shape, weight, bias, eps = _given(step, (), None, None, 1e-5, None)[:4]
    else:
        (shape, weight, eps), bias = _given(step, (), None, None), None
    over = value.axes[len(value.axes) - len(shape) :]
    trained = _affine(reading, step, weight, bias, centred)
    rest = value.axes[: len(value.axes) - len(shape)]
    if "f" in over:
        reading.flattened = True
    if "c" not in over and "f" not in over:
        raise reading.no(step, "it normalises over positions alone, whose statistics stay random")
    if "1" in value.axes:
        raise reading.no(
            step, "it reads the axis of length 1 that pooling leaves behind; put Flatten before it"
        )
    each = "p" in rest
    if each and "p" in over:
        raise reading.no(step, "it normalises over some of the positions")
    if eps is None:
        eps = torch.finfo(reading.found.example[0].dtype).eps
    if not centred:
        if not each and ("p" in over or "f" in over):
            raise reading.no(step, "it divides by the root mean square over positions")
        return reading.add(arch.RMSNorm(trained, eps), value)
    if trained and ("p" in over or "f" in over):
        reading.by_position.append(str(reading.no(
            step, "its gain of every position, in a network that pools; use elementwise_affine=False or GroupNorm, "
            "whose gains belong to channels",
        )))  # fmt: skip
    return reading.add(arch.LayerNorm(trained, each=each, eps=eps), value)


@reads("group_norm")
def _by_groups(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    groups, weight, bias, eps = _given(step, 1, None, None, 1e-5, None)[:4]
    if value.axes[1] != "c":
        raise reading.no(step, "its channels are no units")
    if value.width // groups < SMALLEST_GROUP:
        raise reading.no(
            step,
            f"statistics of groups of {value.width // groups} channels fluctuate from group to group; they need "
            f"{SMALLEST_GROUP} at least",
        )
    if groups > 1 and value.node in reading.joined:
        raise reading.no(step, "its groups are units of several laws, side by side")
    return reading.add(arch.LayerNorm(_affine(reading, step, weight, bias), eps=float(eps)), value)


@reads("batch_norm")
def _by_batch(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    weight, bias, mean, variance, training, _, eps = step.args[1:8]
    if value.axes[1] != "c":
        raise reading.no(step, "its channels are no units (Flatten in front of it makes units of positions)")
    affine = _affine(reading, step, weight, bias)
    if training or mean is None:
        return reading.each(value, lambda one: _of_batch(reading, step, one, affine, float(eps)))
    kept = reading.found.numbers.state
    means, variances = (kept[reading.program.tensors[one.key]].double() for one in (mean, variance))
    if bool(means.any()) or float(variances.max() - variances.min()) > 0:
        raise reading.no(
            step,
            "in evaluation it divides by running averages that differ from unit to unit; call train() on it",
        )
    layer = arch.Affine(1 / math.sqrt(float(variances[0]) + float(eps)), affine)
    return reading.each(value, lambda one: reading.add(layer, one))


def _of_batch(reading: Reading, step: Step, value: Value, affine: bool, eps: float) -> Value:
    if not value.gaussian:
        raise reading.no(step, f"it normalises over the batch, and {_NOT_GAUSSIAN}")
    return reading.add(arch.BatchNorm(affine, eps=eps), value)


@reads("dropout")
def _dropout(reading: Reading, step: Step) -> Value:
    value, (p, training) = reading.value(step), _given(step, 0.5, True)
    if not training or p == 0:
        return value
    if p == 1:
        raise reading.no(step, "it drops every unit")
    return reading.add(arch.Dropout(1.0 - float(p)), value, gaussian=False, law=False)


@reads("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average(reading: Reading, step: Step) -> Value:
    value = _image(reading, step)
    count = len(value.positions)
    size, stride, pad, ceil, counts, divisor = _given(step, 1, None, 0, False, True, None)
    if ceil or divisor is not None:
        raise reading.no(step, "with ceil_mode or a divisor of its own")
    size = _pair(size, count)
    stride = size if not stride else _pair(stride, count)
    layer = arch.AveragePool(
        alike(size), None if stride == size else alike(stride), alike(_pair(pad, count)), count, bool(counts)
    )
    return reading.add(layer, value, positions=tuple(step.shape or ())[2:], law=value.gaussian)


@reads("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive(reading: Reading, step: Step) -> Value:
    value = _image(reading, step)
    outputs = tuple(step.shape or ())[2:]
    if set(outputs) == {1}:
        return reading.add(
            arch.GlobalAveragePool(),
            value,
            positions=(),
            axes=("n", "c", *["1"] * len(outputs)),
            law=value.gaussian,
        )
    layer = arch.AveragePool(dimensions=len(outputs), outputs=alike(outputs))
    return reading.add(layer, value, positions=outputs, law=value.gaussian)


def _image(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    if value.axes != ("n", "c", *["p"] * len(value.positions)) or not value.positions:
        raise reading.no(step, "it reads no positions behind an axis of units")
    return value


@reads("mean")
def _mean(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    dims, keep = _given(step, None, False)[:2]
    chosen = {d % len(value.axes) for d in (dims or range(len(value.axes)))}
    over = [value.axes[d] for d in chosen]
    if set(over) - {"p", "1"} or over.count("p") != len(value.positions) or not value.positions:
        raise reading.no(step, "it averages over other axes than those of all positions")
    axes = tuple("1" if d in chosen else axis for d, axis in enumerate(value.axes) if keep or d not in chosen)
    return reading.add(arch.GlobalAveragePool(), value, positions=(), axes=axes, law=value.gaussian)


@reads("cat", "concat")
def _beside(reading: Reading, step: Step) -> Value:
    given = step.args[0]
    keys = [getattr(one, "key", "") for one in given]
    if any(key not in reading.values for key in keys):
        raise reading.no(step, "it joins tensors that do not come from the example")
    values = [reading.unpadded(step, reading.values[key]) for key in keys]
    dim = int(step.args[1] if len(step.args) > 1 else step.kwargs.get("dim", 0)) % len(values[0].axes)
    if len({one.axes for one in values}) > 1 or values[0].axes[dim] not in ("c", "f"):
        raise reading.no(step, "it joins something else than units")
    values = [reading.flat(one) for one in values]
    return values[0] if len(values) == 1 else reading.beside(values)


@reads("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view")
def _view(reading: Reading, step: Step) -> Value:
    value, out = reading.value(step), tuple(step.shape or ())
    held = _sizes(reading, value)
    if not out or out[0] != held[0][1]:
        raise reading.no(step, "a view that mixes inputs with something else")
    rest = [(axis, n) for axis, n in held[1:] if axis != "1"]
    sizes = [n for _, n in rest]
    if [n for n in out[1:] if n != 1] == [n for n in sizes if n != 1] and not any(
        a == "p" and n == 1 for a, n in rest
    ):
        labels, axes = iter([axis for axis, n in rest if n != 1]), ["n"]
        axes += [next(labels) if n != 1 else "1" for n in out[1:]]
        if any(n == 1 for n in sizes):  # a single unit
            axes = ["c" if axis == "1" and "c" not in axes else axis for axis in axes]
        return replace(value, axes=tuple(axes))
    if [n for n in out[1:] if n != 1] == [n for n in (math.prod(sizes),) if n != 1] and len(out) == 2:
        return replace(value, axes=("n", "f"))
    raise reading.no(step, "a view that theory does not follow")


def _sizes(reading: Reading, value: Value) -> list[tuple[str, int]]:
    """Each axis of a value with its size."""
    positions, out = iter(value.positions), []
    for axis in value.axes:
        n = {"n": len(reading.found.example[0]), "c": value.width, "1": 1}.get(axis)
        n = value.width * math.prod(value.positions) if axis == "f" else next(positions) if n is None else n
        out.append((axis, int(n)))
    return out


@reads("permute", "transpose", "movedim", "t", "swapaxes")
def _permute(reading: Reading, step: Step) -> Value:
    value = reading.value(step)
    count = len(value.axes)
    order = list(range(count))
    if step.op == "permute":
        order = [int(one) % count for one in step.args[1]]
    elif step.op == "movedim":
        sources, targets = (_pair(one, 1) for one in step.args[1:3])
        left = [d for d in range(count) if d not in {s % count for s in sources}]
        for s, t in sorted(zip(sources, targets, strict=True), key=lambda pair: pair[1] % count):
            left.insert(t % count, s % count)
        order = left
    else:
        one, two = (0, 1) if step.op == "t" else (int(z) % count for z in step.args[1:3])
        order[one], order[two] = two, one
    axes = tuple(value.axes[one] for one in order)
    places = [one for one in order if value.axes[one] == "p"]
    if axes[0] != "n" or places != sorted(places):
        raise reading.no(step, "it turns positions around")
    return replace(value, axes=axes)


@reads("contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as")
def _same(reading: Reading, step: Step) -> Value:
    if step.op == "detach":
        raise reading.no(step, "it cuts gradients off")
    return reading.value(step)


def _function(reading: Reading, step: Step) -> Value | None:
    """A function of one variable of a value, fused with those before it; None for what is none."""
    state = reading.state(step)
    if state is not None and state.function is not None and state.function.expr is not None:
        root = reading.values.get(state.function.key)
        if root is not None:
            return _applied(reading, step, root, state.function.expr)
    if step.op in UNARY:
        named = {name: one for name, one in step.kwargs.items() if one is not None}
        return _applied(reading, step, reading.value(step), UNARY[step.op](X, *step.args[1:], **named))
    return None


def _applied(reading: Reading, step: Step, root: Value, expr: Expr) -> Value:
    reading.unpadded(step, root)
    slope = expr.diff(X)
    if not slope.has(X) and slope != 0 and expr.subs(X, 0) == 0 and expr == slope * X:
        return (
            root
            if slope == 1
            else reading.each(root, lambda one: reading.add(arch.Affine(float(slope)), one))
        )
    layer = arch.Act(Activation.of(expr))

    def behind(one: Value) -> Value:
        if not (one.gaussian or one.law):
            raise reading.no(step, _NO_LAW)
        return reading.add(layer, one, gaussian=False)

    return reading.each(root, behind)


def _unary(reading: Reading, step: Step) -> Value:
    found = _function(reading, step)
    if found is None:
        raise reading.no(step, "it is no function that theory knows")
    return found


for _name in UNARY:
    if _name != "neg":
        reads(_name)(_unary)


@reads("neg")
def _neg(reading: Reading, step: Step) -> Value:
    return reading.add(arch.Affine(-1.0), reading.value(step))


@reads("add", "sub", "rsub")
def _add(reading: Reading, step: Step) -> Value:
    if (found := _function(reading, step)) is not None:
        return found
    alpha = float(step.kwargs.get("alpha", step.args[2] if len(step.args) > 2 else 1))
    for one in step.args[:2]:
        if not (isinstance(one, Ref) and one.key in reading.values):
            if reading.number(one) is not None:
                raise reading.no(step, "it adds a number to units that are not Gaussian")
            raise reading.no(step, "it adds numbers that do not come from the example (a parameter, a mask)")
    one, two = reading.value(step, 0), reading.value(step, 1)
    if step.op == "rsub":
        one, two = two, one
    factor = alpha if step.op == "add" else -alpha
    if one.axes != two.axes or one.positions != two.positions or one.width != two.width:
        raise reading.no(step, "it adds tensors of different shapes")
    if one.node == two.node:
        if factor == -1:
            raise reading.no(step, "it subtracts a tensor from itself")
        return one if factor == 0 else reading.add(arch.Affine(1 + factor), one)
    if factor != 1:
        two = reading.add(arch.Affine(factor), two)
    if not arch.apart(one.origins, two.origins):
        raise reading.no(
            step,
            "it adds tensors that are correlated: neither ends with weights of its own, behind which no activation "
            "stands, so that their kernels do not add",
        )
    return reading.add(arch.Add(), one, two, gaussian=one.gaussian and two.gaussian, law=one.law and two.law)


@reads("mul", "div")
def _mul(reading: Reading, step: Step) -> Value:
    if (found := _function(reading, step)) is not None:
        return found
    one, two = step.args[:2]
    if not (isinstance(one, Ref) and one.key in reading.values):
        one, two = two, one
    value = reading.value(replace(step, args=(one,)))
    if isinstance(two, Ref) and two.key in reading.values:
        raise reading.no(step, "a product of units (gates, squeeze and excitation) has no kernel rule here")
    if reading.drawn(two):
        raise reading.no(
            step, "a mask that is drawn as the module runs (stochastic depth); call eval() on it"
        )
    number = reading.number(two)
    if number is not None and (step.op == "mul" or one is step.args[0]):
        return reading.add(arch.Affine(number if step.op == "mul" else 1 / number), value)
    found_ = reading.parameter(step, two)
    if found_ is None or step.op == "div":
        raise reading.no(step, "a quotient by something that is no number")
    gain, trained = found_[0].double().flatten(), found_[1]
    if float(gain.max() - gain.min()) > 0 or (trained and float(gain[0]) != 1):
        raise reading.no(
            step,
            f"gains that start at {float(gain[0]):.3g} are trained, or differ from unit to unit; known are equal ones "
            "that are frozen (requires_grad_(False))",
        )
    if trained:
        raise reading.no(step, "a gain without a shift is trained outside a normalisation; freeze it")
    return value if float(gain[0]) == 1 else reading.add(arch.Affine(float(gain[0])), value)


def _attention(reading: Reading, step: Step) -> Value:
    names = {"scaled_dot_product_attention": "attention", "softmax": "a softmax, of attention or of gates,"}
    what = names.get(step.op, "a product of tensors, as in attention or on a graph,")
    raise reading.no(
        step,
        f"{what} has no kernel on given data here; `report` derives or measures its second moments, and "
        "`theory.architecture.Attention` is a layer of attention whose kernels are known",
    )


for _name in ("scaled_dot_product_attention", "softmax", "matmul", "bmm", "einsum", "mm", "addmm"):
    reads(_name)(_attention)


@reads("max_pool1d", "max_pool2d", "max_pool3d")
def _largest(reading: Reading, step: Step) -> Value:
    value = _image(reading, step)
    count = len(value.positions)
    size, stride, pad, dilation, ceil = _given(step, 1, None, 0, 1, False)
    if ceil or set(_pair(dilation, count)) != {1}:
        raise reading.no(step, "with ceil_mode or dilation")
    size = _pair(size, count)
    stride = size if not stride else _pair(stride, count)
    layer = arch.MaxPool(
        alike(size), None if stride == size else alike(stride), alike(_pair(pad, count)), count
    )
    outputs = tuple(step.shape or ())[2:]

    def behind(one: Value) -> Value:
        if not (one.gaussian or one.law):
            raise reading.no(step, _NO_LAW)
        return reading.add(layer, one, gaussian=False, positions=outputs)

    return reading.each(value, behind)


@reads("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_largest(reading: Reading, step: Step) -> Value:
    raise reading.no(step, "adaptive windows of maxima are not read; use max pooling of a size")
