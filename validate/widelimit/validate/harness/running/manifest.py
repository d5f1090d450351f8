"""What it takes to repeat a run: versions, device, seed, git state and settings, written next to the results."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from widelimit.validate.harness.running import atomic

NAME = "manifest.json"
_PACKAGES = ("widelimit", "numpy", "scipy", "sympy", "mpmath", "numba", "torch", "scikit-learn", "xarray")


def describe(device: str, precision: str, **settings: Any) -> dict[str, Any]:
    """Describe the machine and the code, with the settings of the run added.

    >>> describe("cpu", "float64", preset="quick")["preset"]
    'quick'
    """
    return {
        "schema": 1,
        **settings,
        "device": device,
        "device_name": _device_name(device),
        "precision": precision,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "git": _git(Path(__file__).resolve().parent),
        "started": now(),
    }


def write(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write ``manifest.json``, whole or not at all."""
    return atomic.write_text(folder / NAME, json.dumps(manifest, indent=2) + "\n")


def json_of(text: str | bytes) -> Any:
    """Return what JSON from outside says; ValueError for what is none, lists nested without end among it.

    >>> json_of("[1, 2]")
    [1, 2]
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists are nested too deep") from None


def read(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of a folder; None where there is none, or none that can be read."""
    try:
        found = json_of((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def command(manifest: Mapping[str, Any], folder: Path) -> str:
    """Return the command that starts a run again, or goes on with it.

    >>> command({"claims": ["ridge.test-error"], "preset": "quick", "seed": 3}, Path("reports/mine"))
    'widelimit validate ridge.test-error --preset quick --seed 3 --out reports/mine'
    """
    words = ["widelimit", "validate", *map(str, manifest.get("claims", ()))]
    standard = {"preset": None, "level": 0.05, "seed": 0, "precision": "float64", "inputs": None}
    for name, usual in standard.items():
        value = manifest.get(name)
        if value is not None and value != usual:
            words += [f"--{name}", str(value)]
    for place in manifest.get("claims_from", ()):
        words += ["--claims-from", str(place)]
    return shlex.join([*words, "--out", str(folder)])


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    return platform.processor() or platform.machine()


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that this package runs from, and whether files differ from it; None outside one."""

    def ask(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        if not ask("ls-files", Path(__file__).name):  # installed into some other repository's tree
            return None
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None
