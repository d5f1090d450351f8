"""``python -m widelimit.validate.cli.gpu --out DIR``: the session, with its options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from widelimit.theory.errors import WidelimitError
from widelimit.validate.cli.gpu import session


def main(argv: list[str] | None = None) -> int:
    """Run a session; 0: nothing to mend, 1: something, 2: the request is wrong or there is no such device."""
    parser = argparse.ArgumentParser(prog="widelimit.validate.cli.gpu", description=session.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--budget", default="4m", help="time for claims of the deep preset, such as 4m")
    parser.add_argument("--limit", default="460s", help="time for everything")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the session itself")
    parser.add_argument("--claims", nargs="*", default=["*"], help="claims to compare on both devices")
    parser.add_argument(
        "--deep", nargs="*", default=list(session.deep.CLAIMS), help="claims of the deep preset"
    )
    parser.add_argument("--tests", default="tests", help="folder of tests; empty for none")
    given = parser.parse_args(argv)
    try:
        found = session.run(
            session.Request(
                given.out,
                device=given.device,
                limit=session.seconds(given.limit),
                budget=session.seconds(given.budget),
                tests=given.tests,
                claims=given.claims,
                deep=given.deep,
                widths=(8192, 2048) if given.device != "cpu" else (256, 256),
            )
        )
    except WidelimitError as error:
        print(f"widelimit: {error}", file=sys.stderr)
        return 2
    print(session.text(found))
    return int(bool(found["problems"]))


if __name__ == "__main__":
    sys.exit(main())
