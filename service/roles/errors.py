"""What can be refused about roles."""

from service.core.errors import Kind, Refusal


class RoleNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "role_not_found", "Role not found."


class RoleTaken(Refusal):
    kind, code, message = Kind.CONFLICT, "role_taken", "A role of that name exists already."


class RoleBuiltIn(Refusal):
    kind, code = Kind.WRONG_STATE, "role_builtin"
    message = "Built-in roles cannot be deleted."
