"""Residual networks; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import post_activation, residual

PICTURES = {"Residual": residual, "PostActivation": post_activation}
NO_PICTURE: dict[str, str] = {}
