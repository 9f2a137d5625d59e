"""whylogs: profiles of both files, then its own scores (Kolmogorov-Smirnov on sketches, chi-square on categories).

peer_whylogs.py REFERENCE CURRENT
"""

import os

os.environ["WHYLOGS_NO_ANALYTICS"] = "True"

import whylogs
from frames import answer, read
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores


def main() -> None:
    """Profile both files and compare the profiles."""
    reference, current, _, _ = read()
    views = [whylogs.log(frame).profile().view() for frame in (reference, current)]
    found = calculate_drift_scores(target_view=views[1], reference_view=views[0], with_thresholds=True)
    scores = {name: {score["algorithm"]: float(score["statistic"])} for name, score in found.items() if score}
    answer(reference, current, scores)


if __name__ == "__main__":
    main()
