"""``vernal init``: a project that runs."""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vernal.cli.options import AsJson
from vernal.cli.output import Output
from vernal.errors import ProjectError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DEFAULT_NAME = "my_model"
DEFAULT_DELAY = "1d"
_LONGEST_NAME = 63
_NO_TEXT = frozenset({"false", "null", "true"})
"""Words that YAML does not read as text."""


class _File(NamedTuple):
    """A file of the scaffold: its template, and the name it gets."""

    template: str
    name: str


FILES = (
    _File("project.yaml", "vernal.yaml"),
    _File("model.yaml", "${model}.yaml"),
    _File("model.py.txt", "${model}.py"),
    _File("payments.py.txt", "sample/payments.py"),
    _File("history.py.txt", "sample/history.py"),
    _File("serve.py.txt", "sample/serve.py"),
    _File("readme.md", "README.md"),
    _File("gitignore.txt", ".gitignore"),
)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", file_okay=False, help="Made if need be.")] = Path(),
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the first model; by default that of the folder.")
    ] = None,
    label_delay: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help=f"How late labels may come, such as 36h. Default: {DEFAULT_DELAY}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a project that runs: its files, a first model, and made-up data to try it with.

    Nothing is ever overwritten. On a terminal it asks how late labels come; elsewhere it asks nothing.
    """
    output = Output(as_json=as_json)
    name = _model_name(model, folder)
    delay = _delay(label_delay, ask=not as_json and sys.stdin.isatty() and sys.stdout.isatty())
    values = {"model": name, "project": _project_name(folder), "label_delay": delay}
    written = write_scaffold(folder, values)
    output.document({"project": str(folder), "model": name, "label_delay": delay, "files": written})
    output.line(f"Wrote {len(written)} files to {folder.absolute()}:")
    for file in written:
        output.line(f"  {file}")
    enter = "" if folder.absolute() == Path.cwd() else f"cd {folder} && "
    output.line(f"\nNext: {enter}python sample/history.py && vernal retrain {name} --wait")


def write_scaffold(folder: Path, values: dict[str, str]) -> list[str]:
    """Write the scaffold's files and return their names.

    Raises
    ------
    ProjectError
        If one of them is there already, or cannot be written; files that were there are as they were.
    """
    names = {Template(file.name).substitute(values): file.template for file in FILES}
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise ProjectError(
            f"{folder.absolute()}: found {', '.join(there)}, expected none: nothing is overwritten",
            hint="Name another folder, or another model with --model.",
        )
    source = files("vernal.cli") / "scaffold"
    try:
        for name, template in names.items():
            _write(folder / name, source / template, values)
    except OSError as error:
        raise ProjectError(f"{folder.absolute()}: cannot write the project: {error}") from error
    return list(names)


def _write(path: Path, template: Traversable, values: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(Template(template.read_text("utf-8")).substitute(values))


def _model_name(asked: str | None, folder: Path) -> str:
    if asked is None:
        words = re.sub(r"[^a-z0-9]+", "_", folder.absolute().name.lower())
        name = words.lstrip("_0123456789")[:_LONGEST_NAME].rstrip("_")
        return DEFAULT_NAME if name in _NO_TEXT | {"", "vernal", "readme"} else name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", asked) or len(asked) > _LONGEST_NAME:
        expected = f"lower-case letters, digits and _, at most {_LONGEST_NAME}, starting with a letter"
        raise typer.BadParameter(f"got {asked!r}, expected {expected}", param_hint="--model")
    if asked in _NO_TEXT:
        raise typer.BadParameter(f"got {asked!r}, which YAML does not read as text", param_hint="--model")
    if asked == "vernal":
        raise typer.BadParameter("got 'vernal', whose file is the project's own", param_hint="--model")
    return asked


def _project_name(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.absolute().name.lower()).lstrip("-_0123456789")[:_LONGEST_NAME]
    return "models" if name in _NO_TEXT | {""} else name


def _delay(asked: str | None, *, ask: bool) -> str:
    from vernal.spec import format_duration, parse_duration

    def checked(text: str) -> str:
        try:
            return format_duration(parse_duration(text.strip()))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--label-delay") from None

    if asked is not None:
        return checked(asked)
    if not ask:
        return DEFAULT_DELAY
    question = "How long after a prediction may its label arrive? (such as 90m, 36h, 14d)"
    answer: str = typer.prompt(question, default=DEFAULT_DELAY, value_proc=checked)
    return answer
