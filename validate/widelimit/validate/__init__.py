"""Floor 3, validation: torch simulations, statistics, runs, reports and the command line."""
