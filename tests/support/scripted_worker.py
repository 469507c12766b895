"""A worker for tests of the supervisor: it beats, and does what a file of orders says."""

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
    link.setblocking(False)
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: told.append(got))
    link.send(b"R")
    while True:
        orders = script.read_text().split()
        if "hang" in orders:
            time.sleep(60)
        if "deaf" not in orders and (told or retired(link)):
            return
        link.send(b".")
        time.sleep(0.05)


def retired(link: socket.socket) -> bool:
    try:
        link.recv(16)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
