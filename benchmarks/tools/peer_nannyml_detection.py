"""NannyML's univariate drift with its own methods and thresholds, one chunk a day.

peer_nannyml_detection.py REFERENCE CURRENT CATEGORICAL,COLUMNS

Prints a JSON list: whether any feature is in alert, for each day of the current file.
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import json
import sys

import nannyml
import pandas as pd


def main() -> None:
    """Fit on the reference and judge the current file."""
    nannyml.disable_usage_logging()
    reference, current, categorical = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2]), sys.argv[3].split(",")
    features = [name for name in reference.columns if name not in {"event_time", "label"}]
    for frame in (reference, current):
        frame["event_time"] = frame["event_time"].dt.tz_localize(None)
        frame[categorical] = frame[categorical].astype("category")
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=features,
        treat_as_categorical=categorical,
        timestamp_column_name="event_time",
        chunk_period="D",
    )
    calculator.fit(reference)
    found = calculator.calculate(current).filter(period="analysis").to_df()
    alerts = found.loc[:, [column for column in found.columns if column[-1] == "alert"]].any(axis=1)
    print(json.dumps([bool(alert) for alert in alerts]))


if __name__ == "__main__":
    main()
