"""Vernal keeps deployed machine-learning models fresh."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vernal.comparing import Comparison, build_baseline, compare

__version__ = "0.1.0"

__all__ = ["Comparison", "__version__", "build_baseline", "compare"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import the public API when it is asked for: ``import vernal`` costs nothing else."""
    if name in __all__:
        from vernal import comparing

        return getattr(comparing, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
