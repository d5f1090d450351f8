"""The command line: ``widelimit list | derive | predict | validate | falsify | report``.

Nothing heavy is imported here: each command imports what it runs. Topics bring their own options: ``derive`` and
``predict`` read them from the signatures of ``theory.<topic>.derive`` and ``numerics.<topic>.predict``. Exit status:
0 done and nothing disagrees, 1 a claim disagrees, 2 the request is wrong, 3 our own failure, 130 interrupted.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from widelimit.theory.errors import InputError, ParseError, StoreError, WidelimitError
from widelimit.theory.topics import TOPICS

if TYPE_CHECKING:
    from widelimit.validate.outcome import RunOutcome

DONE, DISAGREES, WRONG_REQUEST, FAILED, INTERRUPTED = 0, 1, 2, 3, 130

app = App(
    name="widelimit",
    help="Theory of large random systems: derive it, compute it, and test it against simulation.",
    version=lambda: importlib.import_module("importlib.metadata").version("widelimit"),
    result_action="return_value",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; what goes wrong is one sentence on the standard error."""
    try:
        _add_topics(arguments)
        status = app(list(arguments), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _say(str(error), WRONG_REQUEST)
    except InputError as error:
        return _say(str(error), WRONG_REQUEST)
    except StoreError as error:
        return _say(str(error), WRONG_REQUEST)
    except WidelimitError as error:
        return _say(str(error), FAILED)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return DONE
    except KeyboardInterrupt:
        return _say("Interrupted. What is done is kept; the same command goes on from there.", INTERRUPTED)
    return status if isinstance(status, int) else DONE


@app.command(name="list")
def list_(*patterns: str, json: bool = False) -> int:
    """List the topics and their claims.

    Args:
        patterns: ids, topics or shell patterns such as "meanfield.*"; everything if left out.
        json: print a JSON array instead of a table.
    """
    from widelimit.validate import claims

    found = claims.load(patterns or ("*",))
    if json:
        _print_json(
            [{"id": c.id, "title": c.title, "paper": c.paper, "presets": list(c.plans)} for c in found]
        )
        return DONE
    width = max(len(claim.id) for claim in found)
    for claim in found:
        print(f"{claim.id:<{width}}  {claim.title}  [{claim.paper}]")
    return DONE


derive = App(
    name="derive", help="Print the derivation of a topic, or check it at random points in high precision."
)
predict = App(name="predict", help="Compute a prediction: the options are those of the topic.")
app.command(derive)
app.command(predict)


@app.command
def validate(
    *patterns: str,
    preset: Literal["quick", "reference", "deep"] = "quick",
    out: Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    scheduler: str | None = None,
    inputs: Path | None = None,
    level: float = 0.05,
    seed: int = 0,
    precision: Literal["float64", "float32"] = "float64",
    claims_from: tuple[str, ...] = (),
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Test claims against simulation and write a report. Run it again to go on where it stopped.

    Args:
        patterns: ids, topics or shell patterns such as "meanfield.*"; everything if left out.
        preset: how much to spend: minutes, an hour, or a GPU.
        out: the run's folder; reports/PRESET if left out.
        device: auto, cpu or cuda.
        jobs: worker processes on this machine; one a core if left out.
        scheduler: the address of a Dask scheduler, such as tcp://127.0.0.1:8786.
        inputs: a .npy or .csv matrix (a row an input) in place of the data that claims start from.
        level: probability that a run of true theories raises any false alarm.
        seed: another seed is another, independent run.
        precision: float32 is used only by claims that allow it.
        claims_from: modules or .py files with further claims.
        json: print report.json on the standard output.
        quiet: no progress.
    """
    from widelimit.validate.run import validate as run_claims

    folder = out or Path("reports") / preset
    with _progress(quiet) as progress:
        outcome = run_claims(
            patterns or ("*",), preset=preset, out=folder, device=device, jobs=jobs, scheduler=scheduler, inputs=inputs,
            level=level, seed=seed, precision=precision, claims_from=claims_from, progress=progress,
        )  # fmt: skip
    return _finish(outcome, folder, json)


@app.command
def falsify(
    claim: str,
    *,
    budget: int = 100,
    seconds: float | None = None,
    preset: Literal["quick", "reference", "deep"] = "quick",
    device: str = "auto",
    level: float = 0.05,
    seed: int = 0,
    claims_from: tuple[str, ...] = (),
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Search the domain of a claim for a point where it is wrong, and shrink it to the simplest.

    Args:
        claim: the id of one claim.
        budget: how many points to try at most (and as many again to shrink what was found).
        seconds: begin no point after so many seconds.
        preset: sizes and replicates are those of this preset.
        device: auto, cpu or cuda.
        level: probability that the search reports a counterexample of a true claim.
        seed: another seed draws other points and other replicates.
        claims_from: modules or .py files with further claims.
        json: print one JSON object.
        quiet: no progress.
    """
    from widelimit.validate.falsify import falsify as search

    def note(done: int, allowed: int, inputs: Any, verdict: str) -> None:
        if not quiet:
            shown = ", ".join(f"{name}={value}" for name, value in inputs.items())
            print(f"[{done}/{allowed}] {verdict}: {shown}", file=sys.stderr)

    found = search(
        claim, budget, seconds=seconds, preset=preset, device=device, level=level, seed=seed,
        claims_from=claims_from, progress=note,
    )  # fmt: skip
    if json:
        from dataclasses import asdict

        _print_json(asdict(found))
    elif found.counterexample is None:
        print(f"{found.claim}: no counterexample in {found.tried} points (level {found.level:g}).")
    else:
        print(f"{found.claim} is wrong at {dict(found.counterexample)} (level {found.level:g}):")
        for row in found.rows:
            print(f"  {dict(row.label)}: predicted {row.predicted:.6g}, measured {row.measured:.6g} "
                  f"+- {row.standard_error:.2g}, {row.verdict}")  # fmt: skip
    return DONE if found.counterexample is None else DISAGREES


@app.command
def report(folder: Path, *, json: bool = False) -> int:
    """Write the report of a run again, from what the run stored; nothing is simulated.

    Args:
        folder: the folder of a finished run.
        json: print report.json on the standard output.
    """
    from widelimit.validate import report as pages

    outcome = pages.read(folder)
    pages.write(outcome, folder)
    return _finish(outcome, folder, json)


def _finish(outcome: RunOutcome, folder: Path, json: bool) -> int:
    if json:
        print((folder / "report.json").read_text(encoding="utf-8"))
    else:
        width = max((len(claim.id) for claim in outcome.claims), default=0)
        for claim in outcome.claims:
            weak = ", too weak to mean anything" if claim.too_weak else ""
            rejected = sum(wrong.rejected for wrong in claim.counterfactuals)
            print(
                f"{claim.id:<{width}}  {claim.verdict}{weak}; resolution {100 * claim.resolution:.2g} %, "
                f"wrong theories rejected {rejected}/{len(claim.counterfactuals)}"
            )
        print(f"\n{(folder / 'index.html').resolve()}")
    return DISAGREES if outcome.disagrees else DONE


def _add_topics(arguments: Sequence[str]) -> None:
    """Register the topics of `derive` or `predict` as subcommands; only the one that is asked for is imported."""
    for parent, floor, name in ((derive, "theory", "derive"), (predict, "numerics", "predict")):
        if not arguments or arguments[0] != parent.name[0]:
            continue
        asked = arguments[1] if len(arguments) > 1 else ""
        known = [topic for topic in TOPICS if importlib.util.find_spec(f"widelimit.{floor}.{topic}")]
        if asked and not asked.startswith("-") and asked not in known:
            raise ParseError(_unknown(asked, known))
        for topic in known if asked not in known else [asked]:
            function = getattr(importlib.import_module(f"widelimit.{floor}.{topic}"), name, None)
            if function is not None:
                parent.command(
                    _derive(topic, function) if name == "derive" else _predict(function), name=topic
                )


def _unknown(topic: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(topic, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"Argument `topic` must be one of {', '.join(known)}, but is {topic!r}.{hint}"


def _predict(function: Callable[..., Any]) -> Callable[..., int]:
    """Return the function as a command that prints its result, with the option --json."""

    def command(*args: Any, json: bool = False, **options: Any) -> int:
        from widelimit.validate.printing import flat, table

        values = flat(function(*args, **options))
        _print_json(values) if json else print(table(values))
        return DONE

    return _with_options(command, function, json=(bool, False, "Print one flat JSON object."))


def _derive(topic: str, function: Callable[..., Any]) -> Callable[..., int]:
    """Return a topic's `derive` as a command that prints the derivation."""

    def command(*args: Any, format: str = "text", check: bool = False, dps: int = 30, **options: Any) -> int:
        derivation = function(*args, **options)
        shown = {"text": str, "latex": lambda d: d.latex(), "mathml": lambda d: d.mathml()}[format]
        print(shown(derivation))
        if check:
            for done in derivation.check(dps=dps):
                print(f"checked {done.name}: {done.kind}, relative error {done.worst_relative_error:.1e}")
        return DONE

    formats = Literal["text", "latex", "mathml"]
    return _with_options(
        command,
        function,
        format=(formats, "text", "How to print the steps."),
        check=(bool, False, "Check every step at random points in high precision."),
        dps=(int, 30, "Digits of the check."),
    )


def _with_options(command: Callable, function: Callable, **added: tuple[Any, Any, str]) -> Callable[..., int]:
    """Give `command` the parameters of `function`, as options, and some more."""
    signature = inspect.signature(function, eval_str=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=_plain(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    more = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, Parameter(help=text)],
        )
        for name, (kind, default, text) in added.items()
        if name not in signature.parameters
    ]
    command.__signature__ = inspect.Signature([*own, *more], return_annotation=int)  # type: ignore[attr-defined]
    command.__doc__ = function.__doc__ and inspect.cleandoc(function.__doc__).split("\n>>>")[0]
    command.__name__ = function.__name__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *more]}
    return command


def _plain(annotation: Any) -> Any:
    """Return what the command line can read of an annotation that also allows objects (activations): text."""
    simple = (str, int, float, bool, type(None))
    if annotation is inspect.Parameter.empty:
        return str
    arguments = getattr(annotation, "__args__", ())
    origin = getattr(annotation, "__origin__", None)
    if annotation in simple or origin in (list, tuple, Literal, Annotated):
        return annotation
    if arguments and not all(
        kind in simple or getattr(kind, "__origin__", None) in (list, tuple) for kind in arguments
    ):
        return str
    return annotation if arguments else str


def _progress(quiet: bool) -> Any:
    from widelimit.validate.progress import Bar, Silent

    return Silent() if quiet else Bar()


def _print_json(value: Any) -> None:
    import json

    from widelimit.validate.printing import finite

    print(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def _say(sentence: str, status: int) -> int:
    print(f"widelimit: {' '.join(sentence.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
