"""What the Jacobian claims predict, and what the wrong theories that they must reject would predict instead."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from widelimit.theory.errors import NoFixedPointError
from widelimit.validate.harness.claim import Inputs, Scalar

PLACES = (0.05, 0.2, 0.5, 1.0, 2.0)  # squared singular values at which distribution functions are compared


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
        q0=None if _stays(activation, sigma_w, sigma_b, q0) else q0,
    )


def _stays(activation: str, sigma_w: float, sigma_b: float, q0: float) -> bool:
    """Whether theory says that inputs of this length keep it, to the digits that a point gives; 0 means that."""
    from widelimit.numerics import meanfield

    try:
        kept = float(meanfield.solve(activation, sigma_w=sigma_w, sigma_b=sigma_b).q_star)
    except NoFixedPointError:
        return not q0
    return not q0 or abs(q0 - kept) < 1e-4 * kept


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


def ratios_of(found, order: int = 3) -> np.ndarray:
    """log m_1, m_2/m_1^2, m_3/m_1^3 of a law."""
    logs = [found.log_moment(k) for k in range(1, order + 1)]
    return np.array([logs[0], *(np.exp(logs[k] - (k + 1) * logs[0]) for k in range(1, order))])


def ratios(inputs: Inputs) -> np.ndarray:
    """log m_1 and the normalised second and third moments."""
    return ratios_of(law(inputs))


@lru_cache(maxsize=256)
def _correction(
    activation: str, sigma_w: float, sigma_b: float, depth: int, weights: str, q0: float, size: int
):
    from widelimit.numerics import jacobian

    return jacobian.at_width(
        activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=size, weights=weights, q0=q0 or None
    ).ratios_correction[0]


def ratios_at(inputs: Inputs, size: int) -> np.ndarray:
    """The mean over networks of this width of the same, to order 1/width."""
    return ratios(inputs) + correction(inputs, size)


def correction(inputs: Inputs, size: int) -> np.ndarray:
    """What this width adds to the mean of log m_1 and the normalised moments."""
    return _correction(
        str(inputs["activation"]),
        float(inputs["sigma_w"]),
        float(inputs["sigma_b"]),
        int(inputs["depth"]),
        str(inputs["weights"]),
        float(inputs.get("q0", 0.0)),
        size,
    )


def spread_at(inputs: Inputs, size: int) -> np.ndarray:
    """The same of m_2/m_1^2 - 1."""
    return ratios_at(inputs, size)[1:2] - 1.0


def spread(inputs: Inputs) -> np.ndarray:
    """m_2/m_1^2 - 1."""
    return ratios(inputs)[1:2] - 1.0


def smooth_above_zero(inputs: Inputs) -> bool:
    """Whether no atom lies above zero, at which a distribution function would jump."""
    return all(location == -np.inf for location, _ in law(inputs).log_atoms)


def distribution(inputs: Inputs) -> np.ndarray:
    """P(lambda <= x) at `PLACES`."""
    return np.asarray(law(inputs).cdf(np.array(PLACES)))


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
    """log m_1 and m_2/m_1^2 of prod (1 + D_l W_l): m_1 = prod (1 + a_l), a_l = sigma_w^2 mu_1 at each length."""
    from widelimit.numerics import jacobian
    from widelimit.numerics import residual as grown

    depth, sigma_w, q0 = int(inputs["depth"]), float(inputs["sigma_w"]), float(inputs["q0"])
    scales = {"sigma_w": sigma_w, "sigma_b": float(inputs["sigma_b"])}
    moments = grown.predict(
        str(inputs["activation"]), **scales, depth=depth, p0=q0 / sigma_w**2
    ).second_moment
    log_mean, variance = 0.0, 0.0
    for moment in moments[:depth]:
        slopes = jacobian.slopes(str(inputs["activation"]), sigma_w**2 * moment)
        a = sigma_w**2 * slopes.moment(1)
        fourth = a**2 * (1 + slopes.moment(2) / slopes.moment(1) ** 2)  # of the branch alone
        log_mean += np.log1p(a)
        variance += (1 + 4 * a + fourth) / (1 + a) ** 2 - 1
    return np.array([log_mean, 1 + variance])


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

    return np.array([1.0 - quad(density, x, 4 * s, limit=200)[0] for x in PLACES])


def bulk_edge(inputs: Inputs) -> np.ndarray:
    """The largest singular value read off the edge of the continuous part, and no atom."""
    return np.array([0.0, law(inputs).log_support[-1][1] / 2])


def at_fixed_point(inputs: Inputs) -> Inputs:
    """Every layer at q*, wherever the input starts."""
    return {name: value for name, value in inputs.items() if name != "q0"}


def square(inputs: Inputs) -> Inputs:
    """The same depth with all widths equal."""
    return {name: value for name, value in inputs.items() if name != "shape"}
