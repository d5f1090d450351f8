"""Derivations on a page: derived and set as MathML once, however many claims rest on them; those of ours are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from widelimit.validate.harness.outcome import ClaimOutcome
from widelimit.validate.harness.text import clean
from widelimit.validate.report import kept, labels, references
from widelimit.validate.report.failures import Failures

if TYPE_CHECKING:
    from widelimit.theory.calculus.derivation import Derivation, Step
    from widelimit.validate.harness.claim import Claim


@dataclass(frozen=True)
class StepView:
    """A step of a derivation: its equation as MathML; `same_as` is the id of the claim under which it is printed."""

    name: str
    mathml: str
    because: str
    source: str
    assumptions: tuple[str, ...]
    same_as: str = ""


@dataclass(frozen=True)
class DerivationView:
    """A derivation; `same_as` is the id of the claim in whose section it is already printed."""

    title: str
    assumptions: tuple[str, ...]
    steps: tuple[StepView, ...]
    same_as: str = ""


@dataclass(frozen=True)
class Explained:
    """A derivation as the page needs it: what is printed (`view`), and whom its steps cite (`sources`).

    Steps are left out where the page has printed them before.
    """

    view: DerivationView
    sources: tuple[str, ...]


def explained(
    claim: Claim | None, one: ClaimOutcome, printed: Mapping[str, str], ours: bool, failures: Failures
) -> Explained | None:
    """The derivation of a claim at its first point, set as MathML; that of one of ours may have been kept."""
    if claim is None or claim.derivation is None or not one.rows:
        return None
    inputs = labels.point_inputs(one.rows[0])
    name = kept.key("derivation", one.id, repr(inputs)) if ours else ""
    stored = _restored(kept.recall(name)) if name else None
    if stored is not None and (stored.view.steps or stored.view.title in printed):
        return stored
    make = partial(_set, claim.derivation, inputs, printed)
    found = failures.attempt(f"The derivation of {one.id}", make, None, claim.derivation)
    if found is not None and name:
        kept.keep(name, json.dumps(asdict(found)).encode())
    return found


def _restored(stored: bytes | None) -> Explained | None:
    if stored is None:
        return None
    found = json.loads(stored)
    view = found["view"]
    steps = tuple(
        StepView(**{**step, "assumptions": tuple(step["assumptions"])}) for step in view.pop("steps")
    )
    view["assumptions"] = tuple(view["assumptions"])
    return Explained(DerivationView(**view, steps=steps), tuple(found["sources"]))


def _set(
    derive: Callable[[Mapping[str, Any]], Any], inputs: Mapping[str, Any], printed: Mapping[str, str]
) -> Explained:
    """Derive, and set the steps if the page does not have them."""
    found = _derived(derive, inputs)
    steps = tuple(map(partial(_step, found), found.steps)) if found.title not in printed else ()
    view = DerivationView(found.title, tuple(found.assumptions), steps)
    return Explained(view, tuple(step.source for step in found.steps))


def _step(found: Derivation, step: Step) -> StepView:
    return StepView(
        step.name.replace("-", " "),
        clean(found.step_mathml(step.name)),
        step.because,
        references.spelled(step.source),
        tuple(step.assumptions),
    )


def _derived(derive: Callable[[Mapping[str, Any]], Any], inputs: Mapping[str, Any]) -> Derivation:
    from widelimit.theory.calculus.derivation import Derivation

    found = derive(inputs)
    if not isinstance(found, Derivation):
        raise TypeError(f"it returned {type(found).__name__}, not a Derivation")
    return found


def first_printing(
    one: ClaimOutcome, found: Explained | None, printed: dict[str, str]
) -> DerivationView | None:
    """The derivation at the first point, or where it is printed already; of its steps, those that no other has had.

    `printed` says under which claim a derivation, by its title, or a step, by all that it says, stands.
    """
    if found is None:
        return None
    title = found.view.title
    if title in printed:
        return DerivationView(title, (), (), printed[title])
    printed[title] = one.id
    return replace(found.view, steps=tuple(_once(step, one.id, printed) for step in found.view.steps))


def _once(step: StepView, claim_id: str, printed: dict[str, str]) -> StepView:
    said = "\0".join((step.name, step.mathml, step.because, step.source, *step.assumptions))
    where = printed.setdefault(said, claim_id)
    return step if where == claim_id else StepView(step.name, "", "", "", (), where)
