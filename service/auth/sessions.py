"""The rules about looking at sessions and ending them."""

from collections.abc import Sequence
from uuid import UUID

from service.auth.errors import SessionNotFound
from service.auth.models import Session
from service.auth.repository import SessionRepository
from service.auth.schemas import ListSessions, SessionList, SessionView
from service.core.access import ADMIN, Actor, Role, Self, allow
from service.core.clock import Clock
from service.core.ids import canonical
from service.core.parsing import Raw, parse
from service.core.ports import Transactions
from service.users.service import UserService

SHOWN_MAX = 100
"""Live sessions that a list shows, and ended ones; of more, those used last, and the one that asks.
"""


class SessionService:
    """Who is signed in where. ``actor`` is who asks; every method states who may."""

    def __init__(
        self,
        users: UserService,
        sessions: SessionRepository,
        transactions: Transactions,
        clock: Clock,
    ) -> None:
        self._users, self._sessions = users, sessions
        self._begin, self._clock = transactions, clock

    @allow(Self("user_id"), Role(ADMIN), scope=None)
    async def list(self, actor: Actor, user_id: str, raw: Raw) -> SessionList:
        """A user's sessions, the live ones first, each kind by its last use.

        Raises:
            Invalid, UserNotFound.
        """
        wanted, owner = parse(ListSessions, raw), await self._owner(actor, user_id)
        views: list[SessionView] = []
        more = False
        for ended in (False, True) if wanted.ended else (False,):
            found = await self._sessions.recent(owner, ended=ended, at_most=SHOWN_MAX + 1)
            more = more or len(found) > SHOWN_MAX
            shown = found[:SHOWN_MAX]
            views += self._views(
                actor, shown if ended else await self._with_own(actor, owner, shown)
            )
        return SessionList(data=views, more=more)

    @allow(Self("user_id"), Role(ADMIN), scope=None)
    async def end(self, actor: Actor, user_id: str, session_id: str) -> None:
        """End a session; its tokens are refused everywhere within a second.

        Raises:
            UserNotFound, SessionNotFound.
        """
        owner, session = await self._owner(actor, user_id), canonical(session_id)
        async with self._begin():
            if session is None or not await self._sessions.end(session, "revoked", of=owner):
                raise SessionNotFound

    @allow(Self("user_id"), Role(ADMIN), scope=None)
    async def end_others(self, actor: Actor, user_id: str) -> None:
        """End every session of a user but the one that asks.

        Raises:
            UserNotFound.
        """
        owner = await self._owner(actor, user_id)
        async with self._begin():
            await self._sessions.end_all(owner, why="revoked", besides=actor.session_id)

    async def _with_own(
        self, actor: Actor, owner: UUID, shown: Sequence[Session]
    ) -> Sequence[Session]:
        """Uses are noted later, so the session that asks may seem to be used least lately."""
        if owner != actor.user_id or actor.session_id in (None, *(each.id for each in shown)):
            return [*shown]
        own = await self._sessions.live(owner, actor.session_id) if actor.session_id else None
        return [*shown[: SHOWN_MAX - 1], own] if own else [*shown]

    async def _owner(self, actor: Actor, user_id: str) -> UUID:
        """Raises: UserNotFound."""
        return UUID((await self._users.get(actor, user_id)).id)

    def _views(self, actor: Actor, found: Sequence[Session]) -> Sequence[SessionView]:
        now = self._clock()
        views = [SessionView.of(each, current=actor.session_id, now=now) for each in found]
        return sorted(views, key=lambda view: view.last_used_at, reverse=True)
