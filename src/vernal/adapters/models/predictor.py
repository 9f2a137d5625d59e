"""A loaded model as Vernal calls it: the same checks on what it answers in training, replay and serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vernal.adapters.models.artefact import load_model
from vernal.adapters.models.frame import categories, design_matrix
from vernal.errors import UserCodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from vernal.adapters.models.frame import ModelColumns
    from vernal.ports import RegisteredVersion
    from vernal.stats.metrics import Needs

_SLACK = 1e-6
"""How far a float32 probability may lie outside 0 and 1."""
_CLASSES = 2


def load_predictor(version: RegisteredVersion, *, allow_pickle: bool = False) -> LoadedModel:
    """Verify and load a registered version.

    Raises
    ------
    DigestMismatchError
        If the artefact is not the one that was registered.
    RegistryError
        If it cannot be loaded here, or is a pickle and these are not allowed.
    """
    subject = f"version {version.version}"
    stored = load_model(version.artefact, version.digest, subject=subject, allow_pickle=allow_pickle)
    return LoadedModel(stored.model, stored.manifest.columns, subject=subject)


class LoadedModel:
    """A fitted model with the columns it was fitted on.

    Parameters
    ----------
    model
        Has ``predict`` and, for classifiers, ``predict_proba``.
    columns
        Its inputs and task.
    subject
        Whose model it is, for messages.
    """

    def __init__(self, model: Any, columns: ModelColumns, *, subject: str) -> None:  # noqa: ANN401 - any library's model
        self._model = model
        self._subject = subject
        self.columns = columns

    def predict(self, features: pd.DataFrame) -> tuple[Sequence[object], Sequence[float] | None]:
        """Return predictions and scores, one per row.

        Parameters
        ----------
        features
            One row per prediction, in any order of columns; other columns are left out.

        Returns
        -------
        predictions, scores
            ``binary``: 0 or 1, and the probability of 1. ``multiclass``: strings, and the probability of the
            predicted class (``None`` if the model gives none). ``regression``: numbers, and ``None``.

        Raises
        ------
        UserCodeError
            If features are missing, or the model raises or answers something else: another number of rows, values that
            are not finite, classes that do not exist, probabilities outside 0 and 1.
        """
        matrix = design_matrix(features, self.columns, subject=self._subject)
        task = self.columns.task
        if not len(matrix):
            return [], None if task == "regression" else []
        predictions = self._predictions(matrix)
        if task == "regression":
            return predictions.tolist(), None
        if task == "binary":
            return predictions.tolist(), self._probability_of_one(matrix).tolist()
        if not hasattr(self._model, "predict_proba"):
            return predictions.tolist(), None
        return predictions.tolist(), self._probabilities(matrix).max(axis=1).tolist()

    def outputs(self, matrix: pd.DataFrame, needs: Needs) -> NDArray[Any]:
        """Return what a metric compares with the labels: predictions, or the probability of class 1.

        Parameters
        ----------
        matrix
            A design matrix of this model, with at least one row.
        needs
            Scores are those of a binary model.

        Raises
        ------
        UserCodeError
            As in :meth:`predict`.
        """
        return self._probability_of_one(matrix) if needs == "scores" else self._predictions(matrix)

    def _predictions(self, matrix: pd.DataFrame) -> NDArray[Any]:
        import numpy as np
        import pandas as pd

        found = self._call("predict", matrix)
        if found.ndim == 2 and found.shape[1] == 1:  # noqa: PLR2004 - some libraries answer in a column
            found = found[:, 0]
        if found.shape != (len(matrix),):
            raise self._wrong("predict", f"answered with shape {found.shape}", f"expected ({len(matrix)},)")
        if self.columns.task == "multiclass":
            texts = categories(pd.Series(found))
            absent = sum(text is None for text in texts)
            if absent:
                raise self._wrong("predict", f"answered nothing for {absent} of {len(texts)} rows", "expected a class")
            return texts
        numbers = self._finite("predict", found)
        if self.columns.task == "regression":
            return numbers
        odd = numbers[~np.isin(numbers, (0.0, 1.0))]
        if odd.size:
            raise self._wrong(
                "predict", f"answered {odd[0]:g} for one of {odd.size} rows", "expected the classes 0 and 1"
            )
        return numbers.astype(np.int64)

    def _probability_of_one(self, matrix: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        probabilities = self._probabilities(matrix)
        known = getattr(self._model, "classes_", None)
        order = range(_CLASSES) if known is None else [int(label) for label in np.asarray(known).ravel()]
        if len(order) != probabilities.shape[1]:
            found = f"answered with {probabilities.shape[1]} columns"
            raise self._wrong("predict_proba", found, f"expected one for each of the {len(order)} classes")
        columns = [place for place, label in enumerate(order) if label == 1]
        positive: NDArray[np.float64] = probabilities[:, columns].sum(axis=1)
        return positive  # zero where a model was trained on zeros only

    def _probabilities(self, matrix: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        found = self._call("predict_proba", matrix)
        if found.ndim != 2 or len(found) != len(matrix):  # noqa: PLR2004 - rows and classes
            expected = f"expected ({len(matrix)}, number of classes)"
            raise self._wrong("predict_proba", f"answered with shape {found.shape}", expected)
        numbers = self._finite("predict_proba", found)
        lowest, highest = float(numbers.min()), float(numbers.max())
        if lowest < -_SLACK or highest > 1 + _SLACK:
            found_range = f"answered values from {lowest:g} to {highest:g}"
            raise self._wrong("predict_proba", found_range, "expected probabilities between 0 and 1")
        return np.clip(numbers, 0.0, 1.0)

    def _finite(self, method: str, found: NDArray[Any]) -> NDArray[np.float64]:
        import numpy as np

        try:
            numbers: NDArray[np.float64] = found.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise self._wrong(method, f"answered values of type {found.dtype}", "expected numbers") from error
        bad = int((~np.isfinite(numbers)).sum())
        if bad:
            raise self._wrong(method, f"answered NaN or infinity {bad} times", "expected finite numbers")
        return numbers

    def _call(self, method: str, matrix: pd.DataFrame) -> NDArray[Any]:
        import numpy as np

        try:
            return np.asarray(getattr(self._model, method)(matrix))
        except Exception as error:  # the user's model may raise anything
            raise self._wrong(method, f"raised {type(error).__name__}: {error}", "expected an answer") from error

    def _wrong(self, method: str, found: str, expected: str) -> UserCodeError:
        kind = f"{type(self._model).__module__}.{type(self._model).__qualname__}"
        return UserCodeError(f"{self._subject}: `{method}` of {kind} {found}, {expected}")
