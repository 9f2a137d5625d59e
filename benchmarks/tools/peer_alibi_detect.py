"""Alibi Detect: Kolmogorov-Smirnov of numerical, chi-square of categorical columns.

peer_alibi_detect.py REFERENCE CURRENT [COLUMN LEFT OUT ...]

It takes one array per test, so nulls are filled with the reference's mean (numerical) or are a category of their own.
"""

import numpy as np
import pandas as pd
from alibi_detect.cd import ChiSquareDrift, KSDrift
from frames import answer, read


def main() -> None:
    """Run both detectors, feature by feature."""
    reference, current, numerical, categorical = read()
    mean = reference[numerical].mean()
    r, c = (frame[numerical].fillna(mean).to_numpy(np.float64) for frame in (reference, current))
    detected = KSDrift(r, p_val=0.05, correction="bonferroni").predict(c, drift_type="feature")
    scores = {name: {"ks": float(d)} for name, d in zip(numerical, detected["data"]["distance"], strict=True)}

    known = {name: pd.Index(reference[name].dropna().unique()) for name in categorical}
    r, c = (
        np.column_stack([known[name].get_indexer(frame[name]) for name in categorical])
        for frame in (reference, current)
    )
    detected = ChiSquareDrift(r, p_val=0.05).predict(c, drift_type="feature")
    scores |= {name: {"chi2": float(d)} for name, d in zip(categorical, detected["data"]["distance"], strict=True)}
    answer(reference, current, scores)


if __name__ == "__main__":
    main()
