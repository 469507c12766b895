"""Commands and views of roles."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints

from service.core.access import BUILT_IN_ROLES, ROLE_NAME
from service.core.parsing import Command
from service.core.text import clean_line, line_schema
from service.core.views import Instant, View
from service.roles.models import Role

RoleName = Annotated[str, StringConstraints(pattern=rf"^{ROLE_NAME.pattern}$")]

Description = Annotated[str, clean_line(255, least=0), line_schema(255, least=0)]


class CreateRole(Command):
    """A new role: lower-case letters, digits, ``_`` and ``-``, at most 50."""

    name: RoleName
    description: Description | None = Field(default=None)


class RoleView(View):
    """A role as clients see it."""

    name: str
    description: str | None
    built_in: bool
    created_at: Instant

    @classmethod
    def of(cls, role: Role) -> Self:
        return cls(
            name=role.name,
            description=role.description,
            built_in=role.name in BUILT_IN_ROLES,
            created_at=role.created_at,
        )


class RoleList(View):
    """Every role, by name."""

    data: list[RoleView]
