"""Gated and vanilla recurrence in time; drawn by `layerwise`."""

from widelimit.validate.pictures.kit import swept
from widelimit.validate.pictures.layerwise import bypassed, gated, two_time

PICTURES = {
    "Gated": swept("chi_1", "kept", "memory", one=gated),
    "Bypass": swept("chi_1", "radius", "q_star", one=bypassed),
    "Reciprocal": swept("chi_1", "q_star", "passed", one=bypassed),
    "Unequal": bypassed,
    "TwoTime": two_time,
}
NO_PICTURE: dict[str, str] = {}
