#!/usr/bin/env python3
"""A directory that Arcana pushes its users to: python sync_receiver.py [PORT].

It keeps them in memory; a real one writes to its own database, and demands a client certificate.
"""

import asyncio
import ssl
import sys

from arcana_protos.sync import PushUserRequest, PushUserResponse, UserSyncServiceBase
from arcana_protos.user import UserResponse
from grpclib.server import Server


class Receiver(UserSyncServiceBase):
    """Of each user the state with the highest version; None for those that are gone.

    A deletion is final: ids are never given again, so a state that comes late brings nobody back.
    """

    def __init__(self) -> None:
        self.users: dict[str, UserResponse | None] = {}
        self.versions: dict[str, int] = {}

    async def push_user(self, message: PushUserRequest) -> PushUserResponse:
        user = message.user
        if message.deleted:
            self.users[user.id] = None
        elif not self.is_gone(user.id) and message.version > self.versions.get(user.id, 0):
            self.users[user.id] = user
            self.versions[user.id] = message.version
        return PushUserResponse()

    def is_gone(self, user_id: str) -> bool:
        return user_id in self.users and self.users[user_id] is None


async def main(port: int, tls: ssl.SSLContext | None = None) -> None:
    server = Server([Receiver()])
    await server.start("127.0.0.1", port, ssl=tls)
    print(f"A directory listens on {port}.", flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 7443))
