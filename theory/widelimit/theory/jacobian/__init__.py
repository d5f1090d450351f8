"""Singular values of deep networks' input-output Jacobians: laws, moments and classes, in the limit of large width.

laws         S-transforms, moments and curves of the law of squared singular values
derivations  `derive` for an activation and an ensemble of weights, `derive_class` for the limits of great depth,
             `derive_moments` for what has a closed form; `checks`: what names stand for
gradients    how moments change with sigma_w, sigma_b and depth, and their `derive_gradients`
finite       moments at finite width, Gaussian weights; finite_steps: their `derive_at_width`
finite_orthogonal    for orthogonal weights; finite_orthogonal_steps: their `derive_at_width_orthogonal`
"""

from widelimit.theory.freeprob import (
    m,
    z,
)
from widelimit.theory.jacobian.derivations import (
    CLASSES,
    derive,
    derive_class,
    derive_moments,
)
from widelimit.theory.jacobian.finite_orthogonal_steps import derive as derive_at_width_orthogonal
from widelimit.theory.jacobian.finite_steps import derive as derive_at_width
from widelimit.theory.jacobian.gradients import derive_gradients
from widelimit.theory.jacobian.laws import (
    ASSUMPTIONS,
    ENSEMBLES,
    Kind,
    bernoulli_class,
    bernoulli_moment,
    class_cauchy,
    class_moment,
    curve,
    depth,
    fuss_catalan_density,
    largest,
    moments,
    mu_1,
    mu_2,
    mu_3,
    p,
    q,
    rectangular,
    residual,
    s_0,
    s_transform,
    sigma_w,
    slope_moment,
    slope_probability,
    smooth_class,
    strength,
    variance_ratio,
    varying,
    weight_transform,
)

__all__ = [
    "ASSUMPTIONS",
    "CLASSES",
    "ENSEMBLES",
    "Kind",
    "bernoulli_class",
    "bernoulli_moment",
    "class_cauchy",
    "class_moment",
    "curve",
    "depth",
    "derive",
    "derive_at_width",
    "derive_at_width_orthogonal",
    "derive_class",
    "derive_gradients",
    "derive_moments",
    "fuss_catalan_density",
    "largest",
    "m",
    "moments",
    "mu_1",
    "mu_2",
    "mu_3",
    "p",
    "q",
    "rectangular",
    "residual",
    "s_0",
    "s_transform",
    "sigma_w",
    "slope_moment",
    "slope_probability",
    "smooth_class",
    "strength",
    "variance_ratio",
    "varying",
    "weight_transform",
    "z",
]
