"""What is told of orders: each event holds the whole order as it is after the change."""

from uuid import UUID

from service.core.events import Event
from service.orders.models import OrderStatus
from service.orders.schemas import OrderView

TYPES = {
    OrderStatus.PENDING: "order.created",
    OrderStatus.PAID: "order.paid",
    OrderStatus.SHIPPED: "order.shipped",
    OrderStatus.DELIVERED: "order.delivered",
    OrderStatus.CANCELLED: "order.cancelled",
}
"""What has happened to an order that has just got a status."""


def told(order: OrderView) -> Event:
    """That ``order`` has just got the status that it has, in order among its user's events."""
    user_id = UUID(order.user_id) if order.user_id else None
    type_, subject = TYPES[order.status], f"orders/{order.id}"
    return Event.of(type_, subject, order, user_id, version=order.version)
