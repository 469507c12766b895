#!/usr/bin/env python3
"""Keeps a copy of Arcana's users, exact whatever is cut off: python user_mirror.py HOST PORT ID.

It signs in as the service account ID, whose client secret it reads from its input, and prints what
changes.
"""

import asyncio
import sys
from contextlib import aclosing

from arcana_protos.client import ArcanaClient
from arcana_protos.user import UserEvent, UserResponse


class UserMirror:
    """Every user by id, once a snapshot has ended.

    Of two states of a user the one with the higher version is the newer. A snapshot shows
    everybody that there is: whom it did not show is gone. A user that was deleted while it ran
    may be shown, and then the deletion is told behind it.
    """

    def __init__(self) -> None:
        self.users: dict[str, UserResponse] = {}
        self.versions: dict[str, int] = {}
        self._shown: set[str] = set()

    def apply(self, event: UserEvent) -> None:
        if event.kind == "snapshot_begin":
            self._shown = set()
        elif event.kind == "snapshot_end":
            for gone in self.users.keys() - self._shown:
                self._forget(gone)
        elif event.type == "user.deleted":
            self._forget(event.user_id)
        elif event.user is not None:
            if event.kind == "snapshot":
                self._shown.add(event.user_id)
            if event.version >= self.versions.get(event.user_id, 0):
                self.users[event.user_id] = event.user
                self.versions[event.user_id] = event.version

    def _forget(self, user_id: str) -> None:
        self.users.pop(user_id, None)
        self.versions.pop(user_id, None)


async def main(host: str, port: int, client_id: str, secret: str) -> None:
    mirror = UserMirror()
    async with ArcanaClient(host, port) as arcana:
        await arcana.log_in_as_client(client_id, secret)
        async with aclosing(arcana.watch_users(snapshot=True)) as events:
            async for event in events:
                mirror.apply(event)
                if event.type == "session.ended":
                    print("sessions", *event.session_ids, "ended:", event.why)
                elif event.kind in ("snapshot_end", "event"):
                    print(event.kind, event.type, event.user_id, len(mirror.users), "users")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.stdin.readline().strip()))
