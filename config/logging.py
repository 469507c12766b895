"""Logging: every logger's lines go one way, in one form, and say nothing that is secret."""

import logging
import sys
import threading
import warnings
from types import TracebackType
from typing import Literal, TextIO

from config.exceptions import type_name
from config.log_lines import Context, JsonLine, TextLine

OURS = {"arcana", "service", "config", "migrations", "__main__"}
_QUIETER = {"py": logging.INFO}
_TELLING_WARNINGS = (
    DeprecationWarning,
    PendingDeprecationWarning,
    RuntimeWarning,
    ResourceWarning,
    ImportWarning,
    SyntaxWarning,
)
"""Those whose texts speak of code; others may quote data, as pydantic's and drivers' do."""

_warned = logging.getLogger("py.warnings")
_uncaught = logging.getLogger("arcana.uncaught")


class _NoChatter(logging.Filter):
    """Lets other people's loggers speak of trouble only.

    Below warnings drivers log SQL, its parameters and headers, whatever level they are set to;
    so ``debug`` is for our own loggers.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        family = record.name.partition(".")[0]
        return family in OURS or record.levelno >= _QUIETER.get(family, logging.WARNING)


def configure(
    format: Literal["json", "text"] = "text",  # noqa: A002  # the word everyone uses
    level: str = "info",
    *,
    stream: TextIO | None = None,
    context: Context | None = None,
) -> None:
    """Send the lines of every logger to ``stream`` (standard error), each with ``context``'s facts.

    To be called once in each process, after the libraries are imported, since handlers that they
    gave their own loggers are taken away here. Sanic is made with ``configure_logging=False``,
    or it would put its handlers back.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((JsonLine if format == "json" else TextLine)(context))
    handler.addFilter(_NoChatter())
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            _send_up(logger)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level.upper())
    logging.raiseExceptions = False  # or a line that can't be written is printed with its arguments
    _catch_strays()


def _send_up(logger: logging.Logger) -> None:
    """Leave a logger's lines to the root: no handler, level or silence of its own."""
    logger.handlers.clear()
    logger.propagate, logger.disabled = True, False
    logger.setLevel(logging.NOTSET)


def _catch_strays() -> None:
    """Warnings, and exceptions that nobody caught, are lines like any other."""
    warnings.showwarning = _log_warning
    sys.excepthook = _log_uncaught
    sys.unraisablehook = lambda stray: _log_stray("unraisable", stray.exc_value)
    threading.excepthook = lambda stray: _log_stray("in a thread", stray.exc_value)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = str(message) if issubclass(category, _TELLING_WARNINGS) else "(text withheld)"
    _warned.warning("%s: %s", category.__name__, text, extra={"place": f"{filename}:{lineno}"})


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log_stray("at the top", error.with_traceback(trace))


def _log_stray(where: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        _uncaught.critical("%s, uncaught %s", type_name(error), where, exc_info=error)
