"""Non-contrastive self-supervised learning: why networks that only pull two views together do not collapse.

formulas     flows of matrices and of modes; fixed points, times, basins, thresholds
derivations  `derive`: groups of results by name
flows        matrices: invariant, alignment, what the stop-gradient does
modes        one mode: fixed points and eigenvalues
times        to learn, to collapse
borders      which starts survive, with a moving target, too
filters      any data, rules for the predictor
steps        what the derivations share, and one mode by numbers
words        words of matrices by numbers

An online network W and a predictor W_p follow a target W_a on another view of the same sample; gradients stop at the
target. ``X`` is the second moment of the mean of a sample's views, ``X_a`` their covariance about it; the loss is half
the mean square error, and weight decay eta is per unit of time (steps times learning rate).
"""

from widelimit.theory.ssl.derivations import (
    RESULTS,
    derive,
)

__all__ = [
    "RESULTS",
    "derive",
]
