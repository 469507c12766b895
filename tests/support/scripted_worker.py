"""A worker for tests of the supervisor: it beats, and does what a file of orders says."""

import faulthandler
import os
import signal
import socket
import sys
import time
from pathlib import Path


def main(script: Path, *numbers: str) -> None:
    orders = script.read_text().split()
    if "die" in orders:
        sys.exit(3)
    link = socket.socket(fileno=int(numbers[-1]))
    faulthandler.register(signal.SIGUSR2, file=int(numbers[-2]))
    link.setblocking(False)
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: told.append(got))
    link.send(b"R")
    stray = 0
    while True:
        orders = script.read_text().split()
        if "hang" in orders:
            time.sleep(60)
        if "orphan" in orders and not stray:
            stray = orphan()
        if stray and not Path(f"/proc/{stray}").exists():
            script.with_name("buried").touch()
        if "deaf" not in orders and (told or retired(link)):
            return
        link.send(b".")
        time.sleep(0.05)


def orphan() -> int:
    """A process whose parent is gone, and which ends soon; whoever gets it must wait for it."""
    read, write = os.pipe()
    if os.fork() == 0:
        if (pid := os.fork()) == 0:
            time.sleep(0.2)
            os._exit(0)
        os.write(write, str(pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(read, 32))


def retired(link: socket.socket) -> bool:
    try:
        link.recv(16)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
