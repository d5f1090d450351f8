"""``widelimit network``: a user's own network, theory beside measurement."""

from __future__ import annotations

import importlib.util
import json as json_
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

from widelimit.theory.errors import ArgumentError
from widelimit.validate.cli import output
from widelimit.validate.cli.options import Whole
from widelimit.validate.harness.running.atomic import replacing
from widelimit.validate.harness.text import told

_NAME = "widelimit_network_of_a_user"
_LARGEST = 2**31  # numbers of an input


def network(
    target: str,
    *,
    input_shape: list[str],
    input_dtype: Literal["float", "double", "half", "bfloat16", "long"] = "float",
    high: Whole | None = None,
    draws: Whole = 8,
    seed: Whole = 0,
    gradients: bool = True,
    json: bool = False,
    html: Path | None = None,
    advise: bool = False,
    write_init: Path | None = None,
    prove: Literal["digits"] | None = None,
) -> int:
    """Say what theory predicts of a torch module at initialisation, beside fresh draws of it, layer by layer.

    The file is imported and its function called without arguments, once for the module and once a draw; nothing else
    of it is used. Exit status: 0 all layers agree and it is trainable at its depth, 1 some layer disagrees or it is
    not, 2 the request is wrong.

    Args:
        target: FILE.py:factory, a file and a function in it that returns a module.
        input_shape: shape of an input with its batch, such as 2,16; once for each input of the module.
        input_dtype: what inputs hold: normal numbers, or whole ones (long).
        high: whole numbers are below it (the size of a vocabulary).
        draws: fresh draws of the weights.
        seed: of inputs and draws.
        gradients: walk back as well.
        json: print one JSON object.
        html: write the page there.
        advise: say what to change in the initialisation, and what it does.
        write_init: write the function init_(module) that makes these changes there; it needs torch alone.
        prove: train with and without the changes on these images, in pairs, and say if they help (minutes).
    """
    shapes = [_shape(one) for one in input_shape]
    if input_dtype == "long" and (high is None or high < 1):
        raise ArgumentError("high", "must be a positive whole number for inputs of type long", high)
    factory = _factory(target)
    from widelimit.validate.network import report

    module = _called(factory)
    example = [_input(shape, input_dtype, high, seed + place) for place, shape in enumerate(shapes)]
    found = report(module, *example, factory=factory, draws=draws, gradients=gradients, seed=seed)
    if html is not None:
        found.to_html(html)
    said = _advice(found, factory, write_init, prove) if advise or write_init or prove else None
    if json:
        from widelimit.validate.network.graph.writing import json_text

        text = json_text(found)
        print(text if said is None else json_.dumps({**json_.loads(text), "advice": said[0]}))
    else:
        output.say(str(found))
        if said is not None:
            output.say(said[1])
    return 0 if found.agrees and found.trainable else 1


def _advice(
    found: Any, factory: Callable[[], Any], write_init: Path | None, prove: Literal["digits"] | None
) -> tuple[dict[str, Any], str]:
    """What to change, as plain values and as text; the function written and the proof made where they are asked for."""
    from widelimit.validate.network import advise

    made = advise(found)
    plain: dict[str, Any] = {
        "changes": [
            {name: getattr(one, name) for name in ("target", "what", "before", "after", "because", "effect")}
            for one in made.changes
        ],
        "kept": list(made.kept),
    }
    rows = ["", "What to change", str(made)]
    if write_init is not None:
        with replacing(write_init) as file:
            file.write_text(made.code(), encoding="utf-8")
    if prove is not None:
        proof = made.prove(factory, data=prove)
        plain["proof"] = {
            "verdict": proof.verdict,
            "difference": proof.difference,
            "low": proof.low,
            "high": proof.high,
        }
        rows.append(str(proof))
    return plain, "\n".join(rows)


def _shape(text: str) -> tuple[int, ...]:
    parts = text.replace("x", ",").split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 10 for part in parts):
        raise ArgumentError("input_shape", "must be whole numbers with commas between, such as 2,16", text)
    shape = tuple(int(part) for part in parts)
    total = 1
    for size in shape:
        total *= size
    if not 0 < total < _LARGEST:
        raise ArgumentError("input_shape", "must be positive sizes that fit into memory", text)
    return shape


def _input(shape: tuple[int, ...], dtype: str, high: int | None, seed: int) -> Any:
    import torch

    generator = torch.Generator().manual_seed(seed)
    if dtype == "long":
        return torch.randint(high or 1, shape, generator=generator)
    return torch.randn(shape, generator=generator).to(getattr(torch, dtype))


def _factory(target: str) -> Callable[[], Any]:
    """Import the file and return its function."""
    place, _, name = target.rpartition(":")
    if not place.endswith(".py") or not name.isidentifier():
        help = "Write it as in my_model.py:make, where make() returns the module."
        raise ArgumentError("target", "must be FILE.py:factory", target, help)
    path = Path(place)
    if not path.is_file():
        raise ArgumentError(
            "target", "must name a file", but=f"{place} is {'a folder' if path.is_dir() else 'not there'}"
        )
    spec = importlib.util.spec_from_file_location(_NAME, path.resolve())
    if spec is None or spec.loader is None:
        raise ArgumentError("target", "must name a Python file", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    if str(path.resolve().parent) not in sys.path:
        sys.path.append(str(path.resolve().parent))
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _shown(error, "target", "must name a file that can be imported") from None
    found = getattr(module, name, None)
    if not callable(found):
        raise ArgumentError("target", f"must name a function of {place}", but=f"has no function {name}")

    def quiet() -> Any:
        with redirect_stdout(sys.stderr):
            return found()

    return quiet


def _called(factory: Callable[[], Any]) -> Any:
    import torch

    torch.manual_seed(0)
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise _shown(
            error, "target", "must name a function that returns a module when it is called without arguments"
        ) from None


def _shown(error: BaseException, name: str, must: str) -> ArgumentError:
    """Print the user's own traceback and say in a sentence what happened."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename not in (__file__,)]
    frames = [one for one in frames if "importlib" not in one.filename]
    if frames:
        print("Traceback (most recent call last):", file=sys.stderr)
        print("".join(traceback.format_list(frames)), end="", file=sys.stderr)
    return ArgumentError(name, must, but=f"it raises {told(error)}")
