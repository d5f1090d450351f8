"""`widelimit explain`: symbols, words, topics, claims and errors, and the nearest names where there is nothing."""

import json

import pytest

from widelimit.validate.cli import main


@pytest.mark.parametrize(
    "name, kind, said",
    [
        ("q_star", "meanfield", "stable fixed point of the length map"),
        ("kappa", "ridge", "penalty that shrinks the population covariance as much"),
        ("margin", "word", "what counts as agreement"),
        ("inconclusive", "word", "more replicates would decide"),
        ("Walkback", "topic", "Entropy production"),
        ("meanfield.length-map", "claim", "arXiv:1606.05340"),
        ("ArgumentError", "error", "One named argument is wrong."),
        ("PrecisionWarning", "warning", "rounded so coarsely"),
    ],
)
def test_names_are_explained(capsys, name, kind, said):
    assert main(["explain", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["found"]
    assert any(kind in one["kind"] and said in one["meaning"] for one in found), found


@pytest.mark.parametrize("name", ["q_stra", "", "<script>", "no.such-claim", "\x1b[31m"])
def test_what_nobody_knows_is_refused_with_the_nearest_names(capsys, name):
    assert main(["explain", name]) == 2
    said = capsys.readouterr().err
    assert "Argument `name` must be a symbol, a word, a topic, a claim or an error" in said
    assert ("q_star" in said) == (name == "q_stra")
