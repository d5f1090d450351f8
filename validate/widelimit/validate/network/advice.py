"""`advise`: what to change in a module's initialisation, why, and what theory predicts it does; `Advice` applies it.

A change holds actions on parameters by their names: set a scale, set to zero, redraw what was copied. What needs
another module (Pre-LN for Post-LN, shaped activations, other widths) is said, with numbers, and left to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from widelimit.numerics import arguments
from widelimit.numerics.results import pictured
from widelimit.theory.errors import ArgumentError
from widelimit.validate.harness.copies import copied
from widelimit.validate.network import advice_rules
from widelimit.validate.network.advice_proof import Proof, proof
from widelimit.validate.network.advice_rules import Action, Change
from widelimit.validate.network.graph.records import Report


@pictured
@dataclass(frozen=True)
class Advice:
    """Changes in the order of what they are worth; nothing is changed before `apply`.

    `changes`: see `Change`; `kept`: sentences about what is left alone (trained or shared weights).
    """

    changes: tuple[Change, ...]
    kept: tuple[str, ...] = ()

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions on parameters, in order."""
        return tuple(action for change in self.changes for action in change.actions)

    def __str__(self) -> str:
        if not self.changes:
            return "Nothing to change."
        rows = [f"{k}. {one}" for k, one in enumerate(self.changes, 1)]
        return "\n".join([*rows, *self.kept])

    def diff(self) -> str:
        """Say line by line what `apply` would do to each parameter, before it does.

        >>> Advice(()).diff()
        ''
        """
        rows = []
        for change in self.changes:
            rows.append(f"# {change.what}: {change.because}")
            rows += [
                f"- {one.parameter}: {one.before}\n+ {one.parameter}: {one.after}" for one in change.actions
            ]
            if not change.actions:
                rows.append(
                    f"- {change.target}: {change.before}\n+ {change.target}: {change.after}  (by hand)"
                )
        return "\n".join(rows)

    def apply(self, module: nn.Module, copy: bool = True) -> nn.Module:
        """Return the module with the changes of its parameters, a copy of it unless `copy` is False.

        Applied twice it does nothing more. Raises `ArgumentError` for a module without one of the parameters.

        >>> Advice(()).apply(nn.Linear(2, 2)).weight.shape
        torch.Size([2, 2])
        """
        if not isinstance(module, nn.Module):
            raise ArgumentError("module", "must be a torch.nn.Module", module)
        changed = copied(module) if arguments.flag("copy", copy) else module
        parameters = dict(changed.named_parameters(remove_duplicate=False))
        for one in self.actions:
            for name in (one.parameter, *([one.other] if one.other else [])):
                if name not in parameters:
                    raise ArgumentError(
                        "module", f"must have the parameter {name}", but="has none of this name"
                    )
        with torch.no_grad():
            for one in self.actions:
                _act(parameters, one)
        return changed

    def code(self) -> str:
        """Return the source of a function ``init_(module)`` that does what `apply` does in place and needs torch alone.

        >>> print(Advice(()).code().splitlines()[0])
        import torch
        """
        return _code(self)

    def prove(
        self, factory: Callable[[], nn.Module], data: Literal["digits"] = "digits", steps: int = 200, rates: int = 4,
        seeds: int = 3,
    ) -> Proof:  # fmt: skip
        """Train modules of `factory` with and without the changes on real data, paired, and say if it helps.

        Both start from the same draw and see the same batches; each has the better of `rates` learning rates of Adam.
        `data`: "digits", 8 x 8 images resized to what the module takes. The verdict rests on the 95 per cent interval
        of the mean difference in final loss over `seeds`, and may be "no difference". Raises `ArgumentError` for a
        factory that gives no module, or one that takes no images, tokens or vectors.
        """
        return proof(self.apply, factory, data, steps, rates, seeds)


def advise(report: Report, depth: int | None = None) -> Advice:
    """Say what to change in the initialisation of a module that `report` was made of, in the order of what it is worth.

    Copied layers are drawn anew; layers between activations get the scale at which gradients keep their size; branches
    of L blocks without normalisation are scaled by 1/sqrt(L); attention is kept away from its collapse; then what is
    to be changed by hand. Weights that are trained or shared (an embedding that is tied to the head) are left alone.

    Args:
        report: of `widelimit.validate.network.report`.
        depth: layers or blocks to advise for, where the module will be deeper than the one reported on.

    Raises `ArgumentError` for what is no report, or a depth that is none.

    >>> from widelimit.validate.network import report
    >>> torch.manual_seed(0) and None
    >>> layers = [part for _ in range(12) for part in (nn.Linear(64, 64), nn.ReLU())]
    >>> found = advise(report(nn.Sequential(*layers, nn.Linear(64, 10)), torch.randn(4, 64), draws=2))
    >>> [one.what for one in found.changes], found.changes[0].after
    (['gain'], 'sigma_w^2 = 2, biases 0')
    """
    if not isinstance(report, Report):
        raise ArgumentError("report", "must be what `network.report` returns", report)
    count = None if depth is None else arguments.count("depth", depth)
    changes, kept = advice_rules.changes(report, count)
    return Advice(tuple(changes), tuple(kept))


def _act(parameters: Mapping[str, torch.Tensor], one: Action) -> None:
    weight = parameters[one.parameter]
    if one.kind == "zero":
        weight.zero_()
    elif one.kind == "scale":
        fan_in = weight[0].numel()
        now = float((weight.double().square().mean() * fan_in).sqrt())
        if now > 0:
            weight.mul_(one.value / now)
    elif torch.equal(weight, parameters[one.other]):  # drawn anew already where it is not
        order = torch.randperm(weight.numel(), device=weight.device)
        weight.copy_(weight.flatten()[order].view_as(weight))


def _code(advice: Advice) -> str:
    scales = {one.parameter: float(f"{one.value:.10g}") for one in advice.actions if one.kind == "scale"}
    zeros = [one.parameter for one in advice.actions if one.kind == "zero"]
    copies = {one.parameter: one.other for one in advice.actions if one.kind == "redraw"}
    rows = ["import torch", "", "", "def init_(module):"]
    said = [f"{one.what} of {one.target}: {one.because}" for one in advice.changes]
    rows += [f"    # {line}" for line in said]
    rows += [
        "    parameters = dict(module.named_parameters(remove_duplicate=False))",
        "    with torch.no_grad():",
    ]
    if copies:
        rows += [
            f"        for name, other in {copies!r}.items():",
            "            weight = parameters[name]",
            "            if torch.equal(weight, parameters[other]):",
            "                order = torch.randperm(weight.numel(), device=weight.device)",
            "                weight.copy_(weight.flatten()[order].view_as(weight))",
        ]
    if scales:
        rows += [
            f"        for name, sigma in {scales!r}.items():",
            "            weight = parameters[name]",
            "            now = float((weight.double().square().mean() * weight[0].numel()).sqrt())",
            "            if now > 0:",
            "                weight.mul_(sigma / now)",
        ]
    if zeros:
        rows += [f"        for name in {zeros!r}:", "            parameters[name].zero_()"]
    if not (copies or scales or zeros):
        rows.append("        pass")
    return "\n".join([*rows, "    return module", ""])
