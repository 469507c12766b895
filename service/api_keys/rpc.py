"""API keys over gRPC."""

from typing import Any

from arcana_protos import api_key as pb
from betterproto.lib.google.protobuf import Empty

from service.api_keys.schemas import ApiKeyView
from service.api_keys.service import ApiKeyService
from service.transport.rpc.call import actor, idempotency_key
from service.transport.rpc.messages import Handlers, present


class ApiKeysRpc(Handlers, pb.ApiKeyServiceBase):
    """``arcana.api_key.ApiKeyService``."""

    def __init__(self, keys: ApiKeyService) -> None:
        self._keys = keys

    async def create_api_key(self, message: pb.CreateApiKeyRequest) -> pb.NewApiKeyResponse:
        new, unkept = present(message, but=("user_id",)), idempotency_key()
        key = await self._keys.create(await actor(), message.user_id, new, repeat_key=unkept)
        return pb.NewApiKeyResponse(**_fields(key), key=key.key)

    async def list_api_keys(self, message: pb.ListApiKeysRequest) -> pb.ListApiKeysResponse:
        found = await self._keys.list(await actor(), message.user_id)
        return pb.ListApiKeysResponse(keys=[pb.ApiKeyResponse(**_fields(k)) for k in found.data])

    async def revoke_api_key(self, message: pb.RevokeApiKeyRequest) -> Empty:
        await self._keys.revoke(await actor(), message.user_id, message.key_id)
        return Empty()


def _fields(view: ApiKeyView) -> dict[str, Any]:
    """What a key shows of itself, new or old."""
    return {name: getattr(view, name) for name in ApiKeyView.model_fields}
