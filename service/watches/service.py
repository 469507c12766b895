"""The rules about watching users."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

from service.core import metrics
from service.core.access import ADMIN, SERVICE, SYSTEM, Actor, Role, allow
from service.core.parsing import Raw, parse
from service.core.scopes import EVENTS_READ
from service.users.service import UserService
from service.watches.errors import ResumeExpired
from service.watches.schemas import MessageKind, UserEventView, WatchUsers
from service.watches.tail import Events, Tail, refuse_gap
from service.watches.tokens import Place, ResumeTokens

SNAPSHOT_BATCH = 200


class UserWatchService:
    """Tells watchers what becomes of users. ``actor`` is who asks.

    A watcher that keeps of each user the state with the highest version, and forgets whom a
    snapshot did not show, has exactly the users that there are: the place from which events
    follow a snapshot is taken before its first user is read.
    """

    def __init__(
        self, users: UserService, events: Events, tail: Tail, tokens: ResumeTokens
    ) -> None:
        self._users, self._events, self._tail, self._tokens = users, events, tail, tokens

    @allow(Role(ADMIN), Role(SERVICE), scope=EVENTS_READ)
    def watch(self, actor: Actor, raw: Raw) -> AsyncIterator[UserEventView]:
        """What becomes of users from now on, or from where a token says; it never ends by itself.

        The first message comes at once, so that there is a token from the beginning.

        Raises:
            Invalid, ResumeExpired, Unavailable.
        """
        wanted = parse(WatchUsers, raw)
        place = self._tokens.open(wanted.resume_token) if wanted.resume_token else None
        return self._watch(wanted, place)

    async def _watch(self, wanted: WatchUsers, place: Place | None) -> AsyncIterator[UserEventView]:
        async with self._tail.followed():
            if place is None:
                place = Place(await self._events.top(), in_snapshot=wanted.snapshot)
                begins = MessageKind.SNAPSHOT_BEGIN if wanted.snapshot else MessageKind.HEARTBEAT
                yield self._sign(begins, place)
            else:
                await self._refuse_expired(place)
                yield self._sign(MessageKind.HEARTBEAT, place)
            if place.in_snapshot:
                async for view in self._snapshot(place):
                    yield view
                place = Place(place.position)
                yield self._sign(MessageKind.SNAPSHOT_END, place)
            async for view in self._changes(place.position, wanted):
                yield view

    async def _refuse_expired(self, place: Place) -> None:
        """Raises: ResumeExpired, also for a place in a history that is not this database's."""
        top = await self._events.top()
        if place.position == top:
            return
        rows = await self._events.after(place.position, 1)
        if not rows:
            raise ResumeExpired
        refuse_gap(place.position, rows)

    async def _snapshot(self, place: Place) -> AsyncIterator[UserEventView]:
        """Every user that follows ``place.after``, in the order of ids."""
        more = True
        while more:
            self._tail.refuse_when_leaving()
            batch = await self._users.after(SYSTEM, place.after, SNAPSHOT_BATCH)
            for user in batch:
                place = replace(place, after=UUID(user.id))
                yield _sent(UserEventView.of_user(user, self._tokens.seal(place)))
            more = len(batch) == SNAPSHOT_BATCH

    async def _changes(self, position: int, wanted: WatchUsers) -> AsyncIterator[UserEventView]:
        """What follows ``position``, and a sign of life whenever nothing was told for a while."""
        clock, types = asyncio.get_running_loop().time, wanted.wanted
        due = clock() + wanted.heartbeat
        while True:
            found = await self._tail.after(position)
            for seen in found.events:
                if seen.type in types:
                    yield _sent(seen.view.after(self._tokens.seal(Place(seen.position))))
                    due = clock() + wanted.heartbeat
            position = found.position
            if clock() >= due:
                yield self._sign(MessageKind.HEARTBEAT, Place(position))
                due = clock() + wanted.heartbeat
            if found.is_last:
                await self._tail.news(position, due)

    def _sign(self, kind: MessageKind, place: Place) -> UserEventView:
        return _sent(UserEventView(kind=kind, resume_token=self._tokens.seal(place)))


def _sent(view: UserEventView) -> UserEventView:
    metrics.WATCH_MESSAGES.add(view.kind)
    return view
