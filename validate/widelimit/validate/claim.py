"""What a module of claims imports: `Claim` and its records (`harness.claim`), `declare` and its (`harness.declare`)."""

from widelimit.validate.harness.claim import *  # noqa: F403
from widelimit.validate.harness.declare import *  # noqa: F403
