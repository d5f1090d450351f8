"""`masking_report`: is a classifier robust, or are its gradients masked?

A gradient attack that fails proves nothing where gradients vanish. Attacks that do not need these gradients say which:
backward passes stabilised where functions saturate, attacks on a twin, and attacks that see values alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from scipy import stats
from torch import Tensor, nn

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.copies import copied
from widelimit.validate.robustness import attacks, door
from widelimit.validate.robustness.attacks import LOSSES, Target
from widelimit.validate.robustness.first_layer import FirstLayer, first_layer
from widelimit.validate.robustness.surrogate import distilled

_LEVEL = 0.05
_MOST = 10_000  # steps, queries or pairs
_SPREADS = (1.0, 3.0)  # what saturated arguments are brought down to
_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Attack:
    """`accuracy` under one attack, with its 95 % interval (Wilson) from `low` to `high`.

    `kind`: "gradient", "stabilised", "transfer" or "gradient-free". `seconds`: what it took.
    """

    name: str
    kind: str
    accuracy: float
    low: float
    high: float
    seconds: float = field(compare=False)


@pictured
@dataclass(frozen=True)
class MaskingReport:
    """What is left of a classifier's accuracy under attack, and whether its gradients tell the truth about that.

    `verdict`: "masked" where a stabilised or gradient-free attack breaks more inputs than the best gradient attack in
    the classifier's own precision, by more than the interval of the paired difference, else "not masked"; `sentence`
    says it in words. `clean`: accuracy without attack; `zero_gradients`, `subnormal_gradients`: shares of the entries
    of the loss's gradient that are exactly zero, or below the normal numbers of the precision. `accuracy` is that under
    the best attack for each input, with `low` and `high`: an upper bound of the robust accuracy. `gap`: by how much the
    best stabilised or gradient-free attack beats the best gradient attack, with `gap_low` and `gap_high`, which hold
    for all of these at once.
    """

    verdict: str
    sentence: str
    samples: int
    radius: float
    clean: float
    zero_gradients: float
    subnormal_gradients: float
    attacks: tuple[Attack, ...]
    accuracy: float
    low: float
    high: float
    gap: float
    gap_low: float
    gap_high: float
    first_layer: FirstLayer | None
    seconds: float = field(compare=False)

    def under(self, name: str) -> float:
        """Return the accuracy under an attack by its name; `ArgumentError` for one that was not made."""
        named = {one.name: one.accuracy for one in self.attacks}
        return named[arguments.choice("name", name, named)]

    def __str__(self) -> str:
        rows = [f"{one.name:<28}{one.accuracy:7.3f}  [{one.low:.3f}, {one.high:.3f}]" for one in self.attacks]
        return "\n".join(
            [self.sentence, f"{'accuracy under':<28}", f"{'no attack':<28}{self.clean:7.3f}", *rows]
        )


def masking_report(
    module: Any,
    x: Any,
    y: Any,
    radius: float,
    *,
    box: tuple[float, float] | None = None,
    steps: int = 20,
    queries: int = 300,
    pairs: int = 16,
    surrogate: Any = None,
    seed: int = 0,
) -> MaskingReport:
    """Attack a classifier in every way that tells robustness from masked gradients (brendel2017comment), and say which.

    One step along the sign of the gradient (FGSM) and projected ascent (PGD), on the loss and on the logits' margin, in
    float32 and float64; PGD through stabilised backward passes; PGD on a twin that is distilled from the classifier's
    answers, or on one of yours; simultaneous perturbations (SPSA) and random search, which use no gradients.

    Args:
        module: returns logits, (batch, classes), in evaluation mode; it is not changed.
        x: inputs, (batch, ...), of data that it was not trained on; hundreds of them.
        y: labels, (batch,).
        radius: of the attack, for each number of an input (l_inf), in the units of x.
        box: lower and upper end of what inputs may be, such as (0, 1); None: no ends.
        steps: of iterated attacks.
        queries: of the random search.
        pairs: of points a step of SPSA.
        surrogate: a twin to attack in place of a distilled one: the same network without its defence, for example.
        seed: of all that is random here.

    Raises `ArgumentError` for a module in train mode, without gradients, or with outputs that are no logits; labels
    outside its classes; inputs outside the box; a negative radius.

    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)).eval()
    >>> x = torch.randn(60, 4)
    >>> found = masking_report(net, x, net(x).argmax(1), 0.3)
    >>> found.verdict, found.clean, found.accuracy < 0.9
    ('not masked', 1.0, True)
    """
    start = time.perf_counter()
    net = door.classifier(module)
    given = door.inputs(x, net)
    if given.dim() < 2:
        raise ArgumentError("x", "must be of shape (batch, ...)", but=f"has shape {tuple(given.shape)}")
    size = arguments.non_negative_number("radius", radius)
    counts = {
        name: _count(name, value)
        for name, value in (("steps", steps), ("queries", queries), ("pairs", pairs))
    }
    generator = torch.Generator().manual_seed(arguments.count("seed", seed, least=0) % 2**63)
    classes = door.differentiable(net, given).shape[1]
    labels = door.labels(y, len(given), classes, given.device)
    target = Target.of(net, given, labels, size, door.bounds(given, box))
    twin = None if surrogate is None else door.classifier(surrogate)
    if twin is not None:
        twin = copied(twin, given.dtype)
        door.labels(labels, len(given), door.differentiable(twin, given).shape[1], given.device)
    if not bool(torch.isfinite(target.high - target.low).all()):
        raise ArgumentError("radius", f"must be a size that {given.dtype} holds", size)
    zero, subnormal = _vanishing(target)
    plans = _plans(target, classes, counts, twin, generator)
    found, broken = [], {}
    for name, kind, attack in plans:
        before = time.perf_counter()
        broken[name] = attack()
        found.append(_attack(name, kind, broken[name], time.perf_counter() - before))
    return _report(target, tuple(found), broken, (zero, subnormal), start)


def _count(name: str, value: Any) -> int:
    count = arguments.count(name, value)
    if count > _MOST:
        raise ArgumentError(name, f"must be at most {_MOST}", value)
    return count


def _vanishing(target: Target) -> tuple[float, float]:
    slope = attacks.gradient(target.module, target.x, target.y, LOSSES["loss"], target.x.dtype)
    zero = slope == 0
    tiny = ~zero & (slope.abs() < torch.finfo(slope.dtype).tiny)
    return float(zero.double().mean()), float(tiny.double().mean())


def _plans(
    target: Target,
    classes: int,
    counts: dict[str, int],
    twin: nn.Module | None,
    generator: torch.Generator,
) -> list[tuple[str, str, Callable[[], Tensor]]]:
    """Every attack: its name, its kind, and how to make it."""
    own, steps = target.x.dtype, counts["steps"]
    copies = {word: _copy(target, dtype) for word, dtype in _PRECISIONS.items()}
    plans: list[tuple[str, str, Callable[[], Tensor]]] = []
    for word, twin_of in copies.items():
        if twin_of is None:
            continue
        for what, loss in LOSSES.items():
            given = (target, twin_of, loss, _PRECISIONS[word])
            plans += [
                (f"FGSM {word} {what}", "gradient", partial(attacks.fgsm, *given)),
                (f"PGD {word} {what}", "gradient", partial(attacks.iterated, *given, steps)),
            ]
    plans += [
        (
            f"PGD stabilised {spread:g}", "stabilised",
            partial(attacks.iterated, target, target.module, LOSSES["logits"], own, steps, spread),
        )
        for spread in _SPREADS
    ]  # fmt: skip

    def transferred() -> Tensor:
        source = distilled(target, classes, generator) if twin is None else twin
        return attacks.iterated(target, source, LOSSES["logits"], own, steps)

    return [
        *plans,
        ("transfer", "transfer", transferred),
        ("SPSA", "gradient-free", lambda: attacks.spsa(target, generator, steps, counts["pairs"])),
        (
            "random search",
            "gradient-free",
            lambda: attacks.random_search(target, generator, counts["queries"]),
        ),
    ]


def _copy(target: Target, dtype: torch.dtype) -> nn.Module | None:
    """The classifier in a precision, None where it does not run in another than its own."""
    if dtype == target.x.dtype:
        return target.module
    try:
        found = copied(target.module, dtype)
        with torch.no_grad():
            shape = door.logits(found, target.x.to(dtype)).shape
    except ArgumentError:
        return None
    return found if shape[1] > int(target.y.max()) else None


def _attack(name: str, kind: str, broken: Tensor, seconds: float) -> Attack:
    return Attack(name, kind, *_share(~broken), seconds)


def _share(right: Tensor) -> tuple[float, float, float]:
    """A share with Wilson's interval."""
    count, total = int(right.sum()), len(right)
    ends = stats.binomtest(count, total).proportion_ci(1 - _LEVEL, method="wilson")
    return count / total, float(ends.low), float(ends.high)


def _report(
    target: Target,
    made: tuple[Attack, ...],
    broken: dict[str, Tensor],
    shares: tuple[float, float],
    start: float,
) -> MaskingReport:
    word = {dtype: name for name, dtype in _PRECISIONS.items()}[target.x.dtype]
    plain = min((one for one in made if one.kind == "gradient" and word in one.name), key=_accuracy)
    controls = [one for one in made if one.kind in ("stabilised", "gradient-free")]
    best = min(controls, key=_accuracy)
    gap, low, high, chance = _paired(broken[best.name], broken[plain.name], len(controls))
    masked = low > 0 and chance < _LEVEL / 2 / len(controls)
    every = torch.stack(list(broken.values())).any(0)
    accuracy, least, most = _share(~every)
    clean = float((~target.wrong(target.x)).double().mean())
    count = len(target.x)
    versus = (
        f"{plain.name}, the best plain gradient attack, leaves {_percent(plain.accuracy)} of {count} inputs right, "
        f"{best.name} {_percent(best.accuracy)} (difference {100 * gap:.1f} points, interval {100 * low:.1f} to "
        f"{100 * high:.1f})"
    )
    vanish = f"{_percent(shares[0])} of the entries of its gradient are exactly zero"
    missing = [name for name in _PRECISIONS if not any(name in one.name for one in made)]
    vanish += f"; it does not run in {missing[0]}" if missing else ""
    bound = f"robust accuracy is at most {_percent(accuracy)} ({_percent(least)} to {_percent(most)})"
    sentence = f"Gradients are masked: {versus}; {vanish}; {bound}." if masked else (
        f"No masking found: {versus}; {vanish}; {bound}."
    )  # fmt: skip
    layer = first_layer(target.module, target.x, target.radius)
    return MaskingReport(
        "masked" if masked else "not masked", sentence, count, target.radius, clean, *shares, made, accuracy, least,
        most, gap, low, high, layer, time.perf_counter() - start,
    )  # fmt: skip


def _accuracy(one: Attack) -> float:
    return one.accuracy


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _paired(control: Tensor, plain: Tensor, tests: int) -> tuple[float, float, float, float]:
    """By how much one attack breaks more than another: difference, interval for so many tests, exact one-sided chance.

    The interval is Wald's with half a pair added to each side (Agresti and Min), the chance McNemar's.
    """
    more, less = int((control & ~plain).sum()), int((plain & ~control).sum())
    total = len(plain)
    z = float(stats.norm.isf(_LEVEL / 2 / tests))
    up, down, count = more + 0.5, less + 0.5, total + 2
    half = z * ((up + down) - (up - down) ** 2 / count) ** 0.5 / count
    middle = (up - down) / count
    chance = float(stats.binom.sf(more - 1, more + less, 0.5)) if more + less else 1.0
    return (more - less) / total, middle - half, middle + half, chance
