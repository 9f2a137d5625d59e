"""What `pip install` brings is what the repository holds."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

Contents = dict[str, bytes]

REQUIRED = {
    "vernal/__init__.py",
    "vernal/py.typed",
    "vernal/demo/data/flights.parquet",
    "vernal/demo/flights/late_arrival.py",
    "vernal/demo/flights/late_arrival.yaml",
    "vernal/demo/flights/vernal.yaml",
    "vernal/adapters/state/migrations/env.py",
}


def build(source: Path, target: str, into: Path) -> Path:
    """Build the ``wheel`` or the ``sdist`` of a source tree and return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [built] = into.iterdir()
    return built


def read_wheel(wheel: Path) -> Contents:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def installed(contents: Contents) -> set[str]:
    return {name for name in contents if name.startswith("vernal/")}


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return read_wheel(build(repository, "wheel", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def unpacked_sdist(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(build(repository, "sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return root


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_the_wheel_holds_what_runs_without_the_checkout(wheel: Contents, name: str) -> None:
    assert name in wheel


def test_the_wheel_holds_every_file_of_the_package_and_no_other(repository: Path, wheel: Contents) -> None:
    package = repository / "src" / "vernal"
    linked = package / "demo" / "flights"
    files = [file.relative_to(package) for folder in (package, linked) for file in folder.rglob("*") if file.is_file()]
    kept = {str(file) for file in files if not any(re.match(r"\.|__pycache__", part) for part in file.parts)}
    assert installed(wheel) == {f"vernal/{name}" for name in kept}


def test_the_wheel_installs_nothing_beside_the_package(wheel: Contents) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"vernal"}


def test_the_demo_in_the_wheel_is_the_example_in_the_repository(repository: Path, wheel: Contents) -> None:
    example = repository / "examples" / "flights"
    shipped = {name.removeprefix("vernal/demo/flights/") for name in wheel if name.startswith("vernal/demo/flights/")}
    assert shipped
    for name in shipped:
        assert wheel[f"vernal/demo/flights/{name}"] == (example / name).read_bytes()


def test_the_wheel_carries_the_licence(repository: Path, wheel: Contents) -> None:
    [licence] = [name for name in wheel if name.endswith(".dist-info/licenses/LICENSE")]
    assert wheel[licence] == (repository / "LICENSE").read_bytes()
    assert b"Apache License" in wheel[licence]


def test_a_wheel_built_from_the_sdist_is_the_same(
    wheel: Contents, unpacked_sdist: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = read_wheel(build(unpacked_sdist, "wheel", tmp_path_factory.mktemp("again")))
    assert installed(again) == installed(wheel)
    assert all(again[name] == wheel[name] for name in installed(wheel))


def test_the_sdist_holds_what_its_tests_need(unpacked_sdist: Path) -> None:
    for name in ("constraints.txt", "Makefile", "tests/conftest.py", "examples/flights/late_arrival.py"):
        assert (unpacked_sdist / name).is_file(), name
