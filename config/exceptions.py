"""What may be told of an exception: its type and where it happened, never its message.

Drivers put SQL, its parameters and with them e-mail addresses and hashes into messages; libraries
quote their input. Only the operating system's own words (``OSError``) are safe to repeat.
"""

import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

FRAMES_MAX = 30
CHAIN_MAX = 10
_SYSTEM_MODULES = {"builtins", "socket", "ssl"}


def type_name(error: BaseException) -> str:
    """The dotted name of the exception's type; built-in ones go without their module."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def headline(error: BaseException) -> str:
    """The type, and for an error of the operating system its number and words."""
    name = type_name(error)
    if not isinstance(error, OSError) or type(error).__module__ not in _SYSTEM_MODULES:
        return name
    if not isinstance(error.errno, int) or not isinstance(error.strerror, str):
        return name
    return f"{name} [Errno {error.errno}] {_system_words(error)}"


def described(error: BaseException) -> dict[str, Any]:
    """The exception as plain data: type, frames, and the same of those it came from."""
    first, *others = _chain(error)
    told = _one(first)
    if others:
        told["causes"] = [_one(other) for other in others]
    return told


def _one(error: BaseException) -> dict[str, Any]:
    told: dict[str, Any] = {"type": headline(error), "frames": list(_frames(error.__traceback__))}
    if isinstance(error, BaseExceptionGroup):
        told["members"] = [described(member) for member in error.exceptions[:CHAIN_MAX]]
    return told


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and what led to it, newest first; a loop among them ends it."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and len(chain) < CHAIN_MAX and following not in chain:
        chain.append(following)
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)
    return chain


def _frames(start: TracebackType | None) -> Iterator[str]:
    """The innermost frames, outermost first; without source lines, which nobody needs to ship."""
    frames = traceback.StackSummary.extract(traceback.walk_tb(start), lookup_lines=False)
    for frame in frames[-FRAMES_MAX:]:
        yield f"{_short(frame.filename)}:{frame.lineno} {frame.name}"


def _short(path: str) -> str:
    """A path below the working directory or in site-packages without what stands before."""
    _, found, rest = path.rpartition(f"{os.sep}site-packages{os.sep}")
    return rest if found else path.removeprefix(f"{Path.cwd()}{os.sep}")


def _system_words(error: OSError) -> str:
    """asyncio puts addresses in ``strerror``; the kernel's table has none."""
    if type(error).__module__ == "builtins":
        return os.strerror(error.errno or 0)
    return error.strerror or ""
