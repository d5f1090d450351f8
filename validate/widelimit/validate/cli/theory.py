"""``widelimit list``, ``derive`` and ``predict``: what is known, why, and what it says in numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from widelimit.validate.cli import options, output, tables

Tokens = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
_FLOORS = {"predict": "numerics", "derive": "theory"}


def list_(*, json: bool = False, claims_from: list[str] | None = None) -> None:
    """List topics and their claims.

    Args:
        json: print one JSON object instead of a table.
        claims_from: modules or .py files with further claims.
    """
    from widelimit.theory.topics import TOPICS
    from widelimit.validate.harness.finding import sources

    claims = [source.claim() for source in sources("*", claims_from or [])]
    topics = dict.fromkeys([*TOPICS, *(claim.topic for claim in claims)])
    if json:
        listed = [
            {
                "id": c.id,
                "title": c.title,
                "statement": c.statement,
                "paper": c.paper,
                "presets": list(c.plans),
            }
            for c in claims
        ]
        print(tables.json_text({"topics": list(topics), "claims": listed}))
        return
    for topic in topics:
        output.say(topic)
        output.say(
            tables.columns([["  " + c.id, c.title, ", ".join(c.plans)] for c in claims if c.topic == topic])
        )


def derive(
    topic: str | None = None,
    *tokens: Tokens,
    format: Literal["text", "latex", "mathml"] = "text",
    check: bool = False,
) -> None:
    """Print the derivation of a topic, step by step; `widelimit derive TOPIC --help` lists its options.

    Args:
        topic: a topic of `widelimit list`; without one, the topics are listed.
        format: text, latex or mathml.
        check: also check every step at random points, at 30 digits.
    """
    if topic is None:
        return _topics("derive")
    function = options.topic_function(topic, "theory", "derive")
    derivation = function(**options.bind(function, tokens, f"widelimit derive {topic}"))
    match format:
        case "text":
            print(derivation)
        case "latex":
            print(derivation.latex())
        case "mathml":
            print(derivation.mathml())
    if check:
        rows = [[c.name, c.kind, tables.number(c.worst_relative_error, 2)] for c in derivation.check()]
        output.say("\n" + tables.columns([["step", "kind", "worst relative error at 30 digits"], *rows]))


def predict(
    topic: str | None = None,
    *tokens: Tokens,
    json: bool = False,
    plot: Path | None = None,
    save: Path | None = None,
) -> None:
    """Print what a topic predicts; `widelimit predict TOPIC --help` lists its options.

    Args:
        topic: a topic of `widelimit list`; without one, the topics are listed.
        json: print one flat JSON object; infinity is the string "inf", what is not defined is null.
        plot: also draw it into this file, .svg, .png or .pdf.
        save: also write the numbers into this file, .csv.
    """
    if topic is None:
        return _topics("predict", json)
    function = options.topic_function(topic, "numerics", "predict")
    _writable(plot, save)
    given = options.bind(function, tokens, f"widelimit predict {topic}")
    predicted = function(**given)
    result = tables.attributes(predicted)
    if plot is not None:
        _draw(plot, topic, function, given, predicted)
    if save is not None:
        from widelimit.validate.pictures import files

        files.write_table(save, result)
    if json:
        print(tables.json_text(result))
        return
    exact = not output.terminal(sys.stdout)
    print(tables.columns([[name, tables.cell(value, exact)] for name, value in result.items()]))


def _writable(plot: Path | None, save: Path | None) -> None:
    """Refuse files that cannot be written before anything is computed."""
    if plot is None and save is None:
        return
    from widelimit.validate.pictures import files

    if plot is not None:
        files.checked("plot", plot, files.IMAGES)
    if save is not None:
        files.checked("save", save, files.TABLES)


def _draw(path: Path, topic: str, function: Callable[..., Any], given: dict[str, Any], result: Any) -> None:
    from widelimit.validate.pictures import commands, files

    asked = ", ".join(f"{name} {value}" for name, value in given.items())
    title = f"{topic}: {asked}" if asked else f"{topic}, as `widelimit predict {topic}` has it"
    files.write_picture(path, commands.picture(topic, function, given, result), title)


def _topics(command: str, json: bool = False) -> None:
    """List the topics that a command takes, each with what its function says of itself."""
    floor = _FLOORS[command]
    found = {topic: options.summary(topic, floor) for topic in options.topics(floor)}
    if json:
        print(tables.json_text({"topics": list(found)}))
        return
    output.say(f"widelimit {command} TOPIC, with one of these topics; --help behind it lists its options:\n")
    output.say(tables.columns([["  " + topic, text] for topic, text in found.items()]))


def topic_help(command: str, topic: str) -> None:
    """Print the options that a topic has for ``predict`` or ``derive``, besides the command's own."""
    function = options.topic_function(topic, _FLOORS[command], command)
    options.bind(function, ["--help"], f"widelimit {command} {topic}")
