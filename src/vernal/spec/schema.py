"""JSON Schema of the files, for editors and other tools."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import override

from vernal.spec.base import Section
from vernal.spec.durations import format_duration
from vernal.spec.model import ModelSpec
from vernal.spec.problems import default_note, section_of
from vernal.spec.project import ProjectSpec

Kind = Literal["project", "model"]

ROOTS: Final[dict[Kind, type[Section]]] = {"project": ProjectSpec, "model": ModelSpec}


def json_schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the project file or of a model file.

    It describes one file on its own. What only the loader can see (files that exist, keys that depend on each other) is
    left to :func:`vernal.spec.load_project`.

    Parameters
    ----------
    kind
        ``"project"`` or ``"model"``.

    Examples
    --------
    >>> json_schema("model")["required"]
    ['model', 'task', 'code', 'features']
    """
    root = ROOTS[kind]
    schema = root.model_json_schema(schema_generator=_Generator)
    _note_defaults(root, schema, schema.get("$defs", {}))
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": f"Vernal {kind} file"}


def _note_defaults(section: type[Section], schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Put defaults that hang on other keys into words, here and in the sections below."""
    for name, field in section.model_fields.items():
        note = default_note(field)
        if note is not None:
            schema["properties"][name].pop("default", None)
            schema["properties"][name]["description"] = f"{field.description} Default: {note}."
        inner = section_of(field)
        if inner is not None:
            _note_defaults(inner, definitions[inner.__name__], definitions)


class _Generator(GenerateJsonSchema):
    """Writes defaults as a file would, and no titles, which only repeat the keys."""

    @override
    def encode_default(self, dft: Any) -> Any:
        return as_written(dft)

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def as_written(value: Any) -> Any:  # noqa: ANN401 - whatever a spec can hold
    """Return a value of a spec as a file writes it."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, BaseModel):
        return {name: as_written(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple):
        return [as_written(item) for item in value]
    return value
