"""The user's Python file, loaded by path."""

from __future__ import annotations

import importlib.util
import sys
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from vernal.errors import UserCodeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    import pandas as pd


def load_module(path: Path) -> ModuleType:
    """Import a file under a private name, with its folder importable for the modules beside it.

    Raises
    ------
    UserCodeError
        If the file is missing or raises while it is imported.
    """
    if not path.is_file():
        raise UserCodeError(f"{path}: no such file", hint="Correct `code:` in the model's file.")
    name = f"vernal_user_{blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserCodeError(f"{path}: not a Python file", hint="Correct `code:` in the model's file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise UserCodeError(f"{path.name}: importing it raised {type(error).__name__}: {error}") from error
    return module


def load_function(path: Path, name: str) -> Callable[..., Any]:
    """Return a function of the user's file.

    Raises
    ------
    UserCodeError
        If the file does not define it.
    """
    found: object = getattr(load_module(path), name, None)
    if not callable(found):
        kind = "nothing" if found is None else type(found).__name__
        raise UserCodeError(
            f"{path.name}: `{name}` is {kind}, expected a function", hint=f"Define `def {name}(...)` in it."
        )
    function: Callable[..., Any] = found
    return function


def load_features(path: Path) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return the user's ``features(rows)``; without one, raw rows are the features."""
    function: Callable[[pd.DataFrame], pd.DataFrame] | None = getattr(load_module(path), "features", None)
    return function or (lambda rows: rows)
