"""Every operation of the service, with its name at either door: one table, read by both."""

from dataclasses import dataclass, field

import betterproto
from arcana_protos import auth, role, user
from betterproto.lib.google.protobuf import Empty

API = "/api/v1"


@dataclass(frozen=True)
class Operation:
    """One operation: its routes, the first of which calls use, and its gRPC method.

    Arguments named in ``path`` go there, those in ``query`` into the query, all others into the
    body. ``renamed`` says what gRPC calls an argument or a field that REST calls otherwise.
    """

    name: str
    routes: tuple[str, ...] = ()
    rpc: str = ""
    request: type[betterproto.Message] = Empty
    response: type[betterproto.Message] = Empty
    query: frozenset[str] = frozenset()
    streams: bool = False
    status: int = 200
    renamed: dict[str, str] = field(default_factory=dict)
    sparse: bool = False

    @property
    def route(self) -> tuple[str, str]:
        method, path = self.routes[0].split()
        return method, path


def _named(*operations: Operation) -> dict[str, Operation]:
    return {operation.name: operation for operation in operations}


_LIST = frozenset({"page", "size", "status", "q", "cursor"})

OPERATIONS = _named(
    Operation(
        "register",
        (f"POST {API}/auth/register",),
        "/arcana.auth.AuthService/Register",
        auth.RegisterRequest,
        user.UserResponse,
        status=201,
    ),
    Operation(
        "login",
        (f"POST {API}/auth/login",),
        "/arcana.auth.AuthService/Login",
        auth.LoginRequest,
        auth.TokenResponse,
    ),
    Operation(
        "refresh",
        (f"POST {API}/auth/refresh",),
        "/arcana.auth.AuthService/Refresh",
        auth.RefreshRequest,
        auth.TokenResponse,
    ),
    Operation(
        "logout",
        (f"POST {API}/auth/logout",),
        "/arcana.auth.AuthService/Logout",
        auth.LogoutRequest,
        query=frozenset({"all"}),
        status=204,
    ),
    Operation(
        "who_am_i",
        (f"GET {API}/auth/me", f"GET {API}/users/me"),
        "/arcana.auth.AuthService/WhoAmI",
        Empty,
        user.UserResponse,
    ),
    Operation("update_me", (f"PATCH {API}/users/me", f"PUT {API}/users/me")),
    Operation(
        "introspect",
        (f"POST {API}/auth/introspect",),
        "/arcana.auth.AuthService/Introspect",
        auth.IntrospectRequest,
        auth.IntrospectResponse,
        sparse=True,
    ),
    Operation(
        "list_users",
        (f"GET {API}/users",),
        "/arcana.user.UserService/ListUsers",
        user.ListUsersRequest,
        user.ListUsersResponse,
        query=_LIST,
        renamed={"q": "query", "data": "users"},
    ),
    Operation(
        "stream_users",
        rpc="/arcana.user.UserService/StreamUsers",
        request=user.ListUsersRequest,
        response=user.UserResponse,
        streams=True,
        renamed={"q": "query"},
    ),
    Operation(
        "create_user",
        (f"POST {API}/users",),
        "/arcana.user.UserService/CreateUser",
        user.CreateUserRequest,
        user.UserResponse,
        status=201,
    ),
    Operation(
        "get_user",
        (f"GET {API}/users/{{id}}",),
        "/arcana.user.UserService/GetUser",
        user.GetUserRequest,
        user.UserResponse,
    ),
    Operation(
        "update_user",
        (f"PATCH {API}/users/{{id}}", f"PUT {API}/users/{{id}}"),
        "/arcana.user.UserService/UpdateUser",
        user.UpdateUserRequest,
        user.UserResponse,
    ),
    Operation(
        "set_user_status",
        (f"PUT {API}/users/{{id}}/status",),
        "/arcana.user.UserService/SetUserStatus",
        user.SetUserStatusRequest,
        user.UserResponse,
    ),
    Operation(
        "delete_user",
        (f"DELETE {API}/users/{{id}}",),
        "/arcana.user.UserService/DeleteUser",
        user.DeleteUserRequest,
        status=204,
    ),
    Operation(
        "get_profile",
        (f"GET {API}/users/{{id}}/profile",),
        "/arcana.user.UserService/GetProfile",
        user.GetProfileRequest,
        user.ProfileResponse,
    ),
    Operation(
        "update_profile",
        (f"PATCH {API}/users/{{id}}/profile",),
        "/arcana.user.UserService/UpdateProfile",
        user.UpdateProfileRequest,
        user.ProfileResponse,
    ),
    Operation(
        "list_roles",
        (f"GET {API}/roles",),
        "/arcana.role.RoleService/ListRoles",
        Empty,
        role.ListRolesResponse,
        renamed={"data": "roles"},
    ),
    Operation(
        "create_role",
        (f"POST {API}/roles",),
        "/arcana.role.RoleService/CreateRole",
        role.CreateRoleRequest,
        role.RoleResponse,
        status=201,
    ),
    Operation(
        "delete_role",
        (f"DELETE {API}/roles/{{name}}",),
        "/arcana.role.RoleService/DeleteRole",
        role.DeleteRoleRequest,
        status=204,
    ),
    Operation(
        "grant_role",
        (f"PUT {API}/users/{{user_id}}/roles/{{name}}",),
        "/arcana.role.RoleService/GrantRole",
        role.GrantRoleRequest,
        status=204,
    ),
    Operation(
        "revoke_role",
        (f"DELETE {API}/users/{{user_id}}/roles/{{name}}",),
        "/arcana.role.RoleService/RevokeRole",
        role.RevokeRoleRequest,
        status=204,
    ),
)
