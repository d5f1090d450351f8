"""What the names in Fisher derivations stand for, by matrices and networks small enough to be written out.

Nothing here knows a formula of `formulas` or `spread`: eigenvalues come from Gram matrices, statistics from networks
whose weights run through all signs, deterministic equivalents from the matrices that they replace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import mpmath
from sympy import Expr, Indexed, Rational, symbols

from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.ensembles import over_signs, signs
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.calculus.layers import atom, marchenko_pastur, mean_square
from widelimit.theory.calculus.precision import Values, evaluate, named
from widelimit.theory.kernel import Q1, Q2, RHO

WIDTHS = (3, 2, 2)  # of the network that is written out: inputs and two hidden layers, one output
REFERENCE = 2  # M, of which widths are multiples


# eigenvalues ----------------------------------------------------------------------------------------------------------


def levels(values: Values) -> list[Any]:
    """Eigenvalues, in increasing order, of the T x T Gram matrix of one output's gradients over T.

    Gradients have alpha M kappa_1 on the diagonal of their products, alpha M kappa_2 off it.
    """
    v = named(values)
    size = int(v["T"])
    scale = v["alpha"] * v["M"] / size
    return _eigenvalues(size, scale * v["kappa_1"], scale * v["kappa_2"])


def _eigenvalues(size: int, same: Any, pair: Any) -> list[Any]:
    gram = mpmath.matrix(size, size)
    for s in range(size):
        for t in range(size):
            gram[s, t] = same if s == t else pair
    return sorted(mpmath.eigsy(gram, eigvals_only=True))


def largest(values: Values, dps: int) -> Any:
    """The largest of `levels`."""
    return levels(values)[-1]


def condition_number(values: Values, dps: int) -> Any:
    """The largest of `levels` over the smallest."""
    found = levels(values)
    return found[-1] / found[0]


def count(values: Values, dps: int) -> Any:
    """The number of weights between layers of the widths M, M, (alpha - 1) M, whose products sum to alpha M^2."""
    v = named(values)
    widths = (v["M"], v["M"], (v["alpha"] - 1) * v["M"])
    return mpmath.fsum(below * above for below, above in pairwise(widths))


def learning_rate(values: Values, dps: int) -> Any:
    """The rate at which the fastest mode, multiplied by 1 - eta lambda each step, turns to growth."""
    top = levels(values)[-1]
    return mpmath.findroot(lambda eta: abs(1 - eta * top) - 1, (1.5 / top, 3 / top), solver="illinois")


def smallest_overlap(values: Values, dps: int) -> Any:
    """The overlap at which the smallest eigenvalue of the products of T inputs among themselves turns negative."""
    v = named(values)
    size = int(v["T"])
    return mpmath.findroot(lambda overlap: _eigenvalues(size, v["v"], overlap)[0], (-v["v"] / size, -v["v"]))


# layers ---------------------------------------------------------------------------------------------------------------


def forward(activation: Activation, values: Values, dps: int) -> Any:
    """The mean square of a unit above units of variance q^l, over weights and biases of all signs."""
    v = named(values)
    return mean_square(activation.expr, v["q^l"], dps, v["sigma_w"], v["sigma_b"])


def backward(slope: Expr, values: Values, dps: int) -> Any:
    """The mean square of a layer's gradient phi'(u_j) sum_i W_ij delta_i, over weights of all signs."""
    v = named(values)
    return mean_square(slope, v["q^l"], dps, v["sigma_w"] * mpmath.sqrt(v["qtilde^(l+1)"]))


def backward_pair(slope: Expr, values: Values, dps: int) -> Any:
    """The product of two inputs' gradients below a layer, over weights of all signs and both pre-activations."""
    v = named(values)
    one, other = (1, 2), (v["qtilde_st^(l+1)"] - 2, 1)  # the gradients above, of two units
    u, w = symbols("u v", real=True)
    pair = Expectation(slope.subs(X, u) * slope.subs(X, w), (u, w), (Q1, Q2, RHO))
    weights = over_signs(lambda s: _dot(s, one) * _dot(s, other), 2)
    return v["sigma_w"] ** 2 * weights * evaluate(pair, values, dps)


def _dot(one: Sequence[Any], other: Sequence[Any]) -> Any:
    return sum(a * b for a, b in zip(one, other, strict=True))


# a linear network, over all signs of its weights ----------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """Means over networks: squared gradients by weights and by biases, `qhat` and `qtilde` layer by layer."""

    by_weights: Fraction
    by_biases: Fraction
    qhat: tuple[Fraction, ...]
    qtilde: tuple[Fraction, ...]


@cache
def network() -> Network:
    """Write out a linear network of `WIDTHS` with one output, its gradients by every weight, for all signs of these.

    Without a non-linearity gradients and activities are independent at any width, as they are in wide networks.
    """
    widths = (*WIDTHS, 1)
    sizes = [below * above for below, above in pairwise(widths)]
    total = [Fraction(0)] * 2
    qhat, qtilde = [Fraction(0)] * len(sizes), [Fraction(0)] * len(sizes)
    for every in signs(sum(sizes)):
        rest, layers = list(every), []
        for size, below in zip(sizes, widths, strict=False):
            layers.append([rest[k : k + below] for k in range(0, size, below)])
            rest = rest[size:]
        activities = [[1, 2, -1]]
        for rows in layers:
            activities.append([_dot(row, activities[-1]) for row in rows])
        gradients = [[1]]
        for rows in reversed(layers[1:]):
            gradients.insert(0, [_dot(column, gradients[0]) for column in zip(*rows, strict=True)])
        for k, (delta, units) in enumerate(zip(gradients, activities, strict=False)):
            total[0] += sum((d * h) ** 2 for d in delta for h in units)
            total[1] += _dot(delta, delta)
            qhat[k] += Fraction(_dot(units, units), len(units))
            qtilde[k] += _dot(delta, delta)
    networks = 2 ** sum(sizes)
    return Network(
        total[0] / networks,
        total[1] / networks,
        tuple(q / networks for q in qhat),
        tuple(q / networks for q in qtilde),
    )


def alpha(values: Values, dps: int) -> Any:
    """The number of weights below the hidden layers of `network` over M^2."""
    return mpmath.mpf(sum(a * b for a, b in pairwise(WIDTHS))) / REFERENCE**2


def kappa(values: Values, dps: int) -> Any:
    """The squared gradient by the weights of `network` over alpha M."""
    return mpmath.mpmathify(network().by_weights) / (alpha(values, dps) * REFERENCE)


def bias_share(values: Values, dps: int) -> Any:
    """The squared gradient by the biases of `network` over that by its weights."""
    return mpmath.mpmathify(network().by_biases / network().by_weights)


def of_network(shown: Expr, values: Values, dps: int) -> Any:
    """What an expression comes to with the widths and the statistics of `network` in it."""
    found, depth = network(), len(WIDTHS)
    parts = {
        "alpha": [Fraction(w, REFERENCE) for w in WIDTHS],
        "qhat": found.qhat,
        "qtilde": (0, *found.qtilde),
    }
    expr = shown.subs(next((s for s in shown.free_symbols if s.name == "L"), depth), depth).doit()
    numbers = {one: Rational(str(parts[one.base.name][int(one.indices[0])])) for one in expr.atoms(Indexed)}
    single = {"alpha": alpha(values, dps), "M": REFERENCE, "kappa_1": kappa(values, dps)}
    single["qtilde"] = mpmath.mpmathify(sum(found.qtilde))
    expr = expr.xreplace(numbers)
    return evaluate(expr, {s: single[s.name] for s in expr.free_symbols}, dps)


# laws of layers -------------------------------------------------------------------------------------------------------


def gaussian_layer(values: Values, dps: int) -> Any:
    """Where the M-transform of W D^2 W' is m: C outputs, M Gaussian units of which a share p has slope 1, the others 0.

    The law of Marchenko and Pastur.
    """
    v = named(values)
    return marchenko_pastur(v["sigma_w"] ** 2 * v["p"], v["gamma"] / v["p"], v["m"])


def orthogonal_layer(values: Values, dps: int) -> Any:
    """The same for orthogonal weights and as many outputs as units: sigma_w^2 with the mass p, 0 with the rest."""
    v = named(values)
    return atom(v["sigma_w"] ** 2, v["p"], v["m"])
