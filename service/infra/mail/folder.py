"""A folder that mails are written to instead of being sent."""

import asyncio
import os
import re
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path

from service.core.events import SinkRefused

KEPT = 200
"""Mails that are kept, the newest."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class MailFolder:
    """Writes each mail to ``<id>.eml``, an id that sorts by time; one sent twice is one file."""

    at_once = 1

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Raises: SinkRefused, when it can't be written."""
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:
            reason = f"MAIL_FOLDER can't be written to ({error.strerror})"
            raise SinkRefused(reason) from None

    async def close(self) -> None:
        """It holds nothing."""

    def _write(self, message: EmailMessage) -> None:
        """For its owner's eyes alone, and whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = _UNSAFE.sub("_", str(message["Message-ID"]).strip("<>").partition("@")[0])
        half = self._folder / f".{name}.half"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(message.as_bytes(policy=SMTPUTF8))
        half.replace(self._folder / f"{name}.eml")
        for old in sorted(self._folder.glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)
