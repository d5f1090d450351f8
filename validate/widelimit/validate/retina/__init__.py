"""A user's own model of a cell against the theory of its filters.

models      `predicted_sta`: the filter that a torch model has by its gradients, against the average over a recording
"""

from widelimit.validate.retina.models import ModelFilter, predicted_sta

__all__ = ["ModelFilter", "predicted_sta"]
