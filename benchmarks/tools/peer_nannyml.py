"""NannyML: Kolmogorov-Smirnov and Jensen-Shannon of numerical, Jensen-Shannon of categorical columns.

peer_nannyml.py REFERENCE CURRENT

The current file is one chunk. NannyML estimates its Kolmogorov-Smirnov distance on equal-width bins above 10,000 rows.
"""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
from frames import answer, read


def main() -> None:
    """Fit on the reference and calculate the current file."""
    nannyml.disable_usage_logging()
    reference, current, numerical, categorical = read()
    for frame in (reference, current):
        frame[categorical] = frame[categorical].astype("category")
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=numerical + categorical,
        treat_as_categorical=categorical,
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_number=1,
    )
    calculator.fit(reference)
    found = calculator.calculate(current).filter(period="analysis").to_df()
    scores = {
        name: {
            short: float(found[name, method, "value"].iloc[0])
            for short, method in (("ks", "kolmogorov_smirnov"), ("js", "jensen_shannon"))
            if (name, method, "value") in found.columns
        }
        for name in numerical + categorical
    }
    answer(reference, current, scores)


if __name__ == "__main__":
    main()
