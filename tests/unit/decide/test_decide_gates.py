import pytest

from vernal.decide.gates import judge, judge_floor, judge_improvement, overall
from vernal.records import Measure, PairedMeasure, Verdict
from vernal.spec import GatesSpec

GATES = GatesSpec(min_improvement=0.01, floor=0.60)


def comparison(difference: float | None, lower: float | None, blocks: int = 14) -> PairedMeasure:
    return PairedMeasure(
        metric="roc_auc",
        champion=0.70,
        challenger=None if difference is None else 0.70 + difference,
        difference=difference,
        lower=lower,
        certainty=0.95,
        rows=12_000,
        blocks=blocks,
        method="day-block jackknife",
        note="one class only" if difference is None else "",
    )


def measure(value: float | None, metric: str = "roc_auc") -> Measure:
    return Measure(metric=metric, value=value, rows=12_000, note="one class only" if value is None else "")


@pytest.mark.parametrize(
    ("difference", "lower", "verdict"),
    [
        (0.020, 0.005, Verdict.PASS),
        (0.010, 0.001, Verdict.PASS),
        (0.009, 0.005, Verdict.FAIL),
        (0.020, 0.000, Verdict.FAIL),
        (0.020, -0.003, Verdict.FAIL),
        (None, None, Verdict.INCONCLUSIVE),
    ],
)
def test_an_improvement_must_be_large_enough_and_surely_there(
    difference: float | None, lower: float | None, verdict: Verdict
) -> None:
    assert judge_improvement(GATES, comparison(difference, lower)).verdict is verdict


def test_strict_asks_that_the_bound_itself_reaches_the_required_improvement() -> None:
    strict = GATES.model_copy(update={"strict": True})
    assert judge_improvement(strict, comparison(0.03, 0.009)).verdict is Verdict.FAIL
    assert judge_improvement(strict, comparison(0.03, 0.011)).verdict is Verdict.PASS


def test_a_holdout_of_few_days_passes_only_with_a_warning() -> None:
    result = judge_improvement(GATES, comparison(0.02, 0.01, blocks=7))
    assert result.verdict is Verdict.WARN
    assert "only 7 days of holdout < 14" in result.reason


@pytest.mark.parametrize(
    ("metric", "value", "floor", "verdict"),
    [
        ("roc_auc", 0.60, 0.60, Verdict.PASS),
        ("roc_auc", 0.599, 0.60, Verdict.FAIL),
        ("mae", 3.9, 4.0, Verdict.PASS),
        ("mae", 4.1, 4.0, Verdict.FAIL),
        ("roc_auc", None, 0.60, Verdict.INCONCLUSIVE),
    ],
)
def test_the_floor_knows_which_way_a_metric_points(
    metric: str, value: float | None, floor: float, verdict: Verdict
) -> None:
    gates = GatesSpec(floor=floor)
    assert judge_floor(gates, measure(value, metric)).verdict is verdict


def test_every_gate_is_shown_also_when_the_first_one_fails() -> None:
    results = judge(GATES, comparison=comparison(-0.02, -0.05), measure=measure(0.68))
    assert [(result.gate, result.verdict) for result in results] == [
        ("improvement", Verdict.FAIL),
        ("floor", Verdict.PASS),
    ]


def test_without_a_champion_the_floor_decides() -> None:
    assert [result.gate for result in judge(GATES, comparison=None, measure=measure(0.7))] == ["floor"]


def test_the_worst_gate_wins_and_no_gate_is_inconclusive() -> None:
    results = judge(GATES, comparison=comparison(0.02, 0.01), measure=measure(0.5))
    assert overall(results) is Verdict.FAIL
    assert overall(()) is Verdict.INCONCLUSIVE


def test_reasons_carry_the_numbers() -> None:
    reason = judge_improvement(GATES, comparison(0.004, -0.002)).reason
    assert reason.startswith("improvement in roc_auc +0.0040 < +0.0100")
    assert "95% lower bound -0.0020 <= +0.0000 (n=12000, 14 days)" in reason
