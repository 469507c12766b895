"""The REST routes of client secrets."""

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.clients.errors import ClientSecretLimit, ClientSecretNotFound, NotAServiceAccount
from service.clients.schemas import ClientSecretList, CreateClientSecret, NewClientSecretView
from service.clients.service import ClientService
from service.transport.http.answers import no_content, reply
from service.transport.http.bodies import json_body
from service.transport.http.guard import Guard
from service.transport.http.operations import operation
from service.transport.http.requests import Request, idempotency_key
from service.transport.http.routes import API, READ, route
from service.users.errors import UserNotFound


def clients_blueprint(clients: ClientService, guard: Guard) -> Blueprint:
    """Every route of client secrets."""
    blueprint = Blueprint("client-secrets", API)

    @route(blueprint, ["POST"], "/users/<user_id>/client-secrets")
    @operation(
        "createClientSecret",
        "Make a secret for a service account; this answer alone shows it",
        ClientService.create_secret,
        status=201,
        body=CreateClientSecret,
        view=NewClientSecretView,
        refusals=(UserNotFound, NotAServiceAccount, ClientSecretLimit),
    )
    async def create_client_secret(request: Request, user_id: str) -> HTTPResponse:
        actor, unkept = await guard.actor(request), idempotency_key(request)
        wanted = json_body(request) or b"{}"  # nothing in it is required
        secret = await clients.create_secret(actor, user_id, wanted, repeat_key=unkept)
        return reply(secret, 201, {"Location": f"{API}/users/{user_id}/client-secrets/{secret.id}"})

    @route(blueprint, READ, "/users/<user_id>/client-secrets")
    @operation(
        "listClientSecrets",
        "List a service account's secrets, oldest first",
        ClientService.list_secrets,
        view=ClientSecretList,
        refusals=(UserNotFound,),
    )
    async def list_client_secrets(request: Request, user_id: str) -> HTTPResponse:
        return reply(await clients.list_secrets(await guard.actor(request), user_id))

    @route(blueprint, ["DELETE"], "/users/<user_id>/client-secrets/<secret_id>")
    @operation(
        "revokeClientSecret",
        "End a secret, and the sessions begun with it",
        ClientService.revoke_secret,
        status=204,
        refusals=(UserNotFound, ClientSecretNotFound),
    )
    async def revoke_client_secret(request: Request, user_id: str, secret_id: str) -> HTTPResponse:
        await clients.revoke_secret(await guard.actor(request), user_id, secret_id)
        return no_content()

    return blueprint
