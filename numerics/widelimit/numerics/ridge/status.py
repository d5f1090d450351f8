"""How the search for an effective ridge ended: codes that the loops return and their callers read."""

CERTIFIED = 0  # its residual is at the level of rounding
BELOW_EDGE = 1  # there is none: the penalty is at or below the spectral edge
UNFINISHED = 2
