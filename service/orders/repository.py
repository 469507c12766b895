"""Named queries over orders and their items."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.query_utils import Prefetch
from tortoise.queryset import QuerySet

from service.core.clock import Clock, utc_now
from service.core.ids import canonical
from service.core.paging import EXACT_TOTAL, Slice
from service.infra.database import foreign_key_violation
from service.infra.totals import Totals
from service.orders.models import Order, OrderItem, OrderStatus
from service.users.errors import UserNotFound


@dataclass(frozen=True, slots=True)
class Match:
    """Which orders are wanted: those of a user, those of a status, or all."""

    user_id: UUID | None = None
    status: OrderStatus | None = None

    @property
    def key(self) -> str:
        """What its total is known by."""
        return f"orders:{self.user_id or ''}:{self.status or ''}"

    def rows(self) -> QuerySet[Order]:
        rows = Order.all()
        rows = rows if self.user_id is None else rows.filter(user_id=self.user_id)
        return rows if self.status is None else rows.filter(status=self.status)


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be."""

    sku: str
    name: str
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be: checked and reckoned already."""

    user_id: UUID
    currency: str
    total: Decimal
    lines: Sequence[NewLine]


class OrderRepository:
    """Orders by id, user and status, always in the order of their ids, with their items."""

    def __init__(self, totals: Totals, clock: Clock = utc_now) -> None:
        self._totals, self._clock = totals, clock

    async def find(self, order_id: str | UUID) -> Order | None:
        """The order of that id; None also for what is no canonical UUID."""
        key = order_id if isinstance(order_id, UUID) else canonical(order_id)
        return await _whole(Order.filter(id=key)).first() if key else None

    async def page(self, match: Match, page: int, size: int) -> Slice[Order]:
        """A page by number, with the total; a deep one steps over all before it."""
        rows = await _read(match.rows().offset(page * size), size)
        return Slice(rows[:size], await self._total(match), more=len(rows) > size)

    async def after(self, match: Match, after: UUID | None, size: int) -> Slice[Order]:
        """The ``size`` orders that follow ``after``; the last page costs what the first does."""
        found = match.rows() if after is None else match.rows().filter(id__gt=after)
        rows = await _read(found, size)
        return Slice(rows[:size], None, more=len(rows) > size)

    async def _total(self, match: Match) -> int:
        """How many match: exact to ``EXACT_TOTAL``, beyond that at most ``TOTAL_AGE`` s old."""
        held = self._totals.held(match.key)
        if held is not None:
            return held
        beyond = match.rows().order_by("id").offset(EXACT_TOTAL).limit(1)
        if await beyond.values_list("id"):
            return await self._totals.get(match.key, lambda: _count(match))
        return await _count(match)

    async def add(self, new: NewOrder) -> Order:
        """Insert an order with its lines; call it inside a transaction.

        Raises:
            UserNotFound: its user is gone.
        """
        now = self._clock()
        try:
            order = await Order.create(
                user_id=new.user_id,
                currency=new.currency,
                total=new.total,
                created_at=now,
                updated_at=now,
            )
        except IntegrityError as error:
            if not foreign_key_violation(error):
                raise
            raise UserNotFound from None
        await OrderItem.bulk_create(
            OrderItem(
                order_id=order.id,
                number=number,
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=line.unit_price,
            )
            for number, line in enumerate(new.lines)
        )
        return await _whole(Order.filter(id=order.id)).get()

    async def move(self, order: Order, sources: Sequence[OrderStatus], target: OrderStatus) -> bool:
        """Bring an order from one of ``sources`` to ``target``, in one conditional UPDATE.

        False when it is in none of them, or no longer as ``order`` shows it: whoever was faster
        has won. Its user's deletion counts as a change, though it leaves the version alone.
        """
        now = self._clock()
        unchanged = Order.filter(id=order.id, version=order.version, user_id=order.user_id)
        changed = await unchanged.filter(status__in=sources).update(
            status=target, version=F("version") + 1, updated_at=now
        )
        if changed:
            order.status, order.version, order.updated_at = target, order.version + 1, now
        return bool(changed)


def _whole(orders: QuerySet[Order]) -> QuerySet[Order]:
    """``orders`` with their items, in the order in which they were given."""
    return orders.prefetch_related(Prefetch("items", OrderItem.all().order_by("number")))


async def _read(orders: QuerySet[Order], size: int) -> list[Order]:
    """One more than ``size``, if there is one."""
    return await _whole(orders.order_by("id").limit(size + 1))


async def _count(match: Match) -> int:
    return await match.rows().count()
