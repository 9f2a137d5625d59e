"""YAML text -> plain values, each with its line.

Only what a policy needs is read: the core schema of YAML 1.2 (so ``off`` and ``no`` are texts), mappings, lists and
aliases. The parser's events are taken one by one instead of letting it build objects: that keeps the line of every key
and value, reports repeated keys all at once, and bounds what an alias or a deeply nested text can cost.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from vernal.errors import Problem
from vernal.spec.wording import Location, key_path, shown

MOST_BYTES: Final = 256 * 1024
MOST_VALUES: Final = 20_000
DEEPEST: Final = 32

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,5})?")
_WORDS: Final[dict[str, object]] = {
    **dict.fromkeys(("null", "Null", "NULL", "~"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_TEXT_TAGS: Final = {"!", "tag:yaml.org,2002:str"}
_STRUCTURE_TAGS: Final = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


class Place(NamedTuple):
    """The line of a value (of its key, inside a mapping) and the places of what it contains."""

    line: int
    children: dict[str | int, Place]


class Document(NamedTuple):
    """A file's values and their places."""

    values: Any
    place: Place

    def line(self, location: Location) -> int:
        """Return the line of a value, or of the closest one around it that the file has."""
        place = self.place
        for step in location:
            inner = place.children.get(step)
            if inner is None:
                break
            place = inner
        return place.line


class Reading(NamedTuple):
    """What reading a file gave: its document, unless the text cannot be followed at all, and every problem met."""

    document: Document | None
    problems: tuple[Problem, ...]


def read_document(content: bytes, *, file: str) -> Reading:
    """Read the bytes of a YAML file.

    Parameters
    ----------
    content
        The file's bytes, UTF-8.
    file
        Its name in problems.

    Returns
    -------
    Reading
        Problems instead of exceptions, whatever the bytes are. An empty file is a problem without document.
    """
    if len(content) > MOST_BYTES:
        message = f"the file has {len(content):,} bytes, expected at most {MOST_BYTES:,}"
        return Reading(None, (Problem(file, None, "", message),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file with that encoding"
        return Reading(None, (Problem(file, line, "", message),))
    return _Reader(file).read(text)


class _Abort(Exception):  # noqa: N818 - leaves the reader with its last problem; never leaves this module
    """The text cannot be followed any further."""


class _Open:
    """A mapping or list that has not ended yet."""

    def __init__(self, values: dict[str, Any] | list[Any], place: Place, anchor: str | None) -> None:
        self.values = values
        self.place = place
        self.anchor = anchor
        self.size = 1
        self.key: str | None = None
        self.key_line = place.line
        self.has_key = False


class _Node(NamedTuple):
    """A finished value; ``size`` counts it and everything inside it."""

    value: Any
    place: Place
    size: int


class _Reader:
    """Turns the events of one document into values and places."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, _Node] = {}
        self.count = 0
        self.root: _Node | None = None
        self.documents = 0

    def read(self, text: str) -> Reading:
        try:
            for event in _events(text):
                self._take(event)
        except _Abort:
            return Reading(None, tuple(self.problems))
        except YAMLError as error:
            self.problems.append(self._syntax(error, text))
            return Reading(None, tuple(self.problems))
        if self.root is None:
            self.problems.append(Problem(self.file, 1, "", "the file is empty"))
            return Reading(None, tuple(self.problems))
        return Reading(Document(self.root.value, self.root.place), tuple(self.problems))

    def _take(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._abort(event, "found a second document (---), expected one per file")
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._close()
        elif isinstance(event, AliasEvent):
            self._add(self._aliased(event), event)
        elif isinstance(event, ScalarEvent):
            self._add(self._scalar(event), event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._start(event)

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self.open) >= DEEPEST:
            self._abort(event, f"found values nested more than {DEEPEST} deep")
        if self._awaits_key():
            self._abort(event, "found a mapping or list as a key, expected a name")
        if event.tag is not None and event.tag not in _STRUCTURE_TAGS:
            self._problem(
                event, f"found the tag {shown(str(event.tag))}, expected plain values: tags are not used here"
            )
        self._spend(event, 1)
        values: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
        self.open.append(_Open(values, Place(self._line_of(event), {}), event.anchor))

    def _close(self) -> None:
        ended = self.open.pop()
        node = _Node(ended.values, ended.place, ended.size)
        if ended.anchor is not None:
            self.anchors[ended.anchor] = node
        self._attach(node)

    def _scalar(self, event: ScalarEvent) -> _Node:
        self._spend(event, 1)
        node = _Node(self._scalar_value(event), Place(self._line_of(event), {}), 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _scalar_value(self, event: ScalarEvent) -> object:
        text: str = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._problem(event, "found half of a surrogate pair, expected text that UTF-8 can hold")
            return None
        if event.tag is not None and event.tag not in _TEXT_TAGS:
            self._problem(
                event, f"found the tag {shown(str(event.tag))}, expected plain values: tags are not used here"
            )
        if event.tag is not None or event.style:
            return text
        if not text and not self._awaits_key():
            self._problem(event, "has no value; write one, or leave the key out")
            return None
        return _plain_value(text)

    def _aliased(self, event: AliasEvent) -> _Node:
        if any(ancestor.anchor == event.anchor for ancestor in self.open):
            self._abort(event, f"the alias {shown(event.anchor)} stands inside the value it refers to")
        target = self.anchors.get(str(event.anchor))
        if target is None:
            self._abort(event, f"the alias {shown(event.anchor)} refers to nothing; expected its anchor (&) before it")
        self._spend(event, target.size)
        return target

    def _add(self, node: _Node, event: NodeEvent) -> None:
        if self._awaits_key():
            self._take_key(node.value, event)
        else:
            self._attach(node)

    def _take_key(self, key: object, event: NodeEvent) -> None:
        mapping = self.open[-1]
        mapping.key = None
        if not isinstance(key, str):
            self._problem(event, f"found the key {shown(key)}, expected a name")
        elif key == "<<":
            self._problem(event, "merge keys (<<) are not read; write the keys out")
        elif key in mapping.values:
            first = mapping.place.children[key].line
            self._problem(event, f"found the key {shown(key)} again; it is set on line {first} already")
        else:
            mapping.key = key
        mapping.has_key = True
        mapping.key_line = _line(event)

    def _attach(self, node: _Node) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        parent.size += node.size
        if isinstance(parent.values, list):
            parent.place.children[len(parent.values)] = node.place
            parent.values.append(node.value)
            return
        if parent.key is not None:
            parent.place.children[parent.key] = Place(parent.key_line, node.place.children)
            parent.values[parent.key] = node.value
        parent.has_key = False

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].values, dict) and not self.open[-1].has_key

    def _line_of(self, event: Event) -> int:
        """Return the line of a key, or of the key that a value belongs to: where a reader looks for both."""
        parent = self.open[-1] if self.open else None
        if parent is not None and isinstance(parent.values, dict) and parent.has_key:
            return parent.key_line
        return _line(event)

    def _spend(self, event: NodeEvent, values: int) -> None:
        self.count += values
        if self.count > MOST_VALUES:
            self._abort(event, f"the file stands for more than {MOST_VALUES:,} values, aliases counted in full")

    def _problem(self, event: Event, message: str) -> None:
        self.problems.append(Problem(self.file, self._line_of(event), key_path(tuple(self._location())), message))

    def _abort(self, event: Event, message: str) -> NoReturn:
        self._problem(event, message)
        raise _Abort

    def _location(self) -> Iterator[str | int]:
        for container in self.open:
            if isinstance(container.values, list):
                yield len(container.values)
            elif container.has_key and container.key is not None:
                yield container.key

    def _syntax(self, error: YAMLError, text: str) -> Problem:
        if isinstance(error, MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            line = None if mark is None else mark.line + 1
            return Problem(self.file, line, "", f"not valid YAML: {_plainly(error)}")
        if isinstance(error, ReaderError):
            line = text.count("\n", 0, error.position) + 1
            return Problem(self.file, line, "", f"character U+{error.character:04X} may not stand in a YAML file")
        return Problem(self.file, None, "", f"not valid YAML: {error}")


def _events(text: str) -> Iterator[Event]:
    # ruamel.yaml asserts and converts without guarding: a directive like %YAML 1.3 or "\U99999999" end in other errors.
    try:
        yield from YAML(typ="safe", pure=True).parse(io.StringIO(text))
    except (AssertionError, OverflowError, ValueError, IndexError) as error:
        raise YAMLError(str(error) or type(error).__name__) from error


def _plain_value(text: str) -> object:
    """Return what an unquoted scalar means in the core schema of YAML 1.2; numbers of over 30 digits stay texts."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _plainly(error: MarkedYAMLError) -> str:
    problem = error.problem or error.context or "it cannot be read"
    if "'\\t'" in problem or '"\\t"' in problem:
        return "found a tab, expected spaces for indentation"
    if (
        error.context
        and error.context_mark
        and error.problem_mark
        and error.context_mark.line != error.problem_mark.line
    ):
        return f"{problem} ({error.context} that began on line {error.context_mark.line + 1})"
    return str(problem)


def _line(event: Event) -> int:
    line: int = event.start_mark.line
    return line + 1
