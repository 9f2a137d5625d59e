"""What the tools that work on data frames share: reading both files, and printing the answer in one form.

All of them are called as ``TOOL REFERENCE CURRENT [COLUMN LEFT OUT ...]``.
"""

from __future__ import annotations

import json
import sys
import warnings

import pandas as pd
import pyarrow.parquet as pq

warnings.filterwarnings("ignore")  # the tools' own, about versions; errors still end the process

Scores = dict[str, dict[str, float]]
"""Scores by column and method."""


def read() -> tuple[pd.DataFrame, pd.DataFrame, list[str], list[str]]:
    """Return reference, current, and the names of the numerical and of the categorical columns."""
    left_out = set(sys.argv[3:])
    reference, current = (pd.read_parquet(path, columns=_kept(path, left_out)) for path in sys.argv[1:3])
    numerical = [name for name in reference.columns if name.startswith("n_")]
    categorical = [name for name in reference.columns if name.startswith("c_")]
    return reference, current, numerical, categorical


def _kept(path: str, left_out: set[str]) -> list[str]:
    return [name for name in pq.read_schema(path).names if name not in left_out]


def answer(reference: pd.DataFrame, current: pd.DataFrame, scores: Scores) -> None:
    """Print what was seen and found."""
    print(json.dumps({"rows": [len(reference), len(current)], "scores": scores}))
