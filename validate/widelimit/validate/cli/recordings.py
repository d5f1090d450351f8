"""``widelimit identify``: which learning rule trained the network that a table was recorded of?"""

from __future__ import annotations

from pathlib import Path

from widelimit.validate.cli import output, tables


def identify(
    table: Path,
    *,
    networks: int = 40,
    units: int | None = None,
    noise: float = 0.0,
    classifier: str = "logistic",
    json: bool = False,
) -> int:
    """Say which learning rule trained a network, from statistics that were recorded while it learned.

    They are compared with a bank of simulated networks (Adam, gradient descent, feedback alignment, information
    alignment), which is trained at the first time and cached. No rule is named where the recording lies outside it.

    Args:
        table: a file whose columns are named like act.var.1 or weight_abs_mean_2, a row for each snapshot.
        networks: of each rule in the bank.
        units: recorded in each layer, as in the recording; all by default.
        noise: of the recording, in standard deviations of what is recorded.
        classifier: logistic, forest (random trees) or svm.
        json: print one JSON object.
    """
    from widelimit.validate import rules

    known = rules.bank(networks, units=units, noise=noise)
    found = rules.identify(table, bank=known, classifier=classifier)
    if json:
        print(tables.json_text(tables.attributes(found)))
    else:
        output.say(str(found))
    return 0
