"""What is committed holds on every machine, and says how it is used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# Spelt in two parts, so that this file does not contain what it looks for.
FORBIDDEN = {
    "an absolute path of one machine": r"(?<![\w.}])/" + r"(work|root|farm)/",
    "a scratch directory of one machine": r"/" + r"tmp/lab\b",
    "a directory outside the repository": r"\.\./" + r"(shared|\.library)\b",
    "the host of a package index": "|".join(
        (r"pypi\." + "org", r"pythonhosted\." + "org", r"npmjs\." + "(org|com)", r"deb\.debian\." + "org")
    ),
}
FRAGMENT = re.compile(r"[a-z0-9-]+\.(added|changed|fixed)\.md")


def committed(repository: Path) -> list[Path]:
    """Return the files that git tracks, or all files of an unpacked sdist."""
    if not (repository / ".git").exists():
        visible = (path for path in repository.rglob("[!.]*") if "/." not in str(path.relative_to(repository)))
        return [path for path in visible if path.is_file() and path.suffix != ".pyc"]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, check=True, capture_output=True, text=True)
    return [repository / name for name in listed.stdout.split("\0") if name]


def texts(repository: Path) -> dict[str, str]:
    """Return every committed text by name; links and binary files are left out."""
    files = [path for path in committed(repository) if path.is_file() and not path.is_symlink()]
    contents = {str(path.relative_to(repository)): path.read_bytes() for path in files}
    return {name: data.decode() for name, data in contents.items() if b"\0" not in data}


@pytest.mark.parametrize("what", sorted(FORBIDDEN))
def test_nothing_committed_names(repository: Path, what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts(repository).items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "example"),
    [
        ("an absolute path of one machine", "see /" + "work/main"),
        ("a scratch directory of one machine", "/" + "tmp/lab/env"),
        ("a directory outside the repository", "../" + "shared/style.md"),
        ("the host of a package index", "https://pypi." + "org/simple"),
    ],
)
def test_each_pattern_finds_what_it_is_for(what: str, example: str) -> None:
    assert re.search(FORBIDDEN[what], example)


def test_every_changelog_fragment_has_a_kind_and_one_line(repository: Path) -> None:
    fragments = [path for path in (repository / "changes").iterdir() if path.name != "template.md"]
    assert [path.name for path in fragments if not FRAGMENT.fullmatch(path.name)] == []
    assert [path.name for path in fragments if len(path.read_text().strip().splitlines()) != 1] == []


def test_every_exception_from_a_lint_rule_gives_its_reason(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text()
    lint = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8-tidy-imports]")]
    rules = [line for line in lint.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert len(rules) >= len(tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"])
    assert [line for line in rules if not re.search(r"# \S", line)] == []


def test_make_without_a_target_describes_every_target(repository: Path) -> None:
    shown = subprocess.run(["make"], cwd=repository, check=True, capture_output=True, text=True).stdout
    [phony] = re.findall(r"^\.PHONY: (.+)$", (repository / "Makefile").read_text(), flags=re.MULTILINE)
    assert sorted(re.findall(r"^  make ([a-z-]+) +\S", shown, flags=re.MULTILINE)) == sorted(phony.split())


def environment(repository: Path, directory: Path, *, python: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "scripts/environment.sh", str(directory), "run"]
    variables = {**os.environ, "PYTHON": python}
    return subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True, env=variables)


def test_an_unsuitable_python_is_named_with_what_would_do(repository: Path, tmp_path: Path) -> None:
    result = environment(repository, tmp_path / "venv", python="no-such-python")
    assert result.returncode == 1
    assert "no-such-python" in result.stderr
    assert "3.11, 3.12 or 3.13" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_a_directory_that_is_no_environment_is_left_alone(repository: Path, tmp_path: Path) -> None:
    precious = tmp_path / "thesis.tex"
    precious.write_text("words")
    result = environment(repository, tmp_path, python=sys.executable)
    assert result.returncode == 1
    assert "is no virtual environment" in result.stderr
    assert precious.read_text() == "words"
