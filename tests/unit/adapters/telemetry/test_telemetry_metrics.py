"""The metrics: what is exposed is what is documented, and says what the store says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import loopworld
from vernal.act import reconcile
from vernal.act.crew import Job
from vernal.act.reconcile import TickReport
from vernal.act.service import Step
from vernal.adapters.telemetry.families import FAMILIES, PROCESS, STORE, exposed_name
from vernal.adapters.telemetry.metrics import ControllerMetrics, StoreMetrics
from vernal.records import Decision, Message, Phase, Routing

POLICY = (
    loopworld.POLICY.replace("drift: off", "drift: {min_rows: 100}, performance: {threshold: 0.6, min_rows: 50}")
    + "budget: {monthly_usd: 50}\n"
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(page: bytes) -> Samples:
    """Read a page as Prometheus would."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[loopworld.World]:
    """Return a world whose second model is being rolled out, with an alert that waits to be sent."""
    made = loopworld.build(tmp_path_factory.mktemp("metrics"), policy=POLICY)
    loopworld.live_through(made, until=loopworld.HISTORY_DAYS + 4)
    store = made.system.store
    message = Message(
        id="x", at=made.clock.now(), model="m", kind="test", severity="info", title="waits", body="for its channel"
    )
    store.route(Routing(message_ids=(), deliveries=(("alerts:chat", message),), memories=()))
    yield made
    made.close()


@pytest.fixture(scope="module")
def samples(world: loopworld.World) -> Samples:
    return parsed(StoreMetrics(world.system).page())


def test_every_metric_of_the_store_is_exposed_and_no_other(samples: Samples) -> None:
    assert {name for name, _ in samples} == {family.name for family in STORE}


def test_labels_are_those_that_are_documented(samples: Samples) -> None:
    documented = {family.name: set(family.labels) for family in STORE}
    assert {name: {label for label, _ in labels} for name, labels in samples} == documented


def test_they_say_what_the_store_says(world: loopworld.World, samples: Samples) -> None:
    state = world.system.store.model("m")
    [check] = world.system.store.decisions("m", kind="check", limit=1)
    assert check.evidence is not None
    performance = check.evidence["evidence"]["performance"]
    measure = performance["measure"]
    assert state.route is not None
    assert state.route.challenger is not None
    [run] = world.system.store.runs("m", open_only=True)
    assert value(samples, "vernal_store_up") == 1
    assert value(samples, "vernal_check_last_timestamp_seconds", model="m") == check.at.timestamp()
    assert value(samples, "vernal_check_next_timestamp_seconds", model="m") == state.next_check_at.timestamp()
    assert value(samples, "vernal_check_last_outcome", model="m", outcome=check.outcome) == 1
    assert value(samples, "vernal_live_metric", model="m", metric="roc_auc") == measure["value"]
    assert value(samples, "vernal_live_metric_lower", model="m", metric="roc_auc") == measure["lower"]
    assert value(samples, "vernal_live_metric_upper", model="m", metric="roc_auc") == measure["upper"]
    assert value(samples, "vernal_live_metric_threshold", model="m", metric="roc_auc") == 0.6
    coverage = performance["labelled"] / performance["issued"]
    assert value(samples, "vernal_label_coverage_ratio", model="m") == coverage
    assert value(samples, "vernal_run_phase", model="m", phase=str(run.phase)) == 1
    assert run.phase is Phase.ROLLING_OUT
    assert value(samples, "vernal_rollout_share_ratio", model="m") == state.route.share
    assert value(samples, "vernal_budget_limit_usd", model="m") == 50
    assert value(samples, "vernal_project_budget_spent_usd") == 2
    assert value(samples, "vernal_outbox_waiting", channel="alerts:chat") == 1
    for trigger in check.evidence["triggers"]:
        assert value(samples, "vernal_trigger_fired", model="m", trigger=trigger["kind"]) == trigger["fired"]


def test_only_so_many_drift_scores_are_exposed(world: loopworld.World) -> None:
    def features(top: int) -> set[str]:
        found = parsed(StoreMetrics(world.system, top=top).page())
        return {dict(labels)["feature"] for name, labels in found if name == "vernal_drift_score"}

    assert features(0) == set()
    assert len(features(1)) <= 2  # one of each of two windows
    assert features(100) == {"x", "noise", "c"}


def test_another_check_is_seen(world: loopworld.World) -> None:
    metrics = ControllerMetrics()
    metrics.watch(world.system)
    before = value(parsed(metrics.page()), "vernal_check_last_timestamp_seconds", model="m")
    assert value(parsed(metrics.page()), "vernal_check_last_timestamp_seconds", model="m") == before
    world.clock.advance(timedelta(days=1))
    reconcile.tick(world.system)
    assert value(parsed(metrics.page()), "vernal_check_last_timestamp_seconds", model="m") == before + 86_400


def test_a_check_that_failed_is_told_beside_what_the_last_one_measured(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path, policy=POLICY)
    loopworld.live_through(world, until=loopworld.HISTORY_DAYS + 2)
    world.clock.advance(timedelta(days=1))
    store = world.system.store
    held = store.claim_check(("m",), lease=world.system.claim(), now=world.clock.now())
    assert held is not None
    failed = Decision(model="m", at=world.clock.now(), kind="check", outcome="error", reason="the lake is gone")
    store.release_check(held, next_check_at=world.clock.now(), decision=failed)
    found = parsed(StoreMetrics(world.system).page())
    assert value(found, "vernal_check_last_outcome", model="m", outcome="error") == 1
    assert value(found, "vernal_live_metric", model="m", metric="roc_auc") > 0
    world.close()


def test_a_store_that_is_away_is_told_and_the_process_goes_on_counting(tmp_path: Path) -> None:
    world = loopworld.build(tmp_path)
    metrics = ControllerMetrics()
    metrics.watch(world.system)
    world.close()
    found = parsed(metrics.page())
    assert value(found, "vernal_store_up") == 0
    assert ("vernal_project_budget_spent_usd", frozenset()) not in found
    assert value(found, "vernal_alerts_sent_total") == 0


def step(world: loopworld.World, report: TickReport, *, lost: bool = False) -> Step:
    """Return the step of a check that was claimed for the second time."""
    held = world.system.store.model("m").evolve(attempt=2)
    return Step(Job(held, world.clock.now()), 0.2, report, lost=lost)


def test_what_steps_did_is_counted(world: loopworld.World) -> None:
    metrics = ControllerMetrics()
    fired = {"kind": "drift", "fired": True, "sufficient": True, "reason": "moved"}
    calm = {"kind": "volume", "fired": False, "sufficient": True, "reason": "few"}
    evidence = {"evidence": {"new_rows": 70, "quarantined": 3}, "triggers": [fired, calm]}
    at = world.clock.now()
    held_back = Decision(model="m", at=at, kind="check", outcome="suppressed", reason="cooldown", evidence=evidence)
    failed = Decision(model="m", at=at, kind="check", outcome="error", reason="no disk")
    [run] = world.system.store.runs("m", limit=1)
    metrics.note(step(world, TickReport((held_back,), (), 0, ())))
    metrics.note(step(world, TickReport((failed,), (), 0, ("no disk",)), lost=True))
    metrics.note(step(world, TickReport((), (), 0, ("taken over",), taken_over=1)))
    metrics.note(Step(Job(run, at), 3.0, TickReport((), (run,), 0, ()), lost=False))
    metrics.note(Step(Job(None, at), 3.0, TickReport((), (), 4, ("chat: away",)), lost=False))
    found = parsed(metrics.page())
    assert value(found, "vernal_checks_total", model="m", outcome="suppressed") == 1
    assert value(found, "vernal_checks_total", model="m", outcome="error") == 1
    assert value(found, "vernal_check_duration_seconds_count") == 3
    assert value(found, "vernal_check_duration_seconds_bucket", le="0.25") == 3
    assert value(found, "vernal_run_steps_total", model="m", phase=str(run.phase)) == 1
    assert value(found, "vernal_run_step_duration_seconds_sum") == 3.0
    assert value(found, "vernal_triggers_fired_total", model="m", trigger="drift") == 1
    assert value(found, "vernal_triggers_suppressed_total", model="m", trigger="drift") == 1
    assert ("vernal_triggers_fired_total", frozenset({("model", "m"), ("trigger", "volume")})) not in found
    assert value(found, "vernal_rows_profiled_total", model="m") == 70
    assert value(found, "vernal_rows_quarantined_total", model="m") == 3
    assert value(found, "vernal_alerts_sent_total") == 4
    assert value(found, "vernal_errors_total", step="check") == 2
    assert value(found, "vernal_errors_total", step="delivery") == 1
    assert value(found, "vernal_steps_lost_total", step="check") == 1
    assert value(found, "vernal_steps_repeated_total", step="check") == 3
    assert value(found, "vernal_lease_takeovers_total", step="check") == 1
    assert value(found, "vernal_workers_busy") == 0
    exposed = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name, _ in found if name.startswith("vernal_")}
    # A counter's `_created` sample is named without `_total`.
    assert {exposed_name(family) for family in PROCESS} <= exposed
    assert exposed <= {name for family in FAMILIES for name in (family.name, exposed_name(family))}


def test_names_follow_the_convention() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"vernal_[a-z]+(_[a-z]+)*", family.name), family.name
        assert not family.name.endswith("_total")
        assert family.help.endswith(".")
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_the_documentation_is_what_the_list_says(repository: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("metrics_reference", repository / "scripts" / "metrics_reference.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = (repository / "docs" / "reference" / "metrics.md").read_text()
    assert generator.page_text(page) == page, "run scripts/metrics_reference.py"
    for family in FAMILIES:
        assert f"| `{exposed_name(family)}` | {family.kind} |" in page


def test_a_file_is_replaced_in_one_go(world: loopworld.World, tmp_path: Path) -> None:
    path = tmp_path / "vernal.prom"
    path.write_text("old")
    StoreMetrics(world.system).write(path)
    assert parsed(path.read_bytes())
    assert [file.name for file in tmp_path.iterdir()] == ["vernal.prom"]
    assert path.stat().st_mode & 0o777 == 0o644
