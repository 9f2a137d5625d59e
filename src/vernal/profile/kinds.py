"""How a column is compared when nobody says: by its type."""

from __future__ import annotations

import pyarrow as pa

from vernal.profile.grid import FeatureKind


def kind_of(found: pa.DataType) -> FeatureKind | None:
    """Return the kind of feature that a type of column suggests; ``None`` for what cannot be compared, such as lists.

    Numbers and times lie on a line; strings, booleans and dictionaries are categories.

    Examples
    --------
    >>> kind_of(pa.int64()).value, kind_of(pa.bool_()).value, kind_of(pa.list_(pa.int64()))
    ('numerical', 'categorical', None)
    """
    kinds = pa.types
    if kinds.is_dictionary(found):
        return None if kind_of(found.value_type) is None else FeatureKind.CATEGORICAL
    if kinds.is_boolean(found) or kinds.is_string(found) or kinds.is_large_string(found) or kinds.is_string_view(found):
        return FeatureKind.CATEGORICAL
    if (
        kinds.is_integer(found)
        or kinds.is_floating(found)
        or kinds.is_decimal(found)
        or kinds.is_temporal(found)
        or kinds.is_null(found)
    ) and not kinds.is_interval(found):
        return FeatureKind.NUMERICAL
    return None
