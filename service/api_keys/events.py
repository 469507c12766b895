"""What is told of API keys: never the key."""

from uuid import UUID

from service.core.events import Event

CREATED = "api_key.created"
REVOKED = "api_key.revoked"


def told(type_: str, user_id: UUID, api_key_id: UUID) -> Event:
    """An event about one of a user's API keys."""
    data = {"user_id": str(user_id), "api_key_id": str(api_key_id)}
    return Event(type_, f"users/{user_id}", data, user_id)
