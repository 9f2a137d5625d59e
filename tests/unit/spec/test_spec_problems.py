from __future__ import annotations

import pytest
from pydantic import ValidationError

from vernal.spec import ModelSpec
from vernal.spec.document import read_document
from vernal.spec.problems import field_at, keys_of, problems_in

START = "model: fraud\ntask: binary\ncode: fraud.py\nfeatures:\n  numerical: [amount]\n"


def problems_of(text: str) -> list[str]:
    document, found = read_document(text.encode(), file="fraud.yaml")
    assert document is not None
    assert found == ()
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(document.values)
    return [str(p) for p in problems_in(caught.value, section=ModelSpec, document=document, file="fraud.yaml")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "gates:\n  min_improvement: 1%\n",
            '7: gates.min_improvement: got "1%", expected a number such as 0.01; percentages are written as fractions',
        ),
        (
            "gates:\n  certainty: 95\n",
            "7: gates.certainty: got 95, expected a number below 1; percentages are written as fractions, 95 % is 0.95",
        ),
        ("gates:\n  certainty: 0.3\n", "7: gates.certainty: got 0.3, expected a number at least 0.5"),
        ("gates:\n  strict: yes\n", '7: gates.strict: got "yes", expected true or false'),
        ("gates:\n  flor: 0.8\n", '7: gates.flor: unknown key; did you mean "floor"?'),
        ("threshold: 0.8\n", '6: threshold: unknown key; did you mean "triggers.performance.threshold"?'),
        ("policy:\n  zebra: 1\n", "7: policy.zebra: unknown key; expected one of combine, consecutive, "),
        (
            "policy:\n  combine: most\n",
            '7: policy.combine: got "most", expected any, all, or at_least with a whole number from 1',
        ),
        ("policy:\n  combine: {at_least: 0}\n", "7: policy.combine: got "),
        ("policy:\n  combine: {at_least: 2, of: 3}\n", "7: policy.combine: got "),
        ("policy:\n  combine: 2\n", "7: policy.combine: got 2, expected any, all, or at_least with a whole number"),
        (
            "policy:\n  combine: {at_least: 4}\n",
            "7: policy.combine: got at_least: 4, expected at most 3: the triggers that are switched on are ",
        ),
        ("policy:\n  circuit_breaker: on\n", '7: policy.circuit_breaker: got "on", expected keys and their values, or'),
        ("policy:\n  consecutive: 0\n", "7: policy.consecutive: got 0, expected a number at least 1"),
        (
            "policy:\n  cooldown: 24\n",
            '7: policy.cooldown: got 24, expected a duration such as "90d", "12h", "30m" or ',
        ),
        ("policy: 24h\n", '6: policy: got "24h", expected keys and their values'),
        ("triggers:\n  drift: no\n", '7: triggers.drift: got "no", expected keys and their values, or off'),
        (
            "triggers:\n  volume:\n    labels: 1.5\n",
            "8: triggers.volume.labels: got 1.5, expected a whole number such as 5000",
        ),
        (
            "triggers:\n  schedule: {}\n",
            "7: triggers.schedule.cron: missing; expected: Cron expression of five fields: minute, hour",
        ),
        ("training:\n  allow_pickle: null\n", "7: training.allow_pickle: got null, expected true or false"),
        ("owner: [a, b]\n", "6: owner: got a list, expected text"),
        (
            "metric: acuracy\n",
            '6: metric: got "acuracy", expected accuracy, roc_auc, f1, precision, recall, log_loss, brier, mae or rmse',
        ),
        (
            "metric: mae\n",
            '6: metric: got "mae", which does not fit the task "binary"; expected one of accuracy, roc_auc, f1, ',
        ),
        ("rollout:\n  steps: []\n", "7: rollout.steps: found an empty list, expected at least one entry"),
        (
            "rollout:\n  steps:\n    - {share: 0.5, duration: 1d}\n    - share: 0.25\n      duration: 1d\n",
            "9: rollout.steps[1].share: got 0.25, expected more than the step before (0.5): shares only rise",
        ),
        (
            "triggers:\n  drift:\n    features:\n      - amount\n      - amonut\n",
            '10: triggers.drift.features[1]: got "amonut", expected one of the model\'s features; did you mean "amount',
        ),
        ("budget:\n  monthly_usd: .inf\n", "7: budget.monthly_usd: got Infinity, expected a finite number"),
        ("gates:\n  floor: .nan\n", "7: gates.floor: got nan, expected a finite number"),
        (
            "metric: roc_auc\ngates:\n  strict: true\n",
            "7: gates.floor: missing: only accuracy has a default, and the metric is roc_auc; expected: Worst value",
        ),
        ("description: " + "x" * 2001 + "\n", "6: description: found more characters than the 2,000 that are accepted"),
    ],
)
def test_a_problem_says_where_what_was_found_and_what_was_expected(lines: str, expected: str) -> None:
    (problem,) = problems_of(START + lines)

    assert problem.removeprefix("fraud.yaml:").startswith(expected)


def test_a_missing_key_is_on_the_line_of_what_lacks_it() -> None:
    places = [problem.split(": ")[:2] for problem in problems_of("# a comment\nmodel: fraud\nfeatures: {}\n")]

    assert places == [["fraud.yaml:2", "task"], ["fraud.yaml:2", "code"], ["fraud.yaml:3", "features"]]


def test_an_unprintable_key_stays_on_one_line() -> None:
    (problem,) = problems_of(START + '"a\\nb": 1\n')

    assert "\n" not in problem
    assert problem.startswith("fraud.yaml:6: a\\nb: unknown key")


def test_every_key_has_a_declaration_with_a_description() -> None:
    for location, field in keys_of(ModelSpec):
        assert field_at(ModelSpec, location) is field
        assert field.description, location
        assert field.description.endswith("."), location
