"""Residual networks; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import residual

PICTURES = {"Residual": residual}
NO_PICTURE: dict[str, str] = {}
