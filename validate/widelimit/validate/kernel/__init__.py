"""Kernels of wide networks in torch: scales of layers are learnt by gradient descent, through the theory.

differentiable   `nngp`, a function of autograd, and `log_likelihood` of a Gaussian process
"""

from widelimit.validate.kernel.differentiable import log_likelihood, nngp

__all__ = ["log_likelihood", "nngp"]
