"""Verdicts of layers, and the three sentences: is it trainable at this depth, what limits it, what to change."""

from __future__ import annotations

import math

from scipy import stats

from widelimit.validate.network.graph.records import Block, Layer, Scale

LEVEL = 0.01  # of a disagreement, over all layers
DOUBT = 0.05  # of a number that alone would be too far off
TOLERANCE = 0.05
_MOST_DRAWS = 4096
RULE_OF_THUMB = 6  # trainable depth in depth scales (empirical)
_GRADIENTS = 1e5  # ratio of squared gradients at the ends of a network above which it does not train


def threshold(level: float, comparisons: int, draws: int) -> float:
    """Standard errors that a difference of means over draws may have, at a level over all comparisons.

    >>> round(threshold(0.05, 1, 8), 3)
    2.365
    """
    return float(stats.t.isf(level / (2 * max(1, comparisons)), max(1, draws - 1)))


def differs(predicted: float, measured: float, error: float, unit: float, times: float) -> bool:
    """Whether a measured number is further from its prediction than the tolerance, of a unit, and errors allow."""
    if math.isnan(predicted) or math.isnan(measured):
        return False
    return (
        abs(measured - predicted) > TOLERANCE * unit + times * (0.0 if math.isnan(error) else error) + 1e-12
    )


def needed(predicted: float, measured: float, error: float, unit: float, comparisons: int, draws: int) -> int:
    """Draws, doubled until such a number would differ at the level over all comparisons, if it stays where it is.

    0 where no number of them would do.

    >>> needed(1.0, 1.4, 0.1, 1.0, 300, 8), needed(1.0, 1.04, 0.01, 1.0, 300, 8)
    (32, 0)
    """
    more = draws
    while more <= _MOST_DRAWS:
        times = threshold(LEVEL, comparisons, more)
        if differs(predicted, measured, error * math.sqrt(draws / more), unit, times):
            return more
        more *= 2
    return 0


def ends(layers: tuple[Layer, ...], keys: list[str], sizes: dict[str, int]) -> tuple[float, float]:
    """Squared lengths of gradients behind the first and the last layer with weights, predicted or else measured.

    `sizes`: how many numbers a tensor holds (pooling divides gradients among positions, which loses none of them).
    """
    held = {layer.key: layer for layer in layers}
    found = []
    for key in keys:
        if key in held:
            layer = held[key]
            value = layer.g_predicted if not math.isnan(layer.g_predicted) else layer.g_measured
            if not math.isnan(value):
                found.append(value * sizes.get(key, 1))
    return (found[0], found[-1]) if len(found) > 1 else (math.nan, math.nan)


def sentences(
    depth: int, scale: Scale, trainable_depth: float, first: float, last: float, rho: float, blocks: tuple[Block, ...],
    copies: tuple[tuple[str, ...], ...], wrong: list[Layer],
) -> tuple[bool, str, str, str]:  # fmt: skip
    """Whether it is trainable at its depth, and the three sentences."""
    ratio = first / last if last and last > 0 else math.nan
    deep = f"{depth} layer{'s' if depth != 1 else ''} with weights"
    too_deep = depth > trainable_depth if not math.isnan(trainable_depth) else False
    lost = not math.isnan(ratio) and not 1 / _GRADIENTS < ratio < _GRADIENTS
    alike = not math.isnan(rho) and rho > 1 - 1e-6
    trainable = not (too_deep or lost or alike)
    reach = (
        "" if math.isnan(trainable_depth)
        else ", and nothing here decays with depth exponentially" if math.isinf(trainable_depth)
        else f", and signals reach about {trainable_depth:.3g} layers (6 xi_c, a rule of thumb)"
    )  # fmt: skip
    answer = f"{'Yes, trainable' if trainable else 'No, not trainable as it stands'}: it has {deep}{reach}."
    limits, change = _why(scale, ratio, too_deep, lost, alike, blocks, copies)
    if wrong:
        limits += f" Theory and measurement disagree in {len(wrong)} layer(s), first in {wrong[0].name}."
    return trainable, answer, limits, change


def _why(
    scale: Scale, ratio: float, too_deep: bool, lost: bool, alike: bool, blocks: tuple[Block, ...],
    copies: tuple[tuple[str, ...], ...],
) -> tuple[str, str]:  # fmt: skip
    factor = next((one.lambda_ for one in reversed(blocks) if not math.isnan(one.lambda_)), math.nan)
    if alike:
        return (
            "All inputs and positions come out alike (correlation 1): nothing tells them apart.",
            "Draw larger weights, or add shortcuts with normalisation in front of their branches.",
        )
    if (too_deep or lost) and factor < 0.99:
        return (
            f"Squared gradients shrink by {factor:.3g} a block on their way back ({ratio:.3g} in all).",
            f"Draw weights of {1 / factor:.3g} times the variance in each block, so that this factor is 1.",
        )
    if (too_deep or lost) and factor > 1.01:
        return (
            f"Squared gradients grow by {factor:.3g} a block on their way back ({ratio:.3g} in all).",
            f"Draw weights of {1 / factor:.3g} times the variance in each block, or scale branches by one over the "
            "root of their number.",
        )
    if too_deep or lost:
        return (
            f"Squared gradients change by {ratio:.3g} between the ends of the network.",
            "Look for the layers in whose lines g jumps, and scale their weights.",
        )
    if copies:
        return (
            "Layers start as copies of one another, so that their outputs add up coherently.",
            f"Redraw copied layers ({', '.join(copies[0][:2])}, ...) independently.",
        )
    if not math.isinf(scale) and not math.isnan(scale):
        return (
            f"Its depth scale xi_c = {float(scale):.3g} layers limits how deep it may become.",
            "Nothing at this depth.",
        )
    if not math.isnan(scale.power):
        return (
            f"Gradients change as powers of depth (power {scale.power:.3g}), which no depth makes vanish at once.",
            "Nothing at this depth.",
        )
    if blocks and math.isnan(scale) and not math.isnan(ratio):
        return (
            f"Its parts differ too much for a depth scale; squared gradients change by {ratio:.3g} between its ends.",
            "Nothing at this depth.",
        )
    return ("Nothing that second moments at initialisation can see.", "Nothing at this depth.")
