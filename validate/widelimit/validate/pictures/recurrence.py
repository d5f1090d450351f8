"""Gated and vanilla recurrence in time; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import gated, two_time

PICTURES = {"Gated": gated, "TwoTime": two_time}
NO_PICTURE: dict[str, str] = {}
