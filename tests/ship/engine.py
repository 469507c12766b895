"""A container engine on this machine, and images made where no image registry can be reached.

Everything is in one folder, apart from any other engine's images: `make ship-clean` removes it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("SHIP_DIR", "/var/tmp/arcana-ship"))
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PACKAGES = (
    *("buildah", "podman", "runc", "conmon", "netavark", "aardvark-dns"),
    *("mmdebstrap", "iptables", "catatonit"),
)
PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap", "iptables")
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
BASE, SERVERS = "localhost/arcana-check/python:3", "localhost/arcana-check/servers:1"
APPLICATION = "localhost/arcana:check"
STORAGE = """[storage]
driver = "overlay"
graphroot = "{home}/graph"
runroot = "{home}/run"
"""
CONTAINERS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
LEAN = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "locale", "info")]


def say(text: str) -> None:
    print(f"== {text}", flush=True)


class Failed(Exception):
    """A command ended badly, or what was to be shown did not show."""


def need(truth: object, otherwise: str) -> None:
    """Raises: Failed, with what was not so."""
    if not truth:
        raise Failed(otherwise)


def run(*command: str, timeout: float = 900, stdin: str = "", **extra: str) -> str:
    """What a command prints.

    Raises:
        Failed: it exits with another code than 0; with the end of what it said.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**extra),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        told = (done.stdout + done.stderr)[-3000:]
        raise Failed(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{told}")
    return done.stdout.strip()


def environment(**extra: str) -> dict[str, str]:
    ours = {
        "CONTAINERS_STORAGE_CONF": str(HOME / "storage.conf"),
        "CONTAINERS_CONF": str(HOME / "containers.conf"),
        "DISABLE_HC_SYSTEMD": "true",  # without systemd there are no timers; the checks ask
    }
    return {**os.environ, **ours, **extra}


def podman(*arguments: str, timeout: float = 120, stdin: str = "") -> str:
    return run("podman", *arguments, timeout=timeout, stdin=stdin)


def prepare() -> None:
    """Install what is missing, and lay out storage of our own."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        say(f"{', '.join(missing)} missing: apt-get install {' '.join(PACKAGES)}")
        need(os.geteuid() == 0, "that needs root: run it as root, or install them yourself")
        run("apt-get", "update", "-qq")
        packages = ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        run("apt-get", *packages, DEBIAN_FRONTEND="noninteractive")
    need(os.geteuid() == 0, "the engine is used as root here")
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "storage.conf").write_text(STORAGE.format(home=HOME))
    (HOME / "containers.conf").write_text(CONTAINERS)


def base_image() -> str:
    """Debian with its own Python, shaped like ``python:slim``: made once, 90 s and 180 MB."""
    python = f"python{'.'.join(map(str, _debian_python()))}"
    links = (
        f'ln -s /usr/bin/{python} "$1/usr/local/bin/python3";'
        ' ln -s python3 "$1/usr/local/bin/python"'
    )
    _debian(BASE, ["ca-certificates", python, f"{python}-venv"], f"--customize-hook={links}")
    return BASE


def servers_image() -> str:
    """PostgreSQL, MariaDB and Redis of Debian in one image with the usual images' manners."""
    packages = ["ca-certificates", "postgresql", "mariadb-server", "redis-server"]
    raw = "localhost/arcana-check/debian-servers:1"
    _debian(raw, packages)
    context = ROOT / "tests/ship/servers"
    build(SERVERS, context / "Dockerfile", context, BASE=raw)
    return SERVERS


def build(tag: str, dockerfile: Path, context: Path, **arguments: str) -> str:
    """Build an image, from cache where nothing changed; what the builder said."""
    given = [word for item in arguments.items() for word in ("--build-arg", "=".join(item))]
    trusted = ["-v", f"{CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.exists() else []
    # docker format, or HEALTHCHECK is dropped; chroot, for there is a container around us already
    options = ["--isolation", "chroot", "--format", "docker", "--pull-never", "--layers"]
    place = ["-f", str(dockerfile), "-t", tag, str(context)]
    return run("buildah", "bud", *options, *trusted, *given, *place)


def application_image(version: str = "check") -> str:
    return build(
        APPLICATION,
        ROOT / "deploy/Dockerfile",
        ROOT,
        PYTHON_IMAGE=base_image(),
        VERSION=version,
        REVISION=run("git", "rev-parse", "HEAD"),
    )


@contextmanager
def secrets_folder(**texts: str) -> Iterator[Path]:
    """A folder that only we can list, of files that a container's user can read."""
    with tempfile.TemporaryDirectory(dir=HOME) as place:
        for name, text in texts.items():
            (Path(place) / name).write_text(text)
            (Path(place) / name).chmod(0o444)
        yield Path(place)


def _debian_python() -> tuple[int, int]:
    """The Python of this Debian's packages."""
    out = run("apt-cache", "show", "python3-minimal")
    version = next(line for line in out.splitlines() if line.startswith("Version: "))
    major, minor = version.removeprefix("Version: ").split(".")[:2]
    return int(major), int(minor)


def _debian(tag: str, packages: list[str], *options: str) -> None:
    """Import a minimal Debian with ``packages``; the packed tree is kept for the next time."""
    if podman("images", "--quiet", tag):
        return
    packed = HOME / f"{tag.rpartition('/')[2].replace(':', '-')}.tar"
    if not packed.exists():
        say(f"making {tag} of Debian's packages: {' '.join(packages)}")
        release = run("sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"')
        draft = packed.with_suffix(".draft.tar")
        lenient = '--aptopt=Acquire::Check-Valid-Until "false"'  # mirrors may stand still
        include = f"--include={','.join(packages)}"
        chosen = ["--mode=root", "--variant=minbase", include, lenient, *LEAN, *options]
        run("mmdebstrap", *chosen, release, str(draft), str(SOURCES))
        draft.rename(packed)
    podman("import", "--quiet", str(packed), tag)


def main(check: str, *steps: object) -> None:
    """Run a check's steps in turn; a failure is told and ends it with 1."""
    try:
        for step in steps:
            assert callable(step)
            step()
    except Failed as failure:
        print(f"{check} FAILED: {failure}", file=sys.stderr)
        raise SystemExit(1) from None
    say(f"{check}: all shown")
