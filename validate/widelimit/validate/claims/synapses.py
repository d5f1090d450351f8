"""Synaptic intelligence and forgetting as falsifiable claims (arXiv:1703.04200, 2006.06357)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.validate.harness.claim import Choice, Integers, Interval, Plan
from widelimit.validate.harness.declare import another, declare, row, table, wrong
from widelimit.validate.report.gallery import GalleryFigure
from widelimit.validate.simulate import synapses as simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = Mapping[str, np.ndarray]

PAPER = "arXiv:1703.04200"
_EXACT = 1e-9
_MATRIX: dict[str, Any] = {"parameters": Integers(2, 8), "least": Interval(0.1, 0.8, simplest=0.3)}


def _backend() -> Any:
    from widelimit.validate.harness.backend import Backend

    return Backend()


def _importance(inputs: Any, **changed: float) -> Any:
    from widelimit.numerics.synapses import importance

    options = {
        "learning_rate": float(inputs["learning_rate"]),
        "momentum": float(inputs.get("momentum", 0.0)),
    }
    hessian, start = simulate.curvature(inputs, _backend()), simulate.start(inputs, _backend())
    return importance(hessian.numpy(), start.numpy(), damping=1.0, **(options | changed))


def _path(inputs: Any) -> Any:
    return _importance(inputs)


def _flow(inputs: Any) -> Any:
    return _importance(inputs, learning_rate=0.0, momentum=0.0)


def _effective(inputs: Any) -> Any:
    """The rate eta / (1 - b) put into the formula without momentum."""
    rate = float(inputs["learning_rate"]) / (1 - float(inputs["momentum"]))
    return _importance(inputs, learning_rate=min(rate, 1.99), momentum=0.0)


def _tail(inputs: Any) -> Any:
    from widelimit.numerics.synapses import importance_tail

    return importance_tail(simulate.curvature(inputs, _backend()).numpy(), 0)


def _noisy(curvature: float, learning_rate: float, noise: float, steps: int) -> float:
    from widelimit.numerics.synapses import noisy_path_integral

    return float(noisy_path_integral(curvature, 1.0, learning_rate=learning_rate, noise=noise, steps=steps))


def _adam(noise: float, learning_rate: float, beta_1: float) -> float:
    from widelimit.numerics.synapses import adam_noise_rate

    return float(adam_noise_rate(noise, learning_rate=learning_rate, beta_1=beta_1))


def _two(inputs: Any, factor: float = 1.0) -> Any:
    from widelimit.numerics.synapses import two_tasks

    first = simulate.curvature(inputs, _backend()).numpy()
    one = simulate.start(inputs, _backend()).numpy()
    second, strength = first[::-1, ::-1].copy(), factor * float(inputs["strength"])
    return two_tasks(first, one, second, 0 * one, importance=np.diag(first).copy(), strength=strength)


def _halved(inputs: Any) -> Any:
    return _two(inputs, 0.5)


def _shared(result: Any) -> np.ndarray:
    """The joint optimum's total, shared as the diagonal penalty shares its own."""
    factor = result.joint_total / result.total
    return np.array([result.forgetting * factor, result.new_loss * factor, result.joint_total])


def _isotropic(strength: float, truth: np.ndarray) -> np.ndarray:
    pull = 1 / (1 + strength)
    return np.array([pull**2 / 2, (1 - pull) ** 2 / 2, truth[2]])


PATH = declare(
    "synapses.path-integral",
    title="Path integrals in closed form",
    statement="omega_k = sum_ab V_ka V_kb l_a l_b d_a d_b / (l_a + l_b - eta l_a l_b) for gradient descent to rest.",
    paper=f"{PAPER}, eq. (3); finite steps new",
    domain={**_MATRIX, "learning_rate": Interval(0.1, 1.5, simplest=0.5)},
    solver=_path,
    rows="path_integral",
    over={"parameter": "parameters"},
    simulate=simulate.descent,
    points=table("parameters least learning_rate", [(4, 0.3, 1.0)], [(8, 0.2, 1.4)]),
    within=_EXACT,
    noise=1e-12,
    scale=1.0,
    quantity="omega of each parameter",
    observable="minus the sum of gradient times step",
    wrong=wrong("flow", "the gradient flow's formula at a finite learning rate", another(_flow)),
)
ENERGY = declare(
    "synapses.energy",
    title="Path integrals count too much",
    statement="sum omega = E(0) - E(T) + sum Delta'H Delta / 2, for any optimiser on a quadratic loss.",
    paper="new (telescoping sum)",
    domain={
        **_MATRIX,
        "learning_rate": Interval(0.01, 0.5, simplest=0.1),
        "optimiser": Choice(("Adam", "SGD", "RMSprop", "Adagrad")),
    },
    rows=1.0,
    simulate=simulate.energy,
    points=table(
        "parameters least learning_rate optimiser",
        [(4, 0.3, 0.1, "Adam")],
        [(4, 0.3, 0.5, "SGD"), (8, 0.1, 0.05, "RMSprop")],
    ),
    within=_EXACT,
    noise=1e-12,
    quantity="sum of omega over what the identity says",
    observable="a torch optimiser, 60 steps",
    wrong=wrong("no curvature", "omega is the loss lost: without the half of Delta'H Delta", lambda: 0.9),
)
MOMENTUM = declare(
    "synapses.momentum",
    title="Path integrals with momentum",
    statement="Omega = lambda (1 - b^2 + b eta lambda) / ((1 - b)(2 (1 + b) - eta lambda)), and so for all pairs.",
    paper="new (discrete Lyapunov equation)",
    domain={
        **_MATRIX,
        "learning_rate": Interval(0.05, 0.5, simplest=0.2),
        "momentum": Interval(0.1, 0.9, simplest=0.5),
    },
    solver=_path,
    rows="path_integral",
    over={"parameter": "parameters"},
    simulate=simulate.descent,
    points=table("parameters least learning_rate momentum", [(3, 0.3, 0.3, 0.6)], [(6, 0.2, 0.2, 0.9)]),
    within=_EXACT,
    noise=1e-12,
    scale=1.0,
    quantity="omega of each parameter",
    observable="minus the sum of gradient times step, heavy ball",
    wrong=wrong("effective rate", "eta / (1 - b) put into SGD's formula", another(_effective)),
)
TAIL = declare(
    "synapses.tail",
    title="Importances have infinite means",
    statement="P(|Omega| > x) = 2 p(0) E sqrt|q| / sqrt(x) over Gaussian starts.",
    paper="new (starts next to the optimum along one parameter)",
    domain={**_MATRIX, "x": Choice((300.0, 1000.0))},
    solver=_tail,
    rows="coefficient",
    simulate=simulate.exceeding,
    points=table("parameters least x", [(3, 0.2, 300.0)], [(5, 0.1, 300.0), (3, 0.2, 1000.0)]),
    within=0.08,
    closer=3.0,
    noise=0.25,
    quantity="sqrt(x) P(|Omega| > x)",
    observable="share of 4,000 starts",
    wrong=wrong(
        "a finite mean",
        "a tail of exponent 1 through the same point at x = 10",
        lambda truth, x: truth * math.sqrt(10.0 / x),
    ),
)
NOISE_SGD = declare(
    "synapses.noise-sgd",
    title="Gradient noise in path integrals",
    statement="E omega = eta (lambda^2 (d^2 S + v (T - S)) + T s^2): it grows with the variance of the gradient.",
    paper="arXiv:2006.06357 has the effect; closed form new",
    domain={
        "curvature": Interval(0.2, 1.0, simplest=0.5),
        "learning_rate": Interval(0.05, 0.5, simplest=0.1),
        "noise": Interval(0.1, 1.0, simplest=0.4),
        "steps": Integers(20, 300),
    },
    rows=_noisy,
    simulate=simulate.noise_of_sgd,
    points=table("curvature learning_rate noise steps", [(0.5, 0.1, 0.4, 100)], [(1.0, 0.5, 1.0, 60)]),
    within=0.01,
    noise=0.01,
    quantity="E omega",
    observable="mean of 2,000 descents from 1",
    wrong=wrong(
        "noise ignored",
        "the path integral of the mean gradient",
        lambda curvature, learning_rate, steps: _noisy(curvature, learning_rate, 0.0, steps),
    ),
)
NOISE_ADAM = declare(
    "synapses.noise-adam",
    title="Adam's path integrals are roots",
    statement="E omega = eta (1 - beta_1) s a step of Adam: the root of the Fisher information, not the information.",
    paper="new; arXiv:2006.06357 has the square root",
    domain={
        "noise": Interval(0.1, 5.0, simplest=1.0),
        "learning_rate": Choice((1e-3,)),
        "beta_1": Choice((0.9, 0.5)),
    },
    rows=_adam,
    simulate=simulate.noise_of_adam,
    points=table("noise learning_rate beta_1", [(4.0, 1e-3, 0.9)], [(0.2, 1e-3, 0.9), (2.0, 1e-3, 0.5)]),
    within=0.01,
    noise=0.006,
    quantity="E omega a step",
    observable="2,000 parameters of torch's Adam on noise",
    wrong=wrong(
        "the variance",
        "proportional to s^2, as with SGD",
        lambda noise, learning_rate, beta_1: learning_rate * (1 - beta_1) * noise**2,
    ),
)
TWO_TASKS = declare(
    "synapses.two-tasks",
    title="Forgetting behind a penalty",
    statement="theta = (H_B + 2 c O)^-1 (H_B theta_B + 2 c O theta_A): the penalty has no half.",
    paper=f"{PAPER}, eq. (4)",
    domain={**_MATRIX, "strength": Interval(0.1, 2.0, simplest=0.5)},
    solver=_two,
    rows={"forgetting": "forgetting", "new loss": "new_loss"},
    simulate=simulate.two_tasks,
    points=table("parameters least strength", [(4, 0.3, 0.5)], [(8, 0.2, 1.5)]),
    within=_EXACT,
    noise=1e-11,
    scale=1.0,
    quantity="losses above their least",
    observable="gradient descent on the new loss and the penalty",
    wrong=wrong("with a half", "(c/2) in place of c", another(_halved)),
)
PRICE = declare(
    "synapses.diagonal-price",
    title="The price of a diagonal penalty",
    statement="Behind a diagonal penalty tasks in high dimension forget (1 - 2 k G - k^2 G')/2; the joint optimum "
    "costs (1 - gamma/2)/4.",
    paper="new (Marchenko-Pastur, free parallel sum)",
    domain={"aspect": Choice((0.5, 0.25, 1.0)), "strength": Interval(0.2, 2.0, simplest=1.0)},
    solver="synapses.random_tasks",
    rows={"forgetting": "forgetting", "new loss": "new_loss", "joint": "joint_total"},
    simulate=simulate.diagonal_price,
    points=table("aspect strength", [(0.5, 1.0)], [(0.25, 0.3), (1.0, 1.0)]),
    sizes=(60, 120, 240),
    within=0.04,
    noise=1.6,
    size_name="parameters",
    quantity="losses above their least",
    observable="two Wishart matrices of mean I, optima a unit vector apart",
    wrong=(
        wrong("joint optimum reached", "the diagonal costs nothing", _shared),
        wrong("new curvature I", "H_B = I", _isotropic),
    ),
)
PERMUTED = declare(
    "synapses.permuted-digits",
    title="Continual learning of permuted digits",
    statement="Synaptic intelligence keeps ten points more than fine-tuning, comes within five points of EWC, and its "
    "path integrals under Adam go with the root of the Fisher information.",
    paper=f"{PAPER}, figure 4 (there MNIST); the root: arXiv:2006.06357",
    domain={"si_strength": Choice((1.0,)), "ewc_strength": Choice((10.0,))},
    rows={"gain": row(0.1), "less EWC": row(-0.05), "slope": row(0.75)},
    compare={"gain": "at least", "less EWC": "at least", "slope": "at most"},
    simulate=simulate.permuted_digits,
    plans={  # twenty seconds of a core for four seeds: no quick look
        "reference": Plan(({"si_strength": 1.0, "ewc_strength": 10.0},), (), pilot=8, most=16, block=8),
        "deep": Plan(({"si_strength": 1.0, "ewc_strength": 10.0},), (), pilot=16, most=32, block=8),
    },
    within=0.03,
    scale=1.0,
    derivation=None,
    quantity="accuracies, and a log-log slope",
    observable="five tasks, MLP 64-100-10, 400 steps of Adam each, 500 test images",
    notes="Empirical. A slope of 3/4 is midway between the root and the information itself.",
    wrong=wrong(
        "proportional to the Fisher information", "slope 1, and no gain", lambda: np.array([0.4, 0.4, -0.5])
    ),
)
CLAIMS = (PATH, ENERGY, MOMENTUM, TAIL, NOISE_SGD, NOISE_ADAM, TWO_TASKS, PRICE, PERMUTED)

# --- the gallery ---------------------------------------------------------------------------------------------------

_ASPECTS = ((0.25, "#0072b2"), (0.5, "#009e73"), (1.0, "#d55e00"))


def _prices(preset: str) -> Arrays:
    from widelimit.numerics.synapses import random_tasks

    strengths, dots = np.geomspace(0.03, 30, 60), np.array([0.1, 0.5, 2.0, 10.0])
    found: dict[str, np.ndarray] = {"strength": strengths, "dots": dots}
    for aspect, _ in _ASPECTS:
        price = random_tasks(aspect=aspect, strength=strengths)
        drawn = [
            simulate.diagonal_price({"aspect": aspect, "strength": strength}, 200, 5, _backend())
            for strength in dots.tolist()
        ]
        found[f"total-{aspect}"], found[f"joint-{aspect}"] = price.total, price.joint_total
        found[f"drawn-{aspect}"] = np.array([one[0] + one[1] for one in drawn])
    return found


def _draw_prices(arrays: Arrays, axes: Axes) -> None:
    for aspect, colour in _ASPECTS:
        axes.plot(
            arrays["strength"], arrays[f"total-{aspect}"], color=colour, label=f"$\\gamma$ = {aspect:g}"
        )
        axes.plot(arrays["strength"], arrays[f"joint-{aspect}"], "--", color=colour, linewidth=0.9)
        axes.plot(arrays["dots"], arrays[f"drawn-{aspect}"], "o", color=colour, markersize=4)
    axes.set(xscale="log", ylim=(0, 0.5), xlabel="strength of the penalty", ylabel="loss of both tasks")
    axes.legend(loc="lower right")


GALLERY = (
    GalleryFigure(
        "price",
        "What a diagonal penalty costs",
        "Loss of two random tasks in high dimension, one after the other, behind a diagonal penalty; dots: one draw "
        "of 200 parameters each. Dashed: the joint optimum, which no diagonal penalty reaches.",
        "kirkpatrick2017overcoming",
        _prices,
        _draw_prices,
    ),
)
