"""Runs of a real claim that are killed at seeded moments, and go on: one process that imports once and forks.

``python killing.py FOLDER TRIALS`` prints one line of JSON for each trial, or fails.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path

from widelimit.validate.harness import finding
from widelimit.validate.harness.running.store import NAME
from widelimit.validate.run import validate

PACE = 0.004  # seconds between two cells


def fast_claim():
    """The length map of deep networks, at small widths: 24 cells of a few milliseconds."""
    claim = finding.find("meanfield.length-map")
    plan = claim.plans["quick"]
    small = replace(plan, points=plan.points[:2], sizes=(16, 24, 32), pilot=4, most=8, block=2)
    return replace(claim, plans={"quick": small})


def run(claim, folder, progress=None, **changes):
    return validate(
        claims=[claim], out=folder, device="cpu", report=False, progress=progress, **({"jobs": 1} | changes)
    )


def found(outcome):
    """All that a run found out, without the seconds that it took."""
    return [replace(one, seconds=0.0) for one in outcome.claims]


def stored(folder):
    with sqlite3.connect(folder / NAME) as connection:
        rows = dict(connection.execute("SELECT key, samples FROM cells"))
    connection.close()
    return rows


def kill(claim, folder, cells, wait):
    """Start a run, and kill it `wait` seconds after it has stored so many cells; how many it had stored at least."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)

        def paced(*_):
            os.write(write, b".")
            time.sleep(PACE)

        run(claim, folder, paced)
        os._exit(0)
    os.close(write)
    seen = 0
    while seen < cells and os.read(read, 1):
        seen += 1
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    os.close(read)
    return seen, os.waitpid(child, 0)[1] == signal.SIGKILL


def main(folder, trials):
    claim = fast_claim()
    expected = run(claim, folder / "whole")
    samples, total = stored(folder / "whole"), expected.manifest["cells"]["all"]
    for trial in range(trials):
        chance, here = random.Random(trial), folder / str(trial)
        least, deaths = 0, 0
        for _ in range(chance.choice((1, 1, 1, 2))):
            wait = chance.choice((0.0, chance.uniform(0, 2 * PACE), chance.uniform(0, 0.2)))
            seen, died = kill(claim, here, chance.randrange(total + 1), wait)
            least, deaths = max(least, seen), deaths + died
        again = run(claim, here)
        cells = again.manifest["cells"]
        assert found(again) == found(expected), trial
        assert stored(here) == samples, trial
        assert cells["all"] == total and cells["reused"] >= least, (trial, cells, least)
        left = sorted(one.name for one in here.iterdir())
        assert left == ["manifest.json", "report.json", "results.nc", NAME], (trial, left)
        print(json.dumps({"trial": trial, "deaths": deaths, "least": least, **cells}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
