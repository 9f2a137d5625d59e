"""The Helm chart: what it makes of its values is valid, says what was asked for, and refuses what cannot work."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import typer.main
from helm_python import HelmError, lint

from deploying import DEPLOY, Manifest, documents, script
from vernal.cli.app import app

VERSIONS = ("1.27", "1.30", "1.33")
MANIFESTS = script("render_manifests")

EVERYTHING: dict[str, Any] = {
    "replicas": 2,
    "workers": 4,
    "graceSeconds": 40,
    "stepLimitSeconds": 600,
    "imagePullSecrets": [{"name": "registry"}],
    "persistence": {"accessMode": "ReadWriteMany", "storageClassName": "nfs", "size": "1Ti"},
    "postgresql": {"enabled": True, "existingSecret": "db"},
    "metrics": {"tokenSecret": "scrape", "podMonitor": True, "serviceMonitor": True},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"team": "metrics"}}}]},
    "serviceAccount": {"name": "fraud", "annotations": {"example.org/role": "x"}},
    "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}],
    "envFrom": [{"secretRef": {"name": "mlflow"}}],
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "fraud"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "ml", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
CRONJOB = {"mode": "cronjob", "networkPolicy": {"enabled": True}, "cronjob": {"schedule": "0 * * * *"}}


def made(values: dict[str, Any]) -> list[Manifest]:
    return [found for text in MANIFESTS.rendered(values, name="fraud").values() for found in documents(text)]


def one(values: dict[str, Any], kind: str) -> Manifest:
    [found] = [manifest for manifest in made(values) if manifest["kind"] == kind]
    return found


def pod(values: dict[str, Any]) -> Manifest:
    """Return the pod's spec."""
    [found] = [manifest for manifest in made(values) if manifest["kind"] in {"Deployment", "CronJob"}]
    spec = found["spec"] if found["kind"] == "Deployment" else found["spec"]["jobTemplate"]["spec"]
    template: Manifest = spec["template"]["spec"]
    return template


def container(values: dict[str, Any]) -> Manifest:
    [found] = pod(values)["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", [{}, EVERYTHING, CRONJOB, {"project": {"source": "volume"}}])
def test_what_it_makes_is_valid(values: dict[str, Any], version: str) -> None:
    for manifest in made(values):
        if not manifest["apiVersion"].startswith("monitoring.coreos.com/"):  # no schema of Kubernetes itself
            kubernetes_validate.validate(manifest, version, strict=True)


def test_helm_finds_nothing_wrong() -> None:
    found = lint(str(DEPLOY / "helm" / "vernal"))
    assert found["errors"] == []
    assert [note["error"] for note in found["messages"]] == ["icon is recommended"]


def test_the_mode_chooses_what_runs() -> None:
    assert {manifest["kind"] for manifest in made({})} == {
        "Deployment",
        "PersistentVolumeClaim",
        "Service",
        "ServiceAccount",
    }
    assert {manifest["kind"] for manifest in made({"mode": "cronjob"})} == {
        "CronJob",
        "PersistentVolumeClaim",
        "ServiceAccount",
    }


def test_the_pod_may_do_as_little_as_possible() -> None:
    for values in ({}, EVERYTHING, CRONJOB):
        spec = pod(values)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        context = container(values)["securityContext"]
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container(values)["resources"]["limits"]["memory"]


@pytest.mark.parametrize("values", [{}, EVERYTHING, CRONJOB])
def test_every_argument_is_an_option_of_the_command(values: dict[str, Any]) -> None:
    verb, *arguments = container(values)["args"]
    command = typer.main.get_group(app).commands[verb]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in arguments} <= known


def test_values_reach_the_command_line() -> None:
    assert container(EVERYTHING)["args"] == [
        "up",
        "--json",
        "--listen=0.0.0.0:9464",
        "--workers=4",
        "--grace=40",
        "--step-limit=600",
    ]
    assert pod(EVERYTHING)["terminationGracePeriodSeconds"] == 45
    assert "--open-metrics" in container({"metrics": {"open": True}})["args"]
    assert one(CRONJOB, "CronJob")["spec"]["schedule"] == "0 * * * *"


def test_probes_ask_what_the_controller_answers() -> None:
    found = container({})
    paths = {name: found[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert found["ports"] == [{"name": "http", "containerPort": 9464}]


def test_secrets_come_from_secrets() -> None:
    environment = {entry["name"]: entry for entry in container(EVERYTHING)["env"]}
    assert environment["PGPASSWORD"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "password"}}
    assert environment["VERNAL_METRICS_TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "scrape", "key": "token"}}
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"]["value"] == "http://collector:4318"
    assert environment["VERNAL_LOG_FORMAT"]["value"] == "json"


def test_the_volume_holds_the_state_or_the_whole_project() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in container({})["volumeMounts"]}
    assert mounts == {"project": "/project/.vernal", "tmp": "/tmp"}  # noqa: S108 - in the container
    whole = {
        mount["name"]: mount["mountPath"] for mount in container({"project": {"source": "volume"}})["volumeMounts"]
    }
    assert whole["project"] == "/project"


def test_an_existing_claim_is_used_and_none_made() -> None:
    values = {"persistence": {"existingClaim": "lake"}}
    assert "PersistentVolumeClaim" not in {manifest["kind"] for manifest in made(values)}
    assert pod(values)["volumes"][0]["persistentVolumeClaim"] == {"claimName": "lake"}


def test_an_sqlite_store_is_never_opened_by_two_pods_at_once() -> None:
    assert one({}, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert one(EVERYTHING, "Deployment")["spec"]["strategy"] == {"type": "RollingUpdate"}


def test_monitors_bring_the_token() -> None:
    [endpoint] = one(EVERYTHING, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "scrape", "key": "token"}}
    assert endpoint["port"] == "http"
    [endpoint] = one(EVERYTHING, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["path"] == "/metrics"


def test_the_network_policy_lets_in_only_who_is_named() -> None:
    [rule] = one(EVERYTHING, "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == EVERYTHING["networkPolicy"]["from"]
    assert one(CRONJOB, "NetworkPolicy")["spec"]["ingress"] == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicas": 2}, "several pods need a store that they share"),
        ({"replicas": 2, "postgresql": {"enabled": True, "existingSecret": "db"}}, "expected ReadWriteMany"),
        ({"postgresql": {"enabled": True}}, "expected the name of a secret"),
        ({"metrics": {"podMonitor": True}}, "a monitor needs metrics.tokenSecret"),
        ({"mode": "cronjob", "metrics": {"open": True, "podMonitor": True}}, "no pod runs that could be scraped"),
        ({"mode": "daemon"}, "mode"),
        ({"worker": 3}, "worker"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(HelmError, match=told):
        made(values)


def test_the_plain_manifests_are_what_the_chart_makes() -> None:
    folder = DEPLOY / "kubernetes"
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == MANIFESTS.files(), "run scripts/render_manifests.py"


def test_the_chart_has_the_version_of_the_package() -> None:
    from vernal import __version__

    [chart] = documents((DEPLOY / "helm" / "vernal" / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
