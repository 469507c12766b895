"""What watches take and give."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from service.auth.events import ENDED, STARTED
from service.core.events import Told
from service.core.parsing import Command
from service.core.text import Number
from service.core.views import View
from service.users import events as of_users
from service.users.schemas import ProfileView, UserView

TYPES = (*of_users.TYPES, STARTED, ENDED)
"""What a watch tells of."""
GROUPS = tuple(dict.fromkeys(type_.partition(".")[0] + ".*" for type_ in TYPES))
HEARTBEAT, HEARTBEAT_MAX = 15, 60
"""Seconds after which a watcher of whom nothing is to be told hears that all is well."""


def _known(types: list[str]) -> list[str]:
    if not set(types) <= {*TYPES, *GROUPS}:
        raise ValueError(f"Must be among {', '.join((*GROUPS, *TYPES))}.")
    return types


class WatchUsers(Command):
    """What is to be told, and from where on; a ``heartbeat_seconds`` of 0 is the default."""

    resume_token: Annotated[str, Field(max_length=200)] = ""
    snapshot: bool = False
    types: Annotated[list[str], Field(max_length=32), AfterValidator(_known)] = Field(
        default_factory=list
    )
    heartbeat_seconds: Annotated[Number, Field(ge=0, le=HEARTBEAT_MAX)] = 0

    @property
    def heartbeat(self) -> int:
        return self.heartbeat_seconds or HEARTBEAT

    @property
    def wanted(self) -> frozenset[str]:
        """The types that are to be told, each by its name."""
        given = self.types or GROUPS
        return frozenset(t for t in TYPES if t in given or t.partition(".")[0] + ".*" in given)


class MessageKind(StrEnum):
    """What one message of a watch is."""

    SNAPSHOT_BEGIN = "snapshot_begin"
    SNAPSHOT = "snapshot"
    """A user as it is."""
    SNAPSHOT_END = "snapshot_end"
    EVENT = "event"
    HEARTBEAT = "heartbeat"


class UserEventView(View):
    """One message of a watch. ``resume_token`` is where to go on after it.

    Of two states of a user the one with the higher ``version`` is the newer.
    """

    kind: MessageKind
    type: str = ""
    id: str = ""
    at: datetime | None = None
    resume_token: str = ""
    user_id: str = ""
    user: UserView | None = None
    version: int = 0
    profile: ProfileView | None = None
    session_ids: list[str] = Field(default_factory=list)
    why: str = ""

    @classmethod
    def of_user(cls, user: UserView, resume_token: str) -> Self:
        """A user as it is, in a snapshot."""
        return cls(
            kind=MessageKind.SNAPSHOT,
            resume_token=resume_token,
            user_id=user.id,
            user=user,
            version=user.version,
        )

    @classmethod
    def of_event(cls, told: Told) -> Self:
        """What happened, without its token. Of a deleted user nothing is said but the id."""
        facts = told.facts()
        more = _of_session(facts) if "session" in told.type else _of_user(told.type, facts)
        return cls(
            kind=MessageKind.EVENT,
            type=told.type,
            id=str(told.id),
            at=told.at,
            user_id=str(told.user_id or ""),
            **more,
        )

    def after(self, resume_token: str) -> Self:
        return self.model_copy(update={"resume_token": resume_token})


def _of_session(facts: dict[str, Any]) -> dict[str, Any]:
    ids = facts["session_ids"] if "session_ids" in facts else [facts["session_id"]]
    return {"session_ids": ids, "why": facts.get("why", "")}


def _of_user(type_: str, facts: dict[str, Any]) -> dict[str, Any]:
    version = facts["version"]
    if type_ == of_users.DELETED:
        return {"version": version}
    profile = facts.pop("profile", None)
    told = ProfileView.model_validate({**profile, "version": version}) if profile else None
    return {"version": version, "user": UserView.model_validate(facts), "profile": told}
