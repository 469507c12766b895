"""Notifications for tests: rows made by hand, and events as the relay tells them."""

from itertools import count
from typing import Any
from uuid import UUID

import orjson

from service.core.clock import utc_now
from service.core.events import Told
from service.core.ids import new_id
from service.notifications.models import Notification
from tests.support.people import Person

_positions = count(1)


async def notified(who: Person, title: str = "Something happened") -> UUID:
    """A new notification of that person's."""
    row = await Notification.create(
        user_id=UUID(who.id), event_id=new_id(), kind="welcome", title=title, body="It did."
    )
    return UUID(str(row.id))


def told(type_: str, user_id: UUID | str | None, /, **facts: Any) -> Told:
    """An event as the relay tells it."""
    data = orjson.dumps(facts).decode()
    user = UUID(str(user_id)) if user_id else None
    return Told(next(_positions), new_id(), type_, f"users/{user_id}", user, utc_now(), data)


def order(status: str, user_id: UUID | str, /, **more: Any) -> Told:
    """An order's event, as the orders say it."""
    facts: dict[str, Any] = {
        "id": str(new_id()),
        "user_id": str(user_id),
        "status": status,
        "currency": "EUR",
        "total": "19.00",
        "items": [{"sku": "A-1", "name": "Lamp", "quantity": 2, "unit_price": "9.50"}],
        **more,
    }
    return told(f"order.{status}", user_id, **facts)
