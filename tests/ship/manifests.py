"""The manifests of deploy/k8s, and the policy that every container in them keeps."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy/k8s"
OVERLAYS = (
    "overlays/dev/migration",
    "overlays/dev",
    "overlays/production/migration",
    "overlays/production",
)
Manifest = dict[str, Any]


def read(text: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(text) if document]


def files() -> list[Path]:
    """Every manifest and kustomization."""
    return sorted(K8S.rglob("*.yaml"))


def written() -> Iterator[Manifest]:
    """Every manifest as it stands in its file, of overlays and components alike."""
    for path in files():
        if path.name != "kustomization.yaml":
            yield from read(path.read_text())


def faults(manifest: Manifest) -> list[str]:
    """How a workload falls short of the policy; nothing for what runs no containers."""
    pod = manifest.get("spec", {}).get("template", {}).get("spec")
    if not pod:
        return []
    name = f"{manifest['kind']}/{manifest['metadata']['name']}"
    found = list(_of_pod(pod))
    serves = manifest["kind"] == "Deployment"
    for container in _containers(manifest):
        found += _of_container(container, serves=serves)
    if serves:
        found += _of_grace(pod)
    return [f"{name}: {fault}" for fault in found]


def of_overlay(manifests: list[Manifest]) -> list[str]:
    """How a whole falls short that is applied as it is here: what its parts can't tell."""
    found = [*counted_twice(manifests)]
    deployments = [m for m in manifests if m["kind"] == "Deployment"]
    for manifest in manifests:
        for container in _containers(manifest):
            if not is_pinned(container["image"]):
                found.append(f"{manifest['metadata']['name']}: {container['image']} is not pinned")
    settings = [m["data"] for m in manifests if m["kind"] == "ConfigMap"]
    relays = any(data.get("RELAY") == "on" for data in settings)
    if deployments and not relays and not any(_works(m) for m in deployments):
        found.append("nobody relays: events wait for ever")
    return found


def counted_twice(manifests: Iterable[Manifest]) -> Iterator[str]:
    """Deployments whose replicas both a number and an autoscaler say: applying undoes scaling."""
    every = list(manifests)
    scalers = [m for m in every if m["kind"] == "HorizontalPodAutoscaler"]
    scaled = {m["spec"]["scaleTargetRef"]["name"] for m in scalers}
    for manifest in every:
        name = manifest["metadata"]["name"]
        if manifest["kind"] == "Deployment" and name in scaled and "replicas" in manifest["spec"]:
            yield f"{name}: its replicas are the autoscaler's, and not said beside it"


def is_pinned(image: str) -> bool:
    """Whether an image is named with a digest or with a tag that does not move."""
    if "@sha256:" in image:
        return True
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag not in ("", "latest")


def _containers(manifest: Manifest) -> list[Manifest]:
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


def _works(manifest: Manifest) -> bool:
    return any(container.get("args") == ["worker"] for container in _containers(manifest))


def _of_pod(pod: Manifest) -> Iterator[str]:
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("runAsUser") != 1000:
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "mounts a token of the cluster"
    for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(forbidden):
            yield f"has {forbidden}"
    if any("hostPath" in volume for volume in pod.get("volumes", [])):
        yield "mounts the host's disk"


def _of_container(container: Manifest, *, serves: bool) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain privileges"
    if not context.get("readOnlyRootFilesystem"):
        yield "may write its root"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    for kind in ("requests", "limits"):
        given = container.get("resources", {}).get(kind, {})
        for what in ("cpu", "memory"):
            if what not in given:
                yield f"has no {kind} of {what}"
    if ":latest" in container["image"]:
        yield "runs whatever is latest"
    if serves:
        yield from _of_probes(container)


def _of_probes(container: Manifest) -> Iterator[str]:
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe not in container:
            yield f"has no {probe}"
    if "/health/ready" in str(container.get("livenessProbe")):
        yield "is restarted when its database is away"


def _of_grace(pod: Manifest) -> Iterator[str]:
    """The pod must be let live for longer than the wait before the drain, and the drain."""
    for container in pod["containers"]:
        if all(port["name"] == "metrics" for port in container["ports"]):
            if pod.get("terminationGracePeriodSeconds", 30) < 15:
                yield "has too little grace to settle what it tells"
            continue  # it has no door that anybody could be at
        hook = container.get("lifecycle", {}).get("preStop", {})
        wait = hook.get("sleep", {}).get("seconds", 0)
        if not wait:
            yield "takes no time to leave its endpoints"
        if pod.get("terminationGracePeriodSeconds", 30) < wait + 15 + 15:
            yield "has too little grace for both drains"
