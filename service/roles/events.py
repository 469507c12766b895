"""What is told of roles."""

from service.core.events import Event
from service.roles.models import Role
from service.roles.schemas import RoleView

CREATED = "role.created"
DELETED = "role.deleted"


def told(type_: str, role: Role) -> Event:
    """An event about a role."""
    return Event.of(type_, f"roles/{role.name}", RoleView.of(role), None)
