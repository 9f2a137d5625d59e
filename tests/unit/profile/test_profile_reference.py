"""What is kept of a version to hold production against."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vernal.errors import ProfileError
from vernal.profile import FeatureKind, Reference, build_baseline, count_weekly, profile_rows

NUMBER = FeatureKind.NUMERICAL
X = pa.table({"x": pa.array(np.linspace(0, 1, 400))})
SCORES = pa.table({"score": pa.array(np.linspace(0, 1, 50)), "prediction": pa.array(np.repeat([0.0, 1.0], 25))})


def reference() -> Reference:
    features = build_baseline(X, {"x": NUMBER})
    return Reference(
        features=features,
        answers=build_baseline(SCORES, {"score": NUMBER, "prediction": NUMBER}),
        weekly=count_weekly(features, X, np.arange(400)),
        labels=build_baseline(pa.table({"label": pa.array([0.0, 1.0] * 20)}), {"label": NUMBER}),
    )


def test_it_survives_being_stored() -> None:
    made = reference()
    back = Reference.from_bytes(made.to_bytes())
    assert back.joint().grid_id == made.joint().grid_id
    assert back.weekly is not None
    assert back.labels is not None
    assert back.labels.rows == 40
    assert Reference.from_bytes(back.to_bytes()).to_bytes() == made.to_bytes()


def test_a_stored_baseline_is_a_reference_without_the_rest() -> None:
    baseline = build_baseline(X, {"x": NUMBER})
    back = Reference.from_bytes(baseline.to_bytes())
    assert back.joint().grid_id == baseline.grid_id
    assert (back.answers, back.weekly, back.labels) == (None, None, None)
    profile = profile_rows(baseline, X)
    features, answers = back.parted(profile)
    assert (features.rows, answers) == (400, None)


def test_rows_of_both_are_told_apart_again() -> None:
    made = reference()
    joint = made.joint()
    assert made.answers is not None
    features, answers = profile_rows(made.features, X.slice(0, 30)), profile_rows(made.answers, SCORES.slice(0, 20))
    both = made.join(features, answers, joint=joint)
    joint.check(both)
    there, here = made.parted(both)
    assert here is not None
    assert (there.rows, here.rows) == (30, 20)
    assert there.counts.tolist() == features.counts.tolist()
    assert here.counts.tolist() == answers.counts.tolist()


def test_without_answers_there_are_no_rows_of_them() -> None:
    made = reference()
    joint = made.joint()
    _, answers = made.parted(made.join(profile_rows(made.features, X), None, joint=joint))
    assert answers is not None
    assert answers.rows == 0


def test_a_name_in_both_is_refused() -> None:
    baseline = build_baseline(X, {"x": NUMBER})
    with pytest.raises(ProfileError, match="found x in both"):
        baseline.beside(baseline)


@pytest.mark.parametrize("data", [b"", b"VNRF", b"VNRF" + bytes(40), reference().to_bytes()[:-2]])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProfileError):
        Reference.from_bytes(data)
