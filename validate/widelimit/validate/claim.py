"""What a module of claims imports: `Claim` and the records that it is made of (`harness.claim`)."""

from widelimit.validate.harness.claim import *  # noqa: F403
