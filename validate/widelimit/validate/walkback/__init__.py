"""Entropy production and walkback bounds of a user's own transition module.

measuring    `measure`: entropy production of a module s -> (mean, log-sd) on its own walk, bound and gap on data
"""

from widelimit.validate.walkback.measuring import Measured, Walk, measure

__all__ = ["Measured", "Walk", "measure"]
