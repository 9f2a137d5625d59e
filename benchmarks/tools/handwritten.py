"""What an engineer writes without a library: deciles and PSI by numpy, Kolmogorov-Smirnov and Jensen-Shannon by SciPy.

handwritten.py REFERENCE CURRENT
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from frames import Scores, answer, read
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp


def numerical_scores(reference: pd.Series, current: pd.Series) -> dict[str, float]:
    """Return PSI on the reference's deciles and the exact two-sample distance."""
    r, c = reference.dropna().to_numpy(), current.dropna().to_numpy()
    edges = np.unique(np.percentile(r, np.linspace(0, 100, 11))).astype(float)
    edges[0], edges[-1] = -np.inf, np.inf
    p = np.clip(np.histogram(r, edges)[0] / len(r), 1e-6, None)
    q = np.clip(np.histogram(c, edges)[0] / len(c), 1e-6, None)
    return {"psi": float(((q - p) * np.log(q / p)).sum()), "ks": float(ks_2samp(r, c).statistic)}


def categorical_scores(reference: pd.Series, current: pd.Series) -> dict[str, float]:
    """Return the Jensen-Shannon distance of the shares."""
    p, q = reference.value_counts(normalize=True), current.value_counts(normalize=True)
    p, q = p.align(q, fill_value=0)
    return {"js": float(jensenshannon(p.to_numpy(), q.to_numpy(), base=2))}


def main() -> None:
    """Score every column."""
    reference, current, numerical, categorical = read()
    scores: Scores = {name: numerical_scores(reference[name], current[name]) for name in numerical}
    scores |= {name: categorical_scores(reference[name], current[name]) for name in categorical}
    answer(reference, current, scores)


if __name__ == "__main__":
    main()
