"""Commands and views of notifications."""

from typing import Annotated, Self

from pydantic import Field

from service.core.paging import SIZE_DEFAULT, SIZE_MAX
from service.core.parsing import Command
from service.core.text import Flag, Number
from service.core.views import Id, Instant, View
from service.notifications.models import Notification


class ListNotifications(Command):
    """Which notifications are wanted: all, or those that were not read yet."""

    size: Annotated[Number, Field(ge=1, le=SIZE_MAX)] = SIZE_DEFAULT
    cursor: Annotated[str, Field(max_length=200)] | None = None
    unread: Flag = False


class NotificationView(View):
    """Something a person was told; ``kind`` is what programs know it by."""

    id: Id
    kind: str
    title: str
    body: str
    created_at: Instant
    read_at: Instant | None

    @classmethod
    def of(cls, row: Notification) -> Self:
        return cls(
            id=str(row.id),
            kind=row.kind,
            title=row.title,
            body=row.body,
            created_at=row.created_at,
            read_at=row.read_at,
        )


class NotificationList(View):
    """A part of an inbox, the newest first; ``unread`` counts all of it."""

    data: list[NotificationView]
    size: int
    next_cursor: str | None
    unread: int


class Unread(View):
    """How many were not read yet."""

    unread: int
