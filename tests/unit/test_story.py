"""What the stored decisions tell: each outcome, each kind of evidence, and nothing that was not stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vernal.records import (
    CheckEvidence,
    Decision,
    DriftEvidence,
    EstimatedPerformance,
    FeatureDrift,
    Measure,
    NewColumn,
    NullShare,
    PerformanceEvidence,
    QualityEvidence,
    RuleCount,
    Ruling,
    ShadowRuling,
    Suppression,
    TriggerResult,
)
from vernal.story import Story, tell

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MEASURED = Measure(metric="accuracy", value=0.912, rows=4000, lower=0.904, upper=0.919, certainty=0.95)
HELD = PerformanceEvidence(
    window_start=NOON - 7 * 24 * HOUR, window_end=NOON, measure=MEASURED, issued=5000, labelled=4000
)


def feature(name: str, score: float | None = 0.02, **known: Any) -> FeatureDrift:  # noqa: ANN401 - any field's type
    facts: dict[str, Any] = {
        "statistic": "psi",
        "critical": 0.01,
        "p_value": 0.001,
        "adjusted_p": 0.002,
        "rows": 9000,
        "reference_rows": 20000,
        "null_share": 0.0,
        "reference_null_share": 0.0,
        **known,
    }
    return FeatureDrift(feature=name, score=score, **facts)


def seen(**known: Any) -> CheckEvidence:  # noqa: ANN401 - any field's type
    facts: dict[str, Any] = {"champion": "3", "new_rows": 120, "quarantined": 0, **known}
    return CheckEvidence(model="fraud", at=NOON, **facts)


def drifted(*features: FeatureDrift) -> DriftEvidence:
    return DriftEvidence(window_start=NOON - 24 * HOUR, window_end=NOON, rows=9000, features=features)


def check(
    outcome: str, reason: str = "performance: holds", *, hours: int = 0, evidence: CheckEvidence | None = None
) -> Decision:
    quiet = TriggerResult(kind="performance", fired=False, sufficient=True, reason="accuracy 0.912: holds")
    stored = {"evidence": (evidence or seen()).to_dict(), "triggers": [quiet.to_dict()]}
    return Decision(
        model="fraud", at=NOON + hours * HOUR, kind="check", outcome=outcome, reason=reason, evidence=stored
    )


def told(*checks: Decision, steps: tuple[Decision, ...] = ()) -> Story:
    return tell("fraud", at=NOON + 48 * HOUR, checks=checks, steps=steps)


def about(story: Story, subject: str) -> tuple[str, ...]:
    return next((one.sentences for one in story.paragraphs if one.about.startswith(subject)), ())


def saw(evidence: CheckEvidence) -> str:
    return " ".join(about(told(check("healthy", evidence=evidence)), "What the check saw"))


@pytest.mark.parametrize(
    ("outcome", "reason", "headline"),
    [
        ("healthy", "", "At 2026-03-01 12:00 UTC nothing called for retraining fraud."),
        (
            "insufficient",
            "",
            (
                "At 2026-03-01 12:00 UTC Vernal could not tell whether fraud needs retraining: "
                "there was too little to go by."
            ),
        ),
        ("requested", "volume: 5000 labels", "At 2026-03-01 12:00 UTC retraining fraud was asked for."),
        (
            "suppressed",
            "volume: 5000 labels; suppressed: run fraud-7 is open (training)",
            "At 2026-03-01 12:00 UTC retraining fraud was called for and held back: run fraud-7 is open (training).",
        ),
        ("error", "disk full", "At 2026-03-01 12:00 UTC the check of fraud ended with error: disk full."),
    ],
)
def test_the_headline_says_how_the_check_ended(outcome: str, reason: str, headline: str) -> None:
    assert told(check(outcome, reason)).headline == headline


def test_without_any_check_that_is_what_there_is_to_say() -> None:
    story = told()
    assert story.headline == "No check had looked at fraud by 2026-03-03 12:00 UTC."
    assert (story.check, story.paragraphs) == (None, ())


def test_the_last_check_is_the_one_that_is_told() -> None:
    last = check("requested", hours=1)
    assert told(check("healthy"), last).check == last


def test_a_check_without_stored_evidence_tells_its_outcome_alone() -> None:
    bare = Decision(model="fraud", at=NOON, kind="check", outcome="error", reason="disk full")
    assert told(bare).paragraphs == ()


def test_who_served_and_what_came_in() -> None:
    assert saw(seen()).startswith("Version 3 was the champion. 120 new predictions had come in since the check before.")
    assert saw(seen(champion=None, new_rows=1)).startswith("No version served yet. 1 new prediction had")
    assert "2 rows could not be used and went to quarantine." in saw(seen(quarantined=2))


def test_what_arrived_is_told_with_what_was_refused_and_what_was_odd() -> None:
    refused = tuple(RuleCount(rule=f"x{n}: expected a number", rows=9 - n) for n in range(7))
    found = saw(
        seen(
            quarantined=42,
            quality=QualityEvidence(
                rows=1200,
                accepted=1158,
                refused=42,
                refused_by=refused,
                warned=(RuleCount(rule="amount: expected at most 15", rows=6),),
                new_columns=(NewColumn(table="labels", column="annotator", type="string", rows=1),),
                late=3,
                out_of_order=1,
                null_shares=(NullShare(column="country", share=0.25, limit=0.05, rows=1000),),
            ),
        )
    )
    refusals = "x0: expected a number (9), x1: expected a number (8), x2: expected a number (7), "
    refusals += "x3: expected a number (6), x4: expected a number (5) and 2 more"
    for sentence in (
        f"42 of 1,200 arriving rows (3.5%) went to quarantine: {refusals}.",
        "6 rows entered with a warning: amount: expected at most 15.",
        "country had no value in 25.0% of 1,000 arriving rows, where at most 5.0% is expected.",
        "The labels had a column annotator (string) that the model does not know; it was dropped.",
        "3 predictions came late and went to the hour of the event.",
        "1 prediction came after one of a later event, which does no harm.",
    ):
        assert sentence in found


def test_of_many_new_columns_a_few_are_named() -> None:
    new = tuple(NewColumn(table="predictions", column=f"c{n}", type="double", rows=1) for n in range(6))
    found = saw(seen(quality=QualityEvidence(rows=1, accepted=1, new_columns=new)))
    assert "The predictions had a column c4 (double) that the model does not know; it was dropped." in found
    assert "So were 1 column more." in found


def test_nothing_is_told_of_rows_that_were_as_expected() -> None:
    assert saw(seen(quality=QualityEvidence(rows=5, accepted=5))) == saw(seen())


def test_the_live_metric_comes_with_its_bounds_and_what_is_missing() -> None:
    text = saw(seen(performance=HELD))
    assert "On 4,000 predictions whose labels had time to come and came, accuracy was 0.912, between 0.904 and" in text
    assert "1,000 labels of 5,000 were missing (20%)." in text


def test_a_metric_that_is_undefined_says_why() -> None:
    undefined = Measure(metric="roc_auc", value=None, rows=12, note="one class only")
    evidence = PerformanceEvidence(window_start=NOON, window_end=NOON, measure=undefined, issued=12, labelled=12)
    text = saw(seen(performance=evidence))
    assert "The live roc_auc could not be computed: one class only." in text
    assert "missing" not in text


def test_only_what_is_beyond_chance_counts_as_different_and_the_farthest_come_first() -> None:
    names = [feature("a", 0.02), feature("b", 0.4), feature("c", 0.005), feature("d", 0.2), feature("e", 0.3)]
    text = saw(seen(drift=drifted(*names)))
    assert "4 of 5 features differ from the training data by more than chance (9,000 predictions since" in text
    assert "Farthest: b (psi 0.400), e (psi 0.300), d (psi 0.200)." in text


def test_both_windows_are_told_of_the_shorter_first() -> None:
    short = drifted(feature("a", 0.4)).evolve(rows=800, against="the training data of the same hours of the week")
    text = saw(seen(drift=drifted(feature("a", 0.005)), short_drift=short))
    day, week = text.split("by more than chance (800", 1)
    assert "1 of 1 feature differs from the training data of the same hours of the week" in day
    assert "0 of 1 feature differ from the training data by more than chance (9,000" in week


def test_what_is_odd_is_told_once_of_the_newest_rows() -> None:
    short = drifted(feature("a", null_share=0.3, reference_null_share=0.0))
    week = drifted(feature("a", null_share=0.1, reference_null_share=0.0))
    text = saw(seen(drift=week, short_drift=short))
    assert "a was missing in 30.0%" in text
    assert "10.0%" not in text
    assert "10.0%" in saw(seen(drift=week, short_drift=short.evolve(rows=0)))


def test_predictions_and_labels_are_named_where_they_moved() -> None:
    answers = (feature("prediction", 0.001), feature("score", 0.4))
    text = saw(seen(drift=drifted(feature("a")).evolve(answers=answers, labels=feature("label", 0.5))))
    assert "The scores differ from those on the champion's holdout by more than chance (psi 0.400)." in text
    assert "The labels differ from those of the training data by more than chance (psi 0.500)." in text
    assert "The predictions" not in text


def test_no_difference_names_no_feature() -> None:
    text = saw(seen(drift=drifted(feature("a", 0.005))))
    assert "0 of 1 feature differ" in text
    assert "Farthest" not in text


def test_features_without_scores_could_not_be_compared() -> None:
    assert "No feature could be compared" in saw(seen(drift=drifted(feature("a", None))))


def test_what_is_missing_unknown_or_out_of_range_is_named_where_it_grew() -> None:
    text = saw(
        seen(
            drift=drifted(
                feature("a", null_share=0.2, reference_null_share=0.05),
                feature("b", null_share=0.2, reference_null_share=0.2),
                feature("c", new_share=0.05),
                feature("d", new_share=0.05, reference_new_share=0.05),
                feature("e", new_share=0.05, reference_new_share=0.02),
                feature("f", out_of_range_share=0.5),
            )
        )
    )
    assert "a was missing in 20.0% of the rows, against 5.0% in the baseline." in text
    assert "c had an unknown category in 5.0% of the rows." in text
    assert "e had an unknown category in 5.0% of the rows, against 2.0% as is usual." in text
    assert "f was outside the baseline's range in 50.0% of the rows." in text
    assert "b was" not in text
    assert "d had" not in text


def test_labels_are_counted_since_the_last_cut() -> None:
    text = saw(seen(new_labels=1, labels_since=NOON))
    assert "1 label had arrived since the last training cut at 2026-03-01 12:00 UTC." in text


def test_notes_are_passed_on() -> None:
    assert saw(seen(notes=("version 3 has no stored baseline",))).endswith("Note: version 3 has no stored baseline.")


@pytest.mark.parametrize(
    ("fired", "sufficient", "answer"),
    [
        (True, True, "drift fired: x."),
        (False, True, "drift stayed quiet: x."),
        (False, False, "drift could not tell: x."),
    ],
)
def test_every_trigger_has_its_say(fired: bool, sufficient: bool, answer: str) -> None:
    result = TriggerResult(kind="drift", fired=fired, sufficient=sufficient, reason="x")
    stored = {"evidence": seen().to_dict(), "triggers": [result.to_dict()]}
    decision = Decision(model="fraud", at=NOON, kind="check", outcome="healthy", reason="", evidence=stored)
    assert about(told(decision), "What each trigger said") == (answer,)


def ruled(outcome: str, *suppressions: Suppression, supersedes: str | None = None) -> Decision:
    ruling = Ruling(outcome=outcome, reason="x", trigger="drift", suppressions=suppressions, supersedes=supersedes)
    stored = {"evidence": seen().to_dict(), "triggers": [], "policy": ruling.to_dict()}
    return Decision(
        model="fraud", at=NOON, kind="check", outcome=outcome, reason="drift: x; suppressed: y", evidence=stored
    )


def test_what_held_a_trigger_back_is_told_with_its_end() -> None:
    streak = Suppression(policy="consecutive", triggers=("drift",), reason="1 of 3 checks", until=NOON + 12 * HOUR)
    opened = Suppression(policy="open_run", triggers=("performance", "volume"), reason="run fraud-7 is open (training)")
    story = told(ruled("suppressed", streak, opened))
    assert story.headline.endswith("held back: 1 of 3 checks; run fraud-7 is open (training).")
    assert about(story, "What the policies made of it") == (
        (
            "drift was held back, until 2026-03-02 00:00 UTC at the soonest: one look may be chance, so it has to fire "
            "in several checks that count (1 of 3 checks)."
        ),
        "performance and volume were held back: a model has one open run at a time (run fraud-7 is open (training)).",
    )


def test_every_policy_has_words_of_its_own() -> None:
    for policy in ("consecutive", "warm_up", "combine", "cooldown", "circuit_breaker", "open_run"):
        (sentence,) = about(
            told(ruled("suppressed", Suppression(policy=policy, triggers=("drift",), reason="y"))),
            "What the policies made of it",
        )
        assert policy not in sentence


def test_an_emergency_says_whose_place_it_took() -> None:
    assert about(told(ruled("requested", supersedes="fraud-7")), "What the policies made of it") == (
        "This was an emergency, so it took the place of fraud-7, which served nobody yet.",
    )


def test_a_check_that_held_nothing_back_says_nothing_of_policies() -> None:
    assert about(told(ruled("healthy")), "What the policies made of it") == ()


def test_what_each_shadow_policy_would_have_done_is_told_by_its_name() -> None:
    held = Suppression(policy="cooldown", triggers=("drift",), reason="cooldown until noon")
    rulings = {
        "eager": Ruling(outcome="requested", reason="drift: x", trigger="drift"),
        "held": Ruling(outcome="suppressed", reason="y", trigger="drift", suppressions=(held,)),
        "blind": Ruling(outcome="insufficient", reason="z"),
        "calm": Ruling(outcome="healthy", reason="z"),
    }
    shadows = {name: ShadowRuling(ruling=ruling).to_dict() for name, ruling in rulings.items()}
    stored = {"policy": Ruling(outcome="healthy", reason="z").to_dict(), "shadow": shadows}
    decision = Decision(model="fraud", at=NOON, kind="check", outcome="healthy", reason="", evidence=stored)
    assert about(told(decision), "What the shadow policies would have done") == (
        "eager would have asked for a run: drift: x.",
        "held would have held drift back: cooldown until noon.",
        "blind could not have told.",
        "calm would have stayed quiet.",
    )


def test_how_long_it_has_been_so_and_when_retraining_was_last_asked_for() -> None:
    checks = [check("healthy"), check("requested", "volume: 5000 labels", hours=1)]
    checks += [check("healthy", hours=hours) for hours in (2, 3, 4)]
    assert about(told(*checks), "Before") == (
        "So ended the last 3 checks, since 2026-03-01 14:00 UTC.",
        "Retraining was last asked for at 2026-03-01 13:00 UTC: volume: 5000 labels.",
    )


def test_a_first_check_has_nothing_before_it() -> None:
    assert about(told(check("healthy")), "Before") == ()


def test_the_last_run_is_told_step_by_step_and_repeated_holds_once() -> None:
    steps = tuple(
        Decision(
            model="fraud", run_id="fraud-7", at=NOON + hours * HOUR, kind="rollout", outcome=outcome, reason=reason
        )
        for hours, outcome, reason in ((0, "hold", "early"), (1, "hold", "later"), (2, "advance", "fit"))
    )
    assert about(told(check("healthy"), steps=steps), "The last run, fraud-7") == (
        "2026-03-01 13:00 UTC, rollout hold: later.",
        "2026-03-01 14:00 UTC, rollout advance: fit.",
    )


def estimated(**known: Any) -> EstimatedPerformance:  # noqa: ANN401 - any field's type
    facts: dict[str, Any] = {"sampling_error": 0.011, "calibration_error": 0.014, "method": "cbpe", **known}
    return EstimatedPerformance(
        window_start=NOON - 24 * HOUR,
        window_end=NOON,
        measure=MEASURED.evolve(value=0.87, lower=0.84, upper=0.9, rows=1200),
        fitted_on=3000,
        blind_to="concept drift: it does not move when only the relation changes",
        **facts,
    )


def sentences(evidence: CheckEvidence) -> str:
    told = tell("fraud", at=NOON, checks=[check("healthy", evidence=evidence)], steps=[])
    return " ".join(sentence for paragraph in told.paragraphs for sentence in paragraph.sentences)


def test_an_estimate_says_what_it_is_what_it_rests_on_and_what_it_cannot_see() -> None:
    told = sentences(seen(performance=HELD, estimated=estimated()))
    assert (
        "On 1,200 predictions since 2026-02-28 12:00 UTC that cannot be judged yet, accuracy is estimated at 0.870, "
        "between 0.840 and 0.900." in told
    )
    assert "calibrated scores, fitted on 3,000 rows; its errors are 0.011 (chance) and 0.014 (the fit)." in told
    assert "It cannot see concept drift" in told
    assert "No label has come" not in told


def test_a_model_without_any_label_is_said_to_be_estimated() -> None:
    none = HELD.evolve(labelled=0, measure=MEASURED.evolve(value=None, note="no rows"))
    told = sentences(seen(performance=none, estimated=estimated(method="dle")))
    assert "No label has come for any of them, so how good the answers are is only estimated." in told
    assert "a model of the errors" in told


def test_an_estimate_that_could_not_be_made_says_why() -> None:
    nothing = estimated().evolve(measure=MEASURED.evolve(value=None, lower=None, upper=None, note="no rows"))
    assert "The accuracy could not be estimated: no rows." in sentences(seen(performance=HELD, estimated=nothing))


def test_a_warning_is_told_as_one() -> None:
    stored = check("healthy")
    assert stored.evidence is not None
    warned = TriggerResult(kind="estimate", fired=False, sufficient=True, reason="0.87 against 0.9", warning=True)
    told = tell("fraud", at=NOON, checks=[stored.evolve(evidence={"triggers": [warned.to_dict()]})], steps=[])
    assert told.paragraphs[0].sentences == ("estimate warned: 0.87 against 0.9.",)


def test_rows_that_count_unequally_and_what_they_stand_for_are_told() -> None:
    told = sentences(
        seen(
            performance=HELD.evolve(
                measure=MEASURED.evolve(effective_rows=2500.0),
                drawn=200,
                sampled=150,
                represented=4800.0,
                proxies=40,
                unused_proxies=3,
            ),
            new_proxies=7,
            proxy_weight=0.5,
        )
    )
    assert "They count unequally and say as much as 2,500 equal ones." in told
    assert "200 predictions had been drawn to be labelled, and 150 were (75%); the 50 missing ones" in told
    assert "With their weights the labelled ones stand for 4,800 of 5,000." in told
    assert "Of the labels 40 only stood in for the truth." in told
    assert "3 predictions had only such a label, which is left out." in told
    assert "7 labels among those that came only stood in for the truth: counted 0.5 each." in told
