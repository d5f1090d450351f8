"""Floor 1, symbolic: what is true, and why. Only SymPy, mpmath and the standard library."""
