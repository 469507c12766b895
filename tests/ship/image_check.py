"""make image-check: the image is built, run as in production, asked, and stopped under load."""

import asyncio
import re
import time
from pathlib import Path

from tests.ship import engine
from tests.ship.engine import APPLICATION, need, say
from tests.ship.requests import Load, admin_token, half_a_request, make_people, users_seen
from tests.ship.topology import (
    ADMIN,
    HARDENED,
    PASSWORD,
    Topology,
    ended,
    inspected,
    layers,
    logs,
    no_zombie,
    postgres_and_redis,
    send,
    settings_of,
    topology,
)

FORBIDDEN = ["gcc", "cc", "make", "ld", "pip", "uv", "git", "curl", "wget", "hatchling"]
"""What the image's own environment must not have; Debian's apt is of the base."""


def build_twice() -> None:
    began = time.monotonic()
    first = engine.application_image()
    middle = time.monotonic()
    second = engine.application_image()
    used = second.count("Using cache")
    steps = len(re.findall(r"STEP \d+/\d+: (?:RUN|COPY)", second))
    say(
        f"built in {middle - began:.1f} s ({first.count('Using cache')} steps from cache),"
        f" again in {time.monotonic() - middle:.1f} s with {used} from cache of {steps} RUN or COPY"
    )
    need(used >= steps, f"a second build ran steps again:\n{second}")


def show_layers() -> None:
    size = int(inspected(APPLICATION, "{{.Size}}"))
    base = int(inspected(engine.BASE, "{{.Size}}"))
    say(f"{size / 1e6:.0f} MB, of which the base is {base / 1e6:.0f} MB; layers, the newest first:")
    for how_big, maker in layers(APPLICATION):
        print(f"   {how_big:>9}  {maker}")


def look_inside() -> None:
    shell = ["--network=none", "--entrypoint=sh", APPLICATION, "-c"]
    tools = f"for tool in {' '.join(FORBIDDEN)}; do command -v $tool; done; true"
    found = engine.podman("run", "--rm", *shell, tools)
    need(not found, f"the image holds tools it has no use for: {found}")
    names = "-path '*/pip/_internal' -o -name .git -o -name .env -o -path '/root/.cache/*'"
    left = engine.podman("run", "--rm", *shell, f"find / -xdev {names} 2>/dev/null | head")
    need(not left, f"left behind: {left}")
    say("inside: no compiler, no pip, no cache, no git")


def run_it() -> None:
    servers = engine.servers_image()
    with topology() as made:
        for container in postgres_and_redis(made, servers):
            made.healthy(container)
        _refuses_before_migrating(made)
        _migrate(made)
        container = _serve(made)
        _as_production_wants(container)
        asyncio.run(_ask(made))
        _survives_a_killed_worker(made, container)
        asyncio.run(_drain(made, container))


def _refuses_before_migrating(made: Topology) -> None:
    options = [*HARDENED, *settings_of(made)]
    try:
        made.once(APPLICATION, options=options)
    except engine.Failed as failure:
        need("migrate up" in str(failure), f"another refusal: {failure}")
        say(f"before migrating: {str(failure).splitlines()[-1]}")
    else:
        raise engine.Failed("it served a database without tables")


def _migrate(made: Topology) -> None:
    out = made.once(APPLICATION, "migrate", "up", options=[*HARDENED, *settings_of(made)])
    say(f"migrate up as a container of its own: {out.splitlines()[-1]}")


def _serve(made: Topology) -> str:
    given = settings_of(made, WORKERS="2", ADMIN_EMAIL=ADMIN, ADMIN_PASSWORD=PASSWORD)
    ports = [
        f"--publish=127.0.0.1:{made.http_port}:5000",
        f"--publish=127.0.0.1:{made.rpc_port}:50051",
    ]
    limits = ["--memory=512m", "--memory-swap=512m", "--cpus=2"]
    options = [*HARDENED, *given, *ports, *limits]
    container = made.start("app", APPLICATION, options=options)
    say(f"healthy by its own HEALTHCHECK after {made.healthy(container):.1f} s")
    return container


def _as_production_wants(container: str) -> None:
    status = Path(f"/proc/{inspected(container, '{{.State.Pid}}')}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    need(facts["Uid"].split() == ["1000"] * 4, f"not uid 1000: {facts['Uid']}")
    for kind in ("CapEff", "CapPrm", "CapBnd"):
        need(int(facts[kind], 16) == 0, f"{kind} is {facts[kind]}")
    need(facts["NoNewPrivs"] == "1", "it may gain privileges")
    try:
        engine.podman("exec", container, "touch", "/app/planted")
    except engine.Failed as failure:
        need("Read-only file system" in str(failure), f"{failure}")
    else:
        raise engine.Failed("its root can be written")
    say("uid 1000, no capability, no new privileges, read-only root, 512 MB")


async def _ask(made: Topology) -> None:
    token = await admin_token(made.http_port)
    await make_people(made.http_port, token)
    seen = await users_seen(made.http_port, made.rpc_port, token)
    need(seen[0] == seen[1], f"the doors differ: {seen}")
    say(f"both doors answer: {seen[0]} users at REST, {seen[1]} at gRPC")


def _survives_a_killed_worker(made: Topology, container: str) -> None:
    victim = engine.podman("exec", container, "python", "-c", _KILL_A_WORKER)
    until = time.monotonic() + 30
    while logs(container).count("worker ready") < 3:
        need(time.monotonic() < until, f"worker {victim} was not replaced:\n{logs(container)}")
        time.sleep(0.2)
    no_zombie(container)
    say(f"worker {victim} killed: replaced, and process 1 left no zombie")


_KILL_A_WORKER = """
import os, signal
from pathlib import Path
workers = [p for p in Path('/proc').glob('[0-9]*')
           if b'service.worker' in (p / 'cmdline').read_bytes()]
os.kill(int(workers[0].name), signal.SIGKILL)
print(workers[0].name)
"""


async def _drain(made: Topology, container: str) -> None:
    load = Load(made.http_port, made.rpc_port)
    slow = await half_a_request(made.http_port)
    answers = asyncio.create_task(load.all_at_once())
    await load.under_way()
    before = load.answered()
    peak = engine.podman("stats", "--no-stream", "--format", "{{.MemUsage}}", container)
    load.mark()
    send(container)
    answer = await slow.finish(after=0.2)
    await answers
    code = await asyncio.to_thread(ended, container)
    need(answer == 200, f"the request whose body was still coming got {answer}")
    need(not load.failures, f"lost: {load.failures}")
    after = load.after_mark()
    need(all(after.values()), f"nothing was under way at some door: {after}")
    need(code == 0, f"exit code {code}:\n{logs(container)[-2000:]}")
    say(
        f"SIGTERM with {before} of {load.size} log-ins answered: all answered,"
        f" {after['rest']} at REST and {after['grpc']} at gRPC after the signal,"
        f" and a half-sent request too; exit code 0; memory then {peak}"
    )


if __name__ == "__main__":
    engine.main("image-check", engine.prepare, build_twice, show_layers, look_inside, run_it)
