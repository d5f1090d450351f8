"""The resting map over boxes holds what mpmath says at any point of the box, and not much more."""

import mpmath
import numpy as np
import pytest

from widelimit.numerics import cells
from widelimit.numerics.cells import boxes

BLOCKS = {"rnn": 1, "gru": 3, "gru-paper": 3, "lstm": 4}


def drawn(kind, size, seed, strength=1.5):
    generator = np.random.default_rng(seed)
    w = generator.normal(scale=strength / np.sqrt(size), size=(BLOCKS[kind] * size, size))
    inward = generator.normal(size=(BLOCKS[kind] * size, 2))
    biases = generator.normal(size=(2, BLOCKS[kind] * size))
    if kind == "gru-paper":
        biases[0] = 0.0
    return cells.Cell(kind, w, inward, biases, generator.normal(size=2))


def exact(cell, h):
    """T(h) and, row by row, its slopes by mpmath's finite differences at 60 digits."""
    mp, d = mpmath.mp, cell.size

    def product(matrix, vector):
        return [mpmath.fdot(map(mpmath.mpf, map(float, row)), vector) for row in matrix]

    def gate(a):
        return 1 / (1 + mp.exp(-a))

    x = [mpmath.mpf(float(v)) for v in cell.inputs]
    into = [
        a + mpmath.mpf(float(b)) for a, b in zip(product(cell.input_weights, x), cell.biases[0], strict=True)
    ]

    def value(h):
        hidden = [
            a + mpmath.mpf(float(b)) for a, b in zip(product(cell.weights, h), cell.biases[1], strict=True)
        ]
        total = [a + b for a, b in zip(hidden, into, strict=True)]
        if cell.kind == "rnn":
            return [mp.tanh(a) for a in total]
        if cell.kind == "gru":
            return [mp.tanh(into[2 * d + i] + gate(total[i]) * hidden[2 * d + i]) for i in range(d)]
        if cell.kind == "lstm":
            c = [gate(total[i]) * mp.tanh(total[2 * d + i]) * (1 + mp.exp(total[d + i])) for i in range(d)]
            return [gate(total[3 * d + i]) * mp.tanh(c[i]) for i in range(d)]
        inner = [gate(total[i]) * h[i] for i in range(d)]
        last = product(cell.weights[2 * d :], inner)
        biases = [into[2 * d + i] + mpmath.mpf(float(cell.biases[1, 2 * d + i])) for i in range(d)]
        return [mp.tanh(a + b) for a, b in zip(last, biases, strict=True)]

    with mpmath.workdps(60):
        here = [mpmath.mpf(float(v)) for v in h]
        step = mpmath.mpf(10) ** -25
        slopes = []
        for j in range(d):
            up, down = list(here), list(here)
            up[j] += step
            down[j] -= step
            slopes.append([(a - b) / (2 * step) for a, b in zip(value(up), value(down), strict=True)])
        return value(here), [[slopes[j][i] for j in range(d)] for i in range(d)]


def enclosure(cell, low, high):
    d = cell.size
    outer = boxes.offsets(cell.input_weights, cell.biases, cell.inputs)
    out = np.empty(d), np.empty(d), np.empty((d, d)), np.empty((d, d))
    boxes.rest(cell.code, cell.weights, *outer, low, high, *out)
    return out


@pytest.mark.parametrize("kind", cells.KINDS)
def test_a_point_is_held_within_rounding(kind):
    for seed in range(3):
        cell = drawn(kind, 3, seed, strength=3.0)
        h = np.random.default_rng(seed).uniform(-1, 1, 3)
        value_low, value_high, slope_low, slope_high = enclosure(cell, h, h)
        value, slope = exact(cell, h)
        for i in range(3):
            assert value_low[i] < value[i] < value_high[i] and value_high[i] - value_low[i] < 3e-13
            for j in range(3):
                assert slope_low[i, j] - 1e-45 < slope[i][j] < slope_high[i, j] + 1e-45
        assert np.abs(slope_high - slope_low).max() < 1e-11 * max(1, np.abs(slope_high).max())


@pytest.mark.parametrize("kind", cells.KINDS)
def test_a_box_holds_all_its_points(kind):
    generator = np.random.default_rng(11)
    for seed in range(20):
        cell = drawn(kind, 4, seed)
        middle, radius = generator.uniform(-1, 1, 4), 10 ** generator.uniform(-8, 0)
        value_low, value_high, slope_low, slope_high = enclosure(cell, middle - radius, middle + radius)
        for _ in range(20):
            value, slope, _ = cell.rest(middle + radius * generator.uniform(-1, 1, 4))
            assert np.all((value_low <= value + 1e-13) & (value - 1e-13 <= value_high))
            assert np.all((slope_low <= slope + 1e-11) & (slope - 1e-11 <= slope_high))


def test_without_inputs_nothing_is_added():
    cell = drawn("gru", 2, 0).at([0.0, 0.0])
    low, high = boxes.offsets(cell.input_weights, cell.biases, cell.inputs)
    assert np.array_equal(low, cell.biases) and np.array_equal(high, cell.biases)
