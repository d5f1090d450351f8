r"""Lengths at finite width: the mean's correction and the spread from network to network, to order 1/N.

Given the mean square K_l of the weighted layer below (`q_l` at infinite width), the N pre-activations of layer l are
independent N(0, K_l): bias and weights are drawn anew for each. So K_{l+1} = sigma_w^2 mean phi^2 + sigma_b^2 is a mean
of N independent terms, and with K_l = q_l + a_l/N + fluctuations of variance v_l/N the length map F gives

    a_{l+1} = F'(q_l) a_l + F''(q_l) v_l/2
    v_{l+1} = F'(q_l)^2 v_l + sigma_w^4 Var phi(u)^2

from a_0 = v_0 = 0 for given inputs. All hidden layers have N units; under dropout with masks that keep a unit with
probability rho, phi is m phi/rho.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from widelimit.theory.meanfield.formulas import keep, length_slope, sigma_w, with_dropout
from widelimit.theory.meanfield.moments import (
    Kind,
    fourth_moment,
    q,
    second_moment,
    second_moment_curvature,
)

width = Symbol("N", positive=True)
shift = Symbol("a", real=True)  # N (mean of K - q)
spread = Symbol("v", nonnegative=True)  # N (variance of K over networks)


def length_curvature(activation: Kind) -> Expr:
    """Return d^2 q'/dq^2 = sigma_w^2 V''(q), under dropout sigma_w^2/rho V''(q).

    >>> length_curvature("x**2")
    6*sigma_w**2/rho
    """
    return with_dropout(sigma_w**2 * second_moment_curvature(activation))


def square_variance(activation: Kind) -> Expr:
    """Return the variance of (m phi(u)/rho)^2: E phi^4/rho^3 - V^2/rho^2 with masks m that are 1 with probability rho.

    >>> square_variance("relu").subs(keep, 1)
    5*q**2/4
    """
    return fourth_moment(activation) / keep**3 - second_moment(activation) ** 2 / keep**2


def length_shift_map(activation: Kind) -> Expr:
    """Return a' = F'(q) a + F''(q) v/2, N times what the mean of the next length exceeds F(q) by.

    >>> length_shift_map("relu").subs(keep, 1)
    a*sigma_w**2/2
    """
    return with_dropout(length_slope(activation)) * shift + length_curvature(activation) * spread / 2


def length_spread_map(activation: Kind) -> Expr:
    """Return v' = F'(q)^2 v + sigma_w^4 Var phi^2, N times the variance of the next length from network to network.

    >>> length_spread_map("relu").subs(keep, 1)
    5*q**2*sigma_w**4/4 + sigma_w**4*v/4
    """
    carried = with_dropout(length_slope(activation)) ** 2 * spread
    return carried + sigma_w**4 * square_variance(activation)


def sample_length_variance() -> Expr:
    """Return (2 q^2 + v)/N, the variance of the mean square of a layer's own N pre-activations.

    >>> sample_length_variance()
    (2*q**2 + v)/N
    """
    return (2 * q**2 + spread) / width
