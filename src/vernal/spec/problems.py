"""What pydantic found wrong, in Vernal's words and with the lines of the file."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from vernal.errors import Problem
from vernal.spec.base import PROBLEMS, DefaultNote, Required, Section
from vernal.spec.document import Document
from vernal.spec.wording import Location, guess, key_path, shown

_FRACTIONS: Final = "percentages are written as fractions"
_HUNDRED: Final = 100

_EXPECTED: Final = {
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "keys and their values",
    "finite_number": "a finite number",
    "string_unicode": "text that UTF-8 can hold",
}
_BOUNDS: Final = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_SIZES: Final = {
    "too_short": "found an empty list, expected at least one entry",
    "too_long": "found more entries than the {max_length:,} that are accepted",
    "string_too_short": "found an empty text",
    "string_too_long": "found more characters than the {max_length:,} that are accepted",
}
_NUMBERS: Final = {"float_type", "int_type", "int_from_float", "is_instance_of", "decimal_type", "decimal_parsing"}


def problems_in(error: ValidationError, *, section: type[Section], document: Document, file: str) -> list[Problem]:
    """Return every problem that validating a document's values met, in pydantic's order.

    Parameters
    ----------
    error
        What ``section.model_validate(document.values)`` raised.
    section
        The section at the document's root, which tells the known keys.
    document
        Tells the lines.
    file
        The file's name in problems.
    """
    found = []
    for detail in error.errors(include_url=False):
        for location, message in _explain(detail, section):
            found.append(Problem(file, document.line(location), key_path(location), message))
    return found


def field_at(section: type[Section], location: Location) -> FieldInfo | None:
    """Return the declaration of the key at a location, or ``None`` if there is no such key."""
    field: FieldInfo | None = None
    inner: type[Section] | None = section
    for step in location:
        if isinstance(step, int):
            continue
        if inner is None or step not in inner.model_fields:
            return None
        field = inner.model_fields[step]
        inner = section_of(field)
    return field


def section_of(field: FieldInfo) -> type[Section] | None:
    """Return the section that a key holds (optionally, or in a list), or ``None`` if it holds plain values."""
    return next(_sections(field.annotation), None)


def _sections(annotation: Any) -> Iterator[type[Section]]:  # noqa: ANN401 - annotations are any object
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) in {Annotated, Union, types.UnionType, tuple}:
        for part in get_args(annotation):
            yield from _sections(part)


def default_note(field: FieldInfo) -> str | None:
    """Return what leaving a key out means, where its default alone does not tell."""
    return next((item.text for item in field.metadata if isinstance(item, DefaultNote)), None)


def keys_of(section: type[Section], above: Location = ()) -> Iterator[tuple[Location, FieldInfo]]:
    """Yield every key of a section and of the sections inside it, with its location, in the order of declaration.

    A kind of section that stands in several places is entered in the first of them.
    """
    yield from _keys(section, above, {section})


def _keys(section: type[Section], above: Location, seen: set[type[Section]]) -> Iterator[tuple[Location, FieldInfo]]:
    for name, field in section.model_fields.items():
        yield (*above, name), field
        inner = section_of(field)
        if inner is not None and inner not in seen:
            seen.add(inner)
            yield from _keys(inner, (*above, name), seen)


def _explain(detail: ErrorDetails, root: type[Section]) -> Iterator[tuple[Location, str]]:
    location: Location = detail["loc"]
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "too_short" and detail["input"]:
        return  # only because wrong entries were taken out, and each of them is reported
    if kind == PROBLEMS:
        for fault in context["faults"]:
            yield (*location, *fault.at), fault.message
    elif kind == "value_error":
        yield location, str(context["error"])
    elif kind == "extra_forbidden":
        yield location, _unknown_key(location, root)
    elif kind == "missing":
        yield location, _missing(location, root)
    else:
        yield location, _mismatch(detail, field_at(root, location))


def _unknown_key(location: Location, root: type[Section]) -> str:
    name = str(location[-1])
    above = location[:-1]
    field = field_at(root, above)
    section = section_of(field) if field is not None else root
    known = list(section.model_fields) if section is not None else []
    meant = guess(name, known)
    if not meant:
        # A right key at the wrong depth is the other common slip.
        elsewhere = [key_path(place) for place, _ in keys_of(root) if place[-1] == name]
        meant = f'; did you mean "{elsewhere[0]}"?' if elsewhere else f"; expected one of {', '.join(known)}"
    return f"unknown key{meant}"


def _missing(location: Location, root: type[Section]) -> str:
    field = field_at(root, location)
    if field is None:
        return "missing"
    return f"missing; expected: {field.description}"


def _mismatch(detail: ErrorDetails, field: FieldInfo | None) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if isinstance(value, Required):
        return f"missing: {value.why}; expected: {field.description if field else 'a value'}"
    if kind in _NUMBERS:
        return _not_a_number(kind, value, field)
    if kind in _BOUNDS:
        return _out_of_bounds(kind, context, value)
    if kind in _SIZES:
        return _SIZES[kind].format(**context)
    return f"got {shown(value)}{_expectation(detail, field)}"


def _expectation(detail: ErrorDetails, field: FieldInfo | None) -> str:
    kind, value = detail["type"], detail["input"]
    if kind in _EXPECTED:
        off = ", or off" if kind == "model_type" and _can_be_off(field) else ""
        return f", expected {_EXPECTED[kind]}{off}"
    if kind == "literal_error":
        expected = str(detail.get("ctx", {})["expected"]).replace("'", "")
        return f", expected {expected}{_closest(value, expected)}"
    if kind == "string_pattern_mismatch":
        return f", expected {_described(field)}"
    return f": {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _not_a_number(kind: str, value: object, field: FieldInfo | None) -> str:
    example = next(iter(field.examples or ()), None) if field is not None else None
    if example is None and field is not None and isinstance(field.default, int | float):
        example = field.default
    what = "a whole number" if kind.startswith("int") else "a number"
    such = "" if example is None else f" such as {_as_written(example)}"
    percent = f"; {_FRACTIONS}" if isinstance(value, str) and kind == "float_type" and value.endswith("%") else ""
    return f"got {shown(value)}, expected {what}{such}{percent}"


def _out_of_bounds(kind: str, context: dict[str, Any], value: object) -> str:
    key, words = _BOUNDS[kind]
    limit = context[key]
    percent = ""
    if kind.startswith("less_than") and float(limit) == 1 and isinstance(value, int | float) and 1 < value <= _HUNDRED:
        percent = f"; {_FRACTIONS}, {value:g} % is {value / _HUNDRED:g}"
    return f"got {shown(value)}, expected a number {words} {float(limit):,g}{percent}"


def _closest(value: object, expected: str) -> str:
    return guess(value, expected.replace(" or ", ", ").split(", ")) if isinstance(value, str) else ""


def _described(field: FieldInfo | None) -> str:
    if field is None or field.description is None:
        return "another text"
    return field.description.rpartition(": ")[2].rstrip(".")


def _can_be_off(field: FieldInfo | None) -> bool:
    return field is not None and type(None) in get_args(field.annotation)


def _as_written(example: Any) -> str:  # noqa: ANN401 - examples are values of a file
    import json

    return example if isinstance(example, str) else json.dumps(example).replace('"', "")
