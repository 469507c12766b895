"""What is told of sessions."""

from collections.abc import Sequence
from uuid import UUID

from service.auth.models import Session
from service.core.events import Event

STARTED = "session.started"
ENDED = "session.ended"


def started(session: Session, user_id: UUID) -> Event:
    """A session began."""
    data = {"user_id": str(user_id), "session_id": str(session.id)}
    return Event(STARTED, f"users/{user_id}", data, user_id)


def ended(user_id: UUID, session_ids: Sequence[UUID], why: str) -> Event:
    """Sessions ended, all at once and for one reason (``Session.ended_why``)."""
    ids = [str(session_id) for session_id in session_ids]
    data = {"user_id": str(user_id), "session_ids": ids, "why": why}
    return Event(ENDED, f"users/{user_id}", data, user_id)
