"""A module as a program: the operations that run on an example, by ``torch.export`` without decomposition.

`Program` can be run again with other tensors in place of its parameters. In-place operations run as their functional
twins where that is the same thing. A module that torch cannot export (a branch on a tensor's value) has no program.
"""

from __future__ import annotations

import contextlib
import io
import logging
import operator
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch._ops import HigherOrderOperator, OpOverload

from widelimit.numerics.results import by_value
from widelimit.validate.harness.text import told


@by_value
@dataclass(frozen=True)
class Step:
    """One operation: `key`, `op` (torch's name), what is called with which arguments, and the module it stands in."""

    key: str
    op: str
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    module: str
    kind: str
    shape: tuple[int, ...] | None
    floating: bool


@by_value
@dataclass(frozen=True)
class Ref:
    """The value of another step, of a parameter or of an input, inside arguments."""

    key: str


@by_value
@dataclass(frozen=True)
class Program:
    """Steps in order. `tensors`: state name of each parameter and buffer by key; `inputs`: keys of the example's
    tensors; `held`: constants by key; `output`: key of the first floating tensor that comes out, `extra` how many more.
    """

    steps: tuple[Step, ...]
    tensors: dict[str, str]
    parameters: frozenset[str]
    inputs: tuple[str, ...]
    held: dict[str, Any]
    output: str
    extra: int

    def fresh(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Numbers for one run: copies of what a run may write to, the others as they are, without their gradients."""
        writes = any(step.op.startswith("in place") for step in self.steps)
        return {
            name: value.detach().clone() if writes or name not in self.parameters else value.detach()
            for name, value in state.items()
        }

    def run(
        self,
        state: dict[str, Any],
        example: list[torch.Tensor],
        see: Callable[[Step, Any, Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Run every step; `state` holds parameters and buffers by their names, `see` may replace what comes out."""
        env: dict[str, Any] = dict(self.held)
        env.update({key: state[name] for key, name in self.tensors.items()})
        env.update(zip(self.inputs, example, strict=True))
        for step in self.steps:
            value = step.call(*filled(step.args, env), **filled(step.kwargs, env))
            if see is not None:
                value = see(step, value, env)
            env[step.key] = value
        return env


def filled(value: Any, env: dict[str, Any]) -> Any:
    """Arguments with values in place of their keys."""
    if isinstance(value, Ref):
        return env[value.key]
    if isinstance(value, tuple | list):
        return type(value)(filled(one, env) for one in value)
    if isinstance(value, dict):
        return {name: filled(one, env) for name, one in value.items()}
    return value


def refs(value: Any) -> Iterator[str]:
    """The keys that arguments name, in order."""
    if isinstance(value, Ref):
        yield value.key
    elif isinstance(value, tuple | list):
        for one in value:
            yield from refs(one)
    elif isinstance(value, dict):
        yield from refs(tuple(value.values()))


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Leave all generators of random numbers, warnings and the standard streams as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 the user's state
    level = logging.root.manager.disable
    grad = torch.is_grad_enabled()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(level)
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
            torch.set_grad_enabled(grad)


def export(module: nn.Module, example: tuple[Any, ...]) -> tuple[Program | None, str]:
    """The program of a module on an example, or None and why torch has none."""
    with untouched(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            exported = torch.export.export(module, example, strict=False)
        except Exception as error:  # whatever torch or the user's forward raises while it is traced
            return None, told(error)
    try:
        return _program(exported), ""
    except _Foreign as error:
        return None, str(error)


class _Foreign(Exception):
    """An exported graph with something that is no operation on tensors."""


def _program(exported: Any) -> Program:
    signature, kinds = exported.graph_signature, torch.export.graph_signature.InputKind
    tensors, inputs, held, steps = {}, [], {}, []
    parameters: set[str] = set()
    specs = {spec.arg.name: spec for spec in signature.input_specs}
    renamed: dict[str, str] = {}
    views: set[str] = set()
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            if spec.kind in (kinds.PARAMETER, kinds.BUFFER):
                tensors[node.name] = spec.target
                if spec.kind is kinds.PARAMETER:
                    parameters.add(spec.target)
            elif spec.kind is kinds.CONSTANT_TENSOR:
                held[node.name] = exported.constants[spec.target]
            elif spec.kind is kinds.USER_INPUT:
                if isinstance(node.meta.get("val"), torch.Tensor):
                    inputs.append(node.name)
                else:
                    held[node.name] = getattr(spec.arg, "value", None)
            else:
                raise _Foreign(f"its graph has an input of kind {spec.kind}")
        elif node.op == "get_attr":
            held[node.name] = getattr(exported.graph_module, node.target)
        elif node.op == "call_function":
            steps.append(_step(node, renamed, views))
        elif node.op == "output":
            output, extra = _output(node, steps)
        else:
            raise _Foreign(f"its graph has a node of kind {node.op}")
    return Program(
        tuple(steps), tensors, frozenset(parameters), tuple(inputs), held,
        renamed.get(output, output), extra,
    )  # fmt: skip


def _step(node: Any, renamed: dict[str, str], views: set[str]) -> Step:
    if isinstance(node.target, HigherOrderOperator):
        raise _Foreign(f"its graph has the control flow {node.target}")
    import torch.fx as fx

    def convert(value: Any) -> Any:
        return fx.node.map_arg(value, lambda one: Ref(renamed.get(one.name, one.name)))  # type: ignore[arg-type, return-value]

    args, kwargs = convert(node.args), convert(dict(node.kwargs))
    call, op = node.target, _op(node.target)
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    module, kind = stack[-1] if stack else ("", "")
    value = node.meta.get("val")
    if isinstance(call, OpOverload) and op.endswith("_") and not op.startswith("_"):
        target = args[0].key if args and isinstance(args[0], Ref) else ""
        twin = _twin(call)
        if twin is None or (target in views and _read_again(node)):
            op = f"in place: {op}"
        else:
            call, op = twin, op.rstrip("_")
            _rename(renamed, target, node.name)
    elif isinstance(call, OpOverload) and call._schema.returns and _is_view(call):
        views.update([node.name, *refs(args)])
    tensor = isinstance(value, torch.Tensor)
    return Step(
        node.name, op, call, tuple(args), dict(kwargs), str(module),
        str(getattr(kind, "__name__", kind)).rsplit(".", 1)[-1],
        tuple(int(n) for n in value.shape) if tensor else None, tensor and value.dtype.is_floating_point,
    )  # fmt: skip


def _rename(renamed: dict[str, str], target: str, name: str) -> None:
    """Whoever takes the old tensor from now on takes the new one."""
    for key in [key for key, value in renamed.items() if value == target]:
        renamed[key] = name
    renamed[target] = name


def _read_again(node: Any) -> bool:
    """Whether a tensor that shares its numbers with what is changed in place is read behind that."""
    place = {one: at for at, one in enumerate(node.graph.nodes)}
    base = node.args[0]
    while isinstance(base.target, OpOverload) and _is_view(base.target) and base.args:
        base = base.args[0]
    if base.op == "placeholder":  # an input or a buffer
        return True
    waiting, later = [base], set()
    while waiting:
        one = waiting.pop()
        for user in one.users:
            if isinstance(user.target, OpOverload) and _is_view(user.target) and place[user] < place[node]:
                waiting.append(user)
            elif place[user] > place[node] and one is not node.args[0]:
                later.add(user)
    return bool(later)


def _is_view(call: Any) -> bool:
    return any(one.alias_info is not None and not one.alias_info.is_write for one in call._schema.returns)


def _twin(call: Any) -> Any:
    """The operation that gives what an operation in place leaves behind, or None."""
    packet = getattr(torch.ops.aten, call._schema.name.split("::")[-1][:-1], None)
    overload = (
        "p"
        if call._schema.name == "aten::bernoulli_" and call._overloadname == "float"
        else call._overloadname
    )
    return getattr(packet, overload, None) if packet is not None else None


def _op(target: Any) -> str:
    if target is operator.getitem:
        return "getitem"
    if isinstance(target, OpOverload):
        return target._schema.name.split("::")[-1]
    return str(getattr(target, "__name__", target))


def _output(node: Any, steps: list[Step]) -> tuple[str, int]:
    """The first floating tensor that comes out, and how many other ones do."""
    floating = {step.key for step in steps if step.floating}
    found = [one.name for one in node.all_input_nodes if one.name in floating]
    if not found:
        raise _Foreign("nothing that comes out of it is a tensor of floating-point numbers that it computes")
    return found[0], len(found) - 1
