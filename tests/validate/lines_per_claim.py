"""What a claim costs in lines: ``python tests/validate/lines_per_claim.py [FOLDER OF claims]``.

A claim costs its share of its module's lines, and of those of its room that hold no claim (plans, shared functions,
formulas); figures of a paper (``gallery``) and faces of rooms (``__init__``) are left out. Lines that are empty count.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from statistics import median

CLAIMS = Path(__file__).parents[2] / "validate/widelimit/validate/claims"
_MAKERS = (
    "Claim",
    "declare",
    "_claim",
    "_class_claim",
)  # a claim is a name that is assigned a call of one of these


def costs(folder: Path) -> dict[str, float]:
    """Lines of each claim, by room and name."""
    found: dict[str, float] = {}
    rooms = [path for path in sorted(folder.iterdir()) if path.name[0] not in "_."]
    for room in rooms:
        files = sorted(room.glob("*.py")) if room.is_dir() else [room]
        files = [file for file in files if file.stem not in ("gallery", "__init__")]
        made = {file: _claims(file) for file in files}
        count = sum(map(len, made.values()))
        shared = sum(_lines(file) for file in files if not made[file])
        for file, names in made.items():
            for name in names:
                found[f"{room.stem}.{name}"] = _lines(file) / len(names) + shared / count
    return found


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def _claims(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if isinstance(node.value.func, ast.Name) and node.value.func.id in _MAKERS
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


if __name__ == "__main__":
    table = costs(Path(sys.argv[1]) if len(sys.argv) > 1 else CLAIMS)
    for name, lines in table.items():
        print(f"{lines:6.0f}  {name}")
    print(f"{len(table)} claims, median {median(table.values()):.0f} lines")
