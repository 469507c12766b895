"""make ship-clean: nothing of the checks stays, neither images nor containers nor packed trees."""

import shutil

from tests.ship.engine import HOME, podman, say


def main() -> None:
    if (HOME / "storage.conf").exists():
        podman("rm", "--all", "--force", "--volumes", timeout=300)
        podman("rmi", "--all", "--force", timeout=300)
    shutil.rmtree(HOME, ignore_errors=True)
    say(f"{HOME} is gone")


if __name__ == "__main__":
    main()
