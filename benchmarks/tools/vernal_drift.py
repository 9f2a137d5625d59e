"""Vernal on two files: against a stored baseline, as it is used, or with both files read afresh.

vernal_drift.py store REFERENCE BASELINE
vernal_drift.py compare REFERENCE_OR_BASELINE CURRENT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vernal_rows import THRESHOLD, scores_of

import vernal


def main() -> None:
    """Do what the first argument says."""
    mode, first, second = sys.argv[1:]
    if mode == "store":
        Path(second).write_bytes(vernal.build_baseline(first).to_bytes())
        return
    found = vernal.compare(first, second, psi=THRESHOLD, js=THRESHOLD)
    scores = {one.feature: scores_of(one.measured) for one in found}
    rows = [found.reference.rows, found.current.rows]
    print(json.dumps({"rows": rows, "scores": scores, "drifted": sorted(found.drifted)}))


if __name__ == "__main__":
    main()
