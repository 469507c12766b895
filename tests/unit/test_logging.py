"""What the log says, and what it must never say."""

import asyncio
import io
import json
import logging
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sanic import Sanic

from config.logging import configure

CANARY = "canary@example.com"
Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _the_log_is_put_back() -> Iterator[None]:
    """``configure`` changes the process; other tests must not notice."""
    loggers = [logging.root, *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)
    sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = hooks
    logging.raiseExceptions = True


@pytest.fixture
def read() -> Read:
    """Log as JSON into memory; calling it gives the lines so far."""
    stream = io.StringIO()
    configure("json", "debug", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def text_of(level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure("text", level, stream=stream)
    return stream


def ours() -> logging.Logger:
    return logging.getLogger("arcana.test")


def fail_deeply() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        raise RuntimeError(CANARY) from error


def test_a_line_is_one_json_object_with_time_level_logger_and_message(read: Read) -> None:
    ours().info("%s users", 3, extra={"door": "http", "user": UUID(int=7)})
    (line,) = read()
    assert datetime.fromisoformat(line.pop("ts")).utcoffset() is not None
    assert line == {
        "level": "info",
        "logger": "arcana.test",
        "message": "3 users",
        "door": "http",
        "user": str(UUID(int=7)),
    }


@pytest.mark.parametrize("nasty", ["a\nb", "\u2028x\x85", "\ud800", "\x1b[31m", '"}{', "\0"])
def test_no_text_breaks_out_of_its_line(nasty: str) -> None:
    for form in ("json", "text"):
        stream = io.StringIO()
        configure(form, stream=stream)
        ours().info("said %s", nasty, extra={"agent": nasty, "many": [nasty]})
        ours().info(nasty)
        assert len(stream.getvalue().splitlines()) == 2
        assert "\x1b" not in stream.getvalue()


def test_any_extra_gives_valid_json(read: Read) -> None:
    loop: list[object] = []
    loop.append(loop)
    odd = {"nan": float("nan"), "loop": loop, "set": {1}, "bytes": b"x", "big": 10**5000}
    ours().info("odd", extra={**odd, "keys": {1: 2, ValueError(CANARY): 3}, "level": "mine"})
    (line,) = read()
    assert (line["nan"], line["set"], line["bytes"]) == ("nan", [1], "<bytes>")
    assert line["level"] == "info"
    assert CANARY not in json.dumps(line)


def test_an_exception_is_told_by_type_and_place_alone(read: Read) -> None:
    try:
        fail_deeply()
    except RuntimeError:
        ours().exception("broke")
    (line,) = read()
    told = line["exception"]
    assert told["type"] == "RuntimeError"
    assert told["causes"][0]["type"] == "ValueError"
    assert told["frames"][-1].startswith("tests/unit/test_logging.py:")
    assert told["frames"][-1].endswith(" fail_deeply")
    assert CANARY not in json.dumps(line)


def test_the_text_form_tells_no_more() -> None:
    stream = text_of()
    try:
        fail_deeply()
    except RuntimeError as error:
        ours().error("broke: %s %s", error, [error], exc_info=error, extra={"why": error})
        ours().error(error)
    assert "ValueError" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def test_groups_notes_and_loops_of_exceptions_are_told_safely(read: Read) -> None:
    one, two = ValueError(CANARY), KeyError(CANARY)
    one.__context__, two.__context__ = two, one
    one.add_note(CANARY)
    ours().error("broke", exc_info=ExceptionGroup(CANARY, [one]))
    (line,) = read()
    assert line["exception"]["members"][0]["type"] == "ValueError"
    assert CANARY not in json.dumps(line)


def test_the_operating_system_is_quoted(read: Read) -> None:
    try:
        socket.create_connection(("127.0.0.1", 1))
    except OSError as error:
        ours().error("no answer: %s", error, exc_info=True)
    (line,) = read()
    assert line["message"].startswith("no answer: ConnectionRefusedError [Errno 111] Connection")
    ours().error("%s", OSError(CANARY))
    ours().error("%s", FileNotFoundError(2, CANARY, CANARY))
    assert CANARY not in json.dumps(read())


@pytest.mark.parametrize(
    "name",
    ["tortoise.db_client", "asyncpg.pool", "asyncmy", "aiosqlite", "hpack.hpack", "aerich", "h2"],
)
def test_drivers_speak_of_trouble_only_even_when_told_to_debug(read: Read, name: str) -> None:
    driver = logging.getLogger(name)
    driver.setLevel(logging.DEBUG)
    driver.debug("SELECT %s", CANARY)
    driver.info("%r", CANARY)
    driver.warning("slow")
    assert [line["message"] for line in read()] == ["slow"]


def test_handlers_that_libraries_brought_are_gone(capfd: pytest.CaptureFixture[str]) -> None:
    Sanic("logging-test", configure_logging=False)
    library = logging.getLogger("grpclib.server")
    library.addHandler(logging.StreamHandler(sys.stderr))
    stream = text_of()
    try:
        raise ValueError(CANARY)
    except ValueError:
        library.exception("Application error")
        logging.getLogger("sanic.error").exception("Exception occurred")
    assert len([line for line in stream.getvalue().splitlines() if line[0] != " "]) == 2
    assert CANARY not in stream.getvalue() + "".join(capfd.readouterr())


async def test_a_forgotten_task_is_told_without_its_exception_s_words(read: Read) -> None:
    async def fail() -> None:
        raise ValueError(CANARY)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    (line,) = read()
    assert (line["logger"], line["exception"]["type"]) == ("asyncio", "ValueError")
    assert line["message"] == "Task exception was never retrieved"
    assert CANARY not in json.dumps(line)


def test_a_message_that_does_not_fit_its_arguments_is_told_without_them(
    read: Read, capfd: pytest.CaptureFixture[str]
) -> None:
    ours().info("%d users", CANARY)
    assert read()[0]["message"] == "%d users (its arguments do not fit)"
    assert CANARY not in "".join(capfd.readouterr())


def test_warnings_are_lines_and_quote_no_data(read: Read) -> None:
    warnings.showwarning("old", DeprecationWarning, "x.py", 1)
    warnings.showwarning(UserWarning(CANARY), UserWarning, "x.py", 1)
    assert [line["message"] for line in read()] == [
        "DeprecationWarning: old",
        "UserWarning: (text withheld)",
    ]


def test_an_exception_that_nobody_caught_is_a_line(read: Read) -> None:
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    assert [line["level"] for line in read()] == ["critical", "critical"]
    assert CANARY not in json.dumps(read())


def test_every_line_carries_the_facts_of_its_context() -> None:
    stream = io.StringIO()
    configure("json", stream=stream, context=lambda: {"request_id": "r1", "door": "grpc"})
    logging.getLogger("grpclib.server").warning("trouble", extra={"door": "mine"})
    line = json.loads(stream.getvalue())
    assert (line["request_id"], line["door"]) == ("r1", "mine")


def test_colours_that_libraries_paint_with_are_left_out(read: Read) -> None:
    logging.getLogger("sanic.error").warning("\x1b[33mcareful\x1b[0m")
    assert read()[0]["message"] == "careful"


def test_the_level_holds() -> None:
    stream = text_of("warning")
    ours().info("quiet")
    ours().warning("loud")
    assert "loud" in stream.getvalue()
    assert "quiet" not in stream.getvalue()
