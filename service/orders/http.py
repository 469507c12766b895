"""The REST routes of orders."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.core.errors import Forbidden
from service.core.paging import Page
from service.orders.errors import OrderNotFound, OrderTransition
from service.orders.schemas import CreateOrder, ListOrders, OrderView
from service.orders.service import OrderService
from service.transport.http.answers import reply, reply_if_new, reply_page
from service.transport.http.bodies import json_body, query
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key, if_match
from service.transport.http.routes import API, READ, route
from service.users.errors import UserNotFound

MOVE_REFUSALS = (OrderNotFound, OrderTransition)


def orders_blueprint(orders: OrderService, guard: Guard) -> Blueprint:
    """Every route of orders."""
    blueprint = Blueprint("orders", API)
    _add_collection(blueprint, orders, guard)
    _add_own_moves(blueprint, orders, guard)
    _add_admins_moves(blueprint, orders, guard)
    return blueprint


def _add_collection(blueprint: Blueprint, orders: OrderService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/orders")
    @operation(
        "createOrder",
        "Make an order; an admin may make one for another user",
        OrderService.create,
        status=201,
        body=CreateOrder,
        view=OrderView,
        refusals=(Forbidden, UserNotFound),
    )
    async def create_order(request: Request) -> HTTPResponse:
        actor = await guard.actor(request)
        order = await orders.create(
            actor, json_body(request), idempotency_key=idempotency_key(request)
        )
        return reply(order, 201, {"Location": f"{API}/orders/{order.id}"})

    @route(blueprint, READ, "/orders")
    @operation(
        "listOrders",
        "List your own orders; an admin lists everybody's",
        OrderService.list,
        query=ListOrders,
        view=Page[OrderView],
        refusals=(Forbidden,),
    )
    async def list_orders(request: Request) -> HTTPResponse:
        return reply_page(await orders.list(await guard.actor(request), query(request)))

    @route(blueprint, READ, "/orders/<order_id>")
    @operation(
        "getOrder", "Read an order", OrderService.get, view=OrderView, refusals=(OrderNotFound,)
    )
    async def get_order(request: Request, order_id: str) -> HTTPResponse:
        return reply_if_new(request, await orders.get(await guard.actor(request), order_id))


def _add_own_moves(blueprint: Blueprint, orders: OrderService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/orders/<order_id>/pay")
    @operation(
        "payOrder",
        "Pay a pending order",
        OrderService.pay,
        view=OrderView,
        refusals=MOVE_REFUSALS,
    )
    async def pay_order(request: Request, order_id: str) -> HTTPResponse:
        actor, expected = await guard.actor(request), if_match(request)
        return reply(await orders.pay(actor, order_id, if_match=expected))

    @route(blueprint, ["POST"], "/orders/<order_id>/cancel")
    @operation(
        "cancelOrder",
        "Cancel an order that is not shipped yet",
        OrderService.cancel,
        view=OrderView,
        refusals=MOVE_REFUSALS,
    )
    async def cancel_order(request: Request, order_id: str) -> HTTPResponse:
        actor, expected = await guard.actor(request), if_match(request)
        return reply(await orders.cancel(actor, order_id, if_match=expected))


def _add_admins_moves(blueprint: Blueprint, orders: OrderService, guard: Guard) -> None:
    @route(blueprint, ["POST"], "/orders/<order_id>/ship")
    @operation(
        "shipOrder",
        "Ship a paid order",
        OrderService.ship,
        view=OrderView,
        refusals=MOVE_REFUSALS,
    )
    async def ship_order(request: Request, order_id: str) -> HTTPResponse:
        actor, expected = await guard.actor(request), if_match(request)
        return reply(await orders.ship(actor, order_id, if_match=expected))

    @route(blueprint, ["POST"], "/orders/<order_id>/deliver")
    @operation(
        "deliverOrder",
        "Deliver a shipped order",
        OrderService.deliver,
        view=OrderView,
        refusals=MOVE_REFUSALS,
    )
    async def deliver_order(request: Request, order_id: str) -> HTTPResponse:
        actor, expected = await guard.actor(request), if_match(request)
        return reply(await orders.deliver(actor, order_id, if_match=expected))
