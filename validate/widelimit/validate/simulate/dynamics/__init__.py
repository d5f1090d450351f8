"""Recurrent networks, simulated.

signals     canonical correlations of independent signals
training    networks of many seeds trained as one batch, kept by content
random      random networks: covariances, Lyapunov spectra, rank one
alike       networks of three architectures: one graph, different trajectories
trained     where trained networks come to rest, and what they keep
contexts    what networks keep that add up one of two signals, by context
"""
