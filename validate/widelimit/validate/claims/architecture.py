"""Networks that are compositions of several kinds of layers, whose kernels are claimed in `kernel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from widelimit.theory import architecture as arch
from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Inputs, Plan
from widelimit.validate.simulate import architecture as simulate
from widelimit.validate.simulate.kernel import data

if TYPE_CHECKING:
    from widelimit.validate.harness.backend import Backend


def _plain() -> arch.Architecture:
    block = (arch.Act.of("relu"), arch.Dense(1.2, 0.3))
    return arch.Architecture(
        (arch.Dense(1.3, 0.2), *block, *block, arch.Act.of("relu"), arch.Dense(1.2, 0.1))
    )


_SHAPES = {"circular": (2, 5), "zeros": (2, 5), "pooled": (2, 5), "image": (2, 4, 3), "recurrent": (4, 5)}
_UPPER = np.triu_indices(2)


def points(name: str) -> np.ndarray:
    """Two fixed inputs of the network's shape."""
    shape = _SHAPES.get(name, (6,))
    return data(2, int(np.prod(shape)), seed=5).reshape(2, *shape)


def _theory(architecture: arch.Architecture, name: str) -> np.ndarray:
    from widelimit.numerics.architecture import kernels

    got = kernels(architecture, points(name))
    return np.concatenate([got.nngp[_UPPER], got.ntk[_UPPER]])


def predict(inputs: Inputs) -> np.ndarray:
    """Both kernels of both inputs."""
    name = str(inputs["network"])
    return _theory(simulate.ARCHITECTURES[name](), name)


def rows(inputs: Inputs) -> Sequence[Inputs]:
    """Kernel and pair."""
    return tuple({"kernel": k, "pair": p} for k in ("nngp", "ntk") for p in ("1-1", "1-2", "2-2"))


def measured(inputs: Inputs, size: int, seeds: Sequence[int], backend: Backend) -> np.ndarray:
    """Both kernels of drawn torch modules."""
    name = str(inputs["network"])
    x = points(name)
    pairs = [simulate.architecture_kernels(name, x, size, seed, backend) for seed in seeds]
    return np.array([np.concatenate([k[_UPPER], t[_UPPER]]) for k, t in pairs])


def scale(predicted: np.ndarray) -> np.ndarray:
    """Errors are judged against the largest entry of each kernel."""
    return np.repeat([np.abs(predicted[:3]).max(), np.abs(predicted[3:]).max()], 3)


def _other_padding(inputs: Inputs) -> np.ndarray:
    name = str(inputs["network"])
    return _theory(simulate.convolutional("circular" if name == "zeros" else "zeros", False), name)


def _has_other_padding(inputs: Inputs) -> bool:
    return inputs["network"] in ("zeros", "circular")


def _without_shortcut(inputs: Inputs) -> np.ndarray:
    return _theory(_plain(), "residual")


def _is_residual(inputs: Inputs) -> bool:
    return "residual" in str(inputs["network"])


def _plans(quick: tuple[str, ...], more: tuple[str, ...], sizes: tuple[int, ...]) -> dict:
    some, everything = (tuple({"network": name} for name in names) for names in (quick, quick + more))
    return {
        "quick": Plan(some, sizes, pilot=16, most=256, block=32),
        "reference": Plan(everything, tuple(2 * s for s in sizes), pilot=32, most=384, block=32),
        "deep": Plan(everything, tuple(4 * s for s in sizes), pilot=32, most=512, block=32),
    }


CONV = Claim(
    id="kernel.conv",
    title="Kernels of convolutional networks",
    statement="NNGP and tangent kernel of convolutions, flattened or pooled, follow the recursion over positions.",
    paper="arXiv:1806.05393; arXiv:1810.05148",
    domain={"network": Choice(("circular", "zeros", "pooled", "image"))},
    plans=_plans(("zeros",), ("circular", "pooled", "image"), (32, 64, 128)),
    predict=predict,
    simulate=measured,
    rows=rows,
    margin=0.08,
    scale=scale,
    size_name="channels",
    quantity="K and Theta of pairs of signals",
    observable="last layer's covariance and product of gradients of torch modules",
    counterfactuals=(
        Counterfactual(
            "other padding", "circular for zero padding, and the reverse", _other_padding, _has_other_padding
        ),
    ),
)
RESIDUAL = Claim(
    id="kernel.residual",
    title="Kernels of residual networks",
    statement="Kernels of shortcut and branch add.",
    paper="arXiv:1712.08969; arXiv:1806.07572",
    domain={"network": Choice(("residual", "pre-norm residual"))},
    plans=_plans(("residual",), ("pre-norm residual",), (48, 96, 192)),
    predict=predict,
    simulate=measured,
    rows=rows,
    margin=0.12,
    scale=scale,
    quantity="K and Theta of pairs of inputs",
    observable="last layer's covariance and product of gradients of torch modules",
    counterfactuals=(
        Counterfactual("no shortcut", "the same layers without shortcuts", _without_shortcut, _is_residual),
    ),
)

CLAIMS = (CONV, RESIDUAL)
