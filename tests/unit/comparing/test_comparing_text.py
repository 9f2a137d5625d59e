"""A comparison as text: what stands where, how it is worded, and that it fits a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from comparisons import BARS, category, comparison, number
from vernal.comparing import Comparison, FeatureResult, Verdict
from vernal.comparing.describing import changes
from vernal.comparing.text import plain
from vernal.profile import Bar, SpecialBar

LONG = "customer_lifetime_value_in_usd_of_the_last_ninety_days"


def first_change(result: FeatureResult) -> str:
    change = changes(result)[0]
    return f"{change.what} {change.read('->')}"


def rich_of(found: Comparison, *, width: int = 120) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(found)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_first_line_says_what_was_compared_and_how_much_drifted() -> None:
    found = comparison(number(), category(verdict=Verdict.STABLE))
    assert plain(found).splitlines()[0] == (
        "reference jan.parquet (3,000 rows) against current jul.parquet (2,000 rows): 1 of 2 features drifted"
    )


def test_features_without_a_verdict_are_not_passed_off_as_stable() -> None:
    unsure = number("b", verdict=Verdict.INSUFFICIENT)
    assert plain(comparison(number(), unsure)).splitlines()[0].endswith(": 1 of 2 features drifted, 1 insufficient")
    assert plain(comparison(unsure)).splitlines()[0].endswith(": no verdict on any of 1 feature")
    assert plain(comparison(number(verdict=Verdict.STABLE))).splitlines()[0].endswith(": none of 1 feature drifted")


def test_a_row_holds_the_type_the_score_its_limit_the_p_value_the_change_and_the_verdict() -> None:
    row = plain(comparison(number())).splitlines()[3]
    assert [cell.strip() for cell in row.split("  ") if cell] == [
        *("amount", "num", "psi 0.312", "0.15 asked", "<0.0001", "mean 0.000 -> 0.500 (0.51 sd)", "drifted")
    ]


def test_a_limit_that_chance_sets_is_named_as_such() -> None:
    assert "  0.200 chance  " in plain(comparison(number(critical=0.2)))
    assert "  0.15 asked  " in plain(comparison(number(critical=0.1)))


def test_drifted_features_come_first_then_those_without_a_verdict_then_the_rest_by_score() -> None:
    found = comparison(
        number("a", verdict=Verdict.STABLE, score=0.02),
        number("b", verdict=Verdict.STABLE, score=0.05),
        number("c", verdict=Verdict.INSUFFICIENT),
        number("d", score=0.2),
        number("e", score=0.4),
    )
    assert [line[0] for line in plain(found).splitlines()[3:8]] == ["e", "d", "c", "b", "a"]


def test_many_stable_features_are_counted_instead_of_shown_but_drifted_ones_never() -> None:
    stable = [number(f"s{place}", verdict=Verdict.STABLE, score=0.01) for place in range(30)]
    drifted = [number(f"d{place}") for place in range(25)]
    assert "... and 11 more, stable" in plain(comparison(number(), *stable))
    text = plain(comparison(*drifted, *stable))
    assert all(f"\nd{place} " in text for place in range(25))
    assert "... and 30 more, stable" in text


def test_what_is_not_known_stands_below_with_its_reason() -> None:
    found = comparison(
        number(),
        unknown=(("route", "list<item: string> cannot be compared"), ("seat", "gone"), ("gate", "gone")),
        notes=("carrier: has rare categories",),
    )
    assert plain(found).splitlines()[-3:] == [
        "not compared: route: list<item: string> cannot be compared",
        "not compared: seat, gate: gone",
        "note: carrier: has rare categories",
    ]


@pytest.mark.parametrize(
    ("result", "read"),
    [
        (number(reference_null_share=0.02, null_share=0.201, mean=0.0), "null 2.0 % -> 20.1 %"),
        (number(out_of_range_share=0.4, mean=0.1), "out of range 40.0 %"),
        (number(deviation=3.0, mean=0.0), "sd 0.980 -> 3.000"),
        (number(mean=None, reference_mean=None, deviation=0.98), "-2.0 to 0.0: 50.0 % -> 30.0 %"),
        (number(reference_deviation=0.0, deviation=0.0), "mean 0 -> 0.500"),
        (category(), "AA 12.0 % -> 31.0 %"),
        (category(shares={"AA": (1.0, 0.969), SpecialBar.NEW: (0.0, 0.031)}), "new 3.1 %"),
        (
            category(shares={"AA": (0.5, 0.2), "": (0.1, 0.1), SpecialBar.RARER: (0.4, 0.8)}),
            "rarer categories 40.0 % -> 80.0 %",
        ),
        (category(shares={" AA": (0.1, 0.5), "AA": (0.9, 0.5)}), '" AA" 10.0 % -> 50.0 %'),
    ],
)
def test_the_most_telling_change_is_worded_shortly(result: FeatureResult, read: str) -> None:
    assert first_change(result) == read


@pytest.mark.parametrize(
    ("data_type", "read"),
    [
        ("timestamp[us, tz=UTC]", "mean 2013-01-16 -> 2013-07-16 (20.9 sd)"),
        ("date32[day]", "mean 2013-01-16 -> 2013-07-16 (20.9 sd)"),
    ],
)
def test_points_in_time_read_as_dates(data_type: str, read: str) -> None:
    moved = number(
        data_type=data_type,
        reference_mean=1_358_294_400e6,
        mean=1_373_932_800e6,
        reference_deviation=748_800e6,
        deviation=748_800e6,
        bars=(),
    )
    assert first_change(moved) == read


def test_durations_read_in_seconds() -> None:
    moved = number(data_type="duration[ms]", reference_mean=6e7, mean=9.1234e7, deviation=2e7, reference_deviation=2e7)
    assert first_change(moved) == "mean 60.0 s -> 91.2 s (1.6 sd)"


def test_times_of_day_read_as_such() -> None:
    moved = number(
        data_type="time64[us]", reference_mean=3.6e9, mean=4.68e10, deviation=3.6e9, reference_deviation=3.6e9
    )
    assert first_change(moved) == "mean 01:00 -> 13:00 (12.0 sd)"


def test_nothing_is_said_to_have_changed_where_a_side_has_no_rows() -> None:
    empty = number(verdict=Verdict.INSUFFICIENT, score=None, critical=None, rows=0)
    assert changes(empty) == []
    assert plain(comparison(empty)).splitlines()[3].split() == ["amount", "num", "-", "-", "-", "-", "insufficient"]


def test_no_line_is_longer_than_a_hundred_columns_whatever_names_are_like() -> None:
    found = comparison(
        number(LONG, data_type="timestamp[us]"),
        category(LONG[::-1], shares={LONG: (0.0, 1.0), "UA": (1.0, 0.0)}, verdict=Verdict.INSUFFICIENT),
        number("名" * 40, critical=0.5, verdict=Verdict.INSUFFICIENT),
        unknown=((LONG, "because " * 40),),
        notes=(f"{LONG}: " + "has rare categories " * 20,),
        names=(f"/data/{LONG}/then.parquet", f"/data/{LONG}/now.parquet"),
    )
    lines = plain(found).splitlines()
    wide = [len(line) + line.count("名") for line in lines[1:]]
    assert max(wide) <= 100
    assert "/data/customer...parquet" in lines[0]


def test_columns_stay_aligned_under_wide_letters() -> None:
    lines = plain(comparison(number("名前"), number("amount"))).splitlines()[3:]
    assert lines[0].index("num") + len("名前") == lines[1].index("num")


@pytest.mark.parametrize("hostile", ["a\x1b[2Jb", "a\u202eb", "a\nb\tc", "\udcff"])
def test_names_cannot_steer_the_terminal(hostile: str) -> None:
    found = comparison(number(hostile), unknown=((hostile, hostile),), notes=(hostile,), names=(hostile, hostile))
    for text in (plain(found), rich_of(found)):
        assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_rich_shows_the_same_and_takes_no_markup_from_names() -> None:
    found = comparison(number("[bold]x[/bold]"), unknown=(("[red]seat[/red]", "gone"),))
    shown = rich_of(found)
    for word in ("[bold]x[/bold]", "psi 0.312", "0.15 asked", "mean 0.000 -> 0.500 (0.51 sd)", "drifted"):
        assert word in shown
    assert "not compared: [red]seat[/red]: gone" in shown
    assert "1 of 1 feature drifted" in shown


def test_python_and_rich_print_a_comparison_by_themselves() -> None:
    found = comparison(number())
    assert repr(found) == plain(found)
    assert "amount" in rich_of(found)


def test_a_shape_that_keeps_mean_and_spread_is_told_by_its_bars() -> None:
    bars = (
        Bar(low=-2.0, high=0.0, reference=0.1, current=0.4),
        Bar(low=0.0, high=2.0, reference=0.9, current=0.6),
    )
    assert first_change(number(mean=0.01, deviation=0.98, bars=bars)) == "-2.0 to 0.0: 10.0 % -> 40.0 %"
    assert first_change(number(mean=0.9, deviation=0.98, bars=BARS)).startswith("mean")
