"""The REST routes of API keys."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.api_keys.errors import ApiKeyLimit, ApiKeyNotFound
from service.api_keys.schemas import ApiKeyList, CreateApiKey, NewApiKeyView
from service.api_keys.service import ApiKeyService
from service.transport.http.answers import no_content, reply
from service.transport.http.bodies import json_body
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key
from service.transport.http.routes import API, READ, route
from service.users.errors import UserNotFound


def api_keys_blueprint(keys: ApiKeyService, guard: Guard) -> Blueprint:
    """Every route of API keys."""
    blueprint = Blueprint("api-keys", API)

    @route(blueprint, ["POST"], "/users/<user_id>/api-keys")
    @operation(
        "createApiKey",
        "Make an API key for a program of yours; this answer alone shows it",
        ApiKeyService.create,
        status=201,
        body=CreateApiKey,
        view=NewApiKeyView,
        refusals=(UserNotFound, ApiKeyLimit),
    )
    async def create_api_key(request: Request, user_id: str) -> HTTPResponse:
        actor, unkept = await guard.actor(request), idempotency_key(request)
        key = await keys.create(actor, user_id, json_body(request), repeat_key=unkept)
        return reply(key, 201, {"Location": f"{API}/users/{user_id}/api-keys/{key.id}"})

    @route(blueprint, READ, "/users/<user_id>/api-keys")
    @operation(
        "listApiKeys",
        "List a user's API keys, oldest first",
        ApiKeyService.list,
        view=ApiKeyList,
        refusals=(UserNotFound,),
    )
    async def list_api_keys(request: Request, user_id: str) -> HTTPResponse:
        return reply(await keys.list(await guard.actor(request), user_id))

    @route(blueprint, ["DELETE"], "/users/<user_id>/api-keys/<key_id>")
    @operation(
        "revokeApiKey",
        "End an API key",
        ApiKeyService.revoke,
        status=204,
        refusals=(UserNotFound, ApiKeyNotFound),
    )
    async def revoke_api_key(request: Request, user_id: str, key_id: str) -> HTTPResponse:
        await keys.revoke(await guard.actor(request), user_id, key_id)
        return no_content()

    return blueprint
