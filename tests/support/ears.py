"""What is logged, as ``config.logging`` writes it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from config.log_lines import JsonLine, TextLine
from config.logging import OURS, _NoChatter


@dataclass
class Ears:
    """Every record, and the lines that the two formats make of it."""

    records: list[logging.LogRecord] = field(default_factory=list)
    written: tuple[io.StringIO, io.StringIO] = field(
        default_factory=lambda: (io.StringIO(), io.StringIO())
    )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written[0].getvalue().splitlines()]

    def everything(self) -> str:
        """The lines, and whatever another format could make of our own records."""
        ours = [record for record in self.records if record.name.partition(".")[0] in OURS]
        raw = [f"{record.getMessage()} {vars(record)}" for record in ours]
        return "\n".join([*(stream.getvalue() for stream in self.written), *raw])


@contextmanager
def listening() -> Iterator[Ears]:
    """All that is logged meanwhile, at DEBUG."""
    heard, root = Ears(), logging.getLogger()
    handlers: list[logging.Handler] = [logging.StreamHandler(stream) for stream in heard.written]
    for handler, form in zip(handlers, (JsonLine(), TextLine()), strict=True):
        handler.setFormatter(form)
        handler.addFilter(_NoChatter())
    handlers.append(_Keeper(heard.records))
    level = root.level
    root.setLevel(logging.DEBUG)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield heard
    finally:
        for handler in handlers:
            root.removeHandler(handler)
        root.setLevel(level)


class _Keeper(logging.Handler):
    """Keeps the records themselves."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)
