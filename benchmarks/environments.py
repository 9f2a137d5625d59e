"""The peers' own environments: none of them runs with the versions that Vernal needs, nor with each other's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BENCH = ROOT / ".bench"

OWN = "vernal"
"""The environment that runs this: Vernal's, with numpy, SciPy and pandas for the handwritten script."""


def python_of(environment: str) -> str:
    """Return the interpreter of an environment."""
    return sys.executable if environment == OWN else str(BENCH / "env" / environment / "bin" / "python")


def make(peers: Iterable[str], progress: Callable[[str], None]) -> dict[str, str]:
    """Create what is missing or out of date, and return why an environment could not be made, by peer."""
    failed = {}
    for peer in peers:
        pins = (HERE / "requirements" / f"{peer}.txt").read_text()
        folder = BENCH / "env" / peer
        stamp = folder / "installed.txt"
        if stamp.exists() and stamp.read_text() == pins:
            continue
        progress(f"environment {peer}: installing (minutes, the first time)")
        error = _install(folder, HERE / "requirements" / f"{peer}.txt")
        if error:
            failed[peer] = f"its environment could not be made: {error}"
            progress(f"environment {peer}: {failed[peer]}")
        else:
            stamp.write_text(pins)
    return failed


def _install(folder: Path, requirements: Path) -> str:
    """Return the last line of the error, if any."""
    python = str(folder / "bin" / "python")
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-r", str(requirements)],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            return said[-1] if said else f"exit code {done.returncode}"
    return ""


def versions(environment: str, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages that an environment has."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    command = [python_of(environment), "-c", code, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found
