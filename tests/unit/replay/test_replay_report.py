from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from typing_extensions import override

from vernal.records import Decision
from vernal.replay.outcome import Month, Outcome, RunLine, monthly
from vernal.replay.report import chart, counts, decisions_of, render

NOW = datetime(2013, 3, 1, 5, tzinfo=UTC)


def decision(outcome: str, reason: str = "because", run_id: str | None = "m-1", kind: str = "rollout") -> Decision:
    return Decision(model="m", run_id=run_id, at=NOW, kind=kind, outcome=outcome, reason=reason)


def run(number: int, phase: str) -> RunLine:
    return RunLine(
        id=f"m-{number}",
        phase=phase,
        trigger="schedule",
        reason="was due",
        requested_at=NOW,
        finished_at=NOW,
        version=str(number),
        improvement=0.012,
        lower=0.003,
        gates=("improvement pass: +0.0120 >= +0.0100",),
        cost_usd="0.01",
        outcome="done",
    )


OUTCOME = Outcome(
    model="m",
    metric="roc_auc",
    months=(
        Month(month="2013-02", static=0.65, vernal=0.66, rows=20_000),
        Month(month="2013-03", static=0.64, vernal=None, rows=0),
    ),
    mean_gain=0.01,
    gain_lower=0.002,
    gain_upper=0.018,
    runs=(run(1, "promoted"), run(2, "rejected"), run(3, "rejected")),
    decisions=(
        decision("hold", "first look"),
        decision("hold", "second look"),
        decision("advance", "<script>alert(1)</script>"),
        decision("requested", "psi 0.3", run_id=None, kind="check"),
    ),
    checks={"healthy": 300, "requested": 30},
    cost_usd="1.23",
    seconds=100.0,
)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_is_one_file_that_asks_nobody_for_anything() -> None:
    page = Page()
    page.feed(render(OUTCOME))
    assert (page.scripts, page.links) == (0, [])


def test_the_report_shows_the_gain_its_interval_every_run_and_what_fired() -> None:
    page = Page()
    page.feed(render(OUTCOME))
    text = " ".join(" ".join(page.words).split())
    for expected in (
        "+0.0100",
        "+0.0020 to +0.0180",
        "m-1",
        "m-2",
        "m-3",
        "psi 0.3",
        "1.23",
        "300 healthy",
        "undefined",
    ):
        assert expected in text
    assert "<script>alert(1)</script>" in text


def test_a_stretch_of_holds_is_folded_to_its_last() -> None:
    assert [decision.reason for decision in decisions_of(run(1, "promoted"), OUTCOME.decisions)] == [
        "second look",
        "<script>alert(1)</script>",
    ]


def test_runs_are_counted_by_how_they_ended() -> None:
    assert list(counts(OUTCOME.runs).items()) == [("rejected", 2), ("promoted", 1)]


def test_the_chart_leaves_out_what_is_undefined_and_survives_having_nothing() -> None:
    static, vernal = chart(OUTCOME.months).lines
    assert (len(static.points), len(vernal.points)) == (2, 1)
    assert chart(()).lines[0].path == ""


def test_months_count_alike_and_the_interval_covers_a_known_gain() -> None:
    rng = np.random.default_rng(7)
    labels = (rng.random(12_000) < 0.3).astype(float)
    good, bad = labels + rng.normal(size=12_000), labels + 2 * rng.normal(size=12_000)
    names = ["2013-02"] * 10_000 + ["2013-03"] * 2_000
    months, mean, lower, upper = monthly(
        "roc_auc",
        labels=labels,
        vernal=1 / (1 + np.exp(-good)),
        static=1 / (1 + np.exp(-bad)),
        months=names,
        day=np.arange(12_000) // 100,
        seed=1,
    )
    gains = [month.gain for month in months if month.gain is not None]
    assert mean is not None
    assert lower is not None
    assert upper is not None
    assert len(gains) == len(months)
    assert mean == pytest.approx(np.mean(gains))
    # Two normal scores one unit apart with spreads 1 and 2: AUC is Phi(1 / sqrt(2)) and Phi(1 / sqrt(8)).
    assert lower < 0.7602 - 0.6382 < upper
    assert upper - lower < 0.05
