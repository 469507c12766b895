"""The tables of orders."""

from enum import StrEnum
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id
from service.users.models import User


class OrderStatus(StrEnum):
    """How far an order is: pending → paid → shipped → delivered, or cancelled before it ships."""

    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Order(Model):
    """What somebody bought. Without ``user`` the account is gone, and its order stays.

    ``total`` is the sum of the items, in ``currency`` (ISO 4217). ``version`` rises in the UPDATE
    of every change; ``revision`` is the order's ETag.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "arcana.User", related_name="orders", on_delete=fields.SET_NULL, null=True
    )
    status = fields.CharEnumField(OrderStatus, max_length=16, default=OrderStatus.PENDING)
    currency = fields.CharField(max_length=3)
    total = fields.DecimalField(max_digits=19, decimal_places=4)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(default=utc_now)
    updated_at = fields.DatetimeField(default=utc_now)

    user_id: UUID | None
    items: fields.ReverseRelation["OrderItem"]

    class Meta:
        table = "orders"
        indexes = [
            Index(fields=("user_id", "id"), name="ix_orders_user_id"),
            Index(fields=("status", "id"), name="ix_orders_status_id"),
        ]

    @property
    def revision(self) -> int:
        """The version that clients see: it rises too when the user is deleted.

        The database itself empties ``user_id`` then, and leaves ``version`` alone.
        """
        return self.version + (self.user_id is None)

    def __repr__(self) -> str:
        return f"<Order {self.id} {self.status}>"


class OrderItem(Model):
    """One line of an order, the ``number``-th; lines never change."""

    id = fields.BigIntField(primary_key=True, generated=True)
    order: fields.ForeignKeyRelation[Order] = fields.ForeignKeyField(
        "arcana.Order", related_name="items", on_delete=fields.CASCADE
    )
    number = fields.SmallIntField()
    sku = fields.CharField(max_length=64)
    name = fields.CharField(max_length=255)
    quantity = fields.IntField()
    unit_price = fields.DecimalField(max_digits=19, decimal_places=4)

    order_id: UUID

    class Meta:
        table = "order_items"
        indexes = [Index(fields=("order_id", "number"), name="ix_order_items_order_id")]

    def __repr__(self) -> str:
        return f"<OrderItem {self.number} of {self.order_id}>"
