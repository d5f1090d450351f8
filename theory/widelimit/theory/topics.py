"""The list of topics: the one place that a new theory is added to.

A topic is a column of files under one name: ``theory/<topic>.py``, ``numerics/<topic>.py``,
``validate/claims/<topic>.py`` and ``validate/simulate/<topic>.py``; each floor may leave out what it does not need.
"""

TOPICS: tuple[str, ...] = (
    "meanfield",
    "ridge",
    "freeprob",
    "jacobian",
    "kernel",
    "fisher",
    "geometry",
    "convolution",
    "recurrence",
    "residual",
    "batchnorm",
)
