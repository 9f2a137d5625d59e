"""Reading what lies below ``deploy``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from ruamel.yaml import YAML

TREE = Path(__file__).resolve().parents[2]
DEPLOY = TREE / "deploy"

Manifest = dict[str, Any]


def script(name: str) -> ModuleType:
    """Load one of the scripts as a module."""
    spec = importlib.util.spec_from_file_location(name, TREE / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documents(text: str) -> list[Manifest]:
    """Return the documents of a YAML text that are not empty."""
    return [found for found in YAML(typ="safe", pure=True).load_all(text) if found]
