"""`predict`: what the command line shows of a GRU with resting gates."""

from __future__ import annotations

import math

from widelimit.numerics.gru.borders import boundaries
from widelimit.numerics.gru.oscillating import oscillation
from widelimit.numerics.gru.points import circle


def predict(
    gain: float = 1.5, angle: float = 0.7, update_gate: float = 0.5, step: float = 1.0
) -> dict[str, float]:
    """Return borders of oscillation, and the cycle in continuous time and of the map, as one dictionary.

    What there is not at these arguments, such as a period where the cell rests, is left out.

    Args:
        gain: g, the product of reset gate and rotation.
        angle: theta in radians, between 0 and pi/2.
        update_gate: z, the share of the old state that is kept.
        step: of the map; 1 is the trained network.

    >>> found = predict(1.5, 0.7)
    >>> round(found["hopf"], 6), round(found["frequency"], 6), round(found["map_rotation"], 6)
    (0.841069, 0.419517, 0.422876)
    """
    border = boundaries(gain, update_gate=update_gate, step=step)
    cycle = oscillation(gain, angle, update_gate=update_gate)
    ring = circle(gain, angle, update_gate=update_gate, step=step)
    found = {
        "snic": border.snic,
        "hopf": border.hopf,
        "torus": border.torus,
        "bogdanov_takens": border.bogdanov_takens,
        "snic_period": border.snic_period,
        "period": cycle.period,
        "frequency": 2 * math.pi / cycle.period,
        "radius": cycle.radius,
        "floquet_exponent": cycle.floquet_exponent,
        "weak_period": cycle.weak.period,
        "weak_frequency": 2 * math.pi / cycle.weak.period,
        "weak_radius": cycle.weak.radius,
        "weak_exponent": cycle.weak.floquet_exponent,
        "describing": cycle.describing,
        "sign_period": cycle.strong.period,
        "sign_exponent": cycle.strong.floquet_exponent,
        "sign_crossing": cycle.crossing,
        "map_modulus": ring.modulus,
        "map_rotation": ring.rotation,
        "map_radius": ring.radius,
        "map_weak_radius": ring.weak_radius,
        "map_weak_rotation": ring.weak_rotation,
    }
    return {name: value for name, value in found.items() if not math.isnan(value)}
