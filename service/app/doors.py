"""One worker with both doors over its services."""

import asyncio
import socket
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import version

from sanic import Blueprint

from config.settings import Settings
from service.api_keys.http import api_keys_blueprint
from service.api_keys.rpc import ApiKeysRpc
from service.app.outside import Outside
from service.app.relaying import Background
from service.app.services import Services, build
from service.auth.http import auth_blueprint
from service.auth.rpc import AuthRpc
from service.clients.http import clients_blueprint
from service.clients.rpc import ClientsRpc
from service.keys.http import keys_blueprint
from service.notifications.http import notifications_blueprint
from service.notifications.rpc import NotificationsRpc
from service.orders.http import orders_blueprint
from service.orders.rpc import OrdersRpc
from service.roles.http import roles_blueprint
from service.roles.rpc import RolesRpc
from service.transport.http.app import make_app
from service.transport.http.docs import docs_blueprint
from service.transport.http.guard import Guard
from service.transport.http.health import health_blueprint
from service.transport.http.requests import App
from service.transport.rpc.guard import Servable
from service.transport.rpc.server import RpcServer
from service.transport.rpc.tls import TlsFiles
from service.users.http import users_blueprint
from service.users.rpc import UsersRpc
from service.watching import Watching
from service.webhooks.http import webhooks_blueprint
from service.webhooks.rpc import WebhooksRpc

GRACE = timedelta(seconds=10)
"""How long calls under way may go on when the worker stops."""


def create_app(
    settings: Settings,
    outside: Outside | None = None,
    *,
    rpc_socket: socket.socket | None = None,
    name: str = "arcana",
) -> App:
    """One worker's application: REST by Sanic, and beside it in the same loop the gRPC server.

    Without ``rpc_socket``, a listening one, the gRPC door stays shut.
    """
    outside = outside or Outside.of(settings)
    services = build(settings, outside)
    app = make_app(name, cors_origins=settings.cors_origins)
    app.ctx.draining = draining = asyncio.Event()

    async def readiness() -> dict[str, bool]:
        return {"worker": False} if draining.is_set() else await outside.readiness()

    guard = Guard(services.auth.authenticate, map(str, settings.trusted_proxies))
    for blueprint in (
        *_nouns_at_rest(services, guard),
        health_blueprint(readiness, guard),
        docs_blueprint(version("arcana")),
    ):
        app.blueprint(blueprint)
    _attach_rpc(app, settings, outside, services, rpc_socket)
    return app


def _nouns_at_rest(services: Services, guard: Guard) -> list[Blueprint]:
    return [
        auth_blueprint(services.auth, services.sessions, guard),
        users_blueprint(services.users, guard),
        roles_blueprint(services.roles, guard),
        keys_blueprint(services.keys, guard),
        api_keys_blueprint(services.api_keys, guard),
        clients_blueprint(services.clients, guard),
        orders_blueprint(services.orders, guard),
        notifications_blueprint(services.notifications, guard),
        webhooks_blueprint(services.webhooks, guard),
    ]


def _nouns_at_grpc(services: Services) -> list[Servable]:
    return [
        UsersRpc(services.users, services.watches),
        RolesRpc(services.roles),
        AuthRpc(services.auth, services.sessions, services.users),
        ApiKeysRpc(services.api_keys),
        ClientsRpc(services.clients),
        OrdersRpc(services.orders),
        NotificationsRpc(services.notifications),
        WebhooksRpc(services.webhooks),
    ]


def _attach_rpc(
    app: App,
    settings: Settings,
    outside: Outside,
    services: Services,
    rpc_socket: socket.socket | None,
) -> None:
    watching = Watching(settings, outside, app)
    background = Background(outside, services, relays=settings.relay)

    async def start(app: App) -> None:
        await outside.connect()
        await outside.changes.start()
        outside.touches.start()
        await services.ring.start()
        app.ctx.services = services
        app.ctx.rpc = RpcServer(
            _nouns_at_grpc(services),
            authenticate=services.auth.authenticate,
            readiness=lambda: _all_answer(outside),
            trusted_proxies=map(str, settings.trusted_proxies),
            tls=tls_files(settings),
            on_leaving=services.tail.let_go,
        )
        if rpc_socket is not None:
            await app.ctx.rpc.start(sock=rpc_socket)
        watching.start()
        background.start()

    async def stop(app: App) -> None:
        async with AsyncExitStack() as closing:
            closing.push_async_callback(outside.close)
            closing.push_async_callback(services.ring.stop)
            closing.push_async_callback(watching.stop)
            closing.push_async_callback(background.stop)
            closing.push_async_callback(app.ctx.rpc.stop, GRACE)

    app.before_server_start(start)
    app.after_server_stop(stop)


def tls_files(settings: Settings) -> TlsFiles | None:
    """The certificate of the gRPC door; None when it is in plain text."""
    if settings.grpc_tls_cert is None or settings.grpc_tls_key is None:
        return None
    return TlsFiles(settings.grpc_tls_cert, settings.grpc_tls_key, settings.grpc_tls_client_ca)


async def _all_answer(outside: Outside) -> bool:
    return all((await outside.readiness()).values())
