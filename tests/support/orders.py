"""Orders for tests, made quickly by the service itself."""

from collections.abc import Mapping
from typing import Any

from service.core.access import SYSTEM
from service.orders.schemas import OrderView
from tests.support.live import Live

ITEM = {"sku": "TEA-1", "name": "Green tea", "quantity": 2, "unit_price": "4.50"}
ORDER: Mapping[str, Any] = {"currency": "EUR", "items": [ITEM]}
"""A good order of 9.00."""
STEPS_TO: Mapping[str, tuple[str, ...]] = {
    "pending": (),
    "paid": ("pay",),
    "shipped": ("pay", "ship"),
    "delivered": ("pay", "ship", "deliver"),
    "cancelled": ("cancel",),
}
"""What has to be done with a new order to bring it to each status."""


async def ordered(live: Live, user_id: str) -> OrderView:
    """A pending order of the user's."""
    return await live.services.orders.create(SYSTEM, {**ORDER, "user_id": user_id})


async def brought_to(live: Live, status: str, user_id: str) -> OrderView:
    """An order of the user's that has got as far as ``status``."""
    order = await ordered(live, user_id)
    for step in STEPS_TO[status]:
        order = await getattr(live.services.orders, step)(SYSTEM, order.id)
    return order


async def events_of(live: Live, order_id: str) -> list[str]:
    """The types of what is told of an order, as they were written down."""
    query = f"SELECT type FROM events WHERE subject = 'orders/{order_id}' ORDER BY id"
    return [row["type"] for row in await live.database.client.execute_query_dict(query)]
