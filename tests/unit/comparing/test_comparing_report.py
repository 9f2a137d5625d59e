"""The report of a comparison: complete, self-contained, and unmoved by hostile names."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from typing_extensions import override

from comparisons import LIMITS, category, comparison, number
from vernal.comparing import Comparison, Verdict
from vernal.comparing.report import fragment, render
from vernal.profile import Bar, SpecialBar

HOSTILE = [
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "</title></svg></style><script>alert(1)</script>",
    '"' + 90 * "x" + '" onmouseover="alert(1)',
    "{{ 7 * 7 }}",
    "a\x00b\u202ec\udcff",
]
NULLS = Bar(special=SpecialBar.NULL, reference=0.02, current=0.2)
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """A page taken apart: words, elements with their attributes, and whether every element was closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def everything() -> Comparison:
    return comparison(
        number("amount", bars=(*number().distribution, NULLS)),
        category("carrier"),
        number("age", verdict=Verdict.STABLE, score=0.01),
        number("few", verdict=Verdict.INSUFFICIENT),
        number("none", verdict=Verdict.INSUFFICIENT, score=None, critical=None, rows=0, bars=()),
        unknown=(("seat", "only in the reference"),),
        notes=("carrier: has rare categories",),
    )


@pytest.mark.parametrize("html", [render(everything()), fragment(everything())], ids=["document", "fragment"])
def test_the_report_asks_nobody_for_anything_and_runs_nothing(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert all(attributes["href"].startswith("#") for attributes in page.all("a"))
    assert not re.search(r"https?:|src=|url\(|@import", html)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_links_lead_to_places_that_are_there_once() -> None:
    page = Page(render(everything()))
    places = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert set(places.values()) == {1}
    assert {attributes["href"][1:] for attributes in page.all("a")} <= set(places)
    named = " ".join(
        attributes.get(by, "") for _, attributes in page.elements for by in ("aria-labelledby", "aria-describedby")
    )
    assert set(named.split()) <= set(places)


def test_the_report_says_what_moved_how_much_how_sure_and_what_is_not_known() -> None:
    text = Page(render(everything())).text
    for expected in (
        "2 of 5 features drifted, 2 insufficient",
        "jan.parquet (3,000 rows) against current jul.parquet (2,000 rows)",
        "mean 0.000 → 0.500 (0.51 sd)",
        "psi 0.312, 2.1 times the limit of 0.15 (asked for); adjusted p <0.0001",
        "Not compared: seat : only in the reference.",
        "carrier: has rare categories",
        "Rows are taken as independent",
    ):
        assert expected in text.replace("</b>", "")


def test_every_number_is_there_with_what_it_says() -> None:
    text = Page(render(comparison(number()))).text
    for name, value in {
        "Population stability index (PSI)": "0.312 gives the verdict",
        "Jensen-Shannon distance (JS)": "0.212",
        "Kolmogorov-Smirnov distance (KS)": "0.190",
        "Wasserstein distance": "0.456 sd",
        "Total variation": "0.234",
        "Hellinger distance": "0.123",
        "Chi-squared test": "322",
        "rows counted": "3,000 2,000",
        "mean": "0.000 0.500 +0.51 sd",
        "spread (sd)": "0.980 1.000 \N{MULTIPLICATION SIGN} 1.02",
        "null": "0 % 0 %",
    }.items():
        assert f"{name} {value}" in text
    assert "For the raw values at most 0.200." in text
    assert "(the classical limit, as all cells are well filled)" in text


def test_what_decided_is_marked_also_where_it_is_kolmogorov_smirnov() -> None:
    decided = replace(number(), statistic="ks", score=0.19, threshold=0.1)
    text = Page(render(comparison(decided, limits=replace(LIMITS, ks=0.1)))).text
    assert "Kolmogorov-Smirnov distance (KS) 0.190 gives the verdict" in text
    assert text.count("gives the verdict") == 1
    assert "Kolmogorov-Smirnov 0.1." in text


def test_drifted_features_are_open_and_the_others_closed() -> None:
    sections = [attributes for attributes in Page(render(everything())).all("details") if "open" in attributes]
    assert len(sections) == 2


def test_every_drawing_has_a_title_a_description_and_its_bars_in_numbers() -> None:
    page = Page(render(comparison(number())))
    drawings = [attributes for attributes in page.all("svg") if attributes.get("role") == "img"]
    assert len(drawings) == 1
    assert {"aria-labelledby", "aria-describedby"} <= drawings[0].keys()
    assert all("aria-hidden" in attributes for attributes in page.all("svg") if attributes not in drawings)
    for row in ("below -2.0 2.0 % 1.0 % -1.0", "-2.0 to 0.0 50.0 % 30.0 % -20.0", "above 2.0 2.0 % 4.0 % +2.0"):
        assert row in page.text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_others_are_words_and_never_markup(name: str) -> None:
    plain, hostile = (
        comparison(
            number(word),
            category(f"{word}2", shares={word: (0.1, 0.5), "b": (0.9, 0.5)}),
            unknown=((f"{word}3", word),),
            notes=(word,),
            names=(word, word),
        )
        for word in ("harmless", name)
    )
    for write in (render, fragment):
        taken, expected = Page(write(hostile)), Page(write(plain))
        assert taken.open == []
        assert [tag for tag, _ in taken.elements] == [tag for tag, _ in expected.elements]
        assert not any(key.startswith("on") for _, attributes in taken.elements for key in attributes)
    render(hostile).encode()


def test_hidden_and_reordering_characters_are_shown_as_such_and_empty_names_in_quotes() -> None:
    page = Page(render(comparison(number("a\x00b\u202ec"), number(""))))
    assert "a?b?c" in page.text
    assert '""' in page.text


def test_long_names_are_shortened_visibly_with_the_whole_in_a_title() -> None:
    long = "begin_" + "x" * 300 + "_end"
    page = Page(render(comparison(number(long))))
    assert long not in page.text
    assert re.search(r"begin_x+…x+_end", page.text)
    assert {"title": long} in page.all("bdi")


def test_letters_of_any_script_stay_as_they_are() -> None:
    text = Page(render(comparison(number("عمر العميل"), category("名前", shares={"👩‍👧": (0.1, 0.9)})))).text
    assert all(name in text for name in ("عمر العميل", "名前", "👩‍👧"))


def test_no_drift_and_no_verdict_read_differently() -> None:
    calm = Page(render(comparison(number(verdict=Verdict.STABLE)))).text
    unsure = Page(render(comparison(number(verdict=Verdict.INSUFFICIENT)))).text
    assert "No feature with a verdict moved by more than its limit." in calm
    assert "Every column of both sides was compared and has a verdict." in calm
    assert "Nothing can be said: no feature has a verdict." in unsure
    assert "Every column of both sides" not in unsure


def test_a_reference_of_which_half_was_counted_says_so() -> None:
    halved = category(reference_rows=1500)
    assert "the other half was counted" in Page(render(comparison(halved))).text
    assert "the other half was counted" not in Page(render(comparison(category()))).text


def test_a_report_of_many_features_stays_small() -> None:
    names = {f"c{place}": (1 / 24, 1 / 24) for place in range(24)}
    some = [number(f"n{place}") for place in range(15)] + [category(f"c{place}", shares=names) for place in range(10)]
    assert len(render(comparison(*some)).encode()) < 1_000_000
    many = [number(f"n{place}", verdict=Verdict.STABLE) for place in range(200)]
    assert len(render(comparison(*many)).encode()) < 4_000_000


def test_two_fragments_on_one_page_keep_apart() -> None:
    one, other = (Page(fragment(comparison(number(name)))) for name in ("a", "b"))
    ids = [{attributes["id"] for _, attributes in page.elements if "id" in attributes} for page in (one, other)]
    assert not ids[0] & ids[1]


def test_every_style_of_a_fragment_holds_under_its_root_only() -> None:
    html = fragment(everything())
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    root = Page(html).all("div")[0]["id"]
    depth, outside = 0, ""
    for letter in style:
        depth -= letter == "}"
        outside += letter if depth == 0 and letter not in "{}" else ""
        depth += letter == "{"
    assert outside.split() == [f"#{root}"]
    classes = {word for _, attributes in Page(html).elements for word in attributes.get("class", "").split()}
    assert all(word.startswith("vnl-") for word in classes)


def test_a_notebook_shows_the_fragment() -> None:
    found = everything()
    assert found._repr_html_() == fragment(found)
    assert found.to_html() == render(found)
