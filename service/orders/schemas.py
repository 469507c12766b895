"""Commands and views of orders."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator

from service.core.money import MINOR_DIGITS, Amount, Currency, decimals, fits, printed
from service.core.paging import PAGE_MAX, SIZE_MAX, PageQuery
from service.core.parsing import Command
from service.core.text import Name, Number, Whole, clean_line, line_schema, one_of
from service.core.views import Id, Instant, VersionedView, View
from service.orders.models import Order, OrderItem, OrderStatus

SKU_MAX, ITEMS_MAX, QUANTITY_MAX = 64, 100, 1_000_000


Sku = Annotated[str, clean_line(SKU_MAX), line_schema(SKU_MAX)]
"""The seller's name for a thing that is sold."""
Quantity = Annotated[Whole, Field(ge=1, le=QUANTITY_MAX)]
Status = Annotated[OrderStatus, one_of(OrderStatus)]
UserId = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
"""A user's id. Who may name whom is decided before anybody looks whether it is one."""


class NewItem(Command):
    """A line of an order."""

    sku: Sku
    name: Name
    quantity: Quantity
    unit_price: Amount


class CreateOrder(Command):
    """A new order, one's own or, from an admin, that of ``user_id``."""

    currency: Currency
    items: Annotated[list[NewItem], Field(min_length=1, max_length=ITEMS_MAX)]
    user_id: UserId | None = None

    @field_validator("items")
    @classmethod
    def _are_money(cls, items: list[NewItem], others: ValidationInfo) -> list[NewItem]:
        digits = MINOR_DIGITS.get(others.data.get("currency", ""), 4)
        for number, item in enumerate(items):
            if decimals(item.unit_price) > digits:
                raise ValueError(
                    f"The unit_price of item {number} has more decimals"
                    f" than the currency, which has {digits}."
                )
        if not fits(total_of(items)):
            raise ValueError("The total must stay below 1000000000000000.")
        return items

    @property
    def total(self) -> Decimal:
        return total_of(self.items)


def total_of(items: list[NewItem]) -> Decimal:
    """The sum of all lines. It is exact: it has 27 digits at most, and Decimal reckons with 28."""
    return sum((item.quantity * item.unit_price for item in items), Decimal(0))


class ListOrders(PageQuery):
    """Which orders are wanted: those of a status, those of a user."""

    status: Status | None = Field(default=None)
    user_id: UserId | None = Field(default=None)


class StreamOrders(Command):
    """As ListOrders, but ``size`` 0 streams every match."""

    status: Status | None = None
    user_id: UserId | None = None
    page: Annotated[Number, Field(ge=0, le=PAGE_MAX)] = 0
    size: Annotated[Number, Field(ge=0, le=SIZE_MAX)] = 0


class OrderItemView(View):
    """A line of an order as clients see it."""

    sku: str
    name: str
    quantity: int
    unit_price: str

    @classmethod
    def of(cls, item: OrderItem, currency: str) -> Self:
        return cls(
            sku=item.sku,
            name=item.name,
            quantity=item.quantity,
            unit_price=printed(item.unit_price, currency),
        )


class OrderView(VersionedView):
    """An order as clients see it; ``user_id`` is null once its user is deleted.

    Money has just the decimals of its currency.
    """

    id: Id
    user_id: Id | None
    status: OrderStatus
    currency: str
    total: str
    items: list[OrderItemView]
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, order: Order) -> Self:
        """The view of an order whose items have been fetched."""
        return cls(
            id=str(order.id),
            user_id=str(order.user_id) if order.user_id else None,
            status=order.status,
            currency=order.currency,
            total=printed(order.total, order.currency),
            items=[OrderItemView.of(item, order.currency) for item in order.items],
            created_at=order.created_at,
            updated_at=order.updated_at,
            version=order.revision,
        )
