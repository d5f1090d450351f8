"""Ridge regression on random features of anisotropic inputs, linear or nonlinear by Gaussian equivalence.

Features ``sqrt(P/n_1) f(W x/sqrt(P))`` with W_ij ~ N(0, 1) and covariance eigenvalues of mean 1, n_1 of them, act like
``sqrt(zeta) G x + sqrt(c) theta`` with Gaussian G and theta, ``zeta = (E z f(z))^2``, ``c n_1/P = E f^2 - (E z f)^2``
(setting of Mel & Pennington 2022; `theory.ridge.derive("random-features")`). f(z) = z gives linear random features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize.elementwise import bracket_root, find_root

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ridge.solving import with_signal
from widelimit.numerics.ridge.spectrum import Spectrum
from widelimit.numerics.ridge.terms import FEATURE_SUMS, FEATURES, INNER
from widelimit.theory.errors import ArgumentError, ConvergenceError

Array = np.ndarray
_NOTHING = -690.0  # log of an input ridge that stands for zero


@by_value
@dataclass(frozen=True)
class FeatureSolution:
    """Errors of ridge regression on random features; floats, or arrays of the shape of the arguments.

    effective_ridge: kappa_1 of the features. input_ridge: kappa of the inputs behind them.
    """

    effective_ridge: Any
    input_ridge: Any
    test_error: Any
    training_error: Any
    unexplained: Any
    rho: Any


def feature_moments(activation: Any) -> tuple[float, float]:
    """``(zeta, cost)`` of an activation less its mean: ``(E z f)^2`` and ``E f^2 - (E f)^2 - (E z f)^2``, z ~ N(0, 1).

    `activation` is a catalogue name, an expression in x, or an `Activation`.

    >>> zeta, cost = feature_moments("erf")  # 4/(3 pi) and (2/pi) asin(2/3) less that
    >>> round(zeta, 6), round(cost, 6)
    (0.424413, 0.040146)
    """
    from widelimit.theory.calculus.activation import Activation, x
    from widelimit.theory.calculus.gaussian.expectation import Expectation
    from widelimit.theory.calculus.precision import evaluate

    f = Activation.of(activation).expr
    mean, linear, square = (float(evaluate(Expectation(g, x, 1), {}, 20)) for g in (f, x * f, f**2))
    return linear**2, max(0.0, square - mean**2 - linear**2)


def random_features(
    eigenvalues: ArrayLike | Spectrum,
    weights: ArrayLike | None = None,
    signal: ArrayLike | None = None,
    noise: ArrayLike = 0.0,
    *,
    sample_ratio: ArrayLike,
    feature_ratio: ArrayLike,
    penalty: ArrayLike = 0.0,
    activation: Any = "linear",
) -> FeatureSolution:
    """Errors of ridge regression on ``n_1 = feature_ratio P`` random features ``sqrt(P/n_1) f(W x/sqrt(P))``.

    The mean eigenvalue must be 1 unless f is linear; f acts less its mean (centre the features, or fit an intercept).
    For features scaled by ``1/sqrt(n_1)`` only, multiply your penalty by P. Other arguments as for `solving.solve`;
    penalties are not negative. Raises `ArgumentError`, and `ConvergenceError` if a root is not found.

    >>> wide = random_features([1.0], signal=[1.0], noise=0.1, sample_ratio=0.5, feature_ratio=1e9, penalty=0.01)
    >>> round(wide.test_error, 6)  # as on the inputs themselves
    0.696266
    """
    spectrum = with_signal(eigenvalues, weights, signal)
    zeta, cost = (1.0, 0.0) if activation == "linear" else feature_moments(activation)
    if zeta <= 1e-24 * (zeta + cost):  # zero but for rounding
        raise ArgumentError("activation", "must have a linear part, E z f(z) != 0", str(activation))
    total_mean = spectrum.mean * spectrum.rank_fraction
    if cost > 0.0 and abs(total_mean - 1) > 1e-6:
        help = "Divide inputs by the root of their mean variance, or rescale the activation."
        raise ArgumentError("eigenvalues", "must have mean 1 for nonlinear features", total_mean, help)
    sigma2, ratio, width, lam = arguments.broadcast(
        noise=arguments.non_negative("noise", noise),
        sample_ratio=arguments.positive("sample_ratio", sample_ratio),
        feature_ratio=arguments.positive("feature_ratio", feature_ratio),
        penalty=arguments.non_negative("penalty", penalty),
    )
    if (spectrum.total_signal + sigma2 == 0).any():
        raise ArgumentError("signal", "must carry some variance where there is no noise", 0.0)
    flat = [np.array(a, float).ravel() for a in (ratio, width, lam, sigma2)]
    with np.errstate(all="ignore"):  # what no float holds is refused next
        rows = _solve(
            spectrum,
            zeta,
            cost / (flat[1]),
            *(a / spectrum.rank_fraction if k < 2 else a for k, a in enumerate(flat)),
        )
    if any(np.isnan(row).any() for row in rows):
        raise ConvergenceError(
            "No certified errors of random features: eigenvalues, ratios or penalties span more than floating point "
            "holds."
        )
    plain = [arguments.scalar(row.reshape(ratio.shape)) for row in rows]
    ridge_1, ridge, test, train, ridge_slope = plain
    unexplained = arguments.scalar(np.asarray(test / (spectrum.total_signal + sigma2)))
    return FeatureSolution(
        ridge_1, ridge, test, train, unexplained, arguments.scalar(np.asarray(1 - ridge_slope))
    )


def _solve(
    spectrum: Spectrum, zeta: float, cost: Array, alpha: Array, psi: Array, penalty: Array, noise: Array
) -> list[Array]:
    s, p, u = spectrum.eigenvalues, spectrum.weights, spectrum.signal
    floor = np.maximum(0.0, 1 - alpha / psi)  # upsilon above this, or more degrees of freedom than samples

    def excess(
        log_kappa: Array, alpha: Array, psi: Array, cost: Array, penalty: Array, floor: Array
    ) -> Array:
        """Of the penalty at this kappa; where kappa is too small for any penalty, negative and increasing."""
        kappa = np.exp(log_kappa)
        share, reached = INNER(kappa, alpha, psi, np.full(kappa.shape, zeta), cost, _fitted(s, p, kappa))
        return np.where(share > floor, reached, np.minimum(0.0, share - floor)) - penalty

    # nothing below the least kappa when it is 0: no nonlinear part, more features than dimensions, no penalty
    exact = (cost == 0) & (penalty == 0) & (1 - 1 / psi > floor)
    top = np.log(spectrum.eigenvalues[0] + (penalty + cost) / zeta + 1)
    solved = np.full(alpha.size, _NOTHING)
    if (open_ := ~exact).any():
        args = tuple(a[open_] for a in (alpha, psi, cost, penalty, floor))
        found = bracket_root(excess, top[open_] - 5, top[open_], args=args, maxiter=400)
        if not found.success.all():
            raise ConvergenceError(
                "No bracket for the input ridge of the random features; are the ratios extreme?"
            )
        tight = {"xatol": 1e-300, "xrtol": 4e-16, "fatol": 0.0, "frtol": 0.0}
        root = find_root(excess, found.bracket, args=args, tolerances=tight, maxiter=300)
        if not root.success.all():
            raise ConvergenceError("The input ridge of the random features did not converge.")
        solved[open_] = root.x
    kappa = np.exp(solved)
    sums = np.array([FEATURE_SUMS(s, p, u, np.full(s.size, k), 1 / (s + k)) for k in kappa]).sum(-1).T
    rows = list(FEATURES(kappa, alpha, psi, np.full(kappa.size, zeta), cost, noise, *sums))
    rows[:2] = (np.where(exact, 0.0, row) for row in rows[:2])
    return rows


def _fitted(s: Array, p: Array, kappa: Array) -> Array:
    return (p * s / (s + kappa[..., None])).sum(-1)
