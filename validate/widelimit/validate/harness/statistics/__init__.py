"""Statistics of a run.

intervals  verdicts and the margin within which they hold, at a level that holds over the whole page
stepup     Benjamini and Hochberg's step-up, and its inverse
residuals  chi^2 of a claim's residuals, with the correlation of rows that share networks
limit      weighted least squares in N^-gamma: the limit and its standard error
stages     Stein's two stages: replicates from a pilot
"""

from widelimit.validate.harness.statistics.intervals import (
    AT_LEAST,
    AT_MOST,
    EQUAL,
    LEVEL,
    LEVEL_MEANS,
    POWER,
    Judgement,
    check_level,
    judge,
    rejects,
)

__all__ = [
    "AT_LEAST",
    "AT_MOST",
    "EQUAL",
    "LEVEL",
    "LEVEL_MEANS",
    "POWER",
    "Judgement",
    "check_level",
    "judge",
    "rejects",
]
