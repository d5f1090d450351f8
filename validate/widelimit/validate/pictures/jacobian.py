"""Jacobians: what ``widelimit predict jacobian`` prints, in a line; the law itself is drawn by `freeprob`."""

from widelimit.validate.pictures.freeprob import summary

PICTURES = {"Spectrum": summary}
NO_PICTURE = {
    "JacobianAtWidth": "three moments at each width; draw the law by `Spectrum`",
    "JacobianGradient": "it is a few numbers; draw the law by `Spectrum`",
    "JacobianMoments": "five numbers; draw the law by `Spectrum`",
}
