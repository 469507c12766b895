"""The rules about roles."""

from service.core.access import ADMIN, BUILT_IN_ROLES, SYSTEM, Actor, Inside, Role, allow
from service.core.events import Publisher
from service.core.idempotency import Idempotency
from service.core.parsing import Raw, parse
from service.core.ports import Transactions
from service.core.scopes import ROLES_READ, ROLES_WRITE
from service.roles.errors import RoleBuiltIn, RoleTaken
from service.roles.events import CREATED, DELETED, told
from service.roles.repository import RoleRepository
from service.roles.schemas import CreateRole, RoleList, RoleView
from service.users.service import UserService


class RoleService:
    """The rules about roles. ``actor`` is who asks; every method states who may."""

    def __init__(
        self,
        roles: RoleRepository,
        users: UserService,
        transactions: Transactions,
        idempotency: Idempotency,
        publisher: Publisher,
    ) -> None:
        self._roles, self._users, self._begin = roles, users, transactions
        self._idempotency, self._events = idempotency, publisher

    @allow(Role(ADMIN), scope=ROLES_READ)
    async def list(self, actor: Actor) -> RoleList:
        """Every role, by name."""
        return RoleList(data=[RoleView.of(role) for role in await self._roles.all()])

    @allow(Role(ADMIN), scope=ROLES_WRITE)
    async def create(self, actor: Actor, raw: Raw, idempotency_key: str | None = None) -> RoleView:
        """Raises: Invalid, RoleTaken, IdempotencyMismatch."""
        command = parse(CreateRole, raw)
        async with self._idempotency.once(actor, idempotency_key, command, RoleView) as once:
            if once.is_first:
                async with self._begin():
                    role = await self._roles.add(command.name, command.description or None)
                    await self._events.publish(told(CREATED, role))
                    await once.keep(RoleView.of(role))
        return once.answer

    @allow(Role(ADMIN), scope=ROLES_WRITE)
    async def delete(self, actor: Actor, name: str) -> None:
        """Delete a role; whoever held it holds it no longer, nor do their access tokens.

        Raises:
            RoleNotFound, RoleBuiltIn.
        """
        if name in BUILT_IN_ROLES:
            raise RoleBuiltIn
        async with self._begin():
            role = await self._roles.get(name, lock=True)
            holders = await self._roles.holders(role)
            await self._users.outdate_tokens(SYSTEM, holders)  # first: grants lock users first, too
            await self._roles.delete(role)
            await self._users.tell_of_roles(SYSTEM, holders)
            await self._events.publish(told(DELETED, role))

    @allow(Role(ADMIN), scope=ROLES_WRITE)
    async def grant(self, actor: Actor, user_id: str, name: str) -> None:
        """Give a user a role; giving it again changes nothing.

        Raises:
            UserNotFound, RoleNotFound.
        """
        await self._users.get(SYSTEM, user_id)
        async with self._begin():
            role = await self._roles.get(name)
            await self._users.grant_role(actor, user_id, role.name)

    @allow(Role(ADMIN), scope=ROLES_WRITE)
    async def revoke(self, actor: Actor, user_id: str, name: str) -> None:
        """Take a role from a user; taking one it does not hold changes nothing.

        Raises:
            UserNotFound, RoleNotFound, LastAdmin.
        """
        await self._users.get(SYSTEM, user_id)
        await self._roles.get(name)
        await self._users.revoke_role(actor, user_id, name)

    @allow(Inside())
    async def make_built_in(self, actor: Actor) -> None:
        """Make the built-in roles that are missing."""
        present = {role.name for role in await self._roles.all()}
        for name, description in BUILT_IN_ROLES.items():
            if name not in present:
                try:
                    await self._roles.add(name, description)
                except RoleTaken:  # another instance started at the same moment
                    continue
