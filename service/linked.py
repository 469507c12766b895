"""The link of a process to the parent that watches it: it says that its event loop lives."""

import asyncio
import faulthandler
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

from service.supervisor import ALIVE, BEAT, READY, STUCK

ABANDONED = 4 * STUCK
"""Seconds after which a loop that stands still ends its process; a parent that lives is quicker."""


class Leave(Enum):
    """Why a process leaves."""

    STOPPED = auto()
    """The service stops: the balancer is told first."""
    RETIRED = auto()
    """A successor accepts from the same sockets: the service goes on and nobody need know."""
    ORPHANED = auto()
    """The parent is gone: nobody waits for a pause, and the ports should be free soon."""


Told = asyncio.Future[Leave]


def stay_linked(
    link: socket.socket, told: Told, stack: int, each: Callable[[], None] | None = None
) -> None:
    """Say that the loop lives, over and over; leave when the parent says so, or is gone.

    ``stack`` is where to dump where a loop stands that is stuck; ``each`` is called at each beat.
    """
    loop = asyncio.get_running_loop()

    def beat() -> None:
        faulthandler.dump_traceback_later(ABANDONED, exit=True, file=stack)
        with suppress(BlockingIOError, OSError):
            link.send(ALIVE)
        if each is not None:
            each()
        loop.call_later(BEAT, beat)

    def hear() -> None:
        loop.remove_reader(link)
        try:
            said = link.recv(16)
        except OSError:
            said = b""
        tell(told, Leave.RETIRED if said else Leave.ORPHANED)

    link.setblocking(False)
    loop.add_reader(link, hear)
    with suppress(OSError):  # a parent that is gone by now is heard of
        link.send(READY)
    beat()


def tell(told: Told, why: Leave) -> None:
    """Have the process leave; who was told before knows already."""
    if not told.done():
        told.set_result(why)
