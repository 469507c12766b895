"""What is told of client secrets: never the secret."""

from uuid import UUID

from service.core.events import Event

CREATED = "client_secret.created"
REVOKED = "client_secret.revoked"


def told(type_: str, user_id: UUID, client_secret_id: UUID) -> Event:
    """An event about one of a user's client secrets."""
    data = {"user_id": str(user_id), "client_secret_id": str(client_secret_id)}
    return Event(type_, f"users/{user_id}", data, user_id)
