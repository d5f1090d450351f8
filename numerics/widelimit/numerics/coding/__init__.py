"""Predictive coding in balanced networks: what they decode, and how noise, chaos and delays limit it.

solver      `solve`: bias, variance and phase of a network
thresholds  `critical_balance`, `optimal_balance`, `oscillation`, `chaos_onset`, `stable_delay`
limits      `strong_balance`, `correlation`, `phase_diagram`; `predict` for the command line
units, loops, cycles, smoothed    averages and drive of a unit, what feedback passes, amplitudes beyond the threshold,
            rates averaged over noise as polynomials
"""

from widelimit.numerics.coding.limits import (
    Correlations,
    StrongBalance,
    correlation,
    phase_diagram,
    predict,
    strong_balance,
)
from widelimit.numerics.coding.solver import PHASES, Coding, solve
from widelimit.numerics.coding.thresholds import (
    Best,
    CriticalBalance,
    Oscillation,
    chaos_onset,
    critical_balance,
    optimal_balance,
    oscillation,
    stable_delay,
)

__all__ = [
    "PHASES",
    "Best",
    "Coding",
    "Correlations",
    "CriticalBalance",
    "Oscillation",
    "StrongBalance",
    "chaos_onset",
    "correlation",
    "critical_balance",
    "optimal_balance",
    "oscillation",
    "phase_diagram",
    "predict",
    "solve",
    "stable_delay",
    "strong_balance",
]
