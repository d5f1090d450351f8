"""What every simulation draws: weights, plain networks, activations as torch functions."""
