"""Kernels of finite networks: their mean to order 1/width, and how much they fluctuate from network to network.

Given the empirical covariance G^l of layer l, the pre-activations of the next layer are exactly Gaussian, so that
G^(l+1) = F(G^l) + noise, with F the map of the infinite network and noise of covariance sigma_w^4 / N_l
Cov(phi phi, phi phi).
To order 1/N the fluctuations follow Sigma' = J Sigma J' + fresh, and the means m' = J m + 1/2 sum H Sigma,
with J and H the
first and second derivatives of F. (Yaida 2020, "Non-Gaussian processes and neural networks at finite widths".)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.compile import compile
from widelimit.numerics.kernel.layers import Behind, Block
from widelimit.numerics.kernel.maps import pair_map
from widelimit.numerics.kernel.recursion import next_both, next_kernel
from widelimit.numerics.results import by_value
from widelimit.theory import kernel as theory
from widelimit.theory.calculus.activation import Activation
from widelimit.theory.calculus.activation import x as X
from widelimit.theory.calculus.gaussian.expectation import Expectation
from widelimit.theory.errors import ArgumentError, DomainError


@by_value
@dataclass(frozen=True)
class Band:
    """The NNGP covariance of two inputs in networks of finite width; each array holds (K11, K22, K12).

    `limit`: infinite width; `mean` = limit + shift, `shift` of order 1/width; `deviation`: the standard deviation from
    network to network, of order 1/sqrt(width).
    """

    limit: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @property
    def shift(self) -> np.ndarray:
        """The correction of the mean."""
        return self.mean - self.limit


def nngp_band(
    x1: Any,
    x2: Any,
    *,
    activation: str | Activation = "relu",
    sigma_w: float,
    sigma_b: float = 0.0,
    widths: Any,
) -> Band:
    """Mean and standard deviation of K over networks whose hidden layers have `widths`, to first order in 1/width.

    K is the covariance of outputs over the readout's weights. `x1`, `x2`: two inputs, (n_0,). One hidden layer has no
    shift; the fluctuation of layer l reaches the output through the derivatives of the layers above.

    >>> band = nngp_band([1.0, 0.0], [0.0, 1.0], activation="linear", sigma_w=1.0, widths=[100])
    >>> float(band.deviation[0].round(6))  # a mean of 100 squares of variance 1/2: sqrt(2 / 100) / 2
    0.070711
    """
    phi, limit, sw2, sb2, widths = _checked(activation, x1, x2, sigma_w, sigma_b, widths)
    shift, spread = np.zeros(3), np.zeros((3, 3))
    for width in widths:
        step = functools.partial(_map, phi, sw2, sb2)
        jacobian, hessian = _derivatives(step, limit)
        shift = jacobian @ shift + 0.5 * np.einsum("kab,ab->k", hessian, spread)
        spread = jacobian @ spread @ jacobian.T + sw2**2 / width * _products(phi, limit)
        limit = step(limit)
    return Band(limit, limit + shift, np.sqrt(np.diagonal(spread)))


class TangentBand(Band):
    """The tangent kernel of two inputs in networks of finite width; each array holds (Theta11, Theta22, Theta12)."""


_INDEX = ((0, 0), (1, 1), (0, 1))  # the two inputs of each of the three entries


def ntk_band(
    x1: Any,
    x2: Any,
    *,
    activation: str | Activation = "relu",
    sigma_w: float,
    sigma_b: float = 0.0,
    widths: Any,
) -> TangentBand:
    """Mean and standard deviation of the tangent kernel over networks whose hidden layers have `widths`.

    Theta_ab = sum_l Q^l_ab B^l_ab, forward covariances times products of backpropagated gradients. Given what lies
    below and above, layer l adds noise of its units: phi_a phi_b to Q^(l+1), phi'_a phi'_b g_a g_b to B^l, with g of
    covariance B^(l+1). To first order Theta responds linearly: by Theta^l_ab to noise in B^l, by an adjoint recursion
    to noise in Q^(l+1). The weights of both passes count as independent, which matters to the mean only: its shift, of
    order 1/width, follows `_tangent_shift`. One hidden layer has none, nor has the diagonal for ReLU without biases
    (hanin2020finite, theorem 1).

    >>> band = ntk_band([1.0, 0.2], [0.0, 1.0], activation="relu", sigma_w=1.4, widths=[300])
    >>> float((300 * (band.deviation[0] / band.limit[0]) ** 2).round(6))  # 3, whatever the scale
    3.0
    """
    phi, q, sw2, sb2, widths = _checked(activation, x1, x2, sigma_w, sigma_b, widths)
    forward, slopes, jacobians, slope_jacobians, hessians = [q], [], [], [], []
    for _ in widths:
        both = functools.partial(_maps, phi, sw2, sb2)
        jacobian, hessian = _derivatives(both, forward[-1])
        hessians.append(hessian)
        jacobians.append(jacobian[:3])
        slope_jacobians.append(jacobian[3:])
        values = both(forward[-1])
        forward.append(values[:3])
        slopes.append(values[3:])
    backward = [np.ones(3)]
    for slope in reversed(slopes):
        backward.insert(0, slope * backward[0])
    theta = [forward[0]]
    for k, slope in zip(forward[1:], slopes, strict=True):
        theta.append(next_both(k, slope, theta[-1], 1.0, 0.0, 1.0, 0.0)[1])  # k and slope hold the weights
    variance = np.zeros(3)
    for entry, (a, b) in enumerate(_INDEX):
        adjoint = np.eye(3)[entry]
        for layer in range(len(widths) - 1, -1, -1):
            above, response = backward[layer + 1], theta[layer][entry]
            fresh = _noise(phi, forward[layer], a, b, above) * sw2**2 / widths[layer]
            direction = np.append(adjoint, response)
            variance[entry] += direction @ fresh @ direction
            adjoint = (
                jacobians[layer].T @ adjoint
                + backward[layer][entry] * np.eye(3)[entry]
                + response * above[entry] * slope_jacobians[layer][entry]
            )
    derivatives = [
        (np.concatenate([jacobian, slope_jacobian]), hessian)
        for jacobian, slope_jacobian, hessian in zip(jacobians, slope_jacobians, hessians, strict=True)
    ]
    shift = _tangent_shift(phi, sw2, widths, forward, slopes, theta, derivatives)
    return TangentBand(theta[-1], theta[-1] + shift, np.sqrt(variance))


def _tangent_shift(
    phi: Activation,
    sw2: float,
    widths: np.ndarray,
    forward: list[np.ndarray],
    slopes: list[np.ndarray],
    theta: list[np.ndarray],
    derivatives: list[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """E Theta - limit to order 1/width, layer by layer upwards (roberts2022principles, chapter 8).

    A layer gives E Theta' = E K' + sigma_w^2 E[phi'_a phi'_b Theta_kk]. Beside the shifts of K and Theta the last mean
    feels that Theta_kk is correlated with its unit's pre-activations, Cov(z_c z_d, Theta_ab) = D_cd + F_cd + F_dc:
    D = Cov(K_cd, Theta_ab) is what all units share, and F_cd = E[z_kc z_jd Theta_kj,ab], k != j, stems from the
    weights that both passes use. With S = Cov(K, K), J and J_slope the derivatives of K' and of sigma_w^2 E phi'phi':
    D' = sigma_w^4/n Cov(phi_c phi_d, phi_a phi_b + phi'_a phi'_b Theta) + J S (J + Theta J_slope)' + J D slope,
    F' = sigma_w^4 [E phi_c phi_d phi'_a phi'_b Theta / n + M_a F M_b'], M_a[c, e] = E d/dz_e (phi_c phi'_a).
    """
    k_shift, shift, spread = np.zeros(3), np.zeros(3), np.zeros((3, 3))
    shared, woven = np.zeros((3, 3)), np.zeros((3, 2, 2))  # D and F of the three entries of Theta
    for layer, width in enumerate(widths):
        k, slope, (both, hessian) = forward[layer], slopes[layer], derivatives[layer]
        jacobian, steep = both[:3], both[3:]
        curved = 0.5 * np.einsum("kab,ab->k", hessian, spread)
        k_shift, shift = (
            jacobian @ k_shift + curved[:3],
            slope * shift + theta[layer] * (steep @ k_shift + curved[3:]),
        )
        shift += k_shift + np.einsum("ab,ab->a", steep, shared)
        # Price: d/dK_cc is half of two derivatives by z_c
        shift += 2 * steep[:, 0] * woven[:, 0, 0] + 2 * steep[:, 1] * woven[:, 1, 1]
        shift += steep[:, 2] * (woven[:, 0, 1] + woven[:, 1, 0])
        new_shared = np.empty_like(shared)
        for entry, (a, b) in enumerate(_INDEX):
            noise = _noise(phi, k, a, b, np.array([1.0, 1.0, 1.0])) * sw2**2 / width
            fresh = noise[:3, entry] + theta[layer][entry] * noise[3, :3]
            carried = (
                spread @ (jacobian[entry] + theta[layer][entry] * steep[entry]) + shared[entry] * slope[entry]
            )
            new_shared[entry] = fresh + jacobian @ carried
            product = np.empty((2, 2))
            for c, d in np.ndindex(2, 2):
                product[c, d] = _mixed(phi, k, (c == 0) + (d == 0), c + d, *_powers(a, b))
            left, right = _crossed(jacobian, slope, a), _crossed(jacobian, slope, b)
            woven[entry] = sw2**2 / width * product * theta[layer][entry] + left @ woven[entry] @ right.T
        shared = new_shared
        spread = jacobian @ spread @ jacobian.T + sw2**2 / width * _products(phi, k)
    return shift


def _crossed(jacobian: np.ndarray, slope: np.ndarray, a: int) -> np.ndarray:
    """sigma_w^2 E d/dz_e (phi_c phi'_a), (c, e), read off the derivatives of the map of K."""
    out = np.zeros((2, 2))
    out[a, a] = jacobian[a, a]  # d/dK_aa E phi_a^2 = E (phi'^2 + phi phi'')
    out[1 - a, 1 - a] = slope[2]
    out[1 - a, a] = 2 * jacobian[2, a]  # d/dK_aa E phi_a phi_c = E phi''_a phi_c / 2
    return out


def _checked(
    activation: str | Activation, x1: Any, x2: Any, sigma_w: float, sigma_b: float, widths: Any
) -> tuple[Activation, np.ndarray, float, float, np.ndarray]:
    first, second = (arguments.vector(name, value) for name, value in (("x1", x1), ("x2", x2)))
    if first.size != second.size:
        raise ArgumentError(
            "x2", f"must have as many features as `x1`, {first.size}", but=f"has {second.size}"
        )
    sw2 = arguments.positive_number("sigma_w", sigma_w) ** 2
    sb2 = arguments.non_negative_number("sigma_b", sigma_b) ** 2
    widths = arguments.positive("widths", arguments.vector("widths", widths))
    gram = np.array([first @ first, second @ second, first @ second])
    return Activation.of(activation), next_kernel(gram / first.size, sw2, sb2), sw2, sb2, widths


def _maps(phi: Activation, sw2: float, sb2: float, k: np.ndarray) -> np.ndarray:
    """(K11, K22, K12) of the next layer, then sigma_w^2 E phi'_a phi'_b of the same pairs."""
    c, slope = np.array([[k[0], k[2]], [k[2], k[1]]]), np.ones((2, 2))
    pair_map(phi).at(k[:2].copy(), None).advance(Block(c, slope), Behind(sw2, sb2, 0.0))
    return np.array([c[0, 0], c[1, 1], c[0, 1], slope[0, 0], slope[1, 1], slope[0, 1]])


def _map(phi: Activation, sw2: float, sb2: float, k: np.ndarray) -> np.ndarray:
    return _maps(phi, sw2, sb2, k)[:3]


def _derivatives(f: Callable[[np.ndarray], np.ndarray], k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives by central differences of fourth and second order."""
    if k[2] ** 2 >= (1 - 1e-3) * k[0] * k[1]:
        raise DomainError(
            "The inputs are (almost) parallel: derivatives of the covariance map need two different ones."
        )
    step = 5e-3 * min(math.sqrt(k[0] * k[1]) - abs(k[2]), k[0], k[1])
    unit = np.eye(3) * step
    first = [(8 * (f(k + e) - f(k - e)) - (f(k + 2 * e) - f(k - 2 * e))) / (12 * step) for e in unit]
    hessian = np.empty((len(first[0]), 3, 3))
    for a in range(3):
        for b in range(a + 1):
            one, two = unit[a], unit[b]
            corners = f(k + one + two) - f(k + one - two) - f(k - one + two) + f(k - one - two)
            hessian[:, a, b] = hessian[:, b, a] = corners / (4 * step**2)
    return np.array(first).T, hessian


def _products(phi: Activation, k: np.ndarray) -> np.ndarray:
    """Covariance of (phi1^2, phi2^2, phi1 phi2) over (u, v) ~ N(0, K)."""
    mean = [_mixed(phi, k, *_powers(a, b)) for a, b in _INDEX]
    square = [[_mixed(phi, k, *np.add(_powers(*one), _powers(*two))) for two in _INDEX] for one in _INDEX]
    return np.array(square) - np.outer(mean, mean)


def _noise(phi: Activation, k: np.ndarray, a: int, b: int, above: np.ndarray) -> np.ndarray:
    """Covariance of (phi1^2, phi2^2, phi1 phi2, phi'_a phi'_b g_a g_b), g ~ N(0, above)."""
    steep = _powers(a, b)
    entry = _INDEX.index((a, b))
    gg = above[entry]
    mean = [_mixed(phi, k, *_powers(*one)) for one in _INDEX]
    slope = _mixed(phi, k, 0, 0, *steep)
    out = np.empty((4, 4))
    out[:3, :3] = _products(phi, k)
    cross = [_mixed(phi, k, *_powers(*one), *steep) for one in _INDEX]
    out[3, :3] = out[:3, 3] = gg * (np.array(cross) - slope * np.array(mean))
    fourth = above[a] * above[b] + 2 * gg**2  # E (g_a g_b)^2; above[0], above[1] are the two inputs' own
    out[3, 3] = _mixed(phi, k, 0, 0, *np.multiply(2, steep)) * fourth - (slope * gg) ** 2
    return out


def _powers(a: int, b: int) -> tuple[int, int]:
    """How often the first and the second input stand in the product of inputs a and b."""
    return (a == 0) + (b == 0), (a == 1) + (b == 1)


def _mixed(phi: Activation, k: np.ndarray, i: int, j: int, n: int = 0, m: int = 0) -> float:
    """E phi1^i phi2^j phi1'^n phi2'^m."""
    return float(_compiled(phi, int(i), int(j), int(n), int(m))(k[0], k[1], k[2] / math.sqrt(k[0] * k[1])))


@functools.lru_cache(maxsize=512)
def _compiled(phi: Activation, i: int, j: int, n: int, m: int) -> Callable[..., Any]:
    prime = theory.slope(phi)
    left, right = phi.expr**i * prime**n, phi.expr**j * prime**m
    if j == m == 0:
        node = Expectation(left, X, theory.Q1)
    elif i == n == 0:
        node = Expectation(right, X, theory.Q2)
    else:
        node = theory.expectation(left, right)
    return compile(node.doit(), theory.PAIR_SYMBOLS, name="mixed")


def single_layer_fluctuation(
    activation: str | Activation,
    sigma_w: float,
    sigma_b: float,
    input_moment: float = 1.0,
    *,
    readout_fourth_moment: float = 3.0,
) -> float:
    """Width times Var Theta(x, x) / (E Theta)^2 of a network with one hidden layer.

    Theta = sigma_b^2 + sigma_w^2/N sum_i [phi_i^2 + W_i^2 phi'_i^2 Theta_1] is a mean over independent units,
    so that its
    variance is sigma_w^4/N Var(phi^2 + W^2 phi'^2 Theta_1), with E W^4 = 3 for Gaussian readouts.

    >>> round(single_layer_fluctuation("relu", 1.5, 0.0), 9)
    3.0
    """
    phi = Activation.of(activation)
    sw2 = arguments.positive_number("sigma_w", sigma_w) ** 2
    sb2 = arguments.non_negative_number("sigma_b", sigma_b) ** 2
    moment = arguments.positive_number("input_moment", input_moment)
    q = next_kernel(moment, sw2, sb2)
    moments = _single_moments(phi)(q)
    return float(_fluctuation()(*moments, q, math.sqrt(sw2), math.sqrt(sb2), readout_fourth_moment))


@functools.cache
def _fluctuation() -> Callable[..., Any]:
    named = (theory.V, theory.P, theory.V2, theory.P2, theory.VP, theory.Q1)
    scales = (theory.SIGMA_W, theory.SIGMA_B, theory.READOUT)
    return compile(theory.tangent_fluctuation(), (*named, *scales), name="fluctuation")


@functools.lru_cache(maxsize=64)
def _single_moments(phi: Activation) -> Callable[[float], tuple[float, ...]]:
    f, d, q = phi.expr, theory.slope(phi), theory.Q1
    functions = (f**2, d**2, f**4, d**4, f**2 * d**2)
    return compile(tuple(Expectation(g, X, q).doit() for g in functions), (q,), name="single")
