"""What the names in the derivation stand for, by numbers: small networks, all subsets, sums over weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations, pairwise, product
from typing import Any

import mpmath

from widelimit.theory.calculus.layers import over_unit
from widelimit.theory.calculus.precision import Values, numbers
from widelimit.theory.meanfield import q
from widelimit.theory.pruning import formulas as f

BENT = "tanh"  # an activation that is not homogeneous
SLOPE = mpmath.mpf(1) / 4  # of the leaky ReLU below zero
COUNTS = (2, 3, 2)  # weights of the layers whose subsets are counted
_NET = (
    (0.3, -0.8, 0.6),
    (-0.5, 0.7, 0.2),
    (0.9, 0.4, -1.1),
)  # weights and bias of two units, and of the output
_INPUT = (0.7, -0.4)


def leaky(h: Any) -> Any:
    """Return a homogeneous activation: h above zero, a quarter of it below."""
    return h if h > 0 else SLOPE * h


def passed(values: Values, dps: int) -> Any:
    """Return the mean score h dR/dh of a unit before tanh over that behind it; weights above have random signs."""
    with mpmath.workdps(dps + 5):
        (variance,) = numbers(values, dps, q)

        def mean(function: Callable[[Any], Any]) -> Any:
            return over_unit(function, variance, ())

        before = mean(lambda h: h * mpmath.tanh(h) * mpmath.sech(h) ** 2)
        return before / mean(lambda h: mpmath.tanh(h) ** 2)


def numeric(values: Sequence[Sequence[float]]) -> list[list[Any]]:
    """Return decimals as numbers of mpmath's precision."""
    return [[mpmath.mpf(str(one)) for one in row] for row in values]


def reward(net: list[list[Any]], inputs: Sequence[Any]) -> Any:
    """Return R = y^2 / 2 of a network of two leaky units with biases."""
    *units, (first, second, bias) = net
    one, two = (leaky(a * inputs[0] + b * inputs[1] + c) for a, b, c in units)
    return (first * one + second * two + bias) ** 2 / 2


def scores(function: Callable[[list[list[Any]]], Any], net: list[list[Any]], dps: int) -> list[list[Any]]:
    """Return S = w dR/dw of every entry, by central differences with a third of the digits to spare."""
    found = [[mpmath.mpf(0)] * len(row) for row in net]
    with mpmath.workdps(4 * dps):
        step = mpmath.mpf(10) ** (-dps - 5)
        for i, row in enumerate(net):
            for j, value in enumerate(row):
                ends = []
                for sign in (1, -1):
                    moved = [list(one) for one in net]
                    moved[i][j] = value + sign * step
                    ends.append(function(moved))
                found[i][j] = value * (ends[0] - ends[1]) / (2 * step)
    return found


def _scores_of_net(values: Values, dps: int) -> list[list[Any]]:
    with mpmath.workdps(4 * dps):
        (scale,) = numbers(values, 3 * dps, f.SIGMA)
        inputs = [scale * one for one in numeric([_INPUT])[0]]
        return scores(lambda net: reward(net, inputs), numeric(_NET), dps)


def unit_in(values: Values, dps: int) -> Any:
    """Return the scores that come into the first unit: two weights and a bias."""
    return mpmath.fsum(_scores_of_net(values, dps)[0])


def unit_out(values: Values, dps: int) -> Any:
    """Return the score of the weight that leads out of the first unit."""
    return _scores_of_net(values, dps)[2][0]


def first_cut(values: Values, dps: int) -> Any:
    """Return the scores of weights and biases of the first layer."""
    first, second, _ = _scores_of_net(values, dps)
    return mpmath.fsum((*first, *second))


def second_cut(values: Values, dps: int) -> Any:
    """Return the scores of the weights of the second layer."""
    return mpmath.fsum(_scores_of_net(values, dps)[2][:2])


def output_flow(values: Values, dps: int) -> Any:
    """Return y dR/dy = y^2 = 2 R less nothing: the flow out of the network."""
    with mpmath.workdps(4 * dps):
        (scale,) = numbers(values, 3 * dps, f.SIGMA)
        return 2 * reward(numeric(_NET), [scale * one for one in numeric([_INPUT])[0]])


def all_of_second(values: Values, dps: int) -> Any:
    """Return the scores of weights and bias of the second layer."""
    return mpmath.fsum(_scores_of_net(values, dps)[2])


def _normalised(net: list[list[Any]], batch: Sequence[Sequence[Any]]) -> Any:
    """Return a reward of leaky units of gamma (h - mean)/std + beta over a batch; net: weights, and (gamma, beta)."""
    weights, (gamma, beta) = net
    raw = [weights[0] * x + weights[1] * y for x, y in batch]
    mean = mpmath.fsum(raw) / len(raw)
    std = mpmath.sqrt(mpmath.fsum((h - mean) ** 2 for h in raw) / len(raw))
    out = [leaky(gamma * (h - mean) / std + beta) for h in raw]
    return mpmath.fsum((k + 1) * one**2 for k, one in enumerate(out)) / 2


def _scores_of_norm(values: Values, dps: int) -> list[list[Any]]:
    with mpmath.workdps(4 * dps):
        (scale,) = numbers(values, 3 * dps, f.SIGMA)
        batch = numeric([(0.3, -0.7), (1.1, 0.2), (-0.6, 0.5)])
        net = [[scale, mpmath.mpf("0.9")], [mpmath.mpf("1.2"), mpmath.mpf("-0.3")]]
        return scores(lambda one: _normalised(one, batch), net, dps)


def before_norm(values: Values, dps: int) -> Any:
    """Return one and the scores of the weights before batch normalisation, which are none."""
    return 1 + mpmath.fsum(_scores_of_norm(values, dps)[0])


def of_norm(values: Values, dps: int) -> Any:
    """Return the scores of gain and shift of batch normalisation."""
    return mpmath.fsum(_scores_of_norm(values, dps)[1])


def after_norm(values: Values, dps: int) -> Any:
    """Return sum h dR/dh over the batch behind the normalisation, twice the reward: it is quadratic."""
    with mpmath.workdps(4 * dps):
        (scale,) = numbers(values, 3 * dps, f.SIGMA)
        batch = numeric([(0.3, -0.7), (1.1, 0.2), (-0.6, 0.5)])
        net = [[scale, mpmath.mpf("0.9")], [mpmath.mpf("1.2"), mpmath.mpf("-0.3")]]
        return 2 * _normalised(net, batch)


def length_change(values: Values, dps: int) -> Any:
    """Return d abs(W_2)^2 / dt along dw/dt = - dR/dw, by a short step of the flow."""
    with mpmath.workdps(4 * dps):
        net = numeric(_NET)
        moved = _scores_of_net(values, dps)[2][:2]
        step = mpmath.mpf(10) ** (-dps - 5)
        weights = net[2][:2]
        slopes = [score / weight for score, weight in zip(moved, weights, strict=True)]
        ends = [
            mpmath.fsum((w - sign * step * slope) ** 2 for w, slope in zip(weights, slopes, strict=True))
            for sign in (1, -1)
        ]
        return (ends[0] - ends[1]) / (2 * step)


def of_length(values: Values, dps: int) -> Any:
    """Return minus two scores of the second layer's weights."""
    return -2 * second_cut(values, dps)


# flows of sizes -------------------------------------------------------------------------------------------------------

_POSITIVE = (((3, 1), (2, 5), (1, 4)), ((2, 7, 1), (3, 1, 6)))  # sizes of the weights of two layers


def _flow(layers: Sequence[Sequence[Sequence[Any]]]) -> Any:
    """Return 1' prod W 1."""
    rows = [mpmath.mpf(1)] * len(layers[0][0])
    for layer in layers:
        rows = [mpmath.fsum(w * x for w, x in zip(row, rows, strict=True)) for row in layer]
    return mpmath.fsum(rows)


def layer_score(values: Values, dps: int) -> Any:
    """Return the sum of scores of the first layer of a network of positive weights."""
    (scale,) = numbers(values, dps, f.SIGMA)
    first, second = _POSITIVE
    rows = [[scale * w for w in row] for row in first]
    found = scores(lambda net: _flow((net, second)), rows, dps)
    return mpmath.fsum(one for row in found for one in row)


def second_layer_score(values: Values, dps: int) -> Any:
    """Return the same of the second layer."""
    (scale,) = numbers(values, dps, f.SIGMA)
    first, second = _POSITIVE
    rows = [[mpmath.mpf(w) for w in row] for row in second]
    below = [[scale * w for w in row] for row in first]
    found = scores(lambda net: _flow((below, net)), rows, dps)
    return mpmath.fsum(one for row in found for one in row)


def whole_flow(values: Values, dps: int) -> Any:
    """Return R of the same network."""
    (scale,) = numbers(values, dps, f.SIGMA)
    first, second = _POSITIVE
    return _flow(([[scale * w for w in row] for row in first], second))


def mean_of_size(values: Values, dps: int) -> Any:
    """Return the mean of abs(w) by quadrature over the normal density."""
    (sigma,) = numbers(values, dps, f.SIGMA)
    density = lambda w: w * mpmath.npdf(w, 0, sigma)  # noqa: E731
    return 2 * mpmath.quad(density, [0, sigma, 3 * sigma, 8 * sigma, 20 * sigma])


def scale_of_sum(values: Values, dps: int) -> Any:
    """Return the standard deviation with which the variances of all inputs of a unit sum up to the gain."""
    below, gain = numbers(values, dps, f.FAN_IN, f.GAIN)
    return mpmath.findroot(lambda s: mpmath.fsum(s**2 for _ in range(int(below))) - gain, 0.7)


def mean_growth(values: Values, dps: int) -> Any:
    """Return what a layer of mean sizes multiplies a constant vector's sum by: n_l n_{l-1} E abs(w) over n_{l-1}."""
    units, below, gain = numbers(values, dps, f.UNITS, f.FAN_IN, f.GAIN)
    size = mean_of_size({f.SIGMA: mpmath.sqrt(gain / below)}, dps)
    rows, columns = int(units), int(below)
    return _flow([[[size] * columns for _ in range(rows)]]) / columns


def mean_flow(widths: Sequence[int], values: Values, dps: int) -> Any:
    """Return 1' prod E abs(W) 1: the layers are independent."""
    (gain,) = numbers(values, dps, f.GAIN)
    layers = []
    for below, units in pairwise(widths):
        size = mean_of_size({f.SIGMA: mpmath.sqrt(gain / below)}, dps)
        layers.append([[size] * below for _ in range(units)])
    return _flow(layers)


def depth_of_overflow(values: Values, dps: int) -> Any:
    """Return the depth at which n exp(mu D) is the largest number, by root finding."""
    units, rate, largest = numbers(values, dps, f.UNITS, f.RATE, f.LARGEST)
    return mpmath.findroot(lambda depth: units * mpmath.exp(rate * depth) / largest - 1, mpmath.mpf(3))


# thresholds -----------------------------------------------------------------------------------------------------------


def tail(values: Values, dps: int) -> Any:
    """Return the share of normal weights beyond the threshold on either side, by quadrature."""
    sigma, threshold = numbers(values, dps, f.SIGMA, f.THRESHOLD)
    ends = [threshold + k * sigma for k in (0, 1, 3, 8, 20)]
    return 2 * mpmath.quad(lambda w: mpmath.npdf(w, 0, sigma), ends)


def _binomial(values: Values, dps: int) -> list[Any]:
    """Return probabilities of 0, 1, ... weights above the threshold, by all subsets of a layer."""
    count, share = numbers(values, dps, f.COUNT, f.SHARE)
    found = [mpmath.mpf(0)] * (int(count) + 1)
    for which in product((0, 1), repeat=int(count)):
        found[sum(which)] += mpmath.fprod(share if one else 1 - share for one in which)
    return found


def any_above(values: Values, dps: int) -> Any:
    """Return the probability of a weight or more above the threshold."""
    return mpmath.fsum(_binomial(values, dps)[1:])


def _moment(power: int, values: Values, dps: int) -> Any:
    known = _binomial(values, dps)
    return mpmath.fsum(k**power * one for k, one in enumerate(known)) / mpmath.fsum(known[1:])


def mean_above(values: Values, dps: int) -> Any:
    """Return the mean number above the threshold, given that there is one."""
    return _moment(1, values, dps)


def variance_above(values: Values, dps: int) -> Any:
    """Return the variance of the number above the threshold, given that there is one."""
    return _moment(2, values, dps) - _moment(1, values, dps) ** 2


def largest_density(values: Values, dps: int) -> Any:
    """Return the derivative by t of the probability that all weights of a layer are below t, by quadrature."""
    sigma, threshold, count = numbers(values, 3 * dps, f.SIGMA, f.THRESHOLD, f.COUNT)
    with mpmath.workdps(3 * dps):
        step = mpmath.mpf(10) ** (-dps)
        ends = []
        for at in (threshold + step, threshold - step):
            inside = mpmath.quad(lambda w: 2 * mpmath.npdf(w, 0, sigma), [0, at / 2, at])
            ends.append(inside ** int(count))
        return (ends[0] - ends[1]) / (2 * step)


# weights removed at random, or one by one -----------------------------------------------------------------------------


def nothing_of(values: Values, dps: int) -> Any:
    """Return the share of choices of K of N weights without the first M, by all of them."""
    total, missing, kept = (int(one) for one in numbers(values, dps, f.TOTAL, f.MISSING, f.KEPT))
    chosen = list(combinations(range(total), kept))
    return mpmath.mpf(sum(one[0] >= missing for one in chosen)) / len(chosen)


def no_layer_empty(values: Values, dps: int) -> Any:
    """Return the share of choices of K weights with one in each layer, by all of them."""
    (kept,) = (int(one) for one in numbers(values, dps, f.KEPT))
    layer = [index for index, count in enumerate(COUNTS) for _ in range(count)]
    chosen = list(combinations(layer, kept))
    return mpmath.mpf(sum(len(set(one)) == len(COUNTS) for one in chosen)) / len(chosen)


def _flow_with(layers: Sequence[Any], index: int, one: Any) -> Any:
    """Return the flow of layers one of which is replaced."""
    return _flow((*layers[:index], one, *layers[index + 1 :]))


def removed_one_by_one(values: Values, dps: int) -> Any:
    """Return N over what is left when scores of abs(W) are renewed after each removal, until a layer would be empty."""
    layers = [[[mpmath.mpf(w) for w in row] for row in layer] for layer in _POSITIVE]
    total = sum(len(row) for layer in layers for row in layer)
    left = total
    while True:
        found = []
        for index in range(len(layers)):
            one = scores(partial(_flow_with, layers, index), layers[index], dps)
            found += [
                (one[i][j], index, i, j)
                for i, row in enumerate(layers[index])
                for j, w in enumerate(row)
                if w
            ]
        _, index, i, j = min(found)
        if sum(bool(w) for row in layers[index] for w in row) == 1:
            return mpmath.mpf(total) / left
        layers[index][i][j] = mpmath.mpf(0)
        left -= 1


def exponential(values: Values, dps: int) -> Any:
    """Return what k rounds leave that each keep the n-th root of the wanted share."""
    rho, k, n = numbers(values, dps, f.COMPRESSION, f.ROUND, f.ROUNDS)
    left = mpmath.mpf(1)
    for _ in range(int(k)):
        left *= mpmath.root(1 / rho, int(n))
    return left


def linear(values: Values, dps: int) -> Any:
    """Return what k rounds leave that each remove the n-th part of all that has to go."""
    rho, k, n = numbers(values, dps, f.COMPRESSION, f.ROUND, f.ROUNDS)
    left = mpmath.mpf(1)
    for _ in range(int(k)):
        left -= (1 - 1 / rho) / n
    return left
