"""Floor 2, numeric: theory made fast by generated, numba-jitted solvers."""
