"""Whether something happens more often than it did: one share of rows against another."""

from __future__ import annotations

import math

from vernal.errors import SampleError


def rise_p_value(count: int, rows: int, *, reference_count: int, reference_rows: int) -> float:
    """Return how likely so large a rise of a share is by chance, if both shares are the same.

    Parameters
    ----------
    count, rows
        Rows that have it, and all rows.
    reference_count, reference_rows
        The same before.

    Returns
    -------
    float
        The one-sided p-value of the two-sample test of proportions with a pooled variance and continuity correction.

    Raises
    ------
    SampleError
        If there are no rows on a side, or more rows have it than there are.

    References
    ----------
    J. L. Fleiss, B. Levin, M. C. Paik (2003). Statistical Methods for Rates and Proportions, section 3.2.

    Examples
    --------
    >>> round(rise_p_value(30, 200, reference_count=40, reference_rows=400), 4)
    0.0481
    """
    if not (0 <= count <= rows and 0 <= reference_count <= reference_rows and rows and reference_rows):
        raise SampleError(
            f"shares: found {count} of {rows} rows and {reference_count} of {reference_rows}, "
            "expected at least one row on each side, and no more that have it"
        )
    pooled = (count + reference_count) / (rows + reference_rows)
    spread = math.sqrt(pooled * (1.0 - pooled) * (1.0 / rows + 1.0 / reference_rows))
    if spread == 0.0:
        return 1.0
    correction = 0.5 * (1.0 / rows + 1.0 / reference_rows)
    rise = count / rows - reference_count / reference_rows - correction
    return 0.5 * math.erfc(rise / spread / math.sqrt(2.0))


__all__ = ["rise_p_value"]
