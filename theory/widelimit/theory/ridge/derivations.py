"""`derive`: a result of high-dimensional ridge regression by its name."""

from __future__ import annotations

from widelimit.theory.calculus import exact
from widelimit.theory.calculus.derivation import Derivation
from widelimit.theory.ridge import features, gradients, penalty, phases, power, size_steps, test_error

RESULTS: tuple[str, ...] = (
    "effective-ridge", "test-error", "training-error", "bias-variance", "learning-curve", "isotropic",
    "separated-scales", "hessian-gap", "optimal-penalty", "isotropic-target", "penalty-jump", "alignment", "power-law",
    "random-features", "gradients", "finite-samples",
)  # fmt: skip


def derive(result: str = "test-error") -> Derivation:
    """Derive a result from the Marchenko-Pastur equation of the sample covariance.

    Parameters
    ----------
    result
        effective-ridge, test-error, training-error, bias-variance, learning-curve, isotropic, separated-scales,
        hessian-gap, optimal-penalty, isotropic-target, penalty-jump, alignment, power-law, random-features, gradients
        or finite-samples.

    >>> derive("effective-ridge").result.lhs
    lambda
    """
    result = exact.one_of("result", result, RESULTS)
    modules = (test_error, phases, penalty, power, features, gradients, size_steps)
    found: Derivation = next(one.DERIVATIONS[result]() for one in modules if result in one.DERIVATIONS)
    return found
