"""make deploy-check: what is deployed is valid by published schemas, keeps our policy, and runs."""

import base64
import json
import shutil
import tempfile
import time
from pathlib import Path

import yaml

from tests.ship import engine
from tests.ship.engine import APPLICATION, HOME, ROOT, Failed, need, podman, run, say
from tests.ship.manifests import (
    K8S,
    OVERLAYS,
    Manifest,
    faults,
    files,
    of_overlay,
    read,
    written,
)
from tests.ship.topology import ADMIN, PASSWORD, Topology, logs, postgres_and_redis, topology

TOOLS = ROOT / ".venv-ship/bin"
CUSTOM = {"HTTPRoute", "GRPCRoute", "ServiceMonitor", "PrometheusRule", "ExternalSecret"}
"""Kinds that operators add, whose schemas are not Kubernetes' own."""
SCHEMAS = {
    "@kubernetes-models/gateway-api@2.0.0": ("HTTPRoute", "GRPCRoute"),
    "@kubernetes-models/prometheus-operator@6.0.0": ("ServiceMonitor", "PrometheusRule"),
    "@kubernetes-models/external-secrets@2.0.0": ("ExternalSecret",),
}
OLDER = {
    "ExternalSecret": "external-secrets.io/v1beta1",
    "GRPCRoute": "gateway.networking.k8s.io/v1alpha2",
}
"""Kinds whose v1 the packages have not got, and the version of that shape that they have."""
NOT_PLAYED = ("livenessProbe", "readinessProbe", "startupProbe")
"""podman 4 would ask HTTP probes by a curl in the container; the check asks instead."""


def lint_the_image_file() -> None:
    for path in ("deploy/Dockerfile", "tests/ship/servers/Dockerfile"):
        run(str(TOOLS / "hadolint"), "--no-color", path)
    say("hadolint: no finding")


def validate_compose() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    run(str(TOOLS / "check-jsonschema"), *schema, "deploy/compose.yaml")
    say("compose.yaml: valid by the compose specification")


def play_the_alerts() -> None:
    """What they say of a service that is partly or wholly dead."""
    if not shutil.which("promtool"):
        say("alerts not played, for there is no promtool (Debian's package prometheus has it)")
        return
    run("promtool", "test", "rules", "tests/ship/alerts.test.yml")
    say("alerts: they fire for what is dead, whoever else lives")


def validate_manifests() -> None:
    with tempfile.TemporaryDirectory() as place:
        paths = []
        for number, manifest in enumerate([*written(), *_built()]):
            if manifest["kind"] not in CUSTOM:
                path = Path(place) / f"{number}.yaml"  # one a file: only the first fault is told
                path.write_text(yaml.safe_dump(manifest))
                paths.append(str(path))
        run(str(TOOLS / "kubernetes-validate"), "--strict", "--quiet", *paths)
    custom = _validate_custom()
    say(f"{len(paths)} manifests valid by Kubernetes' own schemas, strictly; {custom}")


def _built() -> list[Manifest]:
    return [manifest for overlay in OVERLAYS for manifest in built(overlay)]


def built(overlay: str) -> list[Manifest]:
    """What kustomize makes of an overlay."""
    for tool in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(tool[0]):
            return read(run(*tool, str(K8S / overlay)))
    raise Failed("neither kustomize nor kubectl is on this machine: install one of them")


def _validate_custom() -> str:
    """Hold the operators' kinds against the schemas that a package of npm's ships."""
    if not shutil.which("npm"):
        return f"{', '.join(sorted(CUSTOM))} not validated, for there is no npm"
    place = HOME / "schemas"
    place.mkdir(exist_ok=True)
    if not (place / "node_modules").exists():
        run("npm", "install", "--silent", "--no-audit", "--prefix", str(place), *SCHEMAS)
    script = place / "validate.mjs"
    script.write_text(VALIDATE)
    count = 0
    for manifest in written():
        if manifest["kind"] in CUSTOM:
            package = next(name for name, kinds in SCHEMAS.items() if manifest["kind"] in kinds)
            known = OLDER.get(manifest["kind"], manifest["apiVersion"])
            name = package.rpartition("@")[0]
            run("node", str(script), name, json.dumps({**manifest, "apiVersion": known}))
            count += 1
    return f"{count} of operators' kinds valid by theirs"


VALIDATE = """
const [, , name, text] = process.argv;
const manifest = JSON.parse(text);
const module = await import(`${name}/${manifest.apiVersion}`);
new module[manifest.kind](manifest).validate();
"""


def build_overlays() -> None:
    for overlay in OVERLAYS:
        kinds = sorted(f"{m['kind']}/{m['metadata']['name']}" for m in built(overlay))
        say(f"{overlay}: {len(kinds)} objects")
        print(f"   {', '.join(kinds)}")


def keep_the_policy() -> None:
    manifests = _built()
    found = [fault for manifest in manifests for fault in faults(manifest)]
    need(not found, "\n".join(found))
    pods = sum("template" in manifest.get("spec", {}) for manifest in manifests)
    for overlay in OVERLAYS:
        whole = built(overlay)
        found = of_overlay(whole)
        need(not found, "\n".join(f"{overlay}: {fault}" for fault in found))
        _services_find_pods(whole)
    say(
        f"policy: {pods} workloads, none without limits, probes, securityContext or grace;"
        " every image pinned, every event told"
    )


def _services_find_pods(manifests: list[Manifest]) -> None:
    """Every Service selects a pod that has the port it names; every autoscaler has something."""
    pods = [m["spec"]["template"] for m in manifests if m["kind"] == "Deployment"]
    names = {m["metadata"]["name"] for m in manifests if m["kind"] == "Deployment"}
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            need(manifest["spec"]["scaleTargetRef"]["name"] in names, "an autoscaler of nothing")
        if manifest["kind"] == "Service":
            wanted = manifest["spec"]["selector"].items()
            chosen = [p for p in pods if wanted <= p["metadata"]["labels"].items()]
            ports = {
                port["name"] for p in chosen for c in p["spec"]["containers"] for port in c["ports"]
            }
            named = {port["targetPort"] for port in manifest["spec"]["ports"]}
            need(chosen and named <= ports, f"{manifest['metadata']['name']} finds no pod")


def play() -> None:
    engine.application_image()
    with topology() as made:
        for container in postgres_and_redis(made, engine.servers_image()):
            made.healthy(container)
        secret = _secret(made)
        try:
            _play(made, built("overlays/production/migration"), "arcana-migrate")
            _play(made, built("overlays/dev"), "arcana-python")
        finally:
            podman("secret", "rm", secret)


def _play(made: Topology, manifests: list[Manifest], name: str) -> None:
    """Run the workload of that name as podman runs a cluster's, and see it do its work."""
    workload = next(m for m in manifests if m["metadata"]["name"] == name and _has_pods(m))
    documents = [m for m in manifests if m["kind"] == "ConfigMap"]
    documents.append(_playable(workload))
    for document in documents:
        document["metadata"].pop("namespace", None)
    path = made.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    podman("kube", "play", "--network", made.name, str(path), timeout=180)
    try:
        _see(name)
    finally:
        podman("kube", "down", str(path), timeout=120)


def _has_pods(manifest: Manifest) -> bool:
    return "template" in manifest.get("spec", {})


def _playable(workload: Manifest) -> Manifest:
    """The workload as podman 4 can take it: a Job as the Pod in it, one replica, no probes."""
    template = workload["spec"]["template"]
    for container in template["spec"]["containers"]:
        container["image"] = APPLICATION
        for probe in NOT_PLAYED:
            container.pop(probe, None)
        container.pop("lifecycle", None)
    if workload["kind"] == "Job":
        meta = {"name": workload["metadata"]["name"], "labels": template["metadata"]["labels"]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    workload["spec"]["replicas"] = 1
    return workload


def _secret(made: Topology) -> str:
    """The Secret of the template, filled in; of one in YAML podman 4 can't read a key."""
    (template,) = read((K8S / "secret.template.yaml").read_text())
    data = {}
    for key in template["stringData"]:
        text = (made.folder / key.replace("-", "_")).read_bytes()
        data[key] = base64.b64encode(text).decode()
    name = str(template["metadata"]["name"])
    podman("secret", "create", name, "-", stdin=json.dumps(data))
    return name


def _see(name: str) -> None:
    container = podman("ps", "--all", "--quiet", "--filter", f"name={name}.*-(arcana|migrate)$")
    need(container, f"podman played no container of {name}")
    if name == "arcana-migrate":
        code = podman("wait", container)
        need(code == "0", f"the Job ended with {code}:\n{logs(container)[-1500:]}")
        say(f"podman kube play: the Job's pod ended well: {logs(container).splitlines()[-1]}")
        return
    for word in ("ready", "live", "grpc"):
        _probed(container, word)
    _make_an_admin(container)
    facts = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Memory}} {{.Config.User}}"
    say(
        f"podman kube play: the Deployment serves; read-only, memory, user: "
        f"{podman('inspect', container, '--format', facts)}"
    )


def _make_an_admin(container: str) -> None:
    """As the runbook says: nothing else makes the first one in a cluster."""
    command = ["python", "manage.py", "user", "create", "--email", ADMIN, "--name", "Root"]
    chosen = ["--role", "admin", "--password-stdin"]
    told = podman("exec", "-i", container, *command, *chosen, stdin=f"{PASSWORD}\n")
    need(told.startswith("Created "), f"no admin can be made: {told}")
    say("podman exec: the first admin is made in the pod")


def _probed(container: str, word: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            podman("exec", container, "python", "-m", "service.commands.healthcheck", word)
        except Failed:
            need(time.monotonic() < until, f"not {word}:\n{logs(container)[-1500:]}")
            time.sleep(0.5)
        else:
            return


def main() -> None:
    need(files(), "no manifests")
    engine.main(
        "deploy-check",
        engine.prepare,
        lint_the_image_file,
        validate_compose,
        play_the_alerts,
        validate_manifests,
        build_overlays,
        keep_the_policy,
        play,
    )


if __name__ == "__main__":
    main()
