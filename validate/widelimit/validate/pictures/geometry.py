"""Great circles and straight lines of inputs; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import circle, straight

PICTURES = {"Circle": circle, "Line": straight}
NO_PICTURE: dict[str, str] = {}
