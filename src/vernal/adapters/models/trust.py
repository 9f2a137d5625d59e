"""Which types a stored model may consist of.

A skops file names the classes and functions it is made of, and loading calls them. So only those of the numerical
libraries that make up models are trusted, and of these none that run code or touch files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIBRARIES: Final = frozenset({"numpy", "scipy", "sklearn"})
_PLAIN: Final = frozenset(
    {
        *(
            f"builtins.{name}"
            for name in ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int")
        ),
        *(f"builtins.{name}" for name in ("list", "object", "range", "set", "slice", "str", "tuple", "type")),
        *(f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque", "namedtuple")),
        "functools.partial",  # holds a function and arguments, which are named, and judged, beside it
    }
)
_HAZARDS: Final = (
    "numpy.DataSource",
    "numpy.ctypeslib",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.fromfile",
    "numpy.fromregex",
    "numpy.genfromtxt",
    "numpy.load",
    "numpy.loadtxt",
    "numpy.memmap",
    "numpy.lib",
    "numpy.rec",
    "numpy.save",
    "numpy.savetxt",
    "numpy.savez",
    "numpy.savez_compressed",
    "numpy.testing",
    "scipy.datasets",
    "scipy.io",
    "sklearn.datasets",
    "sklearn.externals",
)
_TEST_CODE: Final = frozenset({"_testing", "conftest", "testing", "tests"})


def untrusted(types: Iterable[str]) -> tuple[str, ...]:
    """Return the types, by their dotted names, that a stored model may not contain, sorted.

    Examples
    --------
    >>> untrusted(["sklearn.tree._tree.Tree", "posix.system", "builtins.eval", "numpy.testing.runstring"])
    ('builtins.eval', 'numpy.testing.runstring', 'posix.system')
    """
    return tuple(sorted(name for name in types if not _trusted(name)))


def _trusted(name: str) -> bool:
    if name in _PLAIN:
        return True
    parts = name.split(".")
    if parts[0] not in _LIBRARIES or not _TEST_CODE.isdisjoint(parts):
        return False
    return not any(name == hazard or name.startswith(f"{hazard}.") for hazard in _HAZARDS)
