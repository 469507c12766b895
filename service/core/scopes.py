"""What an API key may be let do: each scope names a resource and an action on it."""

USERS_READ, USERS_WRITE = "users:read", "users:write"
ROLES_READ, ROLES_WRITE = "roles:read", "roles:write"
ORDERS_READ, ORDERS_WRITE = "orders:read", "orders:write"
NOTIFICATIONS_READ, NOTIFICATIONS_WRITE = "notifications:read", "notifications:write"
TOKENS_INTROSPECT = "tokens:introspect"
WEBHOOKS_READ, WEBHOOKS_WRITE = "webhooks:read", "webhooks:write"
EVENTS_READ = "events:read"

SCOPES = {
    USERS_READ: "Read accounts and profiles; list and search them.",
    USERS_WRITE: "Make, change and delete accounts and profiles; set their status.",
    ROLES_READ: "List roles.",
    ROLES_WRITE: "Make and delete roles; grant and revoke them.",
    ORDERS_READ: "Read and list orders.",
    ORDERS_WRITE: "Make orders; pay, ship, deliver and cancel them.",
    NOTIFICATIONS_READ: "Read notifications, and count those that are unread.",
    NOTIFICATIONS_WRITE: "Mark notifications as read; delete them.",
    TOKENS_INTROSPECT: "Ask what a token is worth.",
    WEBHOOKS_READ: "List webhooks, and what they have yet to be told.",
    WEBHOOKS_WRITE: "Change, test, replay and delete webhooks.",
    EVENTS_READ: "Watch what becomes of accounts and sessions.",
}
"""Every scope, in words. A key does what its owner's roles allow, as far as its scopes go."""
