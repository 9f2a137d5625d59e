"""Whatever a file holds, loading it ends in a project or in a SpecError that says where."""

from __future__ import annotations

import json
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from vernal.errors import SpecError
from vernal.spec import ModelSpec, load_project
from vernal.spec.document import read_document
from vernal.spec.problems import keys_of

MODEL = b"model: m\ntask: binary\ncode: m.py\nfeatures:\n  numerical: [a, b]\ntriggers:\n  drift:\n    features: [a]\n"
PIECES = st.sampled_from(
    [
        *(
            ": ",
            "- ",
            "\n",
            "\n  ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&a ",
            "*a",
            "!!int ",
            "'",
            '"',
            "|\n",
            ">",
            "#",
            "---",
        ),
        *(
            "...",
            "%",
            "? ",
            "<<: ",
            "model",
            "task",
            "triggers",
            "gates",
            "off",
            "null",
            "7d",
            "1%",
            "0.5",
            "@",
            "`",
            "\\",
        ),
        *("\0", "\u2028", "é"),
    ]
)
YAML_LIKE = st.lists(PIECES, max_size=40).map("".join).map(lambda text: text.encode())
KEYS = sorted({str(step) for location, _ in keys_of(ModelSpec) for step in location})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["off", "all", "7d", "1d12h", "binary", "roc_auc", "mae", "0 3 * * 1", "UTC", "a", "m.py", "50%"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


def load(model: bytes, project: bytes = b"project: p\nmodels: [m.yaml]\n") -> None:
    """Load a project of these files; any other error than a SpecError with places fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "vernal.yaml").write_bytes(project)
        (root / "m.yaml").write_bytes(model)
        (root / "m.py").touch()
        try:
            load_project(root)
        except SpecError as error:
            problems = error.problems
        else:
            return
    assert problems
    for problem in problems:
        assert problem.file in {"vernal.yaml", "m.yaml"}
        assert problem.line is None or problem.line >= 1
        assert "\n" not in str(problem)
        assert str(problem).encode()


@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_refused(content: bytes) -> None:
    load(content)


@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused(text: str) -> None:
    load(text.encode("utf-8", "surrogatepass"))


@given(YAML_LIKE)
def test_any_arrangement_of_yaml_marks_loads_or_is_refused(content: bytes) -> None:
    load(content, project=content)


@given(YAML_LIKE, st.integers(min_value=0, max_value=len(MODEL)))
def test_a_good_file_with_anything_put_into_it_loads_or_is_refused(piece: bytes, at: int) -> None:
    load(MODEL[:at] + piece + MODEL[at:])


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
def test_any_values_under_known_keys_load_or_are_refused(values: dict[str, Any]) -> None:
    written = BytesIO()
    YAML(typ="safe", pure=True).dump(values, written)

    load(written.getvalue())


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8), SCALARS, max_size=5
    )
)
def test_mappings_read_as_any_other_reader_reads_them(values: dict[str, Any]) -> None:
    """Texts keep their value; a number may be read as another type only where YAML 1.1 and 1.2 differ."""
    texts = {key: value for key, value in values.items() if isinstance(value, str) and value.isprintable()}
    texts.pop("<<", None)
    document, problems = read_document(json.dumps(texts, ensure_ascii=False).encode(), file="m.yaml")

    assert problems == ()
    assert document is not None
    assert document.values == texts
