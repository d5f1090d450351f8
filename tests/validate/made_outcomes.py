"""Outcomes of runs made by hand, and a reader of pages that sees that they are well formed."""

from html.parser import HTMLParser

from widelimit.validate.harness.outcome import (
    ClaimOutcome,
    CounterfactualOutcome,
    CounterfactualRow,
    RowOutcome,
    RunOutcome,
    SizeSummary,
)


def row(point, layer, *, verdict="agrees", error=0.01, off=0.3, **changes):
    predicted = 1.0 / layer
    measured = predicted + off * error
    sizes = tuple(SizeSummary(n, 8, measured + 0.5 / n, error) for n in (100, 200, 400))
    values = {
        "inputs": {"activation": "tanh", "sigma_w": 1.0 + point, "layer": layer},
        "predicted": predicted,
        "measured": measured,
        "standard_error": error,
        "low": measured - 3 * error,
        "high": measured + 3 * error,
        "degrees_of_freedom": 20.0,
        "margin": 0.1,
        "slope": 0.5,
        "slope_error": 0.2,
        "p_equivalence": 1e-9,
        "p_difference": 0.4,
        "verdict": verdict,
        "resolution": 0.05,
        "needed_replicates": None,
        "sizes": sizes,
        "counterfactuals": (CounterfactualRow("no square", predicted + 0.4, 1e-12, True),),
        "point": point,
        "label": {"layer": layer},
    }
    return RowOutcome(**(values | changes))


def claim(id="made.up", rows=None, **changes):
    values = {
        "title": "Length map of sigma_w^2",
        "statement": "q' = sigma_w^2 V(q)",
        "paper": "arXiv:1611.01232, eq. (3)",
        "verdict": "agrees",
        "too_weak": False,
        "resolution": 0.05,
        "level": 0.05,
        "margin": 0.1,
        "rows": tuple(rows or [row(p, layer) for p in range(2) for layer in range(1, 5)]),
        "counterfactuals": (CounterfactualOutcome("no square", "sigma_w for its square", True, 8, 8),),
        "seconds": 12.0,
        "replicates": 192,
    }
    return ClaimOutcome(id=id, **(values | changes))


def run(*claims, **manifest):
    about = {"device": "cpu", "seed": 0, "seconds": 12.5, "versions": {"widelimit": "0.1.0"}, "warnings": []}
    return RunOutcome(claims or (claim(),), about | manifest, "quick", 0.05)


class Checker(HTMLParser):
    """Collects identifiers and links, and sees that every element is closed."""

    VOID = ("meta", "br", "link", "img", "hr", "input")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.links += [attributes[k] for k in ("href", "src", "xlink:href") if k in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


def checked(path):
    checker = Checker()
    checker.feed(path.read_text())
    checker.close()
    assert not checker.open
    return checker
