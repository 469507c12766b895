"""Named queries of signing in: accounts by e-mail, and sessions by id."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from tortoise.exceptions import DoesNotExist
from tortoise.expressions import F
from tortoise.queryset import QuerySet

from service.auth.access_tokens import AccessClaims
from service.auth.models import Session
from service.core.clock import Clock, utc_now
from service.infra.changes import ChangeFeed
from service.users.models import User, UserStatus

REPLAY_WINDOW = timedelta(seconds=10)
"""How long the token just rotated may be presented again, by a client whose answer was lost."""
SALT_BYTES = 16


class Turn(Enum):
    """What became of a refresh token presented with a given counter."""

    ADVANCED = auto()
    REPLAYED = auto()
    REUSED = auto()
    DEAD = auto()


@dataclass(frozen=True, slots=True)
class Account:
    """What signing in needs of a user."""

    user_id: UUID
    password_hash: str | None
    status: UserStatus
    epoch: int
    roles: frozenset[str]

    @property
    def may_sign_in(self) -> bool:
        return self.status is UserStatus.ACTIVE

    @classmethod
    def of(cls, user: User) -> "Account":
        roles = frozenset(role.name for role in user.roles)
        return cls(user.id, user.password_hash, user.status, user.token_epoch, roles)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a session and its user still are what an access token said."""

    user_id: UUID
    status: UserStatus
    epoch: int

    def still_backs(self, claims: AccessClaims) -> bool:
        """Whether a token with these claims may still be taken."""
        same = (self.user_id, self.epoch) == (claims.user_id, claims.epoch)
        return same and self.status is UserStatus.ACTIVE


class AccountRepository:
    """Accounts as log-in sees them."""

    async def find_by_email(self, email: str) -> Account | None:
        user = await User.filter(email=email).prefetch_related("roles").first()
        return Account.of(user) if user else None

    async def hold(self, user_id: UUID) -> Account | None:
        """The account as it is now, unchanged by anybody else until the commit."""
        locked = User.filter(id=user_id).select_for_update()
        user = await locked.prefetch_related("roles").first()
        return Account.of(user) if user else None

    async def rehash(self, user_id: UUID, *, old: str, new: str) -> None:
        """Replace a hash by a stronger one of the same password, unless it changed meanwhile."""
        await User.filter(id=user_id, password_hash=old).update(password_hash=new)


class SessionRepository:
    """Sessions: begun at log-in, advanced by refreshes, ended once and for all."""

    def __init__(self, lifetime: timedelta, changes: ChangeFeed, clock: Clock = utc_now) -> None:
        self._lifetime, self._changes, self._clock = lifetime, changes, clock

    async def begin(self, user_id: UUID) -> Session:
        """A new session, whose first refresh token has the number 0."""
        now = self._clock()
        return await Session.create(
            user_id=user_id,
            salt=os.urandom(SALT_BYTES),
            rotated_at=now,
            expires_at=now + self._lifetime,
            created_at=now,
            updated_at=now,
        )

    async def find(self, session_id: UUID) -> Session | None:
        """The session with its user and the user's roles."""
        session = await Session.filter(id=session_id).prefetch_related("user__roles").first()
        still_whole = (
            session is not None and session.user is not None
        )  # its user may just have gone
        return session if still_whole else None

    async def advance(self, session: Session, counter: int) -> Turn:
        """Use up the refresh token numbered ``counter``: one conditional UPDATE decides who did.

        ``session`` is brought up to date with the row.
        """
        now = self._clock()
        turned = await Session.filter(
            id=session.id, counter=counter, ended_at__isnull=True, expires_at__gt=now
        ).update(
            counter=F("counter") + 1,
            rotated_at=now,
            expires_at=now + self._lifetime,
            updated_at=now,
        )
        try:
            await session.refresh_from_db(
                fields=["counter", "rotated_at", "ended_at", "expires_at"]
            )
        except DoesNotExist:  # deleted with its user a moment ago
            return Turn.DEAD
        return Turn.ADVANCED if turned else self._fate(session, counter, now)

    def _fate(self, session: Session, counter: int, now: datetime) -> Turn:
        if session.ended_at is not None or session.expires_at <= now:
            return Turn.DEAD
        if counter == session.counter - 1 and now - session.rotated_at <= REPLAY_WINDOW:
            return Turn.REPLAYED
        return Turn.REUSED if counter < session.counter else Turn.DEAD

    async def standing(self, session_id: UUID) -> Standing | None:
        """The standing of a live session's user; None when the session has ended or expired."""
        rows = await Session.filter(
            id=session_id, ended_at__isnull=True, expires_at__gt=self._clock()
        ).values("user_id", "user__status", "user__token_epoch")
        for row in rows:
            return Standing(
                UUID(str(row["user_id"])), UserStatus(row["user__status"]), row["user__token_epoch"]
            )
        return None

    async def end(self, session_id: UUID, why: str) -> bool:
        """End a session; False when it had ended before. Call it inside a transaction."""
        session = Session.filter(id=session_id)
        ended = bool(await self._end(session, why))
        if ended:
            owners = await session.values_list("user_id", flat=True)
            await self._changes.append_all([UUID(str(owner)) for owner in owners], "sessions")
        return ended

    async def end_all(self, user_id: UUID, why: str) -> int:
        """End every live session of a user, and say how many there were.

        Call it inside a transaction.
        """
        ended = await self._end(Session.filter(user_id=user_id), why)
        if ended:
            await self._changes.append(user_id, "sessions")
        return ended

    async def _end(self, sessions: QuerySet[Session], why: str) -> int:
        now = self._clock()
        return await sessions.filter(ended_at__isnull=True).update(
            ended_at=now, ended_why=why, updated_at=now
        )
