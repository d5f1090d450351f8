"""Statistics of a run.

intervals  verdicts from intervals, at a level that holds over the whole run
limit      weighted least squares in N^-gamma: the limit and its standard error
stages     Stein's two stages: replicates from a pilot
"""

from widelimit.validate.harness.statistics.intervals import (
    LEVEL,
    POWER,
    Judgement,
    check_level,
    judge,
    rejects,
)

__all__ = [
    "LEVEL",
    "POWER",
    "Judgement",
    "check_level",
    "judge",
    "rejects",
]
