"""Write constraints.txt: the exact versions of everything that Vernal runs, tests and documents with.

The versions are resolved on the interpreter that runs this script, which should be the oldest one supported, and
then resolved again, held to those versions, on every further interpreter that is named::

    python3.11 scripts/lock_constraints.py --also python3.12 --also python3.13
    python3.11 scripts/lock_constraints.py --check --also python3.12 --also python3.13

``--check`` writes nothing and fails when the committed file does not resolve. The file holds names and versions only:
neither an index address nor a hash, so that it serves behind any mirror.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
HEADER = """\
# Exact versions of what Vernal runs, tests and documents with, for `pip install -c constraints.txt .`
# Made by `make lock`; edit pyproject.toml instead. Names and versions only, so that any mirror serves.
"""
# Gigabytes that a range may pull in unnoticed.
REFUSED = frozenset({"jax", "mlflow", "tensorflow", "torch"})


def main() -> int:
    """Write or check the constraints and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the committed file does not resolve"
    )
    parser.add_argument(
        "--also", action="append", default=[], metavar="PYTHON", help="a further interpreter to hold to"
    )
    options = parser.parse_args()

    pins = read(CONSTRAINTS) if options.check else {}
    for python in [sys.executable, *options.also]:
        found = resolve(python, pins)
        unpinned = sorted(found.keys() - pins.keys())
        if options.check and unpinned:
            print(f"{CONSTRAINTS.name}: {python} also needs {', '.join(unpinned)}. Run `make lock`.")
            return 1
        refused = sorted(found.keys() & REFUSED)
        if refused:
            print(f"{python}: resolves to {', '.join(refused)}, which Vernal must not pull in. Find who asks for it.")
            return 1
        pins |= found
        print(f"{python}: {len(found)} packages")
    if not options.check:
        CONSTRAINTS.write_text(HEADER + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)))
    return 0


def resolve(python: str, pins: dict[str, str]) -> dict[str, str]:
    """Return name and version of everything that ``python`` would install, held to ``pins``."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held.txt"
        held.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--report", str(report), "--constraint", str(held)]
        command += ["--group", f"{ROOT / 'pyproject.toml'}:dev", f"{ROOT}[postgres]", "pip"]
        subprocess.run(command, check=True)
        installs = json.loads(report.read_text())["install"]
    found = {canonical(item["metadata"]["name"]): item["metadata"]["version"] for item in installs}
    del found["vernal"]
    return found


def read(path: Path) -> dict[str, str]:
    """Return the pins of a constraints file."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def canonical(name: str) -> str:
    """Return a distribution's name as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    raise SystemExit(main())
