"""The scales of a module's weights, declared or read off with their errors, and whether weights are noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.theory.errors import ArgumentError
from widelimit.validate.network.noise import (
    FALSE_ALARM,
    Numbers,
    copies,
    matrix_finding,
    taken,
    vector_finding,
)
from widelimit.validate.network.walk import Place

LOOSE = 0.1  # relative standard error of a scale above which users are advised to declare it
NOT_NORMAL = 0.05  # excess kurtosis of a unit's sum above which users are told
COPIED = 2**16  # entries in which layers are compared with one another
_TESTS = 20  # of a matrix, at most


@dataclass(frozen=True)
class Scale:
    """The scales of a layer: weights have variance sigma_w^2 / fan-in, biases sigma_b^2.

    `sigma_w_error`, `sigma_b_error`: standard errors of what was read off the weights, 0 for what was declared.
    `sigma_v`: of the weights on the inputs of a recurrent layer, None for other layers.
    """

    layer: str
    sigma_w: float
    sigma_w_error: float
    sigma_b: float
    sigma_b_error: float
    sigma_v: float | None = None
    sigma_v_error: float = 0.0


@by_value
@dataclass(frozen=True)
class Weights:
    """What a layer holds: its `scale`; `matrices` (name, (fan-out, fan-in), lag), `vectors` (name, biases)."""

    place: Place
    scale: Scale
    matrices: tuple[tuple[str, np.ndarray, int], ...]
    vectors: tuple[tuple[str, np.ndarray], ...]

    @property
    def sigma_w(self) -> float:
        """Of the weights, or of the recurrent ones."""
        return self.scale.sigma_w

    @property
    def sigma_v(self) -> float:
        """Of the weights on the inputs of a recurrent layer."""
        return self.scale.sigma_w if self.scale.sigma_v is None else self.scale.sigma_v

    @property
    def sigma_b(self) -> float:
        """Of the biases."""
        return self.scale.sigma_b


class Declared:
    """Scales that the caller declares: one for all weighted layers, or one each, in which None says "read it off"."""

    def __init__(self, sigma_w: Any, sigma_b: Any) -> None:
        self._sigma_w, self._sigma_b = _each("sigma_w", sigma_w, False), _each("sigma_b", sigma_b, True)
        self._taken = 0

    @property
    def next_is_declared(self) -> bool:
        """Whether the next layer's sigma_w is."""
        return self._at(self._sigma_w) is not None

    def take(self) -> tuple[float | None, float | None]:
        """sigma_w and sigma_b of the next weighted layer."""
        both = self._at(self._sigma_w), self._at(self._sigma_b)
        self._taken += 1
        return both

    def _at(self, values: float | tuple[float | None, ...] | None) -> float | None:
        if not isinstance(values, tuple):
            return values
        return values[self._taken] if self._taken < len(values) else None

    def finish(self) -> None:
        """Raise `ArgumentError` if a list was not as long as there were layers."""
        for name, values in (("sigma_w", self._sigma_w), ("sigma_b", self._sigma_b)):
            if isinstance(values, tuple) and len(values) != self._taken:
                raise ArgumentError(
                    name,
                    f"must be a number or {self._taken} of them, one for each weighted layer",
                    but=f"holds {len(values)}",
                )


def _each(name: str, value: Any, zero: bool) -> float | tuple[float | None, ...] | None:
    check = arguments.non_negative if zero else arguments.positive

    def one(item: Any) -> float | None:
        return None if item is None else arguments.single(name, check(name, item))

    if (
        isinstance(value, Sequence | np.ndarray)
        and not isinstance(value, str | bytes)
        and np.ndim(value) == 1
    ):
        return tuple(one(item) for item in value)
    return one(value)


def numbers(parameter: torch.Tensor) -> np.ndarray:
    """A tensor in double precision, on the CPU, whatever it was."""
    return parameter.detach().to(device="cpu", dtype=torch.float64).numpy()


def root_mean_square(*parts: np.ndarray) -> float:
    """Of all entries, without overflow."""
    largest = max(float(np.abs(part).max()) for part in parts)
    if largest == 0:
        return 0.0
    total = sum(float(np.sum(np.square(part / largest))) for part in parts)
    return largest * math.sqrt(total / sum(part.size for part in parts))


def relative_error(values: np.ndarray) -> float:
    """Standard error of a root mean square: sqrt((kurtosis - 1) / 4 n), with the kurtosis 3 where n is below 50."""
    kurtosis = 3.0 if values.size < 50 else _kurtosis(values)
    return math.sqrt(max(kurtosis - 1, 0.0) / (4 * values.size))


def _kurtosis(values: np.ndarray) -> float:
    largest = float(np.abs(values).max())
    squares = np.square(values / largest) if largest > 0 else np.ones(1)
    return float(np.mean(squares * squares)) / float(squares.mean()) ** 2


def scaled(place: Place, weight: np.ndarray, bias: np.ndarray | None, declared: Declared) -> Weights:
    """What a dense or convolution layer holds, `weight` as (fan-out, fan-in)."""
    sigma_w, sigma_b = declared.take()
    error_w = error_b = 0.0
    if sigma_w is None:
        sigma_w = math.sqrt(weight.shape[1]) * root_mean_square(weight)
        error_w = sigma_w * relative_error(weight)
    if bias is None:
        sigma_b = 0.0
    elif sigma_b is None:
        sigma_b = root_mean_square(bias)
        error_b = sigma_b * relative_error(bias)
    lag = place.layer.kernel_size[-1] if hasattr(place.layer, "kernel_size") else 1
    scale = Scale(place.name, sigma_w, error_w, sigma_b, error_b)
    return Weights(place, scale, (("weight", weight, lag),), () if bias is None else (("bias", bias),))


def recurrent_weights(place: Place, held: dict[str, np.ndarray], declared: Declared) -> Weights:
    """What an ``nn.RNN`` of one layer holds; torch has two biases, which add."""
    read, kept = held["weight_ih_l0"], held["weight_hh_l0"]
    biases = tuple((name, held[name]) for name in ("bias_ih_l0", "bias_hh_l0") if name in held)
    sigma_w, sigma_b = declared.take()
    sigma_v, error_w, error_v, error_b = sigma_w, 0.0, 0.0, 0.0
    if sigma_w is None or sigma_v is None:
        sigma_w, sigma_v = (math.sqrt(w.shape[1]) * root_mean_square(w) for w in (kept, read))
        error_w, error_v = sigma_w * relative_error(kept), sigma_v * relative_error(read)
    if not biases:
        sigma_b = 0.0
    elif sigma_b is None:
        sigma_b = math.hypot(*(root_mean_square(bias) for _, bias in biases))
        error_b = sigma_b * relative_error(np.concatenate([bias for _, bias in biases]))
    scale = Scale(place.name, sigma_w, error_w, sigma_b, error_b, sigma_v, error_v)
    return Weights(place, scale, (("weight_ih_l0", read, 1), ("weight_hh_l0", kept, 1)), biases)


def noise(held: list[Weights], *, apart: bool = True) -> tuple[list[str], list[str]]:
    """What is against weights that are centred, independent noise, and the names of layers with random rotations.

    `apart`: compare layers with one another too. Over all tests of a network of noise the
    probability of a finding is below `FALSE_ALARM`.
    """
    tensors = max(1, sum(len(one.matrices) + len(one.vectors) for one in held))
    alpha = FALSE_ALARM / (_TESTS * tensors + 2 * tensors**2)
    findings, rotations = [], []
    for one in held:
        for name, matrix, lag in one.matrices:
            found = matrix_finding(matrix, alpha, lag)
            if found.text:
                findings.append(
                    f"layer {one.place.name} ({type(one.place.layer).__name__}): {name} {found.text}"
                )
            elif found.orthogonal:
                rotations.append(one.place.name)
        for name, vector in one.vectors:
            if text := vector_finding(vector, alpha):
                findings.append(f"layer {one.place.name} ({type(one.place.layer).__name__}): {name} {text}")
    return findings + (_copied(held, alpha) if apart else []), rotations


def _copied(held: list[Weights], alpha: float) -> list[str]:
    """Layers whose weights are those of another, as drawn or transposed: copies, or draws from one seed.

    Numbers that stand in another layer too, whatever their order, are found where they are the same to the last bit.
    """
    drawn = [
        (one.place.name, name, matrix, Numbers.of(matrix))
        for one in held
        for name, matrix in (*((name, matrix) for name, matrix, _ in one.matrices), *one.vectors)
        if matrix.any()
    ]
    for one, two in combinations(drawn, 2):
        if _depend(one[2], two[2], alpha) or taken(one[3], two[3], alpha):
            where = f"layers {one[0]} and {two[0]}" if one[0] != two[0] else f"layer {one[0]}"
            return [
                f"{where}: {one[1]} and {two[1]} are not independent of one another (copied, or drawn from one seed)"
            ]
    return []


def _depend(one: np.ndarray, two: np.ndarray, alpha: float) -> bool:
    """Whether two matrices are alike entry by entry, as they are or transposed."""
    if one.ndim != two.ndim or one.ndim == 1:
        return False
    mirrored = one.shape == two.shape[::-1] and copies(one.T.ravel()[:COPIED], two.ravel()[:COPIED], alpha)
    return mirrored or copies(one.ravel()[:COPIED], two.ravel()[:COPIED], alpha)


def advice(held: list[Weights], rotations: list[str]) -> list[str]:
    """What users should know about the weights, a sentence each."""
    found = _contradicted(held)
    for one in held:
        found += _loose(one) + _not_normal(one)
    if rotations:
        found.append(
            f"Random rotations (orthogonal weights) in layer {', '.join(rotations)}: kernels and phase are the same in "
            "the limit, spectra and fluctuations at finite width are not."
        )
    return found


def _loose(one: Weights) -> list[str]:
    pairs = (
        ("sigma_w", one.scale.sigma_w, one.scale.sigma_w_error),
        ("sigma_b", one.scale.sigma_b, one.scale.sigma_b_error),
    )
    return [
        f"Layer {one.place.name}: {name} = {value:.3g} is read off so few numbers that its standard error is "
        f"{100 * error / value:.0f} per cent; declare it (`{name}=`, a number, or a list, one each weighted layer)."
        for name, value, error in pairs
        if value > 0 and error > LOOSE * value
    ]


def _contradicted(held: list[Weights]) -> list[str]:
    """Declared scales that the weights do not have, of all layers in one sentence."""
    found = []
    for one in held:
        measured = [("sigma_w", matrix, math.sqrt(matrix.shape[1])) for _, matrix, _ in one.matrices[-1:]]
        if len(one.vectors) == 1:
            measured.append(("sigma_b", one.vectors[0][1], 1.0))
        for name, values, factor in measured:
            declared, seen = getattr(one.scale, name), factor * root_mean_square(values)
            if abs(seen - declared) > 0.02 * declared + 5 * relative_error(values) * max(seen, declared):
                found.append(f"layer {one.place.name} {name} {declared:.3g} ({seen:.3g})")
    if not found:
        return []
    return [f"Scales are declared that the numbers do not have (theirs in brackets): {', '.join(found)}."]


def _not_normal(one: Weights) -> list[str]:
    """Sums of few weights that are not normal."""
    name, matrix, _ = one.matrices[0]
    fan_in, kurtosis = matrix.shape[1], _kurtosis(matrix)
    excess = (kurtosis - 3) / fan_in
    if matrix.size < 50 or abs(excess) < NOT_NORMAL or abs(kurtosis - 3) < 5 * math.sqrt(24 / matrix.size):
        return []
    return [
        f"Layer {one.place.name}: the numbers of its {name} are not normal (kurtosis {kurtosis:.3g}) and a unit adds "
        f"up no more than {fan_in} of them: units have an excess kurtosis of {excess:.2g} or more, where theory takes "
        "them for Gaussian."
    ]
