"""What the command line says of itself, and what it must not load to say it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from commandline import Vernal
from vernal import __version__
from vernal.cli.app import VERBS

NAMES = [verb.__name__ for verbs in VERBS.values() for verb in verbs]
HEAVY = {"alembic", "deltalake", "mlflow", "numpy", "pandas", "pyarrow", "pydantic", "scipy", "sklearn", "sqlalchemy"}
HELPED = """\
import sys
from vernal.cli import main
sys.argv = ["vernal", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_the_help_lists_every_verb(vernal: Vernal) -> None:
    told = vernal("--help")
    assert told.exit_code == 0
    words = [line.strip("│ ").split()[:1] for line in told.stdout.splitlines()]
    assert [name for name in NAMES if [name] not in words] == []


def test_every_verb_stands_in_the_list_once() -> None:
    assert sorted(NAMES) == sorted(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_prints_json_on_request(name: str, vernal: Vernal) -> None:
    told = vernal(name, "--help")
    assert told.exit_code == 0
    assert "--json" in told.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_option_and_argument_says_what_it_is(name: str) -> None:
    import typer.main

    from vernal.cli.app import app

    group = typer.main.get_group(app)
    command = group.commands[name]
    assert command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    helped = subprocess.run(
        [sys.executable, "-c", HELPED, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(helped.stderr.split())
    assert "vernal" in loaded
    assert loaded & HEAVY == set()


def test_the_version_is_that_of_the_package(vernal: Vernal) -> None:
    assert vernal("--version").stdout == f"vernal {__version__}\n"


def test_the_module_is_the_program() -> None:
    command = [sys.executable, "-m", "vernal.cli", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == f"vernal {__version__}\n"


@pytest.mark.parametrize("arguments", [["retrian"], ["check", "--jsn"], ["schema", "gate"], ["retrain"]])
def test_a_command_line_that_cannot_be_understood_ends_with_2(arguments: list[str], vernal: Vernal) -> None:
    assert vernal(*arguments).exit_code == 2
