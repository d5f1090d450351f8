"""The list of topics: the one place that a new theory is added to.

A topic is a column of rooms under one name: ``theory/<topic>``, ``numerics/<topic>``, ``validate/claims/<topic>`` and
``validate/simulate/<topic>``, each a file or a package; a floor may leave out what it does not need. A topic may use
those that stand before it.
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
    "ssl",
    "representation",
    "pruning",
    "alignment",
    "synapses",
    "walkback",
    "dynamics",
    "coding",
    "rules",
    "robustness",
    "retina",
    "spiking",
    "gru",
    "cycles",
    "spectra",
    "attention",
    "shaping",
    "network",
)

# Rooms without a name of their own for users: their claims bear the topic's that they extend.
EXTENDS: dict[str, str] = {"architecture": "kernel"}
