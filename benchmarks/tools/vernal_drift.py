"""Vernal on two files: against a stored baseline, as it is used, or with both files read afresh.

vernal_drift.py store REFERENCE BASELINE
vernal_drift.py stored BASELINE CURRENT
vernal_drift.py raw REFERENCE CURRENT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vernal_rows import ParquetRows, baseline_of, profile_of, verdict

from vernal.profile import Baseline


def main() -> None:
    """Do what the first argument says."""
    mode, first, second = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if mode == "store":
        second.write_bytes(baseline_of(ParquetRows(first)).to_bytes())
        return
    baseline = Baseline.from_bytes(first.read_bytes()) if mode == "stored" else baseline_of(ParquetRows(first))
    print(json.dumps(verdict(baseline, profile_of(baseline, ParquetRows(second)))))


if __name__ == "__main__":
    main()
