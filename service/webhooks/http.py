"""The REST routes of webhooks."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.core.errors import Limited
from service.transport.http.answers import no_content, reply, reply_if_new
from service.transport.http.bodies import json_body, query
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key, if_match
from service.transport.http.routes import API, READ, route
from service.webhooks.errors import WebhookLimit, WebhookNotFound
from service.webhooks.schemas import (
    CreateWebhook,
    DeliveryList,
    ListDeliveries,
    NewWebhookView,
    ReplayView,
    ReplayWebhook,
    RotateWebhookSecret,
    UpdateWebhook,
    WebhookList,
    WebhookTestView,
    WebhookView,
)
from service.webhooks.service import WebhookService

ONE = "/webhooks/<webhook_id>"


def webhooks_blueprint(webhooks: WebhookService, guard: Guard) -> Blueprint:
    """Every route of webhooks."""
    blueprint = Blueprint("webhooks", API)
    _add_collection(blueprint, webhooks, guard)
    _add_one(blueprint, webhooks, guard)
    _add_secret_and_test(blueprint, webhooks, guard)
    _add_deliveries(blueprint, webhooks, guard)
    return blueprint


def _add_collection(blueprint: Blueprint, webhooks: WebhookService, guard: Guard) -> None:
    @route(blueprint, READ, "/webhooks")
    @operation(
        "listWebhooks", "List every webhook, oldest first", WebhookService.list, view=WebhookList
    )
    async def list_webhooks(request: Request) -> HTTPResponse:
        return reply(await webhooks.list(await guard.actor(request)))

    @route(blueprint, ["POST"], "/webhooks")
    @operation(
        "createWebhook",
        "Have an address told of events; this answer alone shows the signing secret",
        WebhookService.create,
        status=201,
        body=CreateWebhook,
        view=NewWebhookView,
        refusals=(WebhookLimit,),
    )
    async def create_webhook(request: Request) -> HTTPResponse:
        actor, unkept = await guard.actor(request), idempotency_key(request)
        webhook = await webhooks.create(actor, json_body(request), repeat_key=unkept)
        return reply(webhook, 201, {"Location": f"{API}/webhooks/{webhook.id}"})


def _add_one(blueprint: Blueprint, webhooks: WebhookService, guard: Guard) -> None:
    @route(blueprint, READ, ONE)
    @operation(
        "getWebhook",
        "Read a webhook",
        WebhookService.get,
        view=WebhookView,
        refusals=(WebhookNotFound,),
    )
    async def get_webhook(request: Request, webhook_id: str) -> HTTPResponse:
        return reply_if_new(request, await webhooks.get(await guard.actor(request), webhook_id))

    @route(blueprint, ["PATCH"], ONE)
    @operation(
        "updateWebhook",
        "Change a webhook; enabled again, it goes on where it was left",
        WebhookService.update,
        body=UpdateWebhook,
        view=WebhookView,
        refusals=(WebhookNotFound,),
    )
    async def update_webhook(request: Request, webhook_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        change, expected = json_body(request), if_match(request)
        return reply(await webhooks.update(actor, webhook_id, change, if_match=expected))

    @route(blueprint, ["DELETE"], ONE)
    @operation(
        "deleteWebhook",
        "Delete a webhook, and forget what it was not told",
        WebhookService.delete,
        status=204,
        refusals=(WebhookNotFound,),
    )
    async def delete_webhook(request: Request, webhook_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        await webhooks.delete(actor, webhook_id, if_match=if_match(request))
        return no_content()


def _add_secret_and_test(blueprint: Blueprint, webhooks: WebhookService, guard: Guard) -> None:
    @route(blueprint, ["POST"], f"{ONE}/rotate")
    @operation(
        "rotateWebhookSecret",
        "Give a webhook a new secret, which this answer alone shows; the old one signs on a while",
        WebhookService.rotate,
        body=RotateWebhookSecret,
        view=NewWebhookView,
        refusals=(WebhookNotFound,),
    )
    async def rotate_webhook_secret(request: Request, webhook_id: str) -> HTTPResponse:
        actor, unkept = await guard.actor(request), idempotency_key(request)
        wanted = json_body(request)
        return reply(await webhooks.rotate(actor, webhook_id, wanted, repeat_key=unkept))

    @route(blueprint, ["POST"], f"{ONE}/test")
    @operation(
        "testWebhook",
        "Send a signed test event at once, and say how it went",
        WebhookService.test,
        view=WebhookTestView,
        refusals=(WebhookNotFound, Limited),
    )
    async def test_webhook(request: Request, webhook_id: str) -> HTTPResponse:
        return reply(await webhooks.test(await guard.actor(request), webhook_id))


def _add_deliveries(blueprint: Blueprint, webhooks: WebhookService, guard: Guard) -> None:
    @route(blueprint, READ, f"{ONE}/deliveries")
    @operation(
        "listWebhookDeliveries",
        "List what a webhook has yet to take, or never will, by its place in the order",
        WebhookService.deliveries,
        query=ListDeliveries,
        view=DeliveryList,
        refusals=(WebhookNotFound,),
    )
    async def list_deliveries(request: Request, webhook_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        return reply(await webhooks.deliveries(actor, webhook_id, query(request)))

    @route(blueprint, ["POST"], f"{ONE}/replay")
    @operation(
        "replayWebhook",
        "Tell events again: from one of them, a position or an instant on; or what was given up",
        WebhookService.replay,
        body=ReplayWebhook,
        view=ReplayView,
        refusals=(WebhookNotFound,),
    )
    async def replay_webhook(request: Request, webhook_id: str) -> HTTPResponse:
        actor = await guard.actor(request)
        return reply(await webhooks.replay(actor, webhook_id, json_body(request)))
