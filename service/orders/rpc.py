"""Orders over gRPC."""

from collections.abc import AsyncIterator

from arcana_protos import order as pb

from service.core.paging import Page
from service.orders.schemas import OrderView
from service.orders.service import OrderService
from service.transport.rpc.call import actor, idempotency_key, if_match, tagged
from service.transport.rpc.messages import Handlers, closing, present


class OrdersRpc(Handlers, pb.OrderServiceBase):
    """``arcana.order.OrderService``."""

    def __init__(self, orders: OrderService) -> None:
        self._orders = orders

    async def create_order(self, message: pb.CreateOrderRequest) -> pb.OrderResponse:
        new = {**present(message), "items": [present(item) for item in message.items]}
        order = await self._orders.create(await actor(), new, idempotency_key=idempotency_key())
        return _to_order(tagged(order))

    async def get_order(self, message: pb.GetOrderRequest) -> pb.OrderResponse:
        return _to_order(tagged(await self._orders.get(await actor(), message.id)))

    async def list_orders(self, message: pb.ListOrdersRequest) -> pb.ListOrdersResponse:
        return _to_page(await self._orders.list(await actor(), _wanted(message)))

    async def stream_orders(self, message: pb.ListOrdersRequest) -> AsyncIterator[pb.OrderResponse]:
        async with closing(self._orders.stream(await actor(), _wanted(message))) as views:
            async for view in views:
                yield _to_order(view)

    async def pay_order(self, message: pb.PayOrderRequest) -> pb.OrderResponse:
        order = await self._orders.pay(await actor(), message.id, if_match=if_match())
        return _to_order(tagged(order))

    async def ship_order(self, message: pb.ShipOrderRequest) -> pb.OrderResponse:
        order = await self._orders.ship(await actor(), message.id, if_match=if_match())
        return _to_order(tagged(order))

    async def deliver_order(self, message: pb.DeliverOrderRequest) -> pb.OrderResponse:
        order = await self._orders.deliver(await actor(), message.id, if_match=if_match())
        return _to_order(tagged(order))

    async def cancel_order(self, message: pb.CancelOrderRequest) -> pb.OrderResponse:
        order = await self._orders.cancel(await actor(), message.id, if_match=if_match())
        return _to_order(tagged(order))


def _wanted(message: pb.ListOrdersRequest) -> dict[str, object]:
    """What is asked of a list: 0 and the empty cursor are as good as absent."""
    given = present(message)
    return {n: v for n, v in given.items() if v or n not in ("page", "size", "cursor")}


def _to_order(view: OrderView) -> pb.OrderResponse:
    return pb.OrderResponse(
        id=view.id,
        user_id=view.user_id,
        status=view.status.value,
        currency=view.currency,
        total=view.total,
        items=[pb.OrderItem(**item.model_dump()) for item in view.items],
        created_at=view.created_at,
        updated_at=view.updated_at,
    )


def _to_page(page: Page[OrderView]) -> pb.ListOrdersResponse:
    return pb.ListOrdersResponse(
        orders=[_to_order(view) for view in page.data],
        total=page.total,
        page=page.page,
        size=page.size,
        next_cursor=page.next_cursor,
    )
