"""Random recurrent networks as falsifiable claims (10.1103/PhysRevLett.61.259, arXiv:2006.02427)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from widelimit.validate.harness.claim import Interval, Plan
from widelimit.validate.harness.declare import declare, spend, table, wrong
from widelimit.validate.simulate.dynamics import random as simulate

_SHARES = np.array([0.25, 0.5, 0.75])
_DISORDER = Interval(1.5, 5.0, simplest=2.0)


def _stepping(g: float, noise: float = 0.0) -> Any:
    from widelimit.numerics.dynamics import random_network

    return random_network(g, time="step", noise=noise)


def _covariance(inputs: Any, which: int) -> float:
    from widelimit.numerics.dynamics import euler

    found = euler(float(inputs["g"]), step=float(inputs["step"]))
    lag = round(4 / float(inputs["step"]))
    return float((found[0], found[lag] / found[0])[which])


def _newman(g: float) -> np.ndarray:
    return _stepping(g).lyapunov + 0.5 * np.log(_SHARES)


def _newman_dimension() -> float:
    """Newman's law shifted so that its largest exponent is right fills all dimensions, or fewer by its mean."""
    return 1.0


def _newman_entropy(g: float) -> float:
    top = _stepping(g).lyapunov  # the integral of top + log(t)/2 where it is positive
    low = math.exp(-2 * top)
    return top * (1 - low) + 0.5 * (-1 - (low * math.log(low) - low))


def _static(g: float) -> float:
    return _stepping(g).variance


AUTOCORRELATION = declare(
    "dynamics.autocorrelation",
    title="Autocovariance of a random network",
    statement="Delta'' = Delta - g^2 C(Delta); here its form for Euler's steps, which is what is simulated.",
    paper="10.1103/PhysRevLett.61.259; arXiv:1603.01880; finite steps new",
    domain={"g": _DISORDER, "step": Interval(0.05, 0.5, simplest=0.2)},
    rows={
        "variance": lambda inputs: _covariance(inputs, 0),
        "correlation after four units of time": lambda inputs: _covariance(inputs, 1),
    },
    simulate=simulate.covariances,
    points=table("g step", [(3.0, 0.5)], [(2.0, 0.2)]),
    sizes=(40, 80, 160),
    within=0.09,
    closer=1.8,
    noise=1.3,
    scale=1.0,
    size_name="units",
    quantity="variance of x, correlation",
    observable="four tanh networks from time 20 to 50",
    wrong=wrong(
        "static",
        "states that stay: Delta_0 = g^2 E phi^2, correlated for ever",
        lambda g: np.array([_static(g), 1.0]),
    ),
)


def _flowing(g: float) -> float:
    from widelimit.numerics.dynamics import random_network

    return random_network(g).lyapunov


LYAPUNOV = declare(
    "dynamics.lyapunov",
    title="Lyapunov exponent of a random network",
    statement="lambda = -1 + sqrt(1 - E_0), E_0 the lowest level of -d^2/dtau^2 + 1 - g^2 C'(Delta(tau)).",
    paper="10.1103/PhysRevLett.61.259",
    domain={"g": Interval(2.5, 6.0, simplest=5.0)},
    rows=_flowing,
    simulate=simulate.separation,
    plans={
        "reference": Plan(({"g": 5.0}, {"g": 3.0}), (150, 300, 600), pilot=16, most=36, block=4, within=0.08),
        "deep": Plan(({"g": 5.0}, {"g": 3.0}), (300, 600, 1200), pilot=16, most=36, block=4, within=0.08),
    },
    within=0.18,
    size_name="units",
    quantity="largest exponent per unit of time",
    observable="a small difference along two tanh networks, times 30 to 50",
    notes="The distance of finite networks from the limit is about 20/N at g = 5 and 12/N at 3 (measured, not "
    "derived), a third of the limit at 150 units, so that there is no quick look. Euler's steps of 1/5 lower the "
    "exponent by 6 and 3 %.",
    wrong=(
        wrong("static", "the Jacobian of a state that stays", lambda g: math.expm1(_stepping(g).lyapunov)),
        wrong("radius", "the exponent g - 1 of the resting network", lambda g: g - 1),
    ),
)


def _by_qr(within: float, noise: float, target: float) -> dict[str, Any]:
    """Margin and plans: networks of 32 units are too small for a law in 1/N, which only a quick look has to take."""
    points = table("g", [3.0], [2.0])
    plans: dict[Any, Plan] = spend(points, (16, 32, 64), within=within, noise=noise)
    for preset, most in (("reference", 40), ("deep", 80)):
        plans[preset] = Plan(points.of(preset), (64, 128, 256), 16, most, 8, within=target)
    return {"within": within, "plans": plans}


_QR: dict[str, Any] = {
    "domain": {"g": _DISORDER},
    "size_name": "units",
    "observable": "QR along 80 steps of a tanh network with tied weights",
    "paper": "arXiv:2006.02427; closed form new",
}
SPECTRUM = declare(
    "dynamics.lyapunov-spectrum",
    title="All Lyapunov exponents of a random network",
    statement="lambda(t) = log(g^2 (t - 1) zeta)/2 with E d/(zeta - d) = t - 1, d = phi'^2.",
    rows=lambda g: _stepping(g).spectrum(_SHARES),
    over={"share": [0.25, 0.5, 0.75]},
    simulate=simulate.spectrum,
    scale=1.0,
    quantity="exponent above a share of all, per step",
    wrong=wrong("Newman's law", "slopes replaced by their mean square", _newman),
    **_by_qr(0.15, 1.0, 0.05),
    **_QR,
)
DIMENSION = declare(
    "dynamics.dimension",
    title="Dimension of chaos",
    statement="Kaplan and Yorke's dimension is 1 - a of all dimensions, where lambda integrates to zero above a.",
    rows=lambda g: _stepping(g).dimension,
    simulate=simulate.dimension,
    quantity="dimension over the number of units",
    wrong=wrong("Newman's law", "the spread of slopes dropped", _newman_dimension),
    **_by_qr(0.15, 1.5, 0.06),
    **_QR,
)
ENTROPY = declare(
    "dynamics.entropy",
    title="Entropy rate of chaos",
    statement="The entropy rate over N is the integral of the positive part of lambda.",
    rows=lambda g: _stepping(g).entropy,
    simulate=simulate.entropy,
    quantity="sum of positive exponents over the number of units",
    wrong=wrong("Newman's law", "the spread of slopes dropped", _newman_entropy),
    **_by_qr(0.3, 2.5, 0.1),
    **_QR,
)
SUPPRESSION = declare(
    "dynamics.noise-suppression",
    title="Noise suppresses chaos",
    statement="log(g^2 E phi'^2)/2 is taken at the variance that noise adds to, and turns negative.",
    paper="arXiv:1603.01880",
    domain={"g": _DISORDER, "noise": Interval(0.1, 2.0, simplest=1.0)},
    rows=lambda g, noise: _stepping(g, noise).lyapunov,
    simulate=simulate.growth,
    points=table("g noise", [(2.0, 1.279045442455769)], [(2.0, 0.9), (1.5, 0.6)]),
    sizes=(20, 40, 80),
    within=0.25,
    noise=0.8,
    scale=0.15,
    size_name="units",
    quantity="largest exponent per step",
    observable="a small difference along 160 steps of four tanh networks",
    wrong=wrong("g = 1 whatever the noise", "the exponent without noise", lambda g: _stepping(g).lyapunov),
)
RANK_ONE = declare(
    "dynamics.rank-one",
    title="Fixed points of rank one",
    statement="Beyond sigma_mn = 1 two fixed points have sigma_mn E phi'(kappa z) = 1.",
    paper="arXiv:1711.09672",
    domain={"overlap": Interval(1.2, 3.0, simplest=2.0), "free": Interval(0.5, 2.0, simplest=1.0)},
    solver="dynamics.rank_one",
    rows="kappa",
    simulate=simulate.settled,
    points=table("overlap free", [(2.0, 1.0)], [(1.5, 2.0)]),
    sizes=(100, 200, 400),
    within=0.05,
    noise=1.0,
    size_name="units",
    quantity="standard deviation of x",
    observable="400 Euler steps of a tanh network whose overlap is exact",
    wrong=wrong(
        "|m||n|",
        "the product of lengths in place of the overlap",
        lambda overlap, free: _kappa(math.hypot(overlap, free)),
    ),
)


def _kappa(overlap: float) -> float:
    from widelimit.numerics.dynamics import rank_one

    return rank_one(overlap).kappa


CLAIMS = (AUTOCORRELATION, LYAPUNOV, SPECTRUM, DIMENSION, ENTROPY, SUPPRESSION, RANK_ONE)
