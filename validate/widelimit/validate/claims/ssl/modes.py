"""Claims about one mode: what is conserved, where it settles, how long it takes."""

from __future__ import annotations

from functools import partial

import numpy as np

from widelimit.theory import ssl as theory
from widelimit.theory.calculus.derivation import Derivation
from widelimit.validate.harness.claim import Interval
from widelimit.validate.harness.declare import altered, another, declare, presets, table, wrong
from widelimit.validate.simulate.ssl import measured, searched

PAPER = "arXiv:2102.06810"
SIZES = ((10, 20, 40), (20, 40, 80), (40, 80, 160))
STEP = "steps per unit of time"


def derivation(result: str) -> partial[Derivation]:
    """One group of results, whatever the inputs."""
    return partial(_derived, result)


def _derived(result: str, inputs: object) -> Derivation:
    return theory.derive(result)


def plans(points: object, sizes: object = SIZES, most: tuple[int, int, int] = (24, 48, 96)) -> dict:
    """Few replicates: networks differ little from one another."""
    return presets(points, sizes, pilot=(8, 8, 16), most=most, block=(8, 16, 32))  # type: ignore[arg-type]


INVARIANT = declare(
    "ssl.invariant",
    title="What learning forgets",
    statement="W W' - W_p' W_p/alpha_p decays at twice the weight decay for any data, any start and any target.",
    paper=f"{PAPER}, theorem 3 (sign mended: the text after equation 14 has the opposite of it)",
    domain={"weight_decay": Interval(0.0, 0.3, simplest=0.1), "predictor_rate": Interval(0.5, 3.0, simplest=1.0)},
    solver="ssl.trajectory",
    given={
        "t": measured.TIMES, "predictor": 0.0, "covariance": 1.0, "augmentation": 0.5,
    },
    rows={
        f"{name} at {time:g}": read
        for k, time in enumerate(measured.TIMES)
        for name, read in (("left", lambda found, k=k: found.invariant[k]), ("angle", 0.0))
    },
    simulate=measured.invariants,
    plans=plans(table("weight_decay predictor_rate", [(0.1, 2.0)], [(0.3, 0.7), (0.0, 1.0)]),
                ((40, 80, 160), (80, 160, 320), (160, 320, 640))),
    within=0.02,
    scale=np.ones_like,
    quantity="share of the invariant left; angle between what its two parts gained",
    observable="traces of matrices that do not commute",
    size_name=STEP,
    derivation=derivation("flow"),
    wrong=(
        wrong(
            "published sign", "W W' + W_p' W_p/alpha_p (text after equation 14): one gains what the other loses",
            lambda truth: np.where(np.arange(len(truth)) % 2 == 1, np.pi, truth),
        ),
        wrong("decay once", "exp(-eta t)", lambda truth: np.where(np.arange(len(truth)) % 2 == 0, truth**0.5, truth)),
    ),
)  # fmt: skip

FIXED_POINT = declare(
    "ssl.fixed-point",
    title="Where predictor and features settle",
    statement="p = [tau x + root(tau^2 x^2 - 4 eta c)]/(2 c), s = p^2/alpha_p, c = x + augmentation, from batches.",
    paper=f"{PAPER}, section 3.3",
    domain={"weight_decay": Interval(0.01, 0.1, simplest=0.04), "augmentation": Interval(0.2, 1.0, simplest=0.5),
            "predictor_rate": Interval(0.7, 2.0, simplest=1.0)},
    solver="ssl.fixed_points",
    rows={"p": "predictor", "s": "covariance"},
    simulate=measured.settled,
    plans=plans(table("weight_decay augmentation predictor_rate", [(0.04, 0.5, 1.0)], [(0.1, 0.3, 2.0)])),
    within=0.03,
    quantity="eigenvalues of predictor and covariance",
    observable="means over modes and time, batches of 64",
    size_name=STEP,
    valid=lambda weight_decay, augmentation: weight_decay * 4 * (1 + augmentation) < 0.7,
    wrong=(
        wrong("no augmentation", "c = 1", altered(augmentation=0.0)),
        wrong("no weight decay", "eta = 0", altered(weight_decay=0.0)),
    ),
)  # fmt: skip

COLLAPSE = declare(
    "ssl.collapse-threshold",
    title="The weight decay beyond which everything collapses",
    statement="Networks live up to a weight decay of tau^2/(4 c), whatever their start.",
    paper=f"{PAPER}, section 3.3",
    domain={
        "augmentation": Interval(0.2, 1.5, simplest=0.5),
        "target_scale": Interval(0.8, 1.2, simplest=1.0),
    },
    solver="ssl.fixed_points",
    given={"weight_decay": 0.0},
    rows="critical_weight_decay",
    simulate=searched.critical_decay,
    plans=plans(
        table("augmentation target_scale", [(0.5, 1.0)], [(1.2, 0.9)]), ((), (), ()), most=(16, 32, 64)
    ),
    within=0.01,
    quantity="critical weight decay",
    observable="a search by networks that start large",
    size_name="",
    wrong=(
        wrong("twice as much", "tau^2/(2 c)", lambda truth: 2 * truth),
        wrong("no augmentation", "c = 1", altered(augmentation=0.0)),
    ),
)

TIME = declare(
    "ssl.time-to-learn",
    title="How long learning takes",
    statement="On the parabola p' = -c p (p - p_-)(p - p_+), so that times are three logarithms.",
    paper=f"{PAPER}, equations 15-16, integrated",
    domain={"weight_decay": Interval(0.02, 0.06, simplest=0.04), "augmentation": Interval(0.3, 0.6, simplest=0.5),
            "start": Interval(0.08, 0.2, simplest=0.1), "stop": Interval(0.3, 0.45, simplest=0.4)},
    solver="ssl.passage_time",
    rows=lambda time: time,
    simulate=measured.passage,
    plans=plans(table("weight_decay augmentation start stop", [(0.04, 0.5, 0.05, 0.5)], [(0.06, 0.3, 0.1, 0.45)])),
    within=0.01,
    quantity="time from one predictor to another",
    observable="first passage of the mean eigenvalue",
    size_name=STEP,
    derivation=derivation("time"),
    wrong=wrong(
        "linearised", "the rate at p_- all the way",
        another("ssl.fixed_points", lambda found, inputs: np.log(
            (inputs["stop"] - found.predictor_unstable) / (inputs["start"] - found.predictor_unstable)
        ) / found.eigenvalues_unstable[0]),
    ),
)  # fmt: skip

BOTTLENECK = declare(
    "ssl.bottleneck",
    title="Collapse that waits",
    statement="Just above the critical decay training looks healthy for pi/(p_c root(c (eta - eta_c))).",
    paper=f"{PAPER}: new, from its equations 15-16",
    domain={"augmentation": Interval(0.3, 0.8, simplest=0.5)},
    solver="ssl.bottleneck_time",
    given={"weight_decay": lambda augmentation: 2 / (4 * (1 + augmentation))},  # in units of root(eta/eta_c - 1)
    rows={"time": lambda unit: unit, "ratio": 2.0},
    simulate=measured.waits,
    start=lambda inputs: {"critical": 1 / (4 * (1 + float(inputs["augmentation"])))},
    plans=plans(table("augmentation", [0.5], [0.3]), ((16, 32, 64), (16, 32, 64), (32, 64, 128))),
    within=0.04,
    quantity="time of collapse times root(eta/eta_c - 1); ratio of what two doublings of that root add",
    observable="from p = 0.6 to 0.1",
    size_name="root of eta_c over the excess",
    derivation=derivation("time"),
    wrong=wrong(
        "exponent -1", "a time proportional to 1/(eta/eta_c - 1)",
        lambda truth: np.array([truth[0], truth[1] ** 2]),
    ),
)  # fmt: skip

MODE_CLAIMS = (INVARIANT, FIXED_POINT, COLLAPSE, TIME, BOTTLENECK)
