"""What is deployed keeps its promises: pinned, limited, probed, one version with the code."""

import copy
import re
import shutil
import subprocess
import sys
import tomllib
from hashlib import sha256
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from config.settings import Settings
from service.commands.main import cli
from service.core import metrics
from service.server import Which
from tests.ship.manifests import (
    K8S,
    OVERLAYS,
    Manifest,
    counted_twice,
    faults,
    files,
    is_pinned,
    of_overlay,
    read,
    written,
)

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


MYSQL_ALLOWS = 151
OPTIONAL = {"jwt-secret-previous", "smtp-url"}


def deployment(name: str) -> Manifest:
    return next(m for m in written() if (m["kind"], m["metadata"]["name"]) == ("Deployment", name))


def serving() -> Manifest:
    return deployment("arcana-python")


def settings_of_base() -> dict[str, str]:
    (settings,) = (m for m in written() if m["kind"] == "ConfigMap")
    return dict(settings["data"])


def kustomization(folder: str) -> Manifest:
    (found,) = read((K8S / folder / "kustomization.yaml").read_text())
    return found


def of(path: Path) -> str:
    return str(path.relative_to(K8S))


@pytest.mark.parametrize("path", files(), ids=of)
def test_every_manifest_parses_and_says_what_it_is(path: Path) -> None:
    for document in read(path.read_text()):
        assert document["apiVersion"]
        assert document["kind"]


def test_every_file_that_a_kustomization_names_is_there_and_no_other_lies_about() -> None:
    named = {K8S / "secret.template.yaml"}
    for path in K8S.rglob("kustomization.yaml"):
        (document,) = read(path.read_text())
        for name in document.get("resources", []) + document.get("components", []):
            place = (path.parent / name).resolve()
            assert place.exists(), f"{of(path)}: {name}"
            named.add(place)
    assert {path for path in files() if path.name != "kustomization.yaml"} <= named


def test_no_container_is_without_limits_probes_and_a_security_context() -> None:
    ours = list(written())
    assert [fault for manifest in ours for fault in faults(manifest)] == []
    assert sum("template" in m.get("spec", {}) for m in ours) >= 4


def test_a_worker_is_not_killed_before_it_has_settled() -> None:
    planted = copy.deepcopy(deployment("arcana-worker"))
    planted["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 5
    assert any("too little grace to settle" in fault for fault in faults(planted))


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("securityContext", "readOnlyRootFilesystem"), False, "may write its root"),
        (("securityContext", "capabilities"), {}, "keeps capabilities"),
        (("securityContext", "allowPrivilegeEscalation"), None, "may gain privileges"),
        (("resources", "limits"), {"cpu": "1"}, "has no limits of memory"),
        (("image",), "arcana:latest", "runs whatever is latest"),
        (("livenessProbe",), {"httpGet": {"path": "/health/ready"}}, "is restarted when its"),
        (("lifecycle",), {}, "takes no time to leave its endpoints"),
    ],
)
def test_the_policy_finds_a_planted_fault(path: tuple[str, ...], value: Any, fault: str) -> None:
    planted = copy.deepcopy(serving())
    place = planted["spec"]["template"]["spec"]["containers"][0]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert any(fault in found for found in faults(planted))


def test_a_missing_probe_and_a_root_user_are_found() -> None:
    planted = copy.deepcopy(serving())
    pod = planted["spec"]["template"]["spec"]
    del pod["containers"][0]["startupProbe"], pod["securityContext"]["runAsNonRoot"]
    pod["terminationGracePeriodSeconds"] = 20
    assert [fault.partition(": ")[2] for fault in faults(planted)] == [
        "may run as root",
        "has no startupProbe",
        "has too little grace for both drains",
    ]


def test_the_secret_is_named_as_the_seed_names_it() -> None:
    (template,) = read((K8S / "secret.template.yaml").read_text())
    keys = {"database-url", "redis-url", "jwt-secret"}
    assert (template["metadata"]["name"], set(template["stringData"])) == ("arcana-secrets", keys)
    for name in ("arcana-python", "arcana-grpc", "arcana-worker"):
        (container,) = deployment(name)["spec"]["template"]["spec"]["containers"]
        refs = [item["valueFrom"]["secretKeyRef"] for item in container["env"]]
        assert {ref["key"] for ref in refs if not ref.get("optional")} == keys
        optional = {ref["key"] for ref in refs if ref.get("optional")}
        assert optional == OPTIONAL - ({"smtp-url"} if name != "arcana-worker" else set())
    for path in ("secret.template.yaml", "components/external-secrets/externalsecret.yaml"):
        assert all(key in (K8S / path).read_text() for key in keys | OPTIONAL), path


def test_every_setting_that_is_given_to_a_container_exists() -> None:
    known = {name.upper() for name in Settings.model_fields}
    given = set(settings_of_base())
    for service in ("app", "migrate", "worker"):
        given |= set(COMPOSE["services"].get(service, {}).get("environment", {}))
    assert {name.removesuffix("_FILE") for name in given} - known == set()


def test_the_version_is_the_same_everywhere() -> None:
    release = kustomization("components/release")
    assert release["images"][0]["newTag"] == VERSION
    app = COMPOSE["services"]["app"]
    assert app["build"]["args"]["VERSION"] == VERSION
    assert app["image"].endswith(f":{VERSION}}}")


def test_compose_waits_limits_and_hides() -> None:
    services: dict[str, Any] = COMPOSE["services"]
    assert services["app"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    for name, service in services.items():
        assert "mem_limit" in service, name
        assert ":latest" not in service["image"], name
        if name not in ("app", "mail", "grafana"):
            assert "ports" not in service, f"{name} is on the host"
        for port in service.get("ports", []):
            assert port.startswith(("127.0.0.1:", "${ARCANA_BIND:-127.0.0.1}:")), name
    for name in ("app", "migrate", "worker"):
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"], name
        assert not any("SECRET" in n and "FILE" not in n for n in services[name]["environment"])


def test_the_worker_is_switched_on() -> None:
    for overlay in ("overlays/dev", "overlays/production"):
        assert "../../components/worker" in kustomization(overlay)["components"]
    assert COMPOSE["services"]["worker"]["command"] == ["worker"]
    assert "worker" in cli.commands


def test_the_release_pins_what_every_other_component_brings() -> None:
    """A component changes what stands before it alone."""
    for overlay in OVERLAYS:
        chosen = kustomization(overlay)
        components = chosen.get("components", [])
        assert chosen.get("images") or components[-1].endswith("components/release"), overlay


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_keeps_as_a_whole_what_its_parts_cannot_tell(overlay: str) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("no kubectl to build the overlay with; make deploy-check does it, too")
    command = ["kubectl", "kustomize", str(K8S / overlay)]
    built = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert of_overlay(read(built.stdout)) == []


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("arcana", False),
        ("registry.example.com:5000/arcana", False),
        ("arcana:latest", False),
        ("localhost/arcana:dev", True),
        ("registry.example.com:5000/arcana:0.4.0", True),
        (f"arcana@sha256:{'0' * 64}", True),
    ],
)
def test_an_image_without_tag_and_digest_is_not_pinned(
    image: str, pinned: bool
) -> None:  # a column of the table
    assert is_pinned(image) is pinned


def test_a_whole_that_is_unpinned_or_never_relays_is_found() -> None:
    assert of_overlay([serving()]) == [
        "arcana-python: arcana is not pinned",
        "nobody relays: events wait for ever",
    ]
    relays = {"kind": "ConfigMap", "data": {"RELAY": "on"}, "metadata": {"name": "settings"}}
    assert of_overlay([serving(), relays]) == ["arcana-python: arcana is not pinned"]


def test_replicas_are_said_once() -> None:
    """By the autoscaler where there is one, or applying a release undoes its scaling."""
    ours = list(written())
    assert list(counted_twice(ours)) == []
    planted = copy.deepcopy(ours)
    for manifest in planted:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["replicas"] = 3
    assert [fault.partition(":")[0] for fault in counted_twice(planted)] == [
        "arcana-python",
        "arcana-grpc",
    ]


def test_the_most_connections_there_can_be_fit_a_server_as_it_comes() -> None:
    """Of both doors in one Deployment, and the background beside it, while both are replaced."""
    settings = settings_of_base()
    each = int(settings["DB_POOL_SIZE"]) + 3
    scalers = [m for m in written() if m["kind"] == "HorizontalPodAutoscaler"]
    most = next(m for m in scalers if m["metadata"]["name"] == "arcana-python")
    pods, workers = int(most["spec"]["maxReplicas"]), int(settings["WORKERS"])
    background = int(deployment("arcana-worker")["spec"]["replicas"])
    always = (pods * workers + background) * each
    rolling = ((pods + 1) * workers + background + 1) * each
    assert rolling < MYSQL_ALLOWS
    row = f"| {pods} (the autoscaler's most) | {workers} | {settings['DB_POOL_SIZE']} |"
    rows = (ROOT / "docs/sizing.md").read_text().splitlines()
    (told,) = (line for line in rows if line.startswith(row))
    assert f"| {always} | {rolling} |" in told
    comment = (K8S / "base/autoscaling.yaml").read_text()
    assert f": {always}." in comment
    assert f"{rolling} of MySQL's {MYSQL_ALLOWS}" in comment


def test_what_a_container_was_seen_to_need_is_told_the_same_everywhere() -> None:
    (seen,) = re.findall(r"\| (\d+) MB of 537 \|", (ROOT / "docs/sizing.md").read_text())
    texts = [path.read_text() for path in files()]
    texts.append((ROOT / "docs/decisions/0024-containers.md").read_text())
    told = [size for text in texts for size in re.findall(r"(\d+) MB were seen", text)]
    assert told == [seen] * 3


def test_nobody_is_believed_unless_somebody_chose_it() -> None:
    """Whom TRUSTED_PROXIES names may call itself anybody, so no default names all pods."""
    assert "TRUSTED_PROXIES" not in settings_of_base()
    (patch,) = kustomization("overlays/production")["patches"]
    (operation,) = yaml.safe_load(patch["patch"])
    assert operation["path"] == "/data/TRUSTED_PROXIES"
    assert IPv4Network(operation["value"]).subnet_of(IPv4Network("192.0.2.0/24"))  # RFC 5737


def test_the_runbook_begins_with_the_namespace_and_names_what_is_there() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    text += (K8S / "overlays/dev/kustomization.yaml").read_text()
    applied = re.findall(r"kubectl apply (?:-n \S+ )?-[fk] (\S+)", text)
    assert [path for path in applied if path != "secret.yaml" and not (ROOT / path).exists()] == []
    for overlay in ("production", "dev"):
        place = f"deploy/k8s/overlays/{overlay}"
        first = applied.index(f"{place}/namespace.yaml")
        assert applied[first : first + 4] == [
            f"{place}/namespace.yaml",
            "secret.yaml",
            f"{place}/migration",
            place,
        ]


def test_compose_has_every_secret_that_a_service_is_pointed_at(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    shutil.copy(ROOT / "deploy/make-secrets.sh", script)
    subprocess.run([str(script)], check=True, capture_output=True, timeout=60)
    for name, secret in COMPOSE["secrets"].items():
        path = secret["file"].replace("${DATABASE:-mysql}", "mysql")
        assert (tmp_path / path).exists(), f"{name}: compose refuses to start without it"
    for name in ("app", "migrate", "worker"):
        service = COMPOSE["services"][name]
        for variable, path in service["environment"].items():
            if variable.endswith("_FILE") and path.startswith("/run/secrets/"):
                assert path.rpartition("/")[2] in service["secrets"], f"{name}: {variable}"
    assert {"jwt_secret_previous", "smtp_url"} <= set(COMPOSE["services"]["worker"]["secrets"])
    assert "jwt_secret_previous" in COMPOSE["services"]["app"]["secrets"]


def test_a_second_run_of_make_secrets_tells_what_the_files_hold(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    shutil.copy(ROOT / "deploy/make-secrets.sh", script)
    told = [
        subprocess.run(
            [str(script), *words], check=True, capture_output=True, text=True, timeout=60
        ).stdout
        for words in (("postgres", "a@example.com"), ("mysql", "b@example.com"), ())
    ]
    assert all("the first admin is a@example.com" in text for text in told)
    assert "its DATABASE is postgres, not mysql" in told[1]
    assert "its ADMIN_EMAIL is a@example.com, not b@example.com" in told[1]
    assert "older" not in told[0] + told[2]
    assert "ADMIN_EMAIL=a@example.com\n" in (tmp_path / ".env").read_text()


def test_the_image_is_pinned_and_runs_as_nobody_s_root() -> None:
    assert "ARG PYTHON_IMAGE=python:3.14-slim\n" in DOCKERFILE
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["1000:1000"]
    assert DOCKERFILE.count("--require-hashes") == DOCKERFILE.count("requirements") // 2
    for line in re.findall(r"^(?:ENTRYPOINT|CMD|    CMD) (.+)$", DOCKERFILE, re.MULTILINE):
        assert line.startswith("["), "not the exec form: a shell would be process 1"
    assert "curl" not in DOCKERFILE


def test_nothing_secret_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    sent = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert sent.isdisjoint({".env", ".git", "var", "deploy", "tests"})
    for name in sent:
        assert (ROOT / name).exists()


def test_the_wheel_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    found = set()
    for name in ("first", "second"):
        build = [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            "wheel",
            "-d",
            str(tmp_path / name),
        ]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
        (wheel,) = (tmp_path / name).glob("*.whl")
        found.add(sha256(wheel.read_bytes()).hexdigest())
    assert len(found) == 1


def test_both_prometheuses_have_the_same_alerts_of_metrics_that_there_are() -> None:
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    (rule,) = (m for m in written() if m["kind"] == "PrometheusRule")
    assert rule["spec"] == alerts
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    named = set(re.findall(r"\barcana_\w+", " ".join(rule["expr"] for rule in rules)))
    known = {metric.name for metric in metrics.ALL} | {
        "arcana_workers",
        "arcana_worker_exits_total",
    }
    assert {name.removesuffix("_bucket") for name in named} <= known
    explained = (ROOT / "docs/observability.md").read_text()
    assert [r["alert"] for r in rules if f"`{r['alert']}`" not in explained] == []
    assert {rule["labels"]["severity"] for rule in rules} == {"page", "ticket"}


def test_each_door_is_missed_by_itself() -> None:
    """tests/ship/alerts.test.yml plays it, where promtool is at hand."""
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    down = next(r for r in alerts["groups"][0]["rules"] if r["alert"] == "ArcanaDown")
    for door in set(get_args(Which)) - {"both"}:
        assert f'doors=~"both|{door}"' in down["expr"]
