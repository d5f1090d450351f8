"""All rules, registered by being imported."""

from widelimit.validate.network.graph import (  # noqa: F401
    arithmetic,
    attention,
    functions,
    norms,
    pooling,
    views,
    weighted,
)
from widelimit.validate.network.graph.walking import RULES

__all__ = ["RULES"]
