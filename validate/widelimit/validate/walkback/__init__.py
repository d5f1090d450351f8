"""Entropy production and walkback bounds of a user's own transition module.

measuring    `measure`: entropy production of a module s -> (mean, log-sd) on its own walk, bound and gap on data
planning     `schedule`: the shortest walk whose bound loses no more than a wanted gap
"""

from widelimit.validate.walkback.measuring import Measured, Walk, measure
from widelimit.validate.walkback.planning import Schedule, schedule

__all__ = ["Measured", "Schedule", "Walk", "measure", "schedule"]
