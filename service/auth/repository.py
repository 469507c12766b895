"""Named queries of signing in: accounts by e-mail, and sessions by id."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from tortoise.expressions import F, Q
from tortoise.functions import Coalesce

from service.auth.access_tokens import AccessClaims
from service.auth.devices import address_of, agent_of
from service.auth.events import ended, started
from service.auth.models import Session
from service.auth.refresh_tokens import RefreshClaim
from service.core.access import Actor
from service.core.clock import Clock, utc_now
from service.core.events import Publisher
from service.infra.cache.flights import Flights
from service.infra.changes import ChangeFeed
from service.infra.standings import Owned, Standings
from service.infra.touches import Touches
from service.users.models import User, UserStatus

REPLAY_WINDOW = timedelta(seconds=10)
"""How long the token just rotated may be presented again, by a client whose answer was lost."""
SALT_BYTES = 16
_TURNED = ("counter", "rotated_at", "ended_at", "expires_at")
_PATIENCE = 2.0
"""Seconds after which a refresh that waits for its twin goes its own way."""
_ROLE = "user__roles__name"
_ACCOUNT = ("user__status", "user__token_epoch", _ROLE)
KEPT_WHEN_DEAD = timedelta(days=30)
"""How long a session that ended or expired can still be looked at."""
CLEANED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Spans:
    """How long a session lasts: ``idle`` without a refresh, ``absolute`` whatever is done."""

    idle: timedelta
    absolute: timedelta

    def end(self, now: datetime, *, begun: datetime) -> datetime:
        """When a session used ``now`` expires."""
        return min(now + self.idle, begun + self.absolute)


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
    """Whether a live session and its user still are what an access token said."""

    user_id: UUID
    status: UserStatus
    epoch: int

    def still_backs(self, claims: AccessClaims) -> bool:
        """Whether a token with these claims, which has not expired, may still be taken.

        When the session expires is not asked: no token outlives it (``AccessTokens``), and a
        refresh, of which no change tells, moves it on.
        """
        same = (self.user_id, self.epoch) == (claims.user_id, claims.epoch)
        return same and self.status is UserStatus.ACTIVE

    @classmethod
    def presumed(cls, claims: AccessClaims) -> "Standing":
        """What a good token lets suppose of its session, while nobody can be asked."""
        return cls(claims.user_id, UserStatus.ACTIVE, claims.epoch)


class Backed(NamedTuple):
    """A session, and the account that it speaks for."""

    session: Session
    account: Account


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

    async def rehash(self, user_id: UUID, *, old: str, new: str) -> bool:
        """Replace a hash by a stronger one of the same password; False if it changed meanwhile."""
        return bool(await User.filter(id=user_id, password_hash=old).update(password_hash=new))


class SessionRepository:
    """Sessions: begun at log-in, advanced by refreshes, ended once and for all."""

    def __init__(
        self,
        spans: Spans,
        changes: ChangeFeed,
        touches: Touches,
        events: Publisher,
        clock: Clock = utc_now,
        *,
        fail_open: bool = False,
    ) -> None:
        """With ``fail_open`` tokens are taken as last known while nobody can be asked."""
        self._spans, self._changes, self._touches = spans, changes, touches
        self._events, self._clock = events, clock
        self._standings: Standings[Standing] = Standings(changes, fail_open=fail_open)
        self._flights: Flights[Backed] = Flights(patience=_PATIENCE)

    async def begin(
        self,
        user_id: UUID,
        caller: Actor,
        *,
        lifetime: timedelta | None = None,
        credential_id: UUID | None = None,
    ) -> Session:
        """A new session of ``caller``'s device, whose first refresh token has the number 0.

        One begun with a client secret names it, and has a ``lifetime`` of its own. Call it inside
        a transaction.
        """
        now = self._clock()
        session = await Session.create(
            user_id=user_id,
            salt=os.urandom(SALT_BYTES),
            rotated_at=now,
            expires_at=now + lifetime if lifetime else self._spans.end(now, begun=now),
            created_at=now,
            credential_id=credential_id,
            **_seen(caller, now),
        )
        await self._events.publish(started(session, user_id))
        return session

    async def joined(self, claim: RefreshClaim, turn: Callable[[], Awaitable[Backed]]) -> Backed:
        """What ``turn`` gives for a refresh token, done once for all who present it just now.

        However many they are in this worker, the database sees one of them.

        Raises:
            Whatever ``turn`` raises.
        """
        name = claim.session_id.bytes + claim.counter.to_bytes(4, "big") + claim.proof
        return await self._flights.join(name, turn) or await turn()

    async def find(self, session_id: UUID) -> Backed | None:
        """The session and the account that it speaks for, which shows no hash; one query."""
        rows = await Session.filter(id=session_id).values(
            *_TURNED, "id", "salt", "created_at", "user_id", *_ACCOUNT
        )
        if not rows or rows[0]["user__status"] is None:  # its user may just have gone
            return None
        row = rows[0]
        account = Account(
            user_id=UUID(str(row["user_id"])),
            password_hash=None,
            status=UserStatus(row["user__status"]),
            epoch=row["user__token_epoch"],
            roles=frozenset(each[_ROLE] for each in rows if each[_ROLE]),
        )
        told = {name: value for name, value in row.items() if name not in _ACCOUNT}
        return Backed(Session(**told), account)

    async def advance(self, session: Session, counter: int, caller: Actor) -> Turn:
        """Use up the refresh token numbered ``counter``: one conditional UPDATE decides who did.

        ``session`` is brought up to date with the row. Counters only rise, so a token that was
        not the current one when ``session`` was read needs no UPDATE to tell its fate.
        """
        now = self._clock()
        end = self._spans.end(now, begun=session.created_at)
        if _is_over(end, now):
            return Turn.DEAD
        if counter == session.counter:
            turned = await Session.filter(
                id=session.id, counter=counter, ended_at__isnull=True, expires_at__gt=now
            ).update(counter=F("counter") + 1, rotated_at=now, expires_at=end, **_seen(caller, now))
            if turned:
                session.counter, session.rotated_at, session.expires_at = counter + 1, now, end
                return Turn.ADVANCED
            rows = await Session.filter(id=session.id).values(*_TURNED)
            if not rows:  # deleted with its user a moment ago
                return Turn.DEAD
            session.update_from_dict(rows[0])
        return self._fate(session, counter, now)

    def _fate(self, session: Session, counter: int, now: datetime) -> Turn:
        if session.ended_at is not None or _is_over(session.expires_at, now):
            return Turn.DEAD
        if counter == session.counter - 1 and now - session.rotated_at <= REPLAY_WINDOW:
            return Turn.REPLAYED
        return Turn.REUSED if counter < session.counter else Turn.DEAD

    async def backs(self, claims: AccessClaims) -> bool:
        """Whether the session and the user that a good token names still stand behind it.

        A session seen lately costs no query: the change feed tells when it must be read again. A
        token of a later epoch is news, too: another worker made it after a change that this one
        has not heard of yet.

        Raises:
            Unavailable: nobody can tell.
        """
        standing = await self._standing(claims)
        if standing is not None and standing.epoch < claims.epoch:
            self._standings.forget(claims.session_id)
            standing = await self._standing(claims)
        return standing is not None and standing.still_backs(claims)

    async def _standing(self, claims: AccessClaims) -> Standing | None:
        return await self._standings.get(
            claims.session_id,
            claims.user_id,
            partial(self._read_standing, claims.session_id),
            Standing.presumed(claims),
        )

    async def _read_standing(self, session_id: UUID) -> Owned[Standing] | None:
        rows = await Session.filter(
            id=session_id, ended_at__isnull=True, expires_at__gt=self._clock()
        ).values("user_id", "user__status", "user__token_epoch")
        for row in rows:
            user_id, status = UUID(str(row["user_id"])), UserStatus(row["user__status"])
            return Owned(user_id, Standing(user_id, status, row["user__token_epoch"]))
        return None

    def note_use(self, session_id: UUID) -> None:
        """Note that an access token of the session is used now; no request waits for it."""
        self._touches.note(Session.Meta.table, session_id)

    async def end(self, session_id: UUID, why: str, *, of: UUID) -> bool:
        """End a session of the user ``of``; False when it had ended before, or is not theirs.

        Call it inside a transaction.
        """
        return bool(await self._end(of, why, id=session_id))

    async def end_all(self, user_id: UUID, why: str, *, besides: UUID | None = None) -> int:
        """End every live session of a user but ``besides``, and say how many there were.

        Call it inside a transaction.
        """
        others = {"id__not": besides} if besides else {}
        return await self._end(user_id, why, **others)

    async def _end(self, user_id: UUID, why: str, **which: UUID) -> int:
        """The user's row is locked first, so that the changes of one user commit in the order of
        their numbers: of two that end sessions at once, nobody may miss the earlier.
        """
        await User.filter(id=user_id).select_for_update().only("id").first()
        now = self._clock()
        live = Session.filter(user_id=user_id, ended_at__isnull=True, expires_at__gt=now, **which)
        ids = [UUID(str(row[0])) for row in await live.values_list("id")]
        if ids:
            mine = Session.filter(id__in=ids)
            await mine.update(ended_at=now, ended_why=why, updated_at=now)
            await self._changes.append(user_id, "sessions")
            await self._events.publish(ended(user_id, ids, why))
        return len(ids)

    async def end_begun_with(self, user_id: UUID, credential_id: UUID, why: str) -> int:
        """End every live session of a user that was begun with a client secret.

        Call it inside a transaction.
        """
        return await self._end(user_id, why, credential_id=credential_id)

    async def recent(self, user_id: UUID, *, ended: bool, at_most: int) -> list[Session]:
        """A user's live sessions, or those that ended or expired lately; the last used first."""
        now = self._clock()
        mine = Session.filter(user_id=user_id)
        if ended:
            since = now - KEPT_WHEN_DEAD
            expired = Q(ended_at__isnull=True, expires_at__gt=since, expires_at__lte=now)
            found = mine.filter(Q(ended_at__gt=since) | expired)
        else:
            found = mine.filter(ended_at__isnull=True, expires_at__gt=now)
        used = found.annotate(used_at=Coalesce("last_used_at", F("rotated_at")))
        return await used.order_by("-used_at", "-id").limit(at_most)

    async def live(self, user_id: UUID, session_id: UUID) -> Session | None:
        """That session, if it is the user's and live."""
        mine = Session.filter(id=session_id, user_id=user_id, ended_at__isnull=True)
        return await mine.filter(expires_at__gt=self._clock()).first()

    async def clean(self, at_most: int = CLEANED_AT_ONCE) -> bool:
        """Delete a batch of the sessions that expired ``KEPT_WHEN_DEAD`` ago; whether to go on.

        An ended one stays as long: while a token of it might come, its counter must be there to
        tell that it is no longer good, and its owner may ask what became of it.
        """
        dead = Session.filter(expires_at__lt=self._clock() - KEPT_WHEN_DEAD)
        ids = await dead.order_by("expires_at").limit(at_most).values_list("id", flat=True)
        if ids:
            await Session.filter(id__in=list(ids)).delete()
        return len(ids) == at_most


def _is_over(end: datetime, now: datetime) -> bool:
    """Whether nothing good until ``end`` can be made now: tokens count whole seconds."""
    return int(end.timestamp()) <= int(now.timestamp())


def _seen(caller: Actor, now: datetime) -> dict[str, Any]:
    """The columns that tell where and when a session was used last."""
    return {
        "agent": agent_of(caller),
        "address": address_of(caller),
        "last_used_at": now,
        "updated_at": now,
    }
