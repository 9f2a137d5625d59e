"""The version, the dependency ranges and the constraints agree with each other."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import vernal


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = [line for line in (repository / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.!+]+", line)] == []
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])
    return dict(line.split("==") for line in lines)


def requirements(project: dict[str, Any]) -> list[Requirement]:
    """Return every requirement that pyproject.toml states."""
    stated = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for group in (*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()):
        stated += [entry for entry in group if isinstance(entry, str)]
    return [Requirement(entry) for entry in stated]


def test_the_installed_version_is_the_one_the_package_states() -> None:
    assert importlib.metadata.version("vernal") == vernal.__version__


def test_every_requirement_is_pinned_within_its_range(project: dict[str, Any], pins: dict[str, str]) -> None:
    stated = requirements(project)
    assert stated
    assert [str(requirement) for requirement in stated if canonicalize_name(requirement.name) not in pins] == []
    versions = [(requirement, pins[canonicalize_name(requirement.name)]) for requirement in stated]
    assert [(str(requirement), pin) for requirement, pin in versions if pin not in requirement.specifier] == []


def test_every_requirement_has_a_lower_bound(project: dict[str, Any]) -> None:
    unbounded = [str(entry) for entry in requirements(project) if not any(">=" in str(s) for s in entry.specifier)]
    assert unbounded == []


@pytest.mark.parametrize("name", ["torch", "tensorflow", "jax", "mlflow"])
def test_no_framework_of_gigabytes_is_pulled_in(pins: dict[str, str], name: str) -> None:
    assert name not in pins


def test_the_classifiers_name_the_supported_pythons(project: dict[str, Any]) -> None:
    supported = SpecifierSet(project["project"]["requires-python"])
    named = {
        classifier.rsplit(" ", 1)[1]
        for classifier in project["project"]["classifiers"]
        if classifier.startswith("Programming Language :: Python :: 3.")
    }
    assert named == {f"3.{minor}" for minor in range(20) if f"3.{minor}" in supported}
