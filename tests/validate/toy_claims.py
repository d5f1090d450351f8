"""Claims about averages, true and false by construction: cheap worlds in which a run's every verdict is known.

The system of size N has ``y = truth + bias / N + noise z / sqrt N``. A file of claims like this one is what
``--claims-from`` takes; workers load it by its path.
"""

import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np

from widelimit.validate.harness.claim import Choice, Claim, Counterfactual, Integers, Interval, Plan

SIZES = (50, 100, 200)
POINTS = ({"a": 1.0, "b": 2}, {"a": 2.0, "b": 3})
DOMAIN = {"a": Interval(0.5, 4.0), "b": Integers(1, 5)}


def truth(inputs):
    """Two numbers, both positive."""
    return np.array([inputs["a"] + inputs["b"], inputs["a"] * inputs["b"]])


def rows(inputs):
    return ({"which": "sum"}, {"which": "product"})


def shifted(inputs, by):
    return truth(inputs) * (1 + by)


def wrong_above(inputs, edge, by):
    """The truth for a <= edge, and off by a factor beyond."""
    return truth(inputs) * (1 + by * (inputs["a"] > edge))


def simulate(inputs, size, seeds, backend, noise=0.2, predict=truth):
    out = []
    for seed in seeds:
        z = np.random.default_rng(seed).standard_normal(2)
        scale = 1 / max(size, 1)
        out.append(predict(inputs) * (1 + 1.5 * scale * (size > 0) + noise * np.sqrt(scale) * z))
    return np.array(out)


def slow(inputs, size, seeds, backend, seconds):
    if calls := os.environ.get("TOY_CALLS"):
        with Path(calls).open("a") as file:
            file.write(".")
    time.sleep(
        float(os.environ.get("TOY_PAUSE", seconds))
    )  # a test that waits on another process asks for longer
    return simulate(inputs, size, seeds, backend)


def failing(inputs, size, seeds, backend):
    if inputs["a"] == 2.0:
        raise ZeroDivisionError("by design")
    return simulate(inputs, size, seeds, backend)


def not_a_number(inputs, size, seeds, backend):
    return np.full((len(seeds), 2), np.nan)


def exact(inputs, size, seeds, backend):
    return np.tile(truth(inputs) * (1 + 1e-13), (len(seeds), 1))


def dying_once(inputs, size, seeds, backend):
    """Kills its own worker, the first time that a cell gets this far."""
    mark = Path(os.environ["TOY_CLAIMS_MARK"])
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return simulate(inputs, size, seeds, backend)
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def always_dying(inputs, size, seeds, backend):
    os.kill(os.getpid(), signal.SIGKILL)


def asked(inputs):
    """The truth, unless the environment tells it to fail or to take its process with it."""
    if os.environ.get("TOY_ASKED") == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("TOY_ASKED") == "fail":
        raise ZeroDivisionError("by design")
    return truth(inputs)


def interrupted(inputs, size, seeds, backend):
    if size == SIZES[0]:
        raise KeyboardInterrupt
    return simulate(inputs, size, seeds, backend)


OFF = Counterfactual("ten per cent more", "every number is 10 % larger", partial(shifted, by=0.1))
SUBTLE = Counterfactual("a hair more", "every number is 0.01 % larger", partial(shifted, by=1e-4))


def claim(name, **changes):
    """The true claim, changed."""
    plan = Plan(POINTS, SIZES, pilot=8, most=64, block=8)
    standard = {
        "title": name,
        "statement": "means are what they are",
        "paper": "none",
        "domain": DOMAIN,
        "plans": {"quick": plan},
        "predict": truth,
        "simulate": simulate,
        "counterfactuals": (OFF,),
        "rows": rows,
        "margin": 0.03,
    }
    return Claim(id=f"toy.{name}", **(standard | changes))


CLAIMS = (
    claim("true"),
    claim("false", predict=partial(shifted, by=-0.1), counterfactuals=(OFF,)),
    claim("weak", counterfactuals=(OFF, SUBTLE)),
    claim(
        "exact",
        simulate=exact,
        margin=1e-12,
        plans={"quick": Plan(POINTS, (), pilot=1, most=1, block=1)},
        domain={"a": Choice((1.0, 2.0)), "b": Integers(1, 5)},
    ),
    claim("half-true", predict=partial(wrong_above, edge=2.0, by=0.1)),
    claim("slow", simulate=partial(slow, seconds=0.15)),
    claim("failing", simulate=failing),
    claim("nan", simulate=not_a_number),
    claim("dying-once", simulate=dying_once),
    claim("always-dying", simulate=always_dying),
    claim("asked", predict=asked),
    claim("interrupted", simulate=interrupted),
    claim("deep-only", plans={"deep": Plan(POINTS, SIZES)}),
)
