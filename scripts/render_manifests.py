"""Write deploy/kubernetes from the Helm chart, for those who use kustomize or plain kubectl.

Run it after a change of the chart; a test says when that was forgotten.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helm_python import Chart

ROOT = Path(__file__).resolve().parent.parent / "deploy"
CHART = ROOT / "helm" / "vernal"
MODES: dict[str, dict[str, Any]] = {"deployment": {}, "cronjob": {"mode": "cronjob"}}
HEADER = (
    "# Made from deploy/helm/vernal by scripts/render_manifests.py; change the chart, or patch this with kustomize.\n"
)
KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [vernal.yaml]
images:
  - {name: registry.example.org/vernal, newTag: "0.1.0"}
"""


def rendered(values: dict[str, Any], *, name: str = "vernal") -> dict[str, str]:
    """Return what the chart makes of some values: templates by file name, without notes and without what is empty."""
    with Chart.load(CHART) as chart:
        found = chart.render(values=values, name=name, namespace="default")
    files = {path.rpartition("/")[2]: text for path, text in found.items()}
    return {file: text for file, text in sorted(files.items()) if file != "NOTES.txt" and text.strip()}


def files() -> dict[str, str]:
    """Return every file below deploy/kubernetes with its content."""
    made = {}
    for mode, values in MODES.items():
        parts = [_without_helm(text) for text in rendered(values).values()]
        made[f"{mode}/vernal.yaml"] = HEADER + "---\n" + "\n---\n".join(parts) + "\n"
        made[f"{mode}/kustomization.yaml"] = KUSTOMIZATION
    return made


def _without_helm(text: str) -> str:
    """Return a rendered template without the labels that say that Helm looks after it."""
    helms = ("app.kubernetes.io/managed-by:", "helm.sh/chart:")
    lines = [
        line for line in text.strip().removeprefix("---").strip().splitlines() if not line.strip().startswith(helms)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    for name, content in files().items():
        path = ROOT / "kubernetes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
