"""Named queries over roles and who holds them."""

from uuid import UUID

from tortoise.exceptions import IntegrityError

from service.core.access import ROLE_NAME
from service.core.clock import Clock, utc_now
from service.infra.database import unique_violation
from service.roles.errors import RoleNotFound, RoleTaken
from service.roles.models import Role
from service.users.models import User


class RoleRepository:
    """Roles by name."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def all(self) -> list[Role]:
        return await Role.all().order_by("name")

    async def get(self, name: str, *, lock: bool = False) -> Role:
        """Raises: RoleNotFound, also for what can't be a role's name."""
        if not ROLE_NAME.fullmatch(name):
            raise RoleNotFound
        rows = Role.filter(name=name)
        role = await (rows.select_for_update() if lock else rows).first()
        if role is None:
            raise RoleNotFound
        return role

    async def add(self, name: str, description: str | None) -> Role:
        """Raises: RoleTaken."""
        now = self._clock()
        try:
            return await Role.create(
                name=name, description=description, created_at=now, updated_at=now
            )
        except IntegrityError as error:
            if unique_violation(error) is None:
                raise
            raise RoleTaken from None

    async def holders(self, role: Role) -> list[UUID]:
        """The ids of all users that hold the role."""
        return [row["id"] for row in await User.filter(roles__id=role.id).values("id")]

    async def delete(self, role: Role) -> None:
        """Delete the role and every grant of it."""
        await role.delete()
