"""make compose-check: the topology of compose.yaml runs, in its order, and each part restarts.

podman-compose waits for no health check under podman before 4.6, and without systemd nothing asks
them. So this check asks them, and starts each service when what it depends on is as it must be.
MySQL 8 can't be made of Debian's packages: MariaDB takes its place, with the same settings.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.ship import engine
from tests.ship.engine import APPLICATION, HOME, ROOT, need, podman, run, say
from tests.ship.topology import logs
from tests.support.doors import Answer, Door, grpcio_door, rest_door
from tests.support.processes import free_ports

ADMIN = "admin@example.com"
WITHIN = 90.0
Service = dict[str, Any]


@dataclass
class Project:
    """One run of compose.yaml, in a copy of its folder."""

    folder: Path
    kind: str
    name: str
    ports: tuple[int, int]

    def compose(self, *words: str) -> str:
        servers = dict.fromkeys(("MYSQL_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE"), engine.SERVERS)
        doors = {"HTTP_PORT": str(self.ports[0]), "GRPC_PORT": str(self.ports[1])}
        place = ["-p", self.name, "-f", str(self.folder / "compose.yaml")]
        place += ["--env-file", str(self.folder / ".env")]
        tool = str(ROOT / ".venv-ship/bin/podman-compose")
        return run(tool, *place, *words, timeout=180, ARCANA_IMAGE=APPLICATION, **servers, **doors)

    def container(self, service: str) -> str:
        return f"{self.name}_{service}_1"

    def services(self) -> dict[str, Service]:
        """Those of its profile and of none, each after what it depends on."""
        file = yaml.safe_load((self.folder / "compose.yaml").read_text())
        chosen = {
            name: service
            for name, service in file["services"].items()
            if self.kind in service.get("profiles", [self.kind])
        }
        ordered: dict[str, Service] = {}
        while len(ordered) < len(chosen):
            for name, service in chosen.items():
                needs = set(_conditions(service, chosen))
                if name not in ordered and needs <= ordered.keys():
                    ordered[name] = service
        return ordered

    def await_(self, service: str, condition: str) -> None:
        """Raises: Failed, when it does not come true in time."""
        container = self.container(service)
        if condition == "service_completed_successfully":
            code = podman("wait", container, timeout=WITHIN)
            need(code == "0", f"{service} ended with {code}:\n{logs(container)[-1500:]}")
            return
        until = time.monotonic() + WITHIN
        while True:
            try:
                podman("healthcheck", "run", container)
            except engine.Failed:
                told = logs(container)[-1500:]
                need(time.monotonic() < until, f"{service} is not healthy:\n{told}")
                time.sleep(0.3)
            else:
                return


def _conditions(service: Service, chosen: dict[str, Service]) -> dict[str, str]:
    wanted = service.get("depends_on", {})
    return {name: how["condition"] for name, how in wanted.items() if name in chosen}


@contextmanager
def project(kind: str) -> Iterator[Project]:
    with tempfile.TemporaryDirectory(dir=HOME) as place:
        folder = Path(place) / "deploy"
        ignored = shutil.ignore_patterns("secrets", ".env")
        shutil.copytree(ROOT / "deploy", folder, ignore=ignored)
        run(str(folder / "make-secrets.sh"), kind, ADMIN)
        name = f"arcana{secrets.token_hex(3)}"
        http, rpc = free_ports(2)
        made = Project(folder, kind, name, (http, rpc))
        try:
            yield made
        finally:
            made.compose("down", "--volumes", "--timeout", "30")


def check(kind: str) -> None:
    with project(kind) as made:
        services = made.services()
        for name, service in services.items():
            for other, condition in _conditions(service, services).items():
                made.await_(other, condition)
                print(f"   {name} waited for {other}: {condition}")
            made.compose("up", "--detach", "--no-build", "--no-deps", name)
        made.await_("app", "service_healthy")
        say(f"{kind}: up, in the order {', '.join(services)}")
        _hardened(made)
        _only_the_doors_are_published(made, services)
        asyncio.run(_walk(made, expected=0))
        for name in services:
            if name != "migrate":
                _restart(made, name)
        _change_the_secret(made)
        again = _again(made)
        say(f"{kind}: migrating again: {again}")


def _restart(made: Project, service: str) -> None:
    began = time.monotonic()
    made.compose("restart", service)
    made.await_(service, "service_healthy")
    made.await_("app", "service_healthy")
    asyncio.run(_walk(made, expected=1))
    print(f"   {service} restarted, all good after {time.monotonic() - began:.1f} s, data there")


def _again(made: Project) -> str:
    podman("start", made.container("migrate"))
    made.await_("migrate", "service_completed_successfully")
    return logs(made.container("migrate")).splitlines()[-1]


def _change_the_secret(made: Project) -> None:
    """As the runbook does it, and with mail by a secret file: who was logged in stays it."""
    token = asyncio.run(_token(made))
    before = (made.folder / "secrets/jwt_secret").read_text()
    after = secrets.token_urlsafe(48)
    _say(made, "jwt_secret_previous", after)
    _say(made, "smtp_url", "smtps://arcana:hidden@mail.example.com")
    with (made.folder / ".env").open("a") as file:
        file.write("JWT_SECRET_PREVIOUS_FILE=/run/secrets/jwt_secret_previous\n")
        file.write("SMTP_URL_FILE=/run/secrets/smtp_url\n")
        file.write("MAIL_FROM=no-reply@example.com\nPUBLIC_URL=https://example.com\n")
    _recreate(made)
    _say(made, "jwt_secret", after)
    _say(made, "jwt_secret_previous", before)
    _recreate(made)
    answer = asyncio.run(_who_am_i(made, token))
    need(answer.ok, f"a token of before the change: {answer.outcome}")
    say(f"{made.kind}: JWT_SECRET changed, mail by its file; who was logged in still is")


def _say(made: Project, secret: str, text: str) -> None:
    path = made.folder / "secrets" / secret
    path.unlink()  # containers keep the file that they were started with
    path.write_text(text)
    path.chmod(0o444)


def _recreate(made: Project) -> None:
    made.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "app", "worker")
    for service in ("app", "worker"):
        made.await_(service, "service_healthy")


async def _token(made: Project) -> str:
    password = (made.folder / "secrets/admin_password").read_text().strip()
    async with rest_door(made.ports[0]) as rest:
        return str((await _signed_in(rest, password)).body["access_token"])


async def _who_am_i(made: Project, token: str) -> Answer:
    async with rest_door(made.ports[0]) as rest:
        return await rest.call("who_am_i", bearer=token)


def _hardened(made: Project) -> None:
    pid = podman("inspect", made.container("app"), "--format", "{{.State.Pid}}")
    status = Path(f"/proc/{pid}/status").read_text()
    for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Uid:\t1000\t1000\t1000\t1000"):
        need(line in status, f"not so in the app: {line}")
    environment = Path(f"/proc/{pid}/environ").read_text()
    for secret in ("jwt_secret", "db_password", "redis_password", "admin_password"):
        text = (made.folder / "secrets" / secret).read_text().strip()
        need(text not in environment, f"{secret} stands in the environment")
    say(f"{made.kind}: the app is uid 1000 without capabilities; no secret in its environment")


def _only_the_doors_are_published(made: Project, services: dict[str, Service]) -> None:
    found = {name: podman("port", made.container(name)).split("\n") for name in services}
    published = sorted(line.split(" -> ")[1] for lines in found.values() for line in lines if line)
    need(
        published == sorted(f"127.0.0.1:{port}" for port in made.ports),
        f"published: {found}",
    )
    say(f"{made.kind}: published are both doors, on loopback, and nothing else")


async def _signed_in(door: Door, password: str) -> Answer:
    """What a log-in is answered, once the database can be asked.

    Debian's aardvark-dns loses questions while a container starts; glibc asks again after 5 s.
    """
    until = time.monotonic() + WITHIN
    while True:
        answer = await door.call("login", email=ADMIN, password=password)
        if answer.outcome != "unavailable" or time.monotonic() > until:
            return answer
        await asyncio.sleep(0.5)


async def _walk(made: Project, expected: int) -> None:
    """Log in at both doors, and find what earlier walks made."""
    password = (made.folder / "secrets/admin_password").read_text().strip()
    async with rest_door(made.ports[0]) as rest, grpcio_door(made.ports[1]) as rpc:
        token = ""
        for door in (rest, rpc):
            signed_in = await _signed_in(door, password)
            told = f"log-in at {door.name}: {signed_in.outcome}"
            need(signed_in.ok, f"{told}; the app's log:\n{logs(made.container('app'))[-3000:]}")
            token = signed_in.body["access_token"]
        listed = await rest.call("list_users", bearer=token, q="kept@example.com")
        need(len(listed.body["data"]) == expected, f"kept users: {listed.body}")
        if not expected:
            kept = {"name": "Kept", "email": "kept@example.com", "password": "correct horse 7"}
            need((await rpc.call("create_user", bearer=token, **kept)).ok, "no user can be made")


def main(kinds: list[str]) -> None:
    def images() -> None:
        engine.servers_image()
        engine.application_image()

    def every() -> None:
        for kind in kinds:
            check(kind)

    engine.main("compose-check", engine.prepare, images, every)


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1:] or ["mysql", "postgres"])
