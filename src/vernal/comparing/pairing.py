"""Which columns of two data sets can be compared, how, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from vernal.comparing.result import Unknown
from vernal.errors import DataError
from vernal.profile import Baseline, FeatureKind, kind_of


class Pairs(NamedTuple):
    """The columns that both sides have in a comparable form, and the rest."""

    kinds: dict[str, FeatureKind]
    unknown: tuple[Unknown, ...]
    notes: tuple[str, ...]


def pair(
    reference: pa.Schema, current: pa.Schema, *, features: Sequence[str] | None, kinds: Mapping[str, str]
) -> Pairs:
    """Pair the columns of two data sets.

    Raises
    ------
    DataError
        If a column that was asked for is on neither side or only on one, a kind is none, or nothing is left to compare.
    """
    asked = _asked(features, reference.names)
    overruled = {name: _kind(name, kind) for name, kind in kinds.items()}
    _refuse_missing(overruled, reference.names, "kinds")
    chosen: dict[str, FeatureKind] = {}
    unknown: list[Unknown] = []
    notes: list[str] = []
    for name in asked:
        problem = _problem(name, reference, current, overruled.get(name))
        if problem:
            unknown.append(Unknown(feature=name, reason=problem))
            continue
        then, now = reference.field(name).type, current.field(name).type
        kind = overruled.get(name) or kind_of(then)
        if kind is None:  # _problem has ruled it out
            continue
        chosen[name] = kind
        other_meaning = kind is not kind_of(now) or pa.types.is_temporal(then) != pa.types.is_temporal(now)
        if other_meaning and name not in overruled:
            notes.append(f"{name}: was {then} in the reference and is {now} now; compared as {kind}")
    unknown += _only_current(asked, reference.names, current.names, features)
    return _something(Pairs(chosen, tuple(unknown), tuple(notes)))


def pair_with(baseline: Baseline, current: pa.Schema, *, features: Sequence[str] | None) -> Pairs:
    """Pair the features of a stored baseline with the columns of a data set.

    Raises
    ------
    DataError
        If a feature that was asked for is not in the baseline, or nothing is left to compare.
    """
    kinds = {grid.name: grid.kind for grid in baseline.grids}
    asked = _asked(features, baseline.features)
    problems = {name: _problem_now(name, current, kinds[name]) for name in asked}
    chosen = {name: kinds[name] for name in asked if not problems[name]}
    unknown = [Unknown(feature=name, reason=problem) for name, problem in problems.items() if problem]
    unknown += _only_current(asked, baseline.features, current.names, features)
    return _something(Pairs(chosen, tuple(unknown), ()))


def _asked(features: Sequence[str] | None, there: Iterable[str]) -> list[str]:
    if features is None:
        return list(dict.fromkeys(there))
    if isinstance(features, str):
        raise DataError(f"features: found the text {features!r}, expected a list of column names")
    _refuse_missing(features, there, "features")
    return list(dict.fromkeys(features))


def _refuse_missing(names: Iterable[str], there: Iterable[str], option: str) -> None:
    present = set(there)
    missing = [name for name in names if name not in present]
    if missing:
        found = ", ".join(sorted(present)[:_MOST_NAMES]) + (" ..." if len(present) > _MOST_NAMES else "")
        raise DataError(f"{option}: found {', '.join(missing)}, which the reference does not have; it has {found}")


_MOST_NAMES = 20


def _kind(name: str, kind: str) -> FeatureKind:
    try:
        return FeatureKind(kind)
    except ValueError:
        raise DataError(f"kinds: found {kind!r} for {name}, expected numerical or categorical") from None


def _problem(name: str, reference: pa.Schema, current: pa.Schema, overruled: FeatureKind | None) -> str:
    """Return why a column cannot be compared, or nothing."""
    then = reference.get_all_field_indices(name)
    if len(then) > 1:
        return f"the reference has {len(then)} columns of this name"
    found = reference.field(then[0]).type
    kind = overruled or kind_of(found)
    if kind is None:
        return f"{found} cannot be compared"
    return _problem_now(name, current, kind)


def _problem_now(name: str, current: pa.Schema, kind: FeatureKind) -> str:
    now = current.get_all_field_indices(name)
    if not now:
        return "only in the reference"
    if len(now) > 1:
        return f"the current rows have {len(now)} columns of this name"
    found = current.field(now[0]).type
    if kind_of(found) is None:
        return f"{found} cannot be compared"
    if kind is FeatureKind.NUMERICAL and _is_text(found):
        return f"numbers in the reference, {found} now"
    return ""


def _is_text(found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    return kind_of(found) is FeatureKind.CATEGORICAL and not pa.types.is_boolean(found)


def _only_current(
    asked: Iterable[str], reference: Iterable[str], current: Iterable[str], features: Sequence[str] | None
) -> list[Unknown]:
    if features is not None:
        return []
    known = {*asked, *reference}
    return [
        Unknown(feature=name, reason="only in the current rows") for name in dict.fromkeys(current) if name not in known
    ]


def _something(pairs: Pairs) -> Pairs:
    if not pairs.kinds:
        reasons = "; ".join(f"{one.feature}: {one.reason}" for one in pairs.unknown) or "no columns"
        raise DataError(f"comparison: found nothing to compare ({reasons}), expected a column that both sides have")
    return pairs
