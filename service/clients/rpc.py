"""Client secrets over gRPC."""

from typing import Any

from arcana_protos import client_secret as pb
from betterproto.lib.google.protobuf import Empty

from service.clients.schemas import ClientSecretView
from service.clients.service import ClientService
from service.transport.rpc.call import actor, idempotency_key
from service.transport.rpc.messages import Handlers, present


class ClientsRpc(Handlers, pb.ClientSecretServiceBase):
    """``arcana.client_secret.ClientSecretService``."""

    def __init__(self, clients: ClientService) -> None:
        self._clients = clients

    async def create_client_secret(
        self, message: pb.CreateClientSecretRequest
    ) -> pb.NewClientSecretResponse:
        new, unkept = present(message, but=("user_id",)), idempotency_key()
        secret = await self._clients.create_secret(
            await actor(), message.user_id, new, repeat_key=unkept
        )
        return pb.NewClientSecretResponse(**_fields(secret), client_secret=secret.client_secret)

    async def list_client_secrets(
        self, message: pb.ListClientSecretsRequest
    ) -> pb.ListClientSecretsResponse:
        found = await self._clients.list_secrets(await actor(), message.user_id)
        shown = [pb.ClientSecretResponse(**_fields(secret)) for secret in found.data]
        return pb.ListClientSecretsResponse(secrets=shown)

    async def revoke_client_secret(self, message: pb.RevokeClientSecretRequest) -> Empty:
        await self._clients.revoke_secret(await actor(), message.user_id, message.secret_id)
        return Empty()


def _fields(view: ClientSecretView) -> dict[str, Any]:
    """What a secret shows of itself, new or old."""
    return {name: getattr(view, name) for name in ClientSecretView.model_fields}
