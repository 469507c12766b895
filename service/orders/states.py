"""How far an order may go: the state machine of orders, as one table."""

from dataclasses import dataclass

from service.orders.models import OrderStatus

PENDING, PAID = OrderStatus.PENDING, OrderStatus.PAID
SHIPPED, DELIVERED = OrderStatus.SHIPPED, OrderStatus.DELIVERED
CANCELLED = OrderStatus.CANCELLED


@dataclass(frozen=True, slots=True)
class Transition:
    """What brings an order from one of ``sources`` to ``target``; ``name`` is the caller's word."""

    name: str
    sources: tuple[OrderStatus, ...]
    target: OrderStatus


PAY = Transition("pay", (PENDING,), PAID)
SHIP = Transition("ship", (PAID,), SHIPPED)
DELIVER = Transition("deliver", (SHIPPED,), DELIVERED)
CANCEL = Transition("cancel", (PENDING, PAID), CANCELLED)
TRANSITIONS = (PAY, SHIP, DELIVER, CANCEL)


def ways_on(status: OrderStatus) -> tuple[str, ...]:
    """The names of what is possible with an order of that status."""
    return tuple(way.name for way in TRANSITIONS if status in way.sources)
