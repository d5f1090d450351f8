"""Networks that are compositions of several kinds of layers, whose kernels are claimed in `kernel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.theory import architecture as arch
from widelimit.validate.harness.claim import Choice, Plan, Preset
from widelimit.validate.harness.declare import another, declare, presets, table, wrong
from widelimit.validate.simulate import architecture as simulate

if TYPE_CHECKING:
    from widelimit.numerics.kernel import Kernels
    from widelimit.theory.calculus.derivation import Derivation


def _kernels(network: str, architecture: arch.Architecture | None = None) -> Kernels:
    """Both kernels of both inputs: of the network, or of another one of its shape."""
    from widelimit.numerics.architecture import kernels

    return kernels(architecture or simulate.ARCHITECTURES[network](), simulate.points(network))


def _plain() -> arch.Architecture:
    block = (arch.Act.of("relu"), arch.Dense(1.2, 0.3))
    return arch.Architecture(
        (arch.Dense(1.3, 0.2), *block, *block, arch.Act.of("relu"), arch.Dense(1.2, 0.1))
    )


def _other_padding(network: str) -> arch.Architecture:
    return simulate.convolutional("circular" if network == "zeros" else "zeros", False)


def _largest_of_each(predicted: np.ndarray) -> np.ndarray:
    """Errors are judged against the largest entry of each kernel."""
    return np.repeat([np.abs(predicted[:3]).max(), np.abs(predicted[3:]).max()], 3)


def _plans(
    quick: list[str], further: list[str], sizes: tuple[int, ...], target: float, closer: float
) -> dict[Preset, Plan]:
    """`target`: how close quick runs look; `closer`: reference runs."""
    larger = [tuple(factor * size for size in sizes) for factor in (1, 2, 4)]
    points = table("network", quick, further)
    aims = (target, closer, target / 2)
    return presets(
        points, larger, pilot=(16, 32, 32), most=(512, 8192, 1024), block=(32, 32, 32), within=aims
    )


def _rules(network: str) -> Derivation:
    """Rules of the layers between weights and activations; the networks' activations are tanh, or ReLU in images."""
    return arch.derive("relu" if network == "image" or "residual" in network else "tanh")


_KERNELS: dict[str, Any] = {
    "solver": _kernels,
    "rows": {
        "nngp": lambda found: found.nngp[simulate.UPPER],
        "ntk": lambda found: found.ntk[simulate.UPPER],
    },
    "named": "kernel",
    "over": {"pair": ("1-1", "1-2", "2-2")},
    "simulate": simulate.both_kernels,
    "scale": _largest_of_each,
    "derivation": _rules,
    "observable": "last layer's covariance and product of gradients of torch modules",
}
CONV = declare(
    "kernel.conv",
    title="Kernels of convolutional networks",
    statement="NNGP and tangent kernel of convolutions, flattened or pooled, follow the recursion over positions.",
    paper="arXiv:1806.05393; arXiv:1810.05148",
    domain={"network": Choice(("circular", "zeros", "pooled", "image"))},
    plans=_plans(["zeros"], ["circular", "pooled", "image"], (32, 64, 128), 0.05, closer=0.0175),
    within=0.08,
    size_name="channels",
    quantity="K and Theta of pairs of signals",
    wrong=wrong(
        "other padding",
        "circular for zero padding, and the reverse",
        another(_kernels, architecture=_other_padding),
        only=lambda network: network in ("zeros", "circular"),
        beyond=1.0,
    ),
    **_KERNELS,
)
RESIDUAL = declare(
    "kernel.residual",
    title="Kernels of residual networks",
    statement="Kernels of shortcut and branch add.",
    paper="arXiv:1712.08969; arXiv:1806.07572",
    domain={"network": Choice(("residual", "pre-norm residual"))},
    plans=_plans(["residual"], ["pre-norm residual"], (48, 96, 192), 0.1, closer=0.021),
    within=0.12,
    quantity="K and Theta of pairs of inputs",
    wrong=wrong("no shortcut", "the same layers without shortcuts", another(_kernels, architecture=_plain)),
    **_KERNELS,
)
CLAIMS = (CONV, RESIDUAL)
