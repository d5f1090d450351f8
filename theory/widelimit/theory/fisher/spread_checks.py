"""What the names in the spread of Fisher's levels stand for, by small matrices and by laws that are known otherwise."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import mpmath

from widelimit.theory.calculus.ensembles import over_gaussian
from widelimit.theory.calculus.precision import Values, named

_SERIES = 120  # moments of a law far outside of its support


def population(which: str, values: Values, dps: int) -> Any:
    """p_l or tau_l: a layer's second moments over samples as a multiple of 1, one of K_(l-1), and a common part.

    Two equations, on the diagonal and off it, solved.
    """
    v = named(values)
    same = v["v_l"] - v["p'_l"] * v["v_(l-1)"]
    pair = v["c_l"] - v["p'_l"] * v["c_(l-1)"]
    found = mpmath.lu_solve(mpmath.matrix([[1, 1], [0, 1]]), mpmath.matrix([same, pair]))
    return found[0 if which == "fixed" else 1]


def _one_unit_more(values: Values) -> tuple[Any, Any, Any]:
    """x' (A + b x x')^-1 x, x' A^-1 x, and the number of samples, two: for x = (1, 1) and a diagonal A.

    b = beta_l / M_l, and x' A^-1 x = T (p_l m + p'_l t_(l-1)): the resolvent of one unit's samples without that unit.
    """
    v = named(values)
    without = mpmath.diag([1 / (2 * v["p_l"] * v["m"]), 1 / (2 * v["p'_l"] * v["t_(l-1)"])])
    x = mpmath.matrix([1, 1])
    weight = v["beta_l"] * v["gamma_l"] / 2
    full, bare = (((x.T * matrix**-1) * x)[0] for matrix in (without + weight * x * x.T, without))
    return full, bare, 2


def shrinkage(values: Values, dps: int) -> Any:
    """What a unit's own share in the matrix makes of x' Q x, over that without it."""
    full, bare, _ = _one_unit_more(values)
    return full / bare


def trace(values: Values, dps: int) -> Any:
    """The trace of K_l times the resolvent over the samples: the mean of x' Q x over units, over T."""
    full, _, samples = _one_unit_more(values)
    return full / samples


def strength_below(values: Values, dps: int) -> Any:
    """The coefficient of K_(l-1) = k in a_(l-1) k + beta_l s_l (p_l + p'_l k)."""
    v = named(values)

    def matrix(k: Any) -> Any:
        return v["a_(l-1)"] * k + v["beta_l"] * v["s_l"] * (v["p_l"] + v["p'_l"] * k)

    return matrix(2) - matrix(1)


def population_levels(which: str, values: Values, dps: int) -> Any:
    """Of beta_l s_l (p_l + tau_l) with tau_l in all entries: the T - 1 equal eigenvalues, or what the last has more."""
    v = named(values)
    size = int(v["T"])
    matrix = mpmath.matrix(size, size)
    for s, t in product(range(size), repeat=2):
        matrix[s, t] = v["beta_l"] * v["s_l"] * (v["tau_l"] + (v["p_l"] if s == t else 0))
    found = sorted(mpmath.eigsy(matrix, eigvals_only=True))
    return found[0] if which == "across" else found[-1] - found[0]


def location(values: Values, dps: int) -> Any:
    """Where the resolvent of a law with the free cumulants r + Sigma, v and k has the trace m.

    The moments about the mean count non-crossing partitions into blocks of two and three.
    """
    v = named(values)
    moments = [mpmath.mpf(1), mpmath.mpf(0)]
    pairs = [mpmath.mpf(1)]  # entry n: sum of M_i M_j over i + j = n
    for n in range(2, _SERIES):
        pairs.append(mpmath.fsum(moments[i] * moments[n - 1 - i] for i in range(n)))
        triples = mpmath.fsum(moments[i] * pairs[n - 3 - i] for i in range(n - 2))
        moments.append(v["v"] * pairs[n - 2] + v["k"] * triples)

    def excess(z: Any) -> Any:
        return mpmath.polyval([*reversed(moments), 0], 1 / z) + v["m"]

    centre = v["r"] + v["Sigma"]
    return centre + mpmath.findroot(excess, (-1 / v["m"], -1.1 / v["m"]))


def sample_variance(values: Values, dps: int) -> Any:
    """Variance over samples of sum_i phi'(u_i)^2 g_i^2 less its covariance between two, over the squared mean.

    M units; g Gaussian of correlation rho between the samples. phi'^2 takes two values, and is the same for both
    samples with the share of cases that E phi'(u)^2 phi'(v)^2 asks for.
    """
    v = named(values)
    mean, units = v["mu_1"], int(v["M"])
    variance = v["mu_2"] - mean**2
    same = (v["nu"] - mean**2) / variance
    slopes = [
        (mean + a * mpmath.sqrt(variance), mean + b * mpmath.sqrt(variance), (1 + a * b * same) / 4)
        for a, b in product((-1, 1), repeat=2)
    ]
    gaussian = [[1, v["rho"]], [v["rho"], 1]]
    own, shared, first = (
        mpmath.fsum(p * over_gaussian(partial(f, d, e), gaussian, 4) for d, e, p in slopes)
        for f in (
            lambda d, e, g, h: (d * g**2) ** 2,
            lambda d, e, g, h: d * g**2 * e * h**2,
            lambda d, e, g, h: d * g**2,
        )
    )
    pairs = units * (units - 1)  # of different units, which are independent
    total = (units * first) ** 2
    return ((units * own + pairs * first**2) - (units * shared + pairs * first**2)) / total


def multiplied(order: int, values: Values, dps: int) -> Any:
    """Second or third central moment of a quantity of two values times a log-normal factor of mean 1."""
    v = named(values)
    skewness = v["t"] / v["w"] ** mpmath.mpf("1.5")
    high = (skewness + mpmath.sqrt(skewness**2 + 4)) / 2
    share = 1 / (1 + high**2)
    values_of = [(v["mu"] + mpmath.sqrt(v["w"]) * x, p) for x, p in ((high, share), (-1 / high, 1 - share))]
    width = mpmath.sqrt(mpmath.log(1 + v["epsilon"]))

    def moment(z: Any) -> Any:
        factor = mpmath.exp(width * z - width**2 / 2)
        return mpmath.npdf(z) * mpmath.fsum(p * (x * factor - v["mu"]) ** order for x, p in values_of)

    return mpmath.quad(moment, mpmath.linspace(-16, 16, 9))


def of_sum(power: int, order: int, values: Values, dps: int) -> Any:
    """The moment of sum_t d_t^power over T independent samples of a law of three values whose moments are g_1 .. g_4.

    Its values are -1, 1/2 and 2 and 0, of weights that may be of either sign: moments are all that is used.
    """
    v = named(values)
    places = [mpmath.mpf(-1), mpmath.mpf(1) / 2, mpmath.mpf(1), mpmath.mpf(2), mpmath.mpf(0)]
    rows = mpmath.matrix([[x**k for x in places] for k in range(5)])
    weights = mpmath.lu_solve(rows, mpmath.matrix([1, *(v[f"g_{k}"] for k in (1, 2, 3, 4))]))
    samples = int(v["T"])
    return mpmath.fsum(
        mpmath.fprod(weights[i] for i in case) * sum(places[i] ** power for i in case) ** order
        for case in product(range(5), repeat=samples)
    )
