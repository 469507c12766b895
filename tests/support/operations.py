"""Every operation of the service, with its name at either door: one table, read by both."""

from dataclasses import dataclass, field

import betterproto
from arcana_protos import (
    api_key,
    auth,
    client_secret,
    notification,
    order,
    role,
    user,
    webhook,
)
from betterproto.lib.google.protobuf import Empty

API = "/api/v1"


@dataclass(frozen=True)
class Operation:
    """One operation: its routes, the first of which calls use, and its gRPC method.

    Arguments named in ``path`` go there, those in ``query`` into the query, all others into the
    body. ``renamed`` says what gRPC calls an argument or a field that REST calls otherwise, and
    ``besides`` what REST's body has to say besides. Of one that is ``endless`` the first message
    is read, and then the caller leaves.
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
    besides: dict[str, str] = field(default_factory=dict)
    sparse: bool = False
    endless: bool = False

    @property
    def route(self) -> tuple[str, str]:
        method, path = self.routes[0].split()
        return method, path


def _named(*operations: Operation) -> dict[str, Operation]:
    return {operation.name: operation for operation in operations}


_LIST = frozenset({"page", "size", "status", "q", "cursor"})
_LIST_ORDERS = frozenset({"page", "size", "status", "user_id", "cursor"})

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
        "issue_token",
        (f"POST {API}/auth/token",),
        "/arcana.auth.AuthService/IssueToken",
        auth.IssueTokenRequest,
        auth.AccessTokenResponse,
        besides={"grant_type": "client_credentials"},
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
        "list_sessions",
        (f"GET {API}/users/{{user_id}}/sessions",),
        "/arcana.auth.AuthService/ListSessions",
        auth.ListSessionsRequest,
        auth.ListSessionsResponse,
        query=frozenset({"ended"}),
        renamed={"data": "sessions"},
    ),
    Operation(
        "revoke_session",
        (f"DELETE {API}/users/{{user_id}}/sessions/{{session_id}}",),
        "/arcana.auth.AuthService/RevokeSession",
        auth.RevokeSessionRequest,
        status=204,
    ),
    Operation(
        "revoke_other_sessions",
        (f"DELETE {API}/users/{{user_id}}/sessions",),
        "/arcana.auth.AuthService/RevokeOtherSessions",
        auth.RevokeOtherSessionsRequest,
        status=204,
    ),
    Operation(
        "change_password",
        (f"PUT {API}/users/{{user_id}}/password",),
        "/arcana.auth.AuthService/ChangePassword",
        auth.ChangePasswordRequest,
        status=204,
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
        "watch_users",
        rpc="/arcana.user.UserService/WatchUsers",
        request=user.WatchUsersRequest,
        response=user.UserEvent,
        streams=True,
        endless=True,
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
    Operation(
        "create_api_key",
        (f"POST {API}/users/{{user_id}}/api-keys",),
        "/arcana.api_key.ApiKeyService/CreateApiKey",
        api_key.CreateApiKeyRequest,
        api_key.NewApiKeyResponse,
        status=201,
    ),
    Operation(
        "list_api_keys",
        (f"GET {API}/users/{{user_id}}/api-keys",),
        "/arcana.api_key.ApiKeyService/ListApiKeys",
        api_key.ListApiKeysRequest,
        api_key.ListApiKeysResponse,
        renamed={"data": "keys"},
    ),
    Operation(
        "revoke_api_key",
        (f"DELETE {API}/users/{{user_id}}/api-keys/{{key_id}}",),
        "/arcana.api_key.ApiKeyService/RevokeApiKey",
        api_key.RevokeApiKeyRequest,
        status=204,
    ),
    Operation(
        "create_client_secret",
        (f"POST {API}/users/{{user_id}}/client-secrets",),
        "/arcana.client_secret.ClientSecretService/CreateClientSecret",
        client_secret.CreateClientSecretRequest,
        client_secret.NewClientSecretResponse,
        status=201,
    ),
    Operation(
        "list_client_secrets",
        (f"GET {API}/users/{{user_id}}/client-secrets",),
        "/arcana.client_secret.ClientSecretService/ListClientSecrets",
        client_secret.ListClientSecretsRequest,
        client_secret.ListClientSecretsResponse,
        renamed={"data": "secrets"},
    ),
    Operation(
        "revoke_client_secret",
        (f"DELETE {API}/users/{{user_id}}/client-secrets/{{secret_id}}",),
        "/arcana.client_secret.ClientSecretService/RevokeClientSecret",
        client_secret.RevokeClientSecretRequest,
        status=204,
    ),
    Operation(
        "create_order",
        (f"POST {API}/orders",),
        "/arcana.order.OrderService/CreateOrder",
        order.CreateOrderRequest,
        order.OrderResponse,
        status=201,
    ),
    Operation(
        "get_order",
        (f"GET {API}/orders/{{id}}",),
        "/arcana.order.OrderService/GetOrder",
        order.GetOrderRequest,
        order.OrderResponse,
    ),
    Operation(
        "list_orders",
        (f"GET {API}/orders",),
        "/arcana.order.OrderService/ListOrders",
        order.ListOrdersRequest,
        order.ListOrdersResponse,
        query=_LIST_ORDERS,
        renamed={"data": "orders"},
    ),
    Operation(
        "stream_orders",
        rpc="/arcana.order.OrderService/StreamOrders",
        request=order.ListOrdersRequest,
        response=order.OrderResponse,
        streams=True,
    ),
    Operation(
        "pay_order",
        (f"POST {API}/orders/{{id}}/pay",),
        "/arcana.order.OrderService/PayOrder",
        order.PayOrderRequest,
        order.OrderResponse,
    ),
    Operation(
        "ship_order",
        (f"POST {API}/orders/{{id}}/ship",),
        "/arcana.order.OrderService/ShipOrder",
        order.ShipOrderRequest,
        order.OrderResponse,
    ),
    Operation(
        "deliver_order",
        (f"POST {API}/orders/{{id}}/deliver",),
        "/arcana.order.OrderService/DeliverOrder",
        order.DeliverOrderRequest,
        order.OrderResponse,
    ),
    Operation(
        "cancel_order",
        (f"POST {API}/orders/{{id}}/cancel",),
        "/arcana.order.OrderService/CancelOrder",
        order.CancelOrderRequest,
        order.OrderResponse,
    ),
    Operation(
        "list_notifications",
        (f"GET {API}/users/{{user_id}}/notifications",),
        "/arcana.notification.NotificationService/ListNotifications",
        notification.ListNotificationsRequest,
        notification.ListNotificationsResponse,
        query=frozenset({"size", "cursor", "unread"}),
        renamed={"data": "notifications"},
    ),
    Operation(
        "count_unread",
        rpc="/arcana.notification.NotificationService/CountUnread",
        request=notification.CountUnreadRequest,
        response=notification.CountUnreadResponse,
    ),
    Operation(
        "mark_notification_read",
        (f"PUT {API}/users/{{user_id}}/notifications/{{notification_id}}/read",),
        "/arcana.notification.NotificationService/MarkRead",
        notification.MarkReadRequest,
        status=204,
    ),
    Operation(
        "mark_all_notifications_read",
        (f"PUT {API}/users/{{user_id}}/notifications/read",),
        "/arcana.notification.NotificationService/MarkAllRead",
        notification.MarkAllReadRequest,
        status=204,
    ),
    Operation(
        "delete_notification",
        (f"DELETE {API}/users/{{user_id}}/notifications/{{notification_id}}",),
        "/arcana.notification.NotificationService/DeleteNotification",
        notification.DeleteNotificationRequest,
        status=204,
    ),
    Operation(
        "create_webhook",
        (f"POST {API}/webhooks",),
        "/arcana.webhook.WebhookService/CreateWebhook",
        webhook.CreateWebhookRequest,
        webhook.NewWebhookResponse,
        status=201,
    ),
    Operation(
        "get_webhook",
        (f"GET {API}/webhooks/{{webhook_id}}",),
        "/arcana.webhook.WebhookService/GetWebhook",
        webhook.GetWebhookRequest,
        webhook.WebhookResponse,
    ),
    Operation(
        "list_webhooks",
        (f"GET {API}/webhooks",),
        "/arcana.webhook.WebhookService/ListWebhooks",
        Empty,
        webhook.ListWebhooksResponse,
        renamed={"data": "webhooks"},
    ),
    Operation(
        "update_webhook",
        (f"PATCH {API}/webhooks/{{webhook_id}}",),
        "/arcana.webhook.WebhookService/UpdateWebhook",
        webhook.UpdateWebhookRequest,
        webhook.WebhookResponse,
    ),
    Operation(
        "delete_webhook",
        (f"DELETE {API}/webhooks/{{webhook_id}}",),
        "/arcana.webhook.WebhookService/DeleteWebhook",
        webhook.DeleteWebhookRequest,
        status=204,
    ),
    Operation(
        "rotate_webhook_secret",
        (f"POST {API}/webhooks/{{webhook_id}}/rotate",),
        "/arcana.webhook.WebhookService/RotateWebhookSecret",
        webhook.RotateWebhookSecretRequest,
        webhook.NewWebhookResponse,
    ),
    Operation(
        "test_webhook",
        (f"POST {API}/webhooks/{{webhook_id}}/test",),
        "/arcana.webhook.WebhookService/TestWebhook",
        webhook.TestWebhookRequest,
        webhook.TestWebhookResponse,
    ),
    Operation(
        "list_webhook_deliveries",
        (f"GET {API}/webhooks/{{webhook_id}}/deliveries",),
        "/arcana.webhook.WebhookService/ListWebhookDeliveries",
        webhook.ListWebhookDeliveriesRequest,
        webhook.ListWebhookDeliveriesResponse,
        query=frozenset({"after", "size"}),
        renamed={"data": "deliveries"},
    ),
    Operation(
        "replay_webhook",
        (f"POST {API}/webhooks/{{webhook_id}}/replay",),
        "/arcana.webhook.WebhookService/ReplayWebhook",
        webhook.ReplayWebhookRequest,
        webhook.ReplayWebhookResponse,
    ),
)
