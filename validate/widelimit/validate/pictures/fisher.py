"""Fisher information; drawn by `layerwise`."""

from widelimit.validate.pictures.layerwise import bounds, depths, statistics

PICTURES = {"Statistics": statistics, "Propagation": depths, "JacobianBound": bounds}
NO_PICTURE = {
    "Spread": "it is three numbers",
    "Edge": "it is where a law of Tracy and Widom lies, a few numbers",
    "Layers": "it is what the solver works with",
    "SlopeMoments": "it is what the solver works with",
}
