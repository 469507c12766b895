"""Roles over gRPC."""

from arcana_protos import role as pb
from betterproto.lib.google.protobuf import Empty

from service.roles.schemas import RoleView
from service.roles.service import RoleService
from service.transport.rpc.call import actor, idempotency_key
from service.transport.rpc.messages import Handlers, present


class RolesRpc(Handlers, pb.RoleServiceBase):
    """``arcana.role.RoleService``."""

    def __init__(self, roles: RoleService) -> None:
        self._roles = roles

    async def list_roles(self, _message: Empty) -> pb.ListRolesResponse:
        found = await self._roles.list(await actor())
        return pb.ListRolesResponse(roles=[_to_role(view) for view in found.data])

    async def create_role(self, message: pb.CreateRoleRequest) -> pb.RoleResponse:
        new, key = present(message), idempotency_key()
        return _to_role(await self._roles.create(await actor(), new, idempotency_key=key))

    async def delete_role(self, message: pb.DeleteRoleRequest) -> Empty:
        await self._roles.delete(await actor(), message.name)
        return Empty()

    async def grant_role(self, message: pb.GrantRoleRequest) -> Empty:
        await self._roles.grant(await actor(), message.user_id, message.name)
        return Empty()

    async def revoke_role(self, message: pb.RevokeRoleRequest) -> Empty:
        await self._roles.revoke(await actor(), message.user_id, message.name)
        return Empty()


def _to_role(view: RoleView) -> pb.RoleResponse:
    return pb.RoleResponse(
        name=view.name,
        description=view.description,
        built_in=view.built_in,
        created_at=view.created_at,
    )
