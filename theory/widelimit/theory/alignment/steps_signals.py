"""Steps to the fed-back signal through layers, to Kolen and Pollack's rule with noise, to estimated weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import mpmath
from sympy import Eq, Symbol

from widelimit.theory.alignment import signals as forms
from widelimit.theory.alignment.noise import STEP
from widelimit.theory.alignment.signals import (
    ABOVE,
    DECAY,
    ERROR,
    INITIAL,
    LAYER,
    NOISE,
    SPREAD,
    STEPS,
    UNITS,
    VARIANCE,
)
from widelimit.theory.calculus.derivation import Step
from widelimit.theory.calculus.ensembles import over_gaussian, over_signs
from widelimit.theory.calculus.precision import Values, numbers

_SLOW = {STEP: (0.05, 0.4), DECAY: (0.1, 1.0), NOISE: (0.3, 2.0), INITIAL: (0.1, 2.0), STEPS: (1, 8)}
_FAST = {**_SLOW, STEP: (0.5, 0.9), DECAY: (1.6, 2.0)}


def signals() -> list[Step]:
    """Cosines of what comes down through layers, and of weights with errors."""
    return [
        Step(
            "below",
            Eq(Symbol("k'"), forms.below(), evaluate=False),
            "given the signals above, the two signals below are jointly Gaussian; a rectifier's mask is shared and "
            "drops out; the check sums over all signs of the weights, their errors and the mask",
            domain={LAYER: (0.2, 0.95), ABOVE: (0.2, 0.95)},
            left=_below,
        ),
        Step(
            "scatter",
            Eq(Symbol("V'"), forms.scatter_below(), evaluate=False),
            "a cosine over N units is a correlation of as many samples; the check takes the covariance of its sums by "
            "quadrature, and the slope of the cosine below by that above by differences",
            domain={LAYER: (0.2, 0.95), ABOVE: (0.2, 0.95), VARIANCE: (0.01, 0.1), UNITS: (50, 500)},
            left=_scatter,
        ),
        *(_pollack(name, domain) for name, domain in (("slow", _SLOW), ("fast", _FAST))),
        Step(
            "without-decay",
            Eq(Symbol("k"), forms.common().subs(DECAY, 0), evaluate=False),
            "nothing is forgotten: the variances of all steps add",
            domain={one: at for one, at in _SLOW.items() if one != DECAY},
            left=partial(_recursion, "common", decays=False),
        ),
        Step(
            "remembered",
            Eq(Symbol("a^(2t)"), forms.remembered(), evaluate=False),
            "every step keeps the same share",
            domain=_SLOW,
            left=partial(_recursion, "remembered"),
        ),
        Step(
            "kolen-pollack",
            Eq(Symbol("cos"), forms.kolen_pollack_cosine(), evaluate=False),
            "what W and B^T have in common over what each of them is",
            source="kolen1994backpropagation; akrout2019deep",
            domain=_SLOW,
            left=partial(_recursion, "cos"),
        ),
        Step(
            "estimated",
            Eq(Symbol("cos"), forms.estimated_cosine(), evaluate=False),
            "an error adds to the length of the estimate, and nothing to the overlap",
            domain={ERROR: (0.2, 2.0), SPREAD: (0.3, 2.0)},
            left=_estimated,
        ),
    ]


def _pollack(name: str, domain: dict[Any, tuple[float, float]]) -> Step:
    return Step(
        f"common-{name}",
        Eq(Symbol("k"), forms.common(), evaluate=False),
        "both take the same steps, of variance eta^2 sigma_g^2, and decay; the check adds step by step",
        source="kolen1994backpropagation",
        domain=domain,
        left=partial(_recursion, "common"),
    )


def _recursion(which: str, values: Values, dps: int, *, decays: bool = True) -> Any:
    """Variance in common, share of the initial variance, or cosine after t steps of W' = (1 - eta lambda) W + noise."""
    step, noise, initial = numbers(values, dps, STEP, NOISE, INITIAL)
    keeps = 1 - step * numbers(values, dps, DECAY)[0] if decays else mpmath.mpf(1)
    common, own = mpmath.mpf(0), initial
    for _ in range(int(values[STEPS])):
        common, own = keeps**2 * common + (step * noise) ** 2, keeps**2 * own
    if which == "cos":
        return common / (common + own)
    return common if which == "common" else own / initial


def _below(values: Values, dps: int) -> Any:
    """Cosine of masked W^T d and B k d' over all signs, for unit vectors d, d' of cosine k in a plane."""
    layer, above = numbers(values, dps, LAYER, ABOVE)
    true, fed = (mpmath.mpf(1), mpmath.mpf(0)), (above, mpmath.sqrt(1 - above**2))
    apart = mpmath.sqrt(1 - layer**2)

    def moment(of: Any) -> Any:
        def one(s: tuple[int, ...]) -> Any:
            w = s[:2]
            b = [layer * w[k] + apart * s[2 + k] for k in range(2)]
            mask = (s[4] + 1) // 2
            u = mask * mpmath.fsum(x * y for x, y in zip(w, true, strict=True))
            v = mask * mpmath.fsum(x * y for x, y in zip(b, fed, strict=True))
            return of(u, v)

        return over_signs(one, 5)

    both = moment(lambda u, v: u * v)
    return both / mpmath.sqrt(moment(lambda u, v: u * u) * moment(lambda u, v: v * v))


def _scatter(values: Values, dps: int) -> Any:
    """Variance of S_uv/sqrt(S_uu S_vv) over N pairs of Gaussian units, to first order in 1/N and in the noise above."""
    above, before, units = numbers(values, dps, ABOVE, VARIANCE, UNITS)

    def cosine(k: Any) -> Any:
        return _below({LAYER: values[LAYER], ABOVE: k}, dps)

    rho, step = cosine(values[ABOVE]), mpmath.mpf(1) / 16
    slope = (cosine(above + step) - cosine(above - step)) / (2 * step)

    def linear(u: Any, v: Any) -> Any:  # in the sums of u v, u^2 and v^2, whose means are rho, 1 and 1
        return u * v - rho / 2 * (u * u + v * v)

    spread = over_gaussian(lambda u, v: linear(u, v) ** 2, [[1, rho], [rho, 1]], 4)
    return slope**2 * before + spread / units


def _estimated(values: Values, dps: int) -> Any:
    error, spread = numbers(values, dps, ERROR, SPREAD)

    def moment(of: Any) -> Any:
        return over_signs(lambda s: of(spread * s[0], spread * s[0] + error * s[1]), 2)

    both = moment(lambda w, b: w * b)
    return both / mpmath.sqrt(moment(lambda w, b: w * w) * moment(lambda w, b: b * b))
