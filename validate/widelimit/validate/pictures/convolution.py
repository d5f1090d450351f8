"""Fourier modes of convolutions; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import coverage, modes

PICTURES = {"Modes": modes, "Coverage": coverage}
NO_PICTURE: dict[str, str] = {}
