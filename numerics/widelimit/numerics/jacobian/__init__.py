"""Laws of the squared singular values of deep networks' Jacobians.

spectra   `spectrum` of a network, classes at great depth, residual networks; `predict` for the command line
gradients    `gradient`: derivatives of moments by sigma_w, sigma_b and depth
widths    `at_width`: moments of networks of finite width
layered   layers that differ, as factors of a free product
closed    moments, edges and curves in closed form
slope_laws    the law of phi'^2 at random pre-activations, as a factor of free products
pieces, contours    its Cauchy transform where phi' is piecewise simple, and by contour integrals elsewhere
"""

from widelimit.numerics.jacobian.closed import (
    class_cauchy,
    class_moment,
    critical_largest,
    critical_moment,
    inverse,
    linear_density,
    moments,
    parametric,
    variance_ratio,
)
from widelimit.numerics.jacobian.gradients import JacobianGradient, JacobianMoments, gradient
from widelimit.numerics.jacobian.spectra import (
    Spectrum,
    bernoulli_class,
    predict,
    residual,
    slopes,
    smooth_class,
    spectrum,
)
from widelimit.numerics.jacobian.widths import JacobianAtWidth, at_width

__all__ = [
    "JacobianAtWidth",
    "JacobianGradient",
    "JacobianMoments",
    "Spectrum",
    "at_width",
    "bernoulli_class",
    "class_cauchy",
    "class_moment",
    "critical_largest",
    "critical_moment",
    "gradient",
    "inverse",
    "linear_density",
    "moments",
    "parametric",
    "predict",
    "residual",
    "slopes",
    "smooth_class",
    "spectrum",
    "variance_ratio",
]
