"""What the Jacobian claims predict, and what the wrong theories that they must reject would predict instead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from widelimit.theory.errors import NoFixedPointError
from widelimit.validate.harness.claim import Inputs, Scalar

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # where distribution functions are compared


@lru_cache(maxsize=256)
def _spectrum(
    activation: str, sigma_w: float, sigma_b: float, depth: int, weights: str, shape: str, q0: float
):
    from widelimit.numerics import jacobian

    widths: Sequence[float] | None = [float(part) for part in shape.split()] or None
    return jacobian.spectrum(
        activation,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        depth=depth,
        weights=weights,
        widths=widths,
        q0=q0 or None,
    )


def law(inputs: Inputs, **changes: Scalar):
    """The law of squared singular values at a point, some of its inputs replaced."""
    given: dict[str, Scalar] = {**inputs, **changes}
    return _spectrum(
        str(given["activation"]),
        float(given["sigma_w"]),
        float(given["sigma_b"]),
        int(given["depth"]),
        str(given["weights"]),
        str(given.get("shape", "")),
        float(given.get("q0", 0.0)),
    )


@lru_cache(maxsize=256)
def _fixed_point(activation: str, sigma_w: float, sigma_b: float) -> float:
    from widelimit.numerics import meanfield

    try:
        found = float(meanfield.solve(activation, sigma_w=sigma_w, sigma_b=sigma_b).q_star)
    except NoFixedPointError:
        found = 0.0
    return (
        found if found > 0 else 1.0
    )  # slopes of ReLU do not depend on the length; zero inputs would sit on its kink


def first_length(inputs: Inputs) -> float:
    """Second moment of the first layer's pre-activations: q0, or the fixed point."""
    if float(inputs.get("q0", 0.0)) > 0:
        return float(inputs["q0"])
    return _fixed_point(str(inputs["activation"]), float(inputs["sigma_w"]), float(inputs["sigma_b"]))


def ratios_of(found, order: int = 3) -> np.ndarray:
    """log m_1, m_2/m_1^2, m_3/m_1^3 of a law."""
    logs = [found.log_moment(k) for k in range(1, order + 1)]
    return np.array([logs[0], *(np.exp(logs[k] - (k + 1) * logs[0]) for k in range(1, order))])


def ratios(inputs: Inputs) -> np.ndarray:
    """log m_1 and the normalised second and third moments."""
    return ratios_of(law(inputs))


def spread(inputs: Inputs) -> np.ndarray:
    """m_2/m_1^2 - 1."""
    return ratios(inputs)[1:2] - 1.0


def points(inputs: Inputs) -> np.ndarray:
    """Squared singular values at which distribution functions are compared: quantiles of the part above zero."""
    found = law(inputs)
    zero = float(found.cdf(0.0))
    return np.asarray(found.quantile(zero + (1.0 - zero) * np.array(LEVELS)))


def smooth_above_zero(inputs: Inputs) -> bool:
    """Whether no atom lies above zero, at which a distribution function would jump."""
    return all(location == -np.inf for location, _ in law(inputs).log_atoms)


def distribution(inputs: Inputs) -> np.ndarray:
    """P(lambda <= x) at `points`."""
    return np.asarray(law(inputs).cdf(points(inputs)))


def distribution_curve(inputs: Inputs, x: np.ndarray) -> np.ndarray:
    """P(lambda <= x) anywhere."""
    return np.asarray(law(inputs).cdf(x))


def largest(inputs: Inputs) -> np.ndarray:
    """Log of the largest singular value."""
    return np.array([law(inputs).log_largest / 2])


def atom(inputs: Inputs) -> np.ndarray:
    """Mass of the atom above the bulk, and log of the largest singular value, which it decides."""
    return np.array([law(inputs).log_atoms[-1][1], law(inputs).log_largest / 2])


# residual networks: exact at finite depth for Gaussian branches, since variances of free products add


def residual(inputs: Inputs) -> np.ndarray:
    """log m_1 and m_2/m_1^2 of prod (1 + D W): m_1 = (1 + a)^L, a = sigma_w^2 mu_1 = c/L."""
    from widelimit.numerics import jacobian

    slopes = jacobian.slopes(str(inputs["activation"]), first_length(inputs))
    a = float(inputs["sigma_w"]) ** 2 * slopes.moment(1)
    fourth = a**2 * (1 + slopes.moment(2) / slopes.moment(1) ** 2)  # of the branch alone
    depth = int(inputs["depth"])
    return np.array([depth * np.log1p(a), 1 + depth * ((1 + 4 * a + fourth) / (1 + a) ** 2 - 1)])


# wrong theories ----------------------------------------------------------------------------------------------------


def other_ensemble(inputs: Inputs) -> Inputs:
    """Orthogonal for Gaussian weights and the reverse."""
    return {**inputs, "weights": "gaussian" if inputs["weights"] == "orthogonal" else "orthogonal"}


def one_layer_less(inputs: Inputs) -> Inputs:
    """The law of L - 1 layers."""
    return {**inputs, "depth": max(1, int(inputs["depth"]) - 1)}


def misprinted_distribution(inputs: Inputs) -> np.ndarray:
    """Distribution function from a published M-transform of one Gaussian layer whose root misses its prefactor.

    Printed: M = z/(2 s) - 1 - sqrt(1 - 4 s/z), s = sigma_w^2; the root lacks the factor z/(2 s).
    """
    from scipy.integrate import quad

    s = float(inputs["sigma_w"]) ** 2

    def density(x: float) -> float:
        return float(np.sqrt(max(4 * s / x - 1, 0.0)) / (np.pi * x))

    return np.array([1.0 - quad(density, x, 4 * s, limit=200)[0] for x in points(inputs)])


def bulk_edge(inputs: Inputs) -> np.ndarray:
    """The largest singular value read off the edge of the continuous part, and no atom."""
    return np.array([0.0, law(inputs).log_support[-1][1] / 2])


def at_fixed_point(inputs: Inputs) -> Inputs:
    """Every layer at q*, wherever the input starts."""
    return {name: value for name, value in inputs.items() if name != "q0"}


def square(inputs: Inputs) -> Inputs:
    """The same depth with all widths equal."""
    return {name: value for name, value in inputs.items() if name != "shape"}
