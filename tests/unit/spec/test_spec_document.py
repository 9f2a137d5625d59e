from __future__ import annotations

import math

import pytest

from vernal.spec.document import DEEPEST, MOST_BYTES, MOST_VALUES, Document, read_document


def values_of(text: str) -> object:
    document = sound(text)
    return document.values


def sound(text: str) -> Document:
    document, problems = read_document(text.encode(), file="m.yaml")
    assert problems == ()
    assert document is not None
    return document


def problems_of(text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    return [str(problem) for problem in read_document(content, file="m.yaml").problems]


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("off", "off"),
        ("no", "no"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("0.05", 0.05),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("1:30", "1:30"),
        ("2013-01-01", "2013-01-01"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("7d", "7d"),
    ],
)
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(scalar: str, expected: object) -> None:
    assert values_of(f"key: {scalar}") == {"key": expected}


def test_not_a_number_is_read_as_such() -> None:
    values = values_of("key: .nan")

    assert isinstance(values, dict)
    assert math.isnan(values["key"])


def test_an_integer_too_long_to_be_meant_stays_a_text() -> None:
    assert values_of(f"key: {'9' * 5000}") == {"key": "9" * 5000}


def test_lists_and_mappings_nest_in_block_and_flow_style() -> None:
    assert values_of("a:\n  - {b: 1}\n  - [2, 3]\nc: {}\n") == {"a": [{"b": 1}, [2, 3]], "c": {}}


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    assert values_of("\ufeffa: 1") == {"a": 1}


def test_windows_line_ends_count_as_one_line_each() -> None:
    assert sound("a: 1\r\nb: 2\r\n").line(("b",)) == 2


def test_every_value_has_the_line_of_its_key_or_of_its_place_in_a_list() -> None:
    document = sound("# comment\na:\n  b: 1\n  c:\n    - x\n    - y: 2\n      z: 3\n")

    assert document.line(()) == 2
    assert document.line(("a",)) == 2
    assert document.line(("a", "b")) == 3
    assert document.line(("a", "c")) == 4
    assert document.line(("a", "c", 0)) == 5
    assert document.line(("a", "c", 1)) == 6
    assert document.line(("a", "c", 1, "z")) == 7


def test_what_a_file_lacks_has_the_line_of_what_is_around_it() -> None:
    document = sound("a: 1\nb:\n  c: 2\n")

    assert document.line(("b", "missing", "deeper")) == 2
    assert document.line(("missing",)) == 1


def test_a_repeated_key_names_both_lines_and_the_first_one_counts() -> None:
    document, problems = read_document(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", file="m.yaml")

    assert document is not None
    assert document.values == {"a": 1, "b": {"c": 1}}
    assert [str(problem) for problem in problems] == [
        'm.yaml:4: b: found the key "c" again; it is set on line 3 already',
        'm.yaml:5: found the key "a" again; it is set on line 1 already',
    ]


def test_a_key_without_value_is_a_problem_at_the_key() -> None:
    assert problems_of("a:\n  b:\n\n\nc: 1\n") == ["m.yaml:2: a.b: has no value; write one, or leave the key out"]


def test_a_key_of_several_lines_is_named_on_one() -> None:
    (problem,) = problems_of("{a...---\n\n-b}")

    assert problem == "m.yaml:1: a...---\\n-b: has no value; write one, or leave the key out"


def test_a_tab_is_named_as_such() -> None:
    assert problems_of("a:\n\tb: 1\n") == ["m.yaml:2: not valid YAML: found a tab, expected spaces for indentation"]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n...\n# a\n"])
def test_a_file_without_content_says_so(text: str) -> None:
    assert len(problems_of(text)) == 1
    assert "empty" in problems_of(text)[0] or "has no value" in problems_of(text)[0]


def test_bytes_that_are_not_utf_8_are_a_problem_on_their_line() -> None:
    assert problems_of(b"a: 1\nb: caf\xe9\n") == ["m.yaml:2: byte 0xe9 is not UTF-8; save the file with that encoding"]


def test_a_control_character_is_a_problem_on_its_line() -> None:
    assert problems_of(b"a: 1\nb: \x00\n") == ["m.yaml:2: character U+0000 may not stand in a YAML file"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1,\n  2\n", None, "expected"),
        ("a: b: c\n", 1, "mapping values are not allowed here"),
        ("a: 1\n- b\n", 2, "expected <block end>"),
        ("a: 'x\n", 2, "end of stream"),
        ("a: @x\n", 1, "'@'"),
        ("%YAML 1.3\n---\na: 1\n", None, "version"),
        ('a: "\\U99999999"\n', None, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: *nothing\n", 1, "refers to nothing"),
        ("a: &x [1, *x]\n", 1, "stands inside the value it refers to"),
        ("1: a\n", 1, "found the key 1, expected a name"),
        ("? [a]\n: 1\n", 1, "as a key"),
        ("a: 1\n<<: {b: 2}\n", 2, "merge keys"),
        ("a: 1\nb: !!python/object:os.system {}\n", 2, "tags are not used here"),
        ("a: 1\nb: !secret x\n", 2, "tags are not used here"),
        ('a: "\\ud800"\n', 1, "surrogate"),
    ],
)
def test_what_cannot_be_followed_is_one_problem_with_a_line(text: str, line: int | None, words: str) -> None:
    (problem,) = read_document(text.encode(), file="m.yaml").problems

    assert words in problem.message
    assert line is None or problem.line == line


def test_an_alias_stands_for_the_value_of_its_anchor() -> None:
    assert values_of("a: &day 1d\nb: [*day, *day]\n") == {"a": "1d", "b": ["1d", "1d"]}


def test_aliases_that_multiply_are_counted_in_full() -> None:
    levels = ["a: &a [" + ", ".join("1" * 10) + "]"]
    levels += [
        f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]

    (problem,) = problems_of("\n".join(levels))

    assert problem.startswith("m.yaml:5: e")
    assert f"more than {MOST_VALUES:,} values" in problem


def test_values_nested_too_deep_are_refused() -> None:
    assert values_of("[" * DEEPEST + "]" * DEEPEST) is not None
    assert f"more than {DEEPEST} deep" in problems_of("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))[0]
    assert f"more than {DEEPEST} deep" in problems_of("[" * 100_000)[0]


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert problems_of(b"#" * (MOST_BYTES + 1)) == ["m.yaml: the file has 262,145 bytes, expected at most 262,144"]
