r"""NNGP and tangent kernels of networks of finite width: `theory.kernel.finite` along the infinitely wide network.

Expectations of derivatives of products f(u_1) g(u_2) of one unit come from Hermite coefficients (Mehler's series):
with f(sqrt(q) z) = sum_n a_n h_n(z), E f^(i)(u_1) g^(j)(u_2) = q_1^(-i/2) q_2^(-j/2) sum_n sqrt((n+i)! (n+j)!)/n!
a_{n+i} b_{n+j} c^n. Entries of one input with itself have them from the coefficients of products.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from widelimit.numerics import arguments
from widelimit.numerics.compile import Compiled, compile
from widelimit.numerics.compile.pair import projected
from widelimit.numerics.kernel.kernels import inputs as checked
from widelimit.numerics.meanfield.maps import Maps, maps
from widelimit.numerics.meanfield.pair_widths import FEW, MANY, mehler
from widelimit.numerics.meanfield.widths import behind, widths
from widelimit.numerics.results import by_value
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.growth import require_finite
from widelimit.theory.calculus.implicit import taylor
from widelimit.theory.errors import ConvergenceError
from widelimit.theory.kernel import finite
from widelimit.theory.kernel.formulas import SIGMA_B, SIGMA_W, THETA

Array = np.ndarray
_POWERS = ((1, 0), (0, 1), (1, 1), (2, 0), (3, 0), (2, 1), (0, 2))  # of phi and phi' that pairs need
_OWN = ((2, 0), (0, 2), (4, 0), (2, 2), (0, 4), (1, 1))  # that one input needs


@by_value
@dataclass(frozen=True)
class KernelsAtWidth:
    """NNGP and tangent kernel of networks of several widths N, averaged over networks, (widths, n, n), to order 1/N.

    nngp, ntk: the infinitely wide network's plus `nngp_correction`, `ntk_correction`, of error O(1/N^2).
    """

    width: Array
    nngp: Array
    ntk: Array
    nngp_correction: Array
    ntk_correction: Array


def at_width(
    x: Any,
    *,
    activation: str | Activation | Expr,
    sigma_w: float,
    sigma_b: float = 0.0,
    depth: int,
    width: Any,
) -> KernelsAtWidth:
    """Return the mean kernels of the rows of x over networks whose `depth` hidden layers have `width` units.

    The kernels are those of `nngp_ntk`: of the output, standard normal weights times sigma_w/sqrt(fan-in), all weights
    and biases trained. The NNGP kernel of a network of finite width is sigma_w^2 phi.phi/N + sigma_b^2 of its last
    hidden layer. Every pair of rows has a recursion of its own, some milliseconds a layer.

    Raises `ArgumentError` for wrong arguments, `InfiniteMomentError` where a moment of phi or phi' up to the fourth is
    infinite, `ConvergenceError` where two rows are so alike (1 - c below some hundredths where phi has kinks) that a
    series of a few hundred terms does not resolve their derivatives.

    >>> x = [[1.0, 0.0], [0.6, 0.8]]
    >>> found = at_width(x, activation="tanh", sigma_w=1.5, sigma_b=0.1, depth=2, width=100)
    >>> found.ntk[0].round(5).tolist(), found.ntk_correction[0].round(5).tolist()
    ([[3.08955, 1.49183], [1.49183, 3.08955]], [[-0.00137, -0.00066], [-0.00066, -0.00137]])
    """
    phi = Activation.of(activation)
    rows = checked("x", x)
    sw = arguments.positive_number("sigma_w", sigma_w)
    sb = arguments.non_negative_number("sigma_b", sigma_b)
    layers = arguments.count("depth", depth)
    n = widths(width)
    for one, name in ((phi.expr, "phi"), (phi.derivative(1).expr, "phi'")):
        require_finite(one**4, X, f"E {name}^4 of {phi}")
    gram = sw**2 * rows @ rows.T / rows.shape[1] + sb**2
    limits, shifts = np.zeros((2, 2, len(rows), len(rows)))
    for i in range(len(rows)):
        for j in range(i, len(rows)):
            chain = _Chain(maps(phi), sw, sb, gram[i, i], gram[i, j], gram[j, j])
            for _ in range(layers):
                chain.layer()
            for found, made in ((limits, chain.state), (shifts, chain.shift)):
                found[:, i, j] = found[:, j, i] = made[[1, 3]]
    corrections = shifts[:, None] / n[:, None, None]
    nngp, ntk = limits[:, None] + corrections
    return KernelsAtWidth(n, nngp, ntk, *corrections)


class _Chain:
    """K_11, K_12, K_22 and Theta of two inputs: limits, N times shifts of means, N times covariances; and P."""

    def __init__(
        self, functions: Maps, sw: float, sb: float, first: float, both: float, second: float
    ) -> None:
        self.functions, self.sw, self.sb = functions, sw, sb
        self.state = np.array([first, both, second, both])
        self.shift, self.covariance, self.overlap = np.zeros(4), np.zeros((4, 4)), np.zeros((2, 2))

    def layer(self) -> None:
        """Add one layer: second-order Taylor of the limit's map in the layer's own means and the Theta below."""
        unit = _unit(self.functions, *self.state[:3])
        means, slopes, curvatures, own, bent, product, left, right = unit
        theta = self.state[3]
        values, first, second, excess, overlap = _split(
            np.array(
                _layer()(
                    self.sw, self.sb, theta, *means,
                    *bent.ravel(), *product.ravel(), *left.ravel(), *right.ravel(), *self.overlap.ravel(),
                )
            )
        )  # fmt: skip
        carry = np.zeros((5, 4))  # of S, M and Theta by K and Theta
        carry[:4, :3], carry[4, 3] = slopes, 1.0
        around = carry @ self.covariance @ carry.T
        moved = carry @ self.shift
        moved[:4] += np.einsum("aij,ij->a", curvatures, self.covariance[:3, :3]) / 2
        around[:4, :4] += own
        self.shift, self.covariance = behind(first, second, moved, around)
        self.shift[3] += excess
        self.state, self.overlap = values, overlap


@functools.cache
def _layer() -> Compiled:
    """What `_split` takes apart, of sigma_w, sigma_b, Theta, S, M, BENT, PRODUCT, LEFT, RIGHT and P."""
    symbols = [
        SIGMA_W, SIGMA_B, THETA, *finite.S, finite.M,
        *finite.BENT, *finite.PRODUCT, *finite.LEFT, *finite.RIGHT, *finite.P,
    ]  # fmt: skip
    made = taylor(finite.layer_map(), (*finite.S, finite.M, THETA))
    results = [*made, finite.excess(), *finite.overlap_map()]
    return compile(results, symbols, name="kernel_width")


def _split(found: Array) -> tuple[Array, Array, Array, float, Array]:
    values, first, second, excess, overlap = np.split(found, np.cumsum([4, 20, 100, 1]))
    return values, first.reshape(4, 5), second.reshape(4, 5, 5), float(excess[0]), overlap.reshape(2, 2)


def _unit(functions: Maps, q1: float, r: float, q2: float) -> tuple[Array, ...]:
    """Averages over one unit: of S and M, with gradients (4, 3) and Hessians (4, 3, 3) by K and their covariance, and
    what `theory.kernel.finite` names BENT, PRODUCT, LEFT, RIGHT, (2, 2) each."""
    alike = q1 == r == q2
    return _alike(functions, q1) if alike else _apart(functions, q1, r, q2)


def _coefficients(functions: Maps, powers: tuple[int, int], q: float, terms: int) -> Array:
    value, slope = functions.integrands

    def raised(at: Array, rows: Array) -> Array:
        return value(at, rows) ** powers[0] * slope(at, rows) ** powers[1]

    return projected(raised, np.array([q]), functions.formulas.shape, terms)[0][0]


def _alike(functions: Maps, q: float) -> tuple[Array, ...]:
    """One input: K_11 stands for all entries of K, S_11 for all of S, and P_11 for P."""
    every = {one: _coefficients(functions, one, q, 8) for one in _OWN}
    v, m = every[2, 0], every[0, 2]
    by_length = [(a[0], a[2] * 2**0.5 / (2 * q), a[4] * 24**0.5 / (4 * q**2)) for a in (v, m)]
    means, slopes, curvatures = np.zeros(4), np.zeros((4, 3)), np.zeros((4, 3, 3))
    for row, (a, b, c) in zip(range(4), (by_length[0],) * 3 + (by_length[1],), strict=True):
        means[row], slopes[row, 0], curvatures[row, 0, 0] = a, b, c
    joint = np.full((4, 4), every[4, 0][0])
    joint[3, :] = joint[:, 3] = every[2, 2][0]
    joint[3, 3] = every[0, 4][0]
    bent, product, left = np.zeros((3, 2, 2))
    bent[0, 0], product[0, 0], left[0, 0] = m[2] * 2**0.5 / q, every[2, 2][0], every[1, 1][1] / q**0.5
    return means, slopes, curvatures, joint - np.outer(means, means), bent, product, left, left


def _apart(functions: Maps, q1: float, r: float, q2: float) -> tuple[Array, ...]:
    c = r / (q1 * q2) ** 0.5
    terms = FEW if abs(c) <= 0.8 and not functions.formulas.shape.kinks else MANY
    one = {powers: _coefficients(functions, powers, q1, terms) for powers in _POWERS}
    two = one if q1 == q2 else {powers: _coefficients(functions, powers, q2, terms) for powers in _POWERS}
    at = np.array([q1]), np.array([q2]), np.array([c])

    def mean(first: tuple[int, int], second: tuple[int, int], i: int = 0, j: int = 0) -> float:
        found, resolved = mehler(one[first][None], two[second][None], i, j, *at)
        if not resolved[0]:
            raise ConvergenceError(
                f"Two inputs of correlation {c:.6g} are too alike for the derivatives of {functions.activation} to be "
                "resolved. Take inputs that differ more, or a smooth activation."
            )
        return float(found[0])

    unit, value, slope, both = (0, 0), (1, 0), (0, 1), (1, 1)
    one[unit] = two[unit] = np.eye(1, terms)[0]
    square, cube = (2, 0), (3, 0)
    pairs = ((square, unit), (value, value), (unit, square), (slope, slope))  # S_11, S_12, S_22, M

    def derivative(pair: tuple[tuple[int, int], tuple[int, int]], *entries: int) -> float:
        """By entries of K: halves of second derivatives, or the mixed one."""
        i = sum((2, 1, 0)[entry] for entry in entries)
        j = sum((0, 1, 2)[entry] for entry in entries)
        return mean(*pair, i, j) * math.prod((0.5, 1.0, 0.5)[entry] for entry in entries)

    means = np.array([mean(*pair) for pair in pairs])
    slopes = np.array([[derivative(pair, a) for a in range(3)] for pair in pairs])
    curvatures = np.array([[[derivative(pair, a, b) for b in range(3)] for a in range(3)] for pair in pairs])
    fourth = [float(_coefficients(functions, (4, 0), q, 2)[0]) for q in (q1, q2)]
    squares = mean(square, square)
    tilted = mean((2, 1), slope), mean(both, both), mean(slope, (2, 1))
    joint = np.array([
        [fourth[0], mean(cube, value), squares, tilted[0]],
        [0, squares, mean(value, cube), tilted[1]],
        [0, 0, fourth[1], tilted[2]],
        [0, 0, 0, mean((0, 2), (0, 2))],
    ])  # fmt: skip
    joint = np.triu(joint) + np.triu(joint, 1).T
    mixed = mean(slope, slope, 1, 1)
    bent = np.array([[mean(slope, slope, 2, 0), mixed], [mixed, mean(slope, slope, 0, 2)]])
    product = np.array([[tilted[0], tilted[1]], [tilted[1], tilted[2]]])
    left = np.array([[mean(both, unit, 1, 0), 0.0], [mean(slope, value, 1, 0), mean(slope, slope)]])
    right = np.array([[mean(slope, slope), mean(value, slope, 0, 1)], [0.0, mean(unit, both, 0, 1)]])
    return means, slopes, curvatures, joint - np.outer(means, means), bent, product, left, right
