"""The process behind ``manage.py worker``: the relay and the chores, without a door."""

import asyncio
import faulthandler
import logging
import signal
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from config import logging as logs
from config.settings import Purpose, Settings, load
from service.app import Background, Outside, build
from service.linked import Leave, Told, stay_linked, tell
from service.watching import Watching

HEARTBEAT = "arcana-worker.alive"
"""The file in the run folder whose age tells the container's own question that the loop lives."""
EVERY = 1.0
"""Seconds between two touches."""
SILENT = 30.0
"""Seconds without a turn of the relay after which this process ends; a turn takes a few at most."""

log = logging.getLogger("arcana.worker")


class RelayEndedError(Exception):
    """The relay is no more, or goes round no more: a new process is the mend."""


class Heartbeat:
    """A file whose age tells that the event loop goes round."""

    def __init__(self, path: Path) -> None:
        self._path, self._touched = path, 0.0
        self._is_blind = self._is_over = False

    def beat(self) -> None:
        """Touch it, about once a second; a folder that can't be written is logged once."""
        now = time.monotonic()
        if self._is_over or now - self._touched < EVERY:
            return
        self._touched = now
        try:
            self._path.touch()
            self._is_blind = False
        except OSError as error:
            if not self._is_blind:
                log.warning("RUN_FOLDER: no heartbeat: %s", error.strerror)
            self._is_blind = True

    def end(self) -> None:
        """Leave no file behind, whoever beats on."""
        self._is_over = True
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return  # it could not be made either, and that was logged


async def work(settings: Settings, link: socket.socket, stack: int) -> None:
    """Relay and do the chores until told to stop, then settle what is under way.

    Raises:
        RelayEndedError: the relay ended by itself, or stands still.
        Unavailable: the database can't be reached at the start.
    """
    loop, outside = asyncio.get_running_loop(), Outside.of(settings)
    background = Background(outside, build(settings, outside), relays=True)
    watching = Watching(settings, outside)
    heartbeat = Heartbeat(Path(settings.run_folder) / HEARTBEAT)
    told: Told = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, told, Leave.STOPPED)
    async with AsyncExitStack() as closing:
        closing.callback(heartbeat.end)  # last: it lives until all is settled
        await outside.connect()
        closing.push_async_callback(outside.close)
        await outside.changes.start()
        outside.touches.start()
        watching.start()
        closing.push_async_callback(watching.stop)
        background.start()
        closing.push_async_callback(background.stop)
        stay_linked(link, told, stack, each=heartbeat.beat)
        why = await _until_told(told, background)
        log.info("leaving", extra={"why": why.name})


async def _until_told(told: Told, background: Background) -> Leave:
    """Raises: RelayEndedError."""
    assert background.relay is not None
    ended = asyncio.create_task(background.relay.ended())
    first: set[asyncio.Future[Any]] = {told, ended}
    try:
        while not told.done():
            await asyncio.wait(first, timeout=EVERY, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and not told.done():
                raise RelayEndedError("it ended") from ended.exception()
            if background.relay.silent_for > SILENT:
                raise RelayEndedError(f"it stands still for {SILENT:.0f} s")
    finally:
        ended.cancel()
    return told.result()


def main(stack: str, link: str) -> None:
    """Work with what was inherited: the pipe for the stack if it hangs, and the parent's link."""
    faulthandler.register(signal.SIGUSR2, file=int(stack), all_threads=True)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = load(Purpose.SERVE)
    logs.configure(settings.log_format, settings.log_level)
    try:
        uvloop.run(work(settings, socket.socket(fileno=int(link)), int(stack)))
    except RelayEndedError as error:
        log.critical("the relay is lost: %s", error, exc_info=error.__cause__)
        raise SystemExit(1) from None
