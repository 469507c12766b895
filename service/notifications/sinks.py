"""Events become notifications: a sink for each channel."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Protocol
from uuid import UUID

from service.core.events import SCHEDULE, SinkRefused, Told
from service.notifications.kinds import ChannelName, Facts, Kind, kind_of
from service.notifications.rendering import BrokenTemplate, one_line
from service.notifications.repository import NotificationRepository, Recipient

SHOWN_NAME_MAX = 100
_MAY_BE_A_LINK = re.compile(r"[/\\@]|[^\s.]{2,}\.[^\s.]{2,}")


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is to be told; ``values`` are for templates."""

    told: Told
    kind: Kind
    user_id: UUID
    email: str
    values: Mapping[str, Any]


class Channel(Protocol):
    """A way to reach somebody. The same notice may come twice: it must be seen to be the same."""

    @property
    def name(self) -> ChannelName: ...

    @property
    def at_once(self) -> int:
        """How many notices it takes at a time."""

    async def deliver(self, notice: Notice) -> None:
        """Raises: SinkRefused; BrokenTemplate."""

    async def close(self) -> None:
        """Let go of what it holds."""


class NoticeSink:
    """``core.events.Sink``: tells by one channel what the table of kinds says.

    Who is told, and where, is read when it is told: nobody who was deleted since, and at the
    address of now.
    """

    schedule: Sequence[timedelta] = SCHEDULE

    def __init__(self, channel: Channel, notifications: NotificationRepository) -> None:
        self._channel, self._notifications = channel, notifications

    @property
    def name(self) -> str:
        return self._channel.name.value

    @property
    def at_once(self) -> int:
        return self._channel.at_once

    def wants(self, told: Told) -> bool:
        return kind_of(told, self._channel.name) is not None

    async def take(self, told: Told) -> None:
        """Raises: SinkRefused."""
        kind = kind_of(told, self._channel.name)
        if kind is None or told.user_id is None:
            return
        recipient = await self._notifications.recipient(told.user_id)
        if recipient is None:
            return
        values = values_of(kind, recipient, told.facts())
        notice = Notice(told, kind, told.user_id, recipient.email, values)
        try:
            await self._channel.deliver(notice)
        except BrokenTemplate as broken:
            raise SinkRefused(f"template {broken}", final=True) from None

    async def close(self) -> None:
        """Let go of what the channel holds."""
        await self._channel.close()


def values_of(kind: Kind, recipient: Recipient, facts: Facts) -> dict[str, Any]:
    """What templates are given besides ``service``, ``url`` and ``language``."""
    values: dict[str, Any] = {"name": shown(recipient.name), "email": recipient.email}
    if kind.event.startswith("order."):
        values["order"] = SimpleNamespace(**facts)  # of a mapping, .items would be a method
    return values


def shown(name: str) -> str:
    """A name to greet somebody by; nothing where it might be a message in disguise.

    Whoever registers gives any name with anybody's address: what we send must not carry links or
    paragraphs of theirs.
    """
    name = one_line(name)
    return "" if len(name) > SHOWN_NAME_MAX or _MAY_BE_A_LINK.search(name) else name
