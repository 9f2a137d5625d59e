from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from vernal.errors import SpecError
from vernal.spec import METRICS, load_project
from vernal.spec.problems import keys_of
from vernal.spec.schema import ROOTS, Kind

TREE = Path(__file__).resolve().parents[3]
KINDS: tuple[Kind, ...] = ("project", "model")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("spec_reference", TREE / "scripts" / "spec_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(kind: Kind) -> str:
    return (TREE / "docs" / "reference" / f"{kind}-file.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_is_what_the_models_say(generator: ModuleType, kind: Kind) -> None:
    assert generator.page_text(kind, page(kind)) == page(kind), "run scripts/spec_reference.py"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_documented_in_its_section(kind: Kind) -> None:
    sections = dict(re.findall(r"^### `?([\w. ]+)`?\n(.*?)(?=^\(|^%)", page(kind), flags=re.DOTALL | re.MULTILINE))

    for location, field in keys_of(ROOTS[kind]):
        section = ".".join(str(step) for step in location[:-1]) or "Top level"
        assert f"| `{location[-1]}` |" in sections[section]
        assert str(field.description) in sections[section]


def test_every_metric_is_documented() -> None:
    for name in METRICS:
        assert f"| `{name}` |" in page("model")


def test_text_outside_the_markers_is_kept(generator: ModuleType) -> None:
    begin, end = generator.BEGIN.format(name="keys"), generator.END.format(name="keys")

    assert generator.replaced(f"a\n{begin}\nold\n{end}\nb", "keys", "new") == f"a\n{begin}\n\nnew\n\n{end}\nb"
    with pytest.raises(ValueError, match="found no markers"):
        generator.replaced("no markers", "keys", "new")


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_on_the_page_load(tmp_path: Path, kind: Kind) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", page(kind), flags=re.DOTALL)
    assert examples

    for number, example in enumerate(examples):
        root = tmp_path / str(number)
        (root / "models").mkdir(parents=True)
        model = example if kind == "model" else "model: m\ntask: binary\ncode: m.py\nfeatures: {numerical: [a]}\n"
        (root / "vernal.yaml").write_text("project: docs\n" if kind == "model" else example)
        (root / "models" / "m.yaml").write_text(model)
        (root / "models" / (re.findall(r"code: (\S+)", model)[0])).touch()
        try:
            load_project(root)
        except SpecError as error:
            pytest.fail(str(error))
