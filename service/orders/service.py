"""The rules about orders."""

from collections.abc import AsyncIterator
from uuid import UUID

from service.core.access import ADMIN, Actor, Owner, Role, SignedIn, allow, owned
from service.core.errors import Forbidden, Invalid
from service.core.events import Publisher
from service.core.idempotency import Idempotency
from service.core.ids import canonical
from service.core.paging import Cursors, Page
from service.core.parsing import Raw, parse
from service.core.ports import Transactions
from service.core.preconditions import Precondition
from service.core.scopes import ORDERS_READ, ORDERS_WRITE
from service.orders.errors import OrderNotFound, OrderTransition
from service.orders.events import told
from service.orders.models import Order
from service.orders.repository import Match, NewLine, NewOrder, OrderRepository
from service.orders.schemas import CreateOrder, ListOrders, OrderView, StreamOrders
from service.orders.states import CANCEL, DELIVER, PAY, SHIP, Transition, ways_on
from service.users.errors import UserNotFound

STREAM_BATCH = 100


class OrderService:
    """The rules about orders. ``actor`` is who asks; every method states who may.

    An order belongs to a user, who sees, pays and cancels it; admins see all, and send them out.
    """

    def __init__(
        self,
        orders: OrderRepository,
        transactions: Transactions,
        cursors: Cursors,
        idempotency: Idempotency,
        publisher: Publisher,
    ) -> None:
        self._orders, self._begin, self._cursors = orders, transactions, cursors
        self._idempotency, self._events = idempotency, publisher

    @allow(SignedIn(), scope=ORDERS_WRITE)
    async def create(self, actor: Actor, raw: Raw, idempotency_key: str | None = None) -> OrderView:
        """Make an order of one's own; an admin may make one for somebody else.

        Raises:
            Invalid, Forbidden, UserNotFound, IdempotencyMismatch.
        """
        command = parse(CreateOrder, raw)
        new = _new_order(_buyer(actor, command.user_id), command)
        async with self._idempotency.once(actor, idempotency_key, command, OrderView) as once:
            if once.is_first:
                async with self._begin():
                    order = OrderView.of(await self._orders.add(new))
                    await self._events.publish(told(order))
                    await once.keep(order)
        return once.answer

    @allow(Owner(), Role(ADMIN), scope=ORDERS_READ)
    async def get(self, actor: Actor, order_id: str) -> OrderView:
        """Raises: OrderNotFound, Forbidden."""
        return OrderView.of(await self._find(actor, order_id))

    @allow(SignedIn(), scope=ORDERS_READ)
    async def list(self, actor: Actor, raw: Raw) -> Page[OrderView]:
        """A page of one's own orders, for an admin of all, in the order of their ids.

        It is read by number or, with ``cursor``, by keyset.

        Raises:
            Invalid, Forbidden.
        """
        query = parse(ListOrders, raw)
        match = Match(_whose(actor, query.user_id), query.status)
        found = (
            await self._orders.page(match, query.page, query.size)
            if query.cursor is None
            else await self._orders.after(match, self._cursors.open(query.cursor), query.size)
        )
        return self._cursors.page(query, found, OrderView.of)

    @allow(SignedIn(), scope=ORDERS_READ)
    def stream(self, actor: Actor, raw: Raw) -> AsyncIterator[OrderView]:
        """Every order of one's own, for an admin of all; with a ``size`` just that page.

        Raises:
            Invalid, Forbidden.
        """
        query = parse(StreamOrders, raw)
        match = Match(_whose(actor, query.user_id), query.status)
        return self._one_page(match, query) if query.size else self._every(match)

    async def _one_page(self, match: Match, query: StreamOrders) -> AsyncIterator[OrderView]:
        for order in (await self._orders.page(match, query.page, query.size)).rows:
            yield OrderView.of(order)

    async def _every(self, match: Match) -> AsyncIterator[OrderView]:
        after, more = None, True
        while more:
            found = await self._orders.after(match, after, STREAM_BATCH)
            for order in found.rows:
                yield OrderView.of(order)
                after = order.id
            more = found.more

    @allow(Owner(), Role(ADMIN), scope=ORDERS_WRITE)
    async def pay(self, actor: Actor, order_id: str, if_match: str | None = None) -> OrderView:
        """Note that a pending order is paid.

        Raises:
            Invalid, Forbidden, OrderNotFound, EtagMismatch, OrderTransition.
        """
        return await self._move(PAY, actor, order_id, if_match)

    @allow(Role(ADMIN), scope=ORDERS_WRITE)
    async def ship(self, actor: Actor, order_id: str, if_match: str | None = None) -> OrderView:
        """Note that a paid order is on its way.

        Raises:
            Invalid, OrderNotFound, EtagMismatch, OrderTransition.
        """
        return await self._move(SHIP, actor, order_id, if_match)

    @allow(Role(ADMIN), scope=ORDERS_WRITE)
    async def deliver(self, actor: Actor, order_id: str, if_match: str | None = None) -> OrderView:
        """Note that a shipped order has arrived.

        Raises:
            Invalid, OrderNotFound, EtagMismatch, OrderTransition.
        """
        return await self._move(DELIVER, actor, order_id, if_match)

    @allow(Owner(), Role(ADMIN), scope=ORDERS_WRITE)
    async def cancel(self, actor: Actor, order_id: str, if_match: str | None = None) -> OrderView:
        """Call an order off that is not shipped yet.

        Raises:
            Invalid, Forbidden, OrderNotFound, EtagMismatch, OrderTransition.
        """
        return await self._move(CANCEL, actor, order_id, if_match)

    async def _move(
        self, way: Transition, actor: Actor, order_id: str, if_match: str | None
    ) -> OrderView:
        """Of several at once one finds the order as it was read; the others are refused.

        Raises:
            Invalid, Forbidden, OrderNotFound, EtagMismatch, OrderTransition.
        """
        order = await self._find(actor, order_id)
        Precondition.read(if_match).check(order.revision)
        async with self._begin():
            if await self._orders.move(order, way.sources, way.target):
                moved = OrderView.of(order)
                await self._events.publish(told(moved))
                return moved
        found = await self._find(actor, order_id)  # as whoever was faster has left it
        raise OrderTransition(found.status, ways_on(found.status))

    async def _find(self, actor: Actor, order_id: str) -> Order:
        """Raises: Forbidden, OrderNotFound."""
        return owned(actor, await self._orders.find(order_id), OrderNotFound)


def _buyer(actor: Actor, wanted: str | None) -> UUID:
    """Whose order is made.

    Raises:
        Forbidden: it would be somebody else's.
        UserNotFound: ``wanted`` is nobody's id.
        Invalid: nobody is named, and the service itself asks, which buys nothing.
    """
    if wanted is None:
        if actor.user_id is None:
            raise Invalid({"user_id": ["This field is required."]})
        return actor.user_id
    _refuse_others(actor, wanted)
    user_id = canonical(wanted)
    if user_id is None:
        raise UserNotFound
    return user_id


def _whose(actor: Actor, wanted: str | None) -> UUID | None:
    """Whose orders are read; None for everybody's.

    Raises:
        Forbidden: they are somebody else's.
        Invalid: ``wanted`` can't be anybody's id.
    """
    if wanted is None:
        return None if actor.has_role(ADMIN) else actor.user_id
    _refuse_others(actor, wanted)
    user_id = canonical(wanted)
    if user_id is None:
        raise Invalid({"user_id": ["Must be a UUID in its canonical form."]})
    return user_id


def _refuse_others(actor: Actor, wanted: str) -> None:
    """Raises: Forbidden, unless an admin asks, or somebody of themself."""
    if not actor.has_role(ADMIN) and wanted != str(actor.user_id):
        raise Forbidden


def _new_order(user_id: UUID, command: CreateOrder) -> NewOrder:
    lines = [NewLine(i.sku, i.name, i.quantity, i.unit_price) for i in command.items]
    return NewOrder(user_id, command.currency, command.total, lines)
