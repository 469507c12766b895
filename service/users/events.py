"""What is told of users: each event holds the whole user as it is after the change."""

from typing import Any
from uuid import UUID

from service.core.events import Event
from service.users.facts import UserFacts
from service.users.models import ListedUser, User
from service.users.schemas import ProfileView, UserView

CREATED = "user.created"
UPDATED = "user.updated"
STATUS_CHANGED = "user.status_changed"
ROLES_CHANGED = "user.roles_changed"
PROFILE_UPDATED = "user.profile_updated"
PASSWORD_CHANGED = "user.password_changed"  # noqa: S105  # a type of event
DELETED = "user.deleted"
TYPES = (
    *(CREATED, UPDATED, STATUS_CHANGED, ROLES_CHANGED),
    *(PROFILE_UPDATED, PASSWORD_CHANGED, DELETED),
)


def subject_of(user_id: UUID) -> str:
    """What an event about a user is about."""
    return f"users/{user_id}"


def told(type_: str, user: User | ListedUser | UserFacts, **more: Any) -> Event:
    """An event about a user whose roles have been fetched, as it is by now, and ``more``.

    ``version`` tells which of two states is the newer one, also to whoever is told twice.
    """
    view = UserView.of(user)
    return Event.of(type_, subject_of(user.id), view, user.id, version=user.version, **more)


def told_profile(user: User, profile: ProfileView) -> Event:
    """An event about a user's changed profile, which it holds besides the user."""
    view = UserView.of(user)
    more = {"version": user.version, "profile": profile.model_dump(mode="json")}
    return Event.of(PROFILE_UPDATED, subject_of(user.id), view, user.id, **more)
