"""Fixed points, their eigenvalues, and what depends on them alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.numerics import arguments
from widelimit.numerics.results import by_value
from widelimit.numerics.ssl import settings, terms
from widelimit.theory.errors import DomainError

if TYPE_CHECKING:
    import xarray

Array = np.ndarray


@by_value
@dataclass(frozen=True)
class FixedPoints:
    """Where modes settle; numbers for a single mode, arrays where arguments are arrays. Zero for a mode that is dead.

    predictor, predictor_unstable: p_+ and p_-, eigenvalues of the predictor; covariance, covariance_unstable: those of
    the covariance of features there. critical_weight_decay: eta_c. collapses: whether weight decay is beyond it.
    eigenvalues, eigenvalues_unstable (..., 2): tangent and transverse at p_+ and p_-, per unit of time; at zero for a
    mode that is dead; where a rule sets the predictor there is no transverse direction, and its rate is -inf.
    alignment_rate: at which commutators of predictor and covariance shrink there, inf where a rule sets the predictor.
    largest_learning_rate: 2/|lambda| of the fastest eigenvalue. separatrix_slope: d s_c/d p0 of `basin` at p_-, 0 where
    there is none.
    """

    predictor: Any
    predictor_unstable: Any
    covariance: Any
    covariance_unstable: Any
    critical_weight_decay: Any
    collapses: Any
    eigenvalues: Array
    eigenvalues_unstable: Array
    alignment_rate: Any
    largest_learning_rate: Any
    separatrix_slope: Any


def fixed_points(
    *,
    weight_decay: Any,
    augmentation: Any,
    signal: Any = 1.0,
    target_scale: Any = 1.0,
    predictor_rate: Any = 1.0,
    rule: str = "learned",
    exponent: Any = 0.5,
) -> FixedPoints:
    """Solve a mode's fixed points: p_+- = [tau x +- root(tau^2 x^2 - 4 eta c)]/(2 c), c = x + x_a (tian2021, 3.3).

    A learned predictor rests on its parabola s = p^2/alpha_p; a rule W_p = F^a (wang2021) rests at the same p, with
    s = p^(1/a). A mode survives only where weight decay is at most tau^2 x^2/(4 c), whatever its start.

    Args:
        weight_decay: eta, per unit of time: PyTorch's `weight_decay`, where the loss has the factor 1/2.
        augmentation: eigenvalue of the covariance of views of one sample about their mean.
        signal: eigenvalue of the second moment of the mean views of samples.
        target_scale: tau, the target network over the online one.
        predictor_rate: learning rate of the predictor over that of the encoder.
        rule: "learned", "direct" (W_p = F^exponent), "directpred" (exponent 1/2) or "directcopy" (1).
        exponent: of the rule "direct".

    Arguments broadcast. Raises `ArgumentError` for negative decays, variances and rates.

    >>> p = fixed_points(weight_decay=0.04, augmentation=0.5)
    >>> round(p.predictor, 13), round(p.predictor_unstable, 14), round(p.covariance, 12)
    (0.623926596236, 0.04274007043062, 0.389284397491)
    >>> p.eigenvalues.round(12).tolist(), p.eigenvalues_unstable.round(12).tolist(), round(p.alignment_rate, 10)
    ([-0.543926596236, -0.08], [0.037259929569, -0.08], 0.6239265962)
    >>> round(p.largest_learning_rate, 10), round(p.separatrix_slope, 10)
    (3.6769667338, -0.0398123004)
    >>> p = fixed_points(weight_decay=[0.12, 0.13], augmentation=1.0, rule="directcopy")
    >>> p.covariance.round(12).tolist(), p.collapses.tolist(), p.eigenvalues[1].tolist()
    ([0.3, 0.0], [False, True], [-0.26, -inf])
    """
    m = settings.modes(weight_decay, augmentation, signal, target_scale, predictor_rate, rule, exponent)
    learned = rule == "learned"
    high, low = roots(m)
    states = [covariances(m, p, learned) for p in (high, low)]
    stable, unstable = (eigenvalues(m, p, learned) for p in (high, low))
    fastest = np.minimum(stable[..., 0], np.where(np.isfinite(stable[..., 1]), stable[..., 1], 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(fastest < 0, terms.STEP(np.where(fastest < 0, fastest, -1.0)), np.inf)
        border = terms.BORDER(low, *m.constants) * states[1]
        border = np.where(low > 0, border, 0.0) if learned else np.zeros(m.shape)
    aligned = 2 * np.asarray(terms.ALIGNMENT(high, terms.LEARNED(high, m.rate), m.rate, *m.constants))
    aligned = aligned if learned else np.full(m.shape, np.inf)
    number = settings.number
    return FixedPoints(
        predictor=number(high),
        predictor_unstable=number(low),
        covariance=number(states[0]),
        covariance_unstable=number(states[1]),
        critical_weight_decay=number(m.critical),
        collapses=number(~m.alive),
        eigenvalues=stable,
        eigenvalues_unstable=unstable,
        alignment_rate=number(aligned),
        largest_learning_rate=number(step),
        separatrix_slope=number(border),
    )


def roots(m: settings.Modes) -> tuple[Array, Array]:
    """p_+ and p_-, zero where a mode is dead."""
    alive = m.alive
    safe = np.where(m.signal + m.spread > 0, m.signal, 1.0)
    constants = (np.where(alive, m.target, 1.0), safe, m.spread, m.decay)
    high, low = terms.POINTS(np.maximum(m.gap, 0.0), *constants)
    return np.where(alive, high, 0.0), np.where(alive, low, 0.0)


def covariances(m: settings.Modes, p: Array, learned: bool) -> Array:
    """The covariance that belongs to a predictor at rest."""
    if learned:
        return np.asarray(terms.LEARNED(p, m.rate))
    with np.errstate(over="ignore", under="ignore"):
        found = np.asarray(terms.DIRECT(p, m.power))
    if not np.isfinite(found).all():
        raise DomainError(
            "The covariance p^(1/exponent) is larger than floats hold. Choose units in which it is near 1."
        )
    return found


def eigenvalues(m: settings.Modes, p: Array, learned: bool) -> Array:
    """Tangent and transverse at a fixed point p, at zero where it is dead."""
    at_rest, dead = terms.TANGENT(p, m.power, *m.constants)
    across = np.asarray(terms.TRANSVERSE(m.decay)) if learned else np.full(m.shape, -np.inf)
    return np.stack([np.where(p > 0, at_rest, dead), across], axis=-1) + 0.0  # no negative zeros


@by_value
@dataclass(frozen=True)
class CollapseRates:
    """Rates at which a mode of W dies: `no_stop_gradient` where gradients reach the target, too; `no_predictor`."""

    no_stop_gradient: Any
    no_predictor: Any


def collapse_rates(
    *, weight_decay: Any, augmentation: Any, signal: Any = 1.0, predictor: Any = 1.0
) -> CollapseRates:
    """Rates of collapse without the parts that prevent it (tian2021, theorem 2): both are positive for any data.

    Without the stop-gradient x_a (p^2 + 1) + x (p - 1)^2 + eta at an eigenvalue p of the predictor; without a predictor
    x_a + eta. Arguments as in `fixed_points`.

    >>> r = collapse_rates(weight_decay=0.1, augmentation=0.5, predictor=0.6)
    >>> round(r.no_stop_gradient, 12), r.no_predictor
    (0.94, 0.6)
    """
    p, x, spread, decay = arguments.broadcast(
        predictor=settings.start("predictor", predictor, signed=True),
        signal=settings.scale("signal", signal, zero=True),
        augmentation=settings.scale("augmentation", augmentation, zero=True),
        weight_decay=settings.scale("weight_decay", weight_decay, zero=True),
    )
    free, bare = terms.DYING(p, x, spread, decay)
    return CollapseRates(settings.number(free), settings.number(bare))


@by_value
@dataclass(frozen=True)
class DirectPred:
    """DirectPred with epsilon: `largest`, the covariance s_max of the top mode; `critical_epsilon`; `survives`.

    `survives`: whether modes of any small size grow, so that all end at `largest`. `normalised_epsilon`: what released
    code calls epsilon there, which divides covariances by the largest first.
    """

    largest: Any
    critical_epsilon: Any
    survives: Any
    normalised_epsilon: Any


def direct_pred(
    *, weight_decay: Any, augmentation: Any, epsilon: Any, signal: Any = 1.0, target_scale: Any = 1.0
) -> DirectPred:
    """Predict DirectPred's floor: the predictor of mode j is root(s_j) + epsilon s_max, s_max the largest.

    The top mode settles where root(s_max) + epsilon s_max = p_+; a small one grows where epsilon s_max > p_-, that is
    epsilon > p_-/(p_+ - p_-)^2. Beyond the critical weight decay nothing helps: `largest` is 0 and the critical
    epsilon infinite. Arguments as in `fixed_points`; `epsilon` is not negative.

    >>> d = direct_pred(weight_decay=0.04, augmentation=0.5, epsilon=[0.1, 0.2])
    >>> d.critical_epsilon.round(12).tolist(), d.survives.tolist()
    ([0.126533103249, 0.126533103249], [False, True])
    >>> d.largest.round(10).tolist(), d.normalised_epsilon.round(10).tolist()
    ([0.3471681646, 0.3147048687], [0.058920978, 0.1121971245])
    """
    given = settings.scale("epsilon", epsilon, zero=True)
    m = settings.modes(weight_decay, augmentation, signal, target_scale, 1.0, "learned", 0.5, epsilon=given)
    low = roots(m)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        root, critical = terms.EPSILONS(m.further["epsilon"], np.maximum(m.gap, 0.0), *_living(m))
    root, critical = np.where(m.alive, root, 0.0), np.where(m.alive, critical, np.inf)
    survives = m.alive & ((m.further["epsilon"] > critical) | (low == 0))
    found = (root**2, critical, survives, m.further["epsilon"] * root)
    return DirectPred(*map(settings.number, found))


def _living(m: settings.Modes) -> tuple[Array, ...]:
    """Constants with ones in place of those of dead modes."""
    return tuple(np.where(m.alive, one, 1.0) for one in m.constants)


@by_value
@dataclass(frozen=True)
class MovingTarget:
    """At p_+, with a target that moves: `eigenvalues` (..., 2) of (p, tau), those nearest to zero first; `stable`.

    They are complex where a deviation oscillates. `critical_slope`: d p/d tau of `critical_predictor` at tau = 1, by
    how much more predictor a start with a smaller target needs.
    """

    eigenvalues: Array
    stable: Any
    critical_slope: Any


def moving_target(
    *,
    ema_rate: Any,
    weight_decay: Any,
    augmentation: Any,
    signal: Any = 1.0,
    rule: str = "learned",
    exponent: Any = 0.5,
) -> MovingTarget:
    """Solve the fixed point where the target is a moving average of rate beta: its stability does not depend on it.

    On the parabola the Jacobian of (p, tau) has the determinant -lambda beta and the trace lambda - beta - x p, lambda
    being the tangent eigenvalue. Arguments as in `fixed_points`; ``1 - momentum = ema_rate * learning rate``. Raises
    `DomainError` where a mode collapses.

    >>> m = moving_target(ema_rate=0.4, weight_decay=0.04, augmentation=0.5)
    >>> m.eigenvalues.round(10).tolist(), m.stable, round(m.critical_slope, 10)
    ([-0.153870829, -1.4139823634], True, -0.0038323275)
    """
    ema = settings.scale("ema_rate", ema_rate)
    m = settings.modes(weight_decay, augmentation, signal, 1.0, 1.0, rule, exponent, ema_rate=ema)
    if not m.alive.all():
        raise DomainError(
            "Argument `weight_decay` must be at most the critical one: beyond it nothing is at rest."
        )
    high, low = roots(m)
    pairs = saddle(m, high, m.further["ema_rate"])
    stacked = np.stack(pairs, axis=-1)
    if not np.iscomplexobj(stacked) or (np.abs(stacked.imag) == 0).all():
        stacked = stacked.real
    down = saddle(m, low, m.further["ema_rate"])[1].real
    slope = np.asarray(terms.DIRECTION(down, low, m.power, *m.constants))
    return MovingTarget(
        stacked, settings.number(np.asarray((stacked.real < 0).all(axis=-1))), settings.number(slope)
    )


def saddle(m: settings.Modes, p: Array, ema: Array) -> tuple[Array, Array]:
    """Eigenvalues of (p, tau) at p, the larger first."""
    trace, determinant = (np.asarray(one) for one in terms.JACOBIAN(p, m.power, ema, *m.constants))
    root = np.sqrt((trace**2 / 4 - determinant).astype(complex))
    lower = trace / 2 - root  # the trace is negative
    return determinant / lower, lower


def phase_diagram(
    *,
    weight_decay: Any,
    augmentation: Any,
    signal: float = 1.0,
    target_scale: float = 1.0,
    predictor_rate: float = 1.0,
    rule: str = "learned",
    exponent: float = 0.5,
) -> xarray.Dataset:
    """Return fixed points on a grid of weight decays and augmentations as a labelled dataset.

    Variables over (weight_decay, augmentation): what `fixed_points` has, but for its eigenvalues `tangent` alone;
    `critical_weight_decay` over the augmentation. Both axes increase strictly; the other arguments are numbers.

    >>> grid = phase_diagram(weight_decay=[0.05, 0.15], augmentation=[0.5, 1.0])
    >>> grid["collapses"].values.tolist(), grid["predictor"].values.round(6).tolist()
    ([[False, False], [False, True]], [[0.61222, 0.443649], [0.438743, 0.0]])
    """
    from widelimit.numerics.labelled import Labelled

    decay = arguments.increasing("weight_decay", weight_decay)
    spread = arguments.increasing("augmentation", augmentation)
    single = {
        "signal": signal,
        "target_scale": target_scale,
        "predictor_rate": predictor_rate,
        "exponent": exponent,
    }
    numbers = {name: arguments.finite_number(name, value) for name, value in single.items()}
    found = fixed_points(weight_decay=decay[:, None], augmentation=spread[None, :], rule=rule, **numbers)
    axes = ("weight_decay", "augmentation")
    names = (
        "predictor",
        "predictor_unstable",
        "covariance",
        "covariance_unstable",
        "collapses",
        "alignment_rate",
    )
    variables: dict[str, Any] = {name: (axes, getattr(found, name)) for name in names}
    variables["tangent"] = (axes, found.eigenvalues[..., 0])
    variables["critical_weight_decay"] = (axes[1:], found.critical_weight_decay[0])
    return Labelled(variables, coords={"weight_decay": decay, "augmentation": spread}, attrs={"rule": rule})
