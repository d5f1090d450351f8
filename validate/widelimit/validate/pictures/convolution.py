"""Fourier modes of convolutions; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import modes

PICTURES = {"Modes": modes}
NO_PICTURE: dict[str, str] = {}
