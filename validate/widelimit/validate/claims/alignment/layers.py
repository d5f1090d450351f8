"""One layer under local rules: feedback at rest, its noise, both sides moving, Kolen and Pollack's rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from widelimit.validate.claims.alignment import shared
from widelimit.validate.claims.alignment.shared import AKROUT, KUNIN
from widelimit.validate.harness.claim import Choice, Inputs, Integers, Interval
from widelimit.validate.harness.declare import altered, declare, instead, row, table, wrong
from widelimit.validate.simulate import alignment as simulate

_SHAPE: dict[str, Any] = {"fan_in": 6, "fan_out": 4, "spread": 0.6}
_SPREAD = Interval(0.0, 0.8, simplest=0.5)
_COEFFICIENTS = {
    "alpha": Interval(0.7, 1.5, simplest=1.0),
    "beta": Interval(0.5, 1.2, simplest=1.0),
    "gamma": Interval(0.1, 0.8, simplest=0.5),
}


def _fixed(inputs: Inputs, **more: Any) -> Any:
    """The solver at a point; `believed` is the spread of C that a theory believes in."""
    from widelimit.numerics import alignment

    w, _ = shared.of(inputs)
    believed = shared.moment({**inputs, "spread": inputs.get("believed", inputs["spread"])})
    given = {name: inputs[name] for name in ("alpha", "beta", "gamma")}
    return alignment.fixed_point(str(inputs["rule"]), w, covariance=believed, **given, **more)


def at_rest(inputs: Inputs) -> np.ndarray:
    """Components of B at rest along W^T and C W^T."""
    return shared.components(_fixed(inputs).backward, inputs)


_COMPONENTS = {"along W^T": lambda found: found[0], "along C W^T": lambda found: found[1]}
FIXED_POINT = declare(
    "alignment.fixed-point",
    title="Where local feedback comes to rest",
    statement="B comes to (b/a) W^T, (b/a) C W^T, (b/a) W^T and a C W^T (b W C W^T + g)^-1 under four local rules.",
    paper=f"{KUNIN}, section 3; {AKROUT}",
    domain={
        "rule": Choice(("information", "mirror", "activation", "symmetric")), "spread": _SPREAD, **_COEFFICIENTS,
    },
    solver=at_rest,
    rows=_COMPONENTS,
    simulate=simulate.resting,
    start=shared.start_along,
    points=table(
        "rule alpha beta gamma",
        [("information", 1.0, 0.8, 0.3), ("mirror", 1.2, 0.9, 0.3)],
        [("activation", 0.8, 1.0, 0.3), ("symmetric", 1.5, 1.0, 0.3), ("information", 1.4, 0.6, 0.7)],
        **_SHAPE, learning_rate=0.1, batch=16, steps=1200,
    ),
    within=0.02,
    noise=0.02,
    quantity="component of B",
    observable="mean of B over the second half of training by batches, along W^T and along C W^T",
    derivation=shared.derivation("fixed-point"),
    wrong=[
        wrong(
            "no factor of two",
            "coefficients of quadratic primitives as in the published code, which has no 1/2: they count twice",
            altered(
                alpha=lambda rule, alpha: 2 * alpha if rule != "information" else alpha,
                beta=lambda rule, beta: 2 * beta if rule == "information" else beta,
                gamma=lambda gamma: 2 * gamma,
            ),
        ),
        wrong("white inputs", "C dropped", altered(believed=0.0), only=lambda rule: rule in ("information", "mirror")),
    ],
)  # fmt: skip

DECODER = declare(
    "alignment.decoder",
    title="Information alignment decodes",
    statement="With alpha = beta B is the best linear guess of x from y = W x + noise of variance gamma/beta.",
    paper=f"{KUNIN} (its meaning is derived here)",
    domain={"spread": _SPREAD, "beta": _COEFFICIENTS["beta"], "gamma": _COEFFICIENTS["gamma"]},
    solver=lambda inputs: at_rest({**inputs, "rule": "information", "alpha": inputs["beta"]}),
    rows=_COMPONENTS,
    simulate=simulate.decoder,
    start=shared.start_along,
    points=table("beta gamma", [(1.0, 0.5)], [(0.7, 0.2), (1.0, 0.8)], **_SHAPE),
    sizes=(100, 200, 400),
    size_name="samples",
    within=0.02,
    noise=0.7,
    quantity="component of the decoder",
    observable="least squares of x on y over samples, along W^T and along C W^T",
    derivation=shared.derivation("fixed-point"),
    wrong=wrong("pseudo-inverse", "no noise to decode against", altered(gamma=0.0)),
)

NOISE_FLOOR = declare(
    "alignment.noise-floor",
    title="Noise of local feedback",
    statement="E|B - B*|^2 = eta^2 b^2 [tr W C^2 W^T + tr W C W^T tr C]/(K(1 - (1 - eta a)^2)) for the mirror; "
    "activation alignment has no floor; that of information alignment solves a closed set of second moments.",
    paper=f"{AKROUT}; {KUNIN} (formulas are derived here)",
    domain={"rule": Choice(("mirror", "information", "activation")), "spread": _SPREAD, **_COEFFICIENTS},
    solver=lambda inputs: _fixed(
        inputs, learning_rate=inputs["learning_rate"], batch=int(inputs["batch"])
    ),
    rows="floor",
    simulate=simulate.floor,
    start=shared.start,
    points=table(
        "rule alpha beta gamma",
        [("mirror", 1.0, 1.0, 0.3), ("activation", 1.0, 1.0, 0.3), ("information", 1.0, 0.8, 0.3)],
        [("mirror", 1.3, 0.8, 0.3), ("information", 1.2, 0.6, 0.6)],
        **_SHAPE, learning_rate=0.1, batch=8, steps=800,
    ),
    within=0.03,
    noise=0.1,
    scale=0.05,
    quantity="E|B - B*|^2",
    observable="from two feedbacks with batches of their own, over the second half of training",
    derivation=shared.derivation("noise"),
    wrong=[
        wrong("white inputs", "the formula of white inputs", altered(believed=0.0), only=lambda rule: rule == "mirror"),
        wrong(
            "additive floor",
            "the mirror's noise for activation alignment",
            altered(rule="mirror"),
            only=lambda rule: rule == "activation",
        ),
        wrong(
            "additive noise only",
            "the mirror's noise for information alignment",
            altered(rule="mirror"),
            only=lambda rule: rule == "information",
        ),
    ],
)  # fmt: skip


def _begin(inputs: Inputs) -> dict[str, Any]:
    """Weights and a feedback that is not their transpose."""
    made = shared.start(inputs)
    return {**made, "feedback": 0.7 * shared.layer(int(inputs["fan_out"]), int(inputs["fan_in"]), 0.0)[0]}


INVARIANT = declare(
    "alignment.invariant",
    title="What both sides keep",
    statement="W W^T - B^T B falls as exp(-2 kappa t) while W and B move, for inputs and batches of any kind.",
    paper=f"{KUNIN} (derived here)",
    domain={"rule": Choice(("information", "mirror", "symmetric")), "spread": _SPREAD, **_COEFFICIENTS},
    solver="alignment.invariant",
    given={"t": lambda time: time},
    rows=lambda left: left,
    simulate=simulate.left_over,
    start=_begin,
    points=table(
        "rule alpha beta gamma",
        [("information", 1.0, 0.8, 0.4), ("mirror", 0.8, 0.6, 0.1)],
        [("symmetric", 0.6, 0.7, 0.1), ("information", 1.3, 1.0, 0.7)],
        **_SHAPE, time=1.0, batch=16,
    ),
    sizes=(20, 40, 80),
    size_name="steps a unit of time",
    within=0.02,
    noise=0.05,
    quantity="what is left of W W^T - B^T B at time 1",
    observable="its component along what it was",
    derivation=shared.derivation("coupled"),
    wrong=wrong("half as fast", "decay exp(-kappa t)", lambda truth: truth**0.5),
)  # fmt: skip


def _values(inputs: Inputs) -> np.ndarray:
    """Singular values of W after some time, largest first."""
    from widelimit.numerics import alignment

    begun = np.linalg.svd(shared.of(inputs)[0], compute_uv=False)
    given = {name: inputs[name] for name in ("alpha", "beta", "gamma")}
    return np.asarray(alignment.coupled(str(inputs["rule"]), begun, inputs["time"], **given))


ISOMETRY = declare(
    "alignment.isometry",
    title="Weights become an isometry",
    statement="Where both sides move under information alignment, singular values come to sqrt((alpha - gamma)/beta).",
    paper=f"{KUNIN} (derived here)",
    domain={"alpha": Interval(0.9, 1.5), "beta": _COEFFICIENTS["beta"], "gamma": Interval(0.1, 0.6)},
    solver=_values,
    rows={"s": row(lambda found: found, over={"number": "fan_out"})},
    simulate=simulate.singular_values,
    start=shared.start,
    points=table(
        "alpha beta gamma",
        [(1.0, 0.5, 0.5)],
        [(1.3, 0.8, 0.3), (1.0, 1.0, 0.6)],
        rule="information", fan_in=6, fan_out=4, spread=0.0, time=2.0, batch=32,
    ),
    sizes=(20, 40, 80),
    size_name="steps a unit of time",
    within=0.03,
    noise=0.5,
    quantity="singular value of W",
    observable="singular values of trained weights",
    derivation=shared.derivation("coupled"),
    wrong=wrong("no decay", "gamma dropped", altered(gamma=0.0)),
)  # fmt: skip

KOLEN_POLLACK = declare(
    "alignment.kolen-pollack",
    title="Kolen and Pollack's rule with noise",
    statement="cos(t) = k/(k + a^(2t) v_0), k = eta^2 sigma_g^2 (1 - a^(2t))/(1 - a^2), with noise of sd sigma_g.",
    paper=f"{AKROUT} (the noise is derived here)",
    domain={
        "learning_rate": Interval(0.05, 0.2, simplest=0.1), "decay": Interval(0.2, 1.0, simplest=0.5),
        "noise": Interval(0.5, 2.0, simplest=1.0), "initial": Interval(0.05, 0.5, simplest=0.1),
        "steps": Integers(8, 40),
    },
    solver="alignment.kolen_pollack",
    given={"steps": lambda steps: (steps // 4, steps)},
    rows={"early": lambda found: found[0], "late": lambda found: found[1]},
    simulate=simulate.pollack,
    points=table(
        "learning_rate decay noise initial steps",
        [(0.1, 0.5, 1.0, 0.1, 20)],
        [(0.2, 0.2, 0.5, 0.05, 12), (0.1, 1.0, 1.5, 0.3, 40)],
    ),
    sizes=(200, 400, 800),
    size_name="entries",
    within=0.02,
    noise=1.0,
    scale=1.0,
    quantity="cosine of B and W^T",
    observable="of drawn entries that take the same noisy steps",
    derivation=shared.derivation("signals"),
    wrong=[
        wrong("no noise", "decay alone: nothing in common", altered(noise=0.0)),
        wrong(
            "difference alone",
            "1 - a^t, how far the difference of W and B^T has decayed",
            instead(
                {
                    "early": lambda found, learning_rate, decay, steps: 1 - (1 - learning_rate * decay) ** (steps // 4),
                    "late": lambda found, learning_rate, decay, steps: 1 - (1 - learning_rate * decay) ** steps,
                }
            ),
        ),
    ],
)  # fmt: skip

CLAIMS = (FIXED_POINT, DECODER, NOISE_FLOOR, INVARIANT, ISOMETRY, KOLEN_POLLACK)
