"""Kernels on spheres, smoothness of codes, eigenvalues from few stimuli (arXiv:1412.8690, 2009.14397)."""

from __future__ import annotations

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval
from widelimit.validate.harness.declare import declare, instead, row, table, wrong
from widelimit.validate.simulate.representation import functions as simulate
from widelimit.validate.simulate.representation.codes import few_stimuli

_DEGREES = [degree for degree, _ in simulate.BLOCKS]

KERNEL_EXPONENT = declare(
    "representation.kernel-exponent",
    title="Exponents of kernels on spheres",
    statement="Eigenvalues of the kernel of units max(0, w.x)^s fall by rank like n^-(1 + (2s + 1)/D).",
    paper="arXiv:1412.8690, appendix D; arXiv:2009.14397",
    domain={"power": Integers(0, 2), "manifold": Integers(2, 3)},
    solver="representation.kernel_spectrum",
    given={"degrees": 0, "dimension": lambda manifold: manifold + 1},
    rows="exponent",
    simulate=simulate.slope_of_energy,
    points=table("power manifold", [(1, 2), (0, 2)], [(2, 2), (1, 3)]),
    sizes=(24, 48, 96),
    within=0.06,
    noise=0.4,
    quantity="exponent of the energy by rank",
    observable="energy of a random network in spherical harmonics of degrees 12 to 48, per harmonic",
    wrong=wrong("edge of smoothness", "1 + 2/D, whatever the unit", instead("bound")),
)
NTK_SPECTRUM = declare(
    "representation.ntk-spectrum",
    title="Spectrum of the tangent kernel",
    statement=(
        "The tangent kernel of a ReLU layer on the sphere has the eigenvalues of the kernel plus those of u times the "
        "kernel of steps."
    ),
    paper="arXiv:2009.14397, section 3",
    domain={"kernel": Choice(("ntk", "nngp"))},
    solver="representation.kernel_spectrum",
    given={"degrees": tuple(_DEGREES), "dimension": 3},
    rows={"log eigenvalue": row(lambda found: np.log(found.eigenvalues), over={"degree": _DEGREES})},
    simulate=simulate.kernel_blocks,
    points=table("kernel", ["ntk"], ["nngp"]),
    sizes=(40, 80, 160),
    within=0.12,
    scale=lambda predicted: np.ones_like(predicted),
    noise=0.6,
    size_name="inputs",
    quantity="logarithm of the eigenvalue of a degree",
    observable="mean over the ranks that the degree fills, of a network's kernel on random inputs",
    wrong=wrong(
        "readout alone",
        "the spectrum of the kernel whose readout alone learns",
        lambda: np.log([0.375, 1 / 6, 0.0234375, 1 / 1536]),
        only=lambda kernel: kernel == "ntk",
    ),
)
SMOOTHNESS = declare(
    "representation.smoothness",
    title="Where a code becomes smooth",
    statement="The mean square gradient of a code grows with the number of modes like N^(1 + 2/D - alpha).",
    paper="Stringer et al., Nature 571, 361 (2019)",
    domain={"manifold": Integers(1, 2), "exponent": Interval(1.0, 4.0, simplest=2.0)},
    solver="representation.gradient_growth",
    given={"dimension": lambda manifold: manifold},
    rows=lambda found: found,
    simulate=simulate.octave_growth,
    points=table("manifold exponent", [(1, 2.5), (2, 2.2)], [(1, 3.2), (2, 1.6)]),
    sizes=(200, 400, 800),
    within=0.12,
    closer=2.5,
    scale=lambda predicted: np.ones_like(predicted),
    noise=4.0,
    size_name="modes",
    quantity="power of N",
    observable="log2 of the ratio of mean square gradients of two octaves of modes of a field on a torus",
    wrong=wrong("1 + 1/D", "gradients counted once", lambda truth, manifold: truth - 1 / manifold),
)
SAMPLING_BIAS = declare(
    "representation.sampling-bias",
    title="Eigenvalues from few stimuli",
    statement="Without noise sample eigenvalues are off by -(n/T)(pi/alpha) cot(pi/alpha), not at all at alpha = 2.",
    paper="new; second-order perturbation theory",
    domain={"exponent": Interval(1.8, 5.0, simplest=2.0), "share": Interval(0.05, 0.1, simplest=0.1)},
    solver="representation.sampling_bias",
    given={"rank": lambda share: share, "stimuli": 1.0},
    rows=lambda found: found,
    simulate=few_stimuli,
    points=table("exponent", [2.0, 3.0], [4.0], share=0.08),
    sizes=(50, 100, 200),
    within=0.025,
    scale=lambda predicted: np.ones_like(predicted),
    noise=0.6,
    size_name="stimuli",
    quantity="relative bias",
    observable="sample eigenvalues of ranks from a half to three halves of a share of the stimuli, over the true ones",
    wrong=wrong("n/T", "a bias of n/T at every exponent", lambda share: share),
)
CLAIMS = (KERNEL_EXPONENT, NTK_SPECTRUM, SMOOTHNESS, SAMPLING_BIAS)
