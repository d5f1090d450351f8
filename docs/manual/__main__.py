"""``python -m docs.manual [--draft] [OUT]``: writes the site into OUT and ends with the path of its first page."""

import argparse
from pathlib import Path

from docs.manual.site import build

parser = argparse.ArgumentParser(prog="python -m docs.manual", description="Build the manual.")
parser.add_argument("out", nargs="?", default="build/docs", type=Path, help="folder of the site")
parser.add_argument("--draft", action="store_true", help="run no tutorial, and leave out the explorer's laws")
asked = parser.parse_args()
print(build(asked.out, draft=asked.draft))
