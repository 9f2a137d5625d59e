"""Evidently: PSI and Kolmogorov-Smirnov of numerical, Jensen-Shannon of categorical columns.

peer_evidently.py REFERENCE CURRENT [COLUMN LEFT OUT ...]
"""

import os

os.environ["DO_NOT_TRACK"] = "1"

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from frames import answer, read


def main() -> None:
    """Run one report with both numerical methods."""
    reference, current, numerical, categorical = read()
    columns = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    both = [Dataset.from_pandas(frame, data_definition=columns) for frame in (current, reference)]
    presets = [
        DataDriftPreset(columns=numerical + categorical, num_method="psi", cat_method="jensenshannon"),
        DataDriftPreset(columns=numerical, num_method="ks"),
    ]
    report = Report(presets).run(*both).dict()
    scores = {name: {} for name in numerical + categorical}
    for metric in report["metrics"]:
        config = metric["config"]
        if config.get("column") in scores:
            scores[config["column"]][config["method"]] = float(metric["value"])
    answer(reference, current, scores)


if __name__ == "__main__":
    main()
