"""The model: what it sees of a flight, and how it is trained. Vernal calls both functions."""

from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

NUMERICAL = ["sched_min", "dow", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
CATEGORICAL = ["carrier", "origin", "dest"]


def features(flights):
    """Return the features of scheduled flights, one row each.

    Serving and training share what this returns: it is logged with every prediction and trained on later, so the two
    cannot differ.
    """
    return flights[NUMERICAL + CATEGORICAL]


def train(X, y):
    """Return a fitted model: anything with `predict`, and `predict_proba` for classes."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    columns = make_column_transformer((codes, CATEGORICAL), remainder="passthrough")
    trees = HistGradientBoostingClassifier(
        max_iter=50, categorical_features=list(range(len(CATEGORICAL))), random_state=0
    )
    return make_pipeline(columns, trees).fit(X, y)
