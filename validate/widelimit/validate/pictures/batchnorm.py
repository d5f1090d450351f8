"""Batch normalisation; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import batch

PICTURES = {"BatchNorm": batch}
NO_PICTURE: dict[str, str] = {}
