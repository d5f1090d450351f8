"""``widelimit list``, ``derive`` and ``predict``: what is known, why, and what it says in numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from widelimit.validate.cli import options, tables

Tokens = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def list_(*, json: bool = False, claims_from: list[str] | None = None) -> None:
    """List topics and their claims.

    Args:
        json: print one JSON object instead of a table.
        claims_from: modules or .py files with further claims.
    """
    from widelimit.theory.topics import TOPICS
    from widelimit.validate.claims import sources

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
        print(topic)
        print(
            tables.columns([["  " + c.id, c.title, ", ".join(c.plans)] for c in claims if c.topic == topic])
        )


def derive(
    topic: str,
    *tokens: Tokens,
    format: Literal["text", "latex", "mathml"] = "text",
    check: bool = False,
) -> None:
    """Print the derivation of a topic, step by step; `widelimit derive TOPIC --help` lists its options.

    Args:
        topic: a topic of `widelimit list`.
        format: text, latex or mathml.
        check: also check every step at random points, at 30 digits.
    """
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
        print("\n" + tables.columns([["step", "kind", "worst relative error at 30 digits"], *rows]))


def predict(topic: str, *tokens: Tokens, json: bool = False) -> None:
    """Print what a topic predicts; `widelimit predict TOPIC --help` lists its options.

    Args:
        topic: a topic of `widelimit list`.
        json: print one flat JSON object; infinity is the string "inf", what is not defined is null.
    """
    function = options.topic_function(topic, "numerics", "predict")
    result = tables.attributes(function(**options.bind(function, tokens, f"widelimit predict {topic}")))
    if json:
        print(tables.json_text(result))
    else:
        print(tables.columns([[name, tables.cell(value)] for name, value in result.items()]))


def topic_help(command: str, topic: str) -> None:
    """Print the options that a topic has for ``predict`` or ``derive``, besides the command's own."""
    floor = {"predict": "numerics", "derive": "theory"}[command]
    function = options.topic_function(topic, floor, command)
    options.bind(function, ["--help"], f"widelimit {command} {topic}")
