"""Layers of architectures: their results are kernels, which `kernel` draws."""

PICTURES: dict[str, object] = {}
NO_PICTURE = {
    "State": "it is what goes from layer to layer",
    "StackPhase": "it is four numbers",
    "BlockPhase": "it is six numbers",
}
