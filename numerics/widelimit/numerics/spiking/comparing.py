"""`compare`: the loss of two recorded trains, the jitter that it stands for, and whether chance would do as well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.numerics.spiking.chance import poisson_loss
from widelimit.numerics.spiking.distance import van_rossum
from widelimit.numerics.spiking.jitter import jitter_loss, timing_precision
from widelimit.numerics.spiking.noise import surrogate as found_surrogate
from widelimit.numerics.spiking.rates import firing_rate
from widelimit.numerics.spiking.settings import DECAY, RISE, duration_of, train, two_constants
from widelimit.theory.errors import ArgumentError


@pictured
@dataclass(frozen=True)
class Comparison:
    """`loss` of two trains, in s^3, and `spikes` of each.

    `jitter`: the standard deviation in seconds by which the spikes that both have would have to be moved for this loss,
    after C(0)/2 for each that only one has; infinite where no jitter costs as much, 0 where those missing alone do.
    `expected`, `deviation`: mean and standard deviation of the loss of independent Poisson trains of the same rates,
    and `z_score`: the loss less that mean, over that deviation; None where nothing says how long the recording is, or
    neither train has a spike.
    """

    loss: float
    spikes: tuple[int, int]
    jitter: float
    expected: float | None
    deviation: float | None
    z_score: float | None


def compare(
    first: Any, second: Any, *, duration: Any = None, decay: Any = DECAY, rise: Any = RISE
) -> Comparison:
    """Compare two spike trains: how far apart, how precise, how unlike chance.

    Args:
        first, second: spike times in seconds, in order: arrays, neo spike trains (their units are converted), or names
            of files (text, .npy) of one column.
        duration: of the recording, in seconds; default: what the trains know of it (`t_stop`), else the last spike.
        decay: a, in seconds.
        rise: b, in seconds.

    Raises `ArgumentError` for what is no such train, or spikes behind the end.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> target = np.arange(0.1, 20.0, 0.1)
    >>> found = compare(target, target + rng.normal(0.0, 0.002, target.size), duration=20.0)
    >>> round(found.jitter, 4), found.z_score < -10
    (0.0019, True)
    """
    a, b = two_constants(decay, rise)
    x, y = train("first", first), train("second", second)
    loss = van_rossum(x, y, decay=a, rise=b)
    length = _length(duration, (first, second), max([0.0, *x[-1:], *y[-1:]]))
    expected = deviation = score = None
    if length > 0 and x.size + y.size:
        chance = poisson_loss(x.size / length, y.size / length, decay=a, rise=b)
        expected, deviation = length * chance.mean, math.sqrt(length * chance.variance)
        score = (loss - expected) / deviation if deviation > 0 else None
    return Comparison(loss, (x.size, y.size), _jitter(loss, x.size, y.size, a, b), expected, deviation, score)


def _length(duration: Any, trains: tuple[Any, Any], last: float) -> float:
    if duration is None:
        known = [end for end in map(duration_of, trains) if end is not None and end >= last]
        return max([last, *known])
    length = arguments.positive_number("duration", duration)
    if length < last:
        raise ArgumentError("duration", f"must reach the last spike at {last:g} s", length)
    return length


def _jitter(loss: float, one: int, other: int, a: float, b: float) -> float:
    if not min(one, other):
        return 0.0 if one == other else math.inf
    most = 2 * van_rossum([0.0], [], decay=a, rise=b)  # C(0)
    each = max(loss - abs(one - other) * most / 2, 0.0) / min(one, other)
    return math.inf if each >= most * (1 - 1e-12) else float(timing_precision(each, decay=a, rise=b))


def predict(
    first: str | None = None,
    second: str | None = None,
    decay: float = DECAY,
    rise: float = RISE,
    rate_a: float = 12.0,
    rate_b: float = 20.0,
    jitter: float = 0.004,
    lag: float = 0.008,
    drive: float = 15.0,
    threshold: float = 10.0,
    tau: float = 0.01,
    refractory: float = 0.005,
    noise: float = 4.0,
    surrogate: str = "fast_sigmoid",
    slope: float = 25.0,
    depth: int = 1,
) -> dict[str, float | None]:
    """Return what two files of spike times are apart; or, without files, losses, rates and surrogates in numbers.

    Args:
        first: a file of spike times in seconds (text or .npy, one column).
        second: another.
        decay: of the kernel, in seconds.
        rise: of the kernel, in seconds.
        rate_a: of a Poisson train, in Hz.
        rate_b: of another.
        jitter: of a copied train, in seconds.
        lag: of a target behind an input spike, in seconds.
        drive: of a neuron, from rest.
        threshold: of the neuron.
        tau: its membrane constant, in seconds.
        refractory: of the neuron, in seconds.
        noise: of the neuron, in the units of its drive.
        surrogate: a surrogate derivative by its name.
        slope: of the surrogate.
        depth: layers of it.

    Raises `ArgumentError` as the functions of these numbers do, or for one file alone.

    >>> found = predict(depth=4)
    >>> round(found["firing_rate"], 6), round(found["gradient_scale"], 10)
    (66.775111, 4.096e-05)
    """
    if (first is None) != (second is None):
        raise ArgumentError(
            "second" if second is None else "first", "must be given with the other", but="is missing"
        )
    if first is not None:
        found = compare(first, second, decay=decay, rise=rise)
        return {name: getattr(found, name) for name in ("loss", "jitter", "expected", "deviation", "z_score")}
    from widelimit.numerics.spiking.window import plasticity_window

    chance, unit = poisson_loss(rate_a, rate_b, decay=decay, rise=rise), found_surrogate(surrogate, slope)
    return {
        "poisson_mean": chance.mean,
        "poisson_variance": chance.variance,
        "jitter_loss": jitter_loss(jitter, decay=decay, rise=rise),
        "plasticity_window": plasticity_window(lag, decay=decay, rise=rise),
        "firing_rate": firing_rate(drive, threshold=threshold, tau=tau, refractory=refractory, noise=noise),
        "scale": unit.scale,
        "noise_variance": unit.noise_variance,
        "gradient_scale": unit.gradient_scale(depth),
    }
