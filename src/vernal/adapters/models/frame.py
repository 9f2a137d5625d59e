"""From rows to what a model sees. Training and serving share this code, so they cannot differ."""

from __future__ import annotations

from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

from vernal.errors import UserCodeError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_NUMBERS = frozenset({"boolean", "decimal", "empty", "floating", "integer", "mixed-integer-float"})


class ModelColumns(NamedTuple):
    """A model's inputs, in order, and which of them are categories.

    ``task`` is ``binary``, ``multiclass`` or ``regression``.
    """

    features: tuple[str, ...]
    categorical: tuple[str, ...]
    task: str


def design_matrix(rows: pd.DataFrame, columns: ModelColumns, *, subject: str) -> pd.DataFrame:
    """Return a model's features, in its order and types.

    Parameters
    ----------
    rows
        One row per prediction; columns that the model does not use are left out.
    columns
        The model's features. Numerical ones become float64 with NaN for a missing value, categorical ones objects: a
        string, or ``None`` for a missing value. A number as a category is written the same whichever type carries it:
        ``3``, ``3.0`` and ``Decimal("3.00")`` are all ``"3"``, and truth values are ``"true"`` and ``"false"``.
    subject
        Whose rows they are, for messages.

    Returns
    -------
    pandas.DataFrame
        Shape ``(len(rows), len(columns.features))`` with a fresh index.

    Raises
    ------
    UserCodeError
        If features are missing, stand there twice, or hold text or times where numbers are expected.
    """
    import pandas as pd

    present = list(rows.columns)
    missing = [name for name in columns.features if name not in present]
    if missing:
        message = f"{subject}: features {_listed(missing)} are missing; found {_listed(present)}"
        raise UserCodeError(
            message, hint="Log these features with every prediction, or take them out of the model's file."
        )
    twice = [name for name in columns.features if present.count(name) > 1]
    if twice:
        raise UserCodeError(f"{subject}: features {_listed(twice)} stand there more than once, expected once")
    categorical = frozenset(columns.categorical)
    matrix = {
        name: pd.Series(categories(rows[name]), dtype=object)
        if name in categorical
        else pd.Series(_numbers(rows[name], subject))
        for name in columns.features
    }
    return pd.DataFrame(matrix)


def labels(column: pd.Series[Any], task: str, *, subject: str) -> pd.Series[Any]:
    """Return labels as the user's ``train`` gets them.

    Returns
    -------
    pandas.Series
        int64 of 0 and 1 (``binary``), finite float64 (``regression``) or strings (``multiclass``).

    Raises
    ------
    UserCodeError
        If a label is missing or does not fit the task.
    """
    import numpy as np
    import pandas as pd

    absent = int(column.isna().sum())
    if absent:
        raise UserCodeError(f"{subject}: the label is missing in {absent} of {len(column)} rows, expected none")
    if task == "multiclass":
        return pd.Series(categories(column), name="label", dtype=object)
    numbers = _numbers(column.rename("label"), subject)
    if task == "regression":
        if not np.isfinite(numbers).all():
            raise UserCodeError(f"{subject}: a label is infinite, expected finite numbers")
        return pd.Series(numbers, name="label")
    if not np.isin(numbers, (0.0, 1.0)).all():
        odd = numbers[~np.isin(numbers, (0.0, 1.0))][0]
        raise UserCodeError(f"{subject}: found the label {odd:g}, expected 0 or 1 for a binary model")
    return pd.Series(numbers.astype(np.int64), name="label")


def categories(column: pd.Series[Any]) -> NDArray[np.object_]:
    """Return a column as strings with ``None`` for missing values, shape ``(n,)``, dtype object.

    An empty string is a missing value, as in the lake that training sets are cut from.
    """
    import numpy as np
    import pandas as pd

    codes, distinct = pd.factorize(column)  # missing values get code -1, which is the last of `texts`
    texts = np.empty(len(distinct) + 1, dtype=object)
    texts[:-1] = [_text(value) or None for value in distinct]
    texts[-1] = None
    return texts[codes]


def _text(value: object) -> str:
    import numpy as np

    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, (Real, Decimal)) and float(value).is_integer():
        return str(int(float(value)))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _numbers(column: pd.Series[Any], subject: str) -> NDArray[np.float64]:
    import numpy as np
    import pandas as pd

    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in _NUMBERS:
        example = next((repr(value) for value in column if value is not None and value == value), "none")  # noqa: PLR0124 - NaN differs from itself
        message = f"{subject}: {column.name} holds values of type {kind} such as {example}, expected numbers"
        raise UserCodeError(message, hint="List it under the categorical features, or log it as a number.")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
