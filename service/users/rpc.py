"""Users over gRPC."""

from collections.abc import AsyncIterator

from arcana_protos import user as pb
from betterproto.lib.google.protobuf import Empty

from service.core.paging import Page
from service.transport.rpc.call import actor, idempotency_key, if_match, tagged
from service.transport.rpc.messages import (
    Handlers,
    calling,
    cleared,
    closing,
    hurried,
    present,
)
from service.users.schemas import ProfileView, UserView
from service.users.service import UserService
from service.watches.errors import WatchTooSlow
from service.watches.schemas import UserEventView
from service.watches.service import UserWatchService

TAKEN_WITHIN = 10.0
"""Seconds in which a watcher takes a message: less than the door bears with anybody."""


class UsersRpc(Handlers, pb.UserServiceBase):
    """``arcana.user.UserService``."""

    def __init__(self, users: UserService, watches: UserWatchService) -> None:
        self._users, self._watches = users, watches

    async def get_user(self, message: pb.GetUserRequest) -> pb.UserResponse:
        return to_user(tagged(await self._users.get(await actor(), message.id)))

    async def list_users(self, message: pb.ListUsersRequest) -> pb.ListUsersResponse:
        with calling(q="query"):
            return _to_page(await self._users.list(await actor(), _wanted(message)))

    async def stream_users(self, message: pb.ListUsersRequest) -> AsyncIterator[pb.UserResponse]:
        with calling(q="query"):
            views = self._users.stream(await actor(), _wanted(message))
        async with closing(views):
            async for view in views:
                yield to_user(view)

    @hurried(TAKEN_WITHIN, WatchTooSlow)
    async def watch_users(self, message: pb.WatchUsersRequest) -> AsyncIterator[pb.UserEvent]:
        views = self._watches.watch(await actor(), present(message))
        async with closing(views):
            async for view in views:
                yield _to_event(view)

    async def create_user(self, message: pb.CreateUserRequest) -> pb.UserResponse:
        new, key = present(message), idempotency_key()
        return to_user(tagged(await self._users.create(await actor(), new, idempotency_key=key)))

    async def update_user(self, message: pb.UpdateUserRequest) -> pb.UserResponse:
        change = present(message, but=("id",))
        user = await self._users.update(await actor(), message.id, change, if_match=if_match())
        return to_user(tagged(user))

    async def set_user_status(self, message: pb.SetUserStatusRequest) -> pb.UserResponse:
        change = present(message, but=("id",))
        user = await self._users.set_status(await actor(), message.id, change, if_match=if_match())
        return to_user(tagged(user))

    async def delete_user(self, message: pb.DeleteUserRequest) -> Empty:
        await self._users.delete(await actor(), message.id, if_match=if_match())
        return Empty()

    async def get_profile(self, message: pb.GetProfileRequest) -> pb.ProfileResponse:
        return _to_profile(tagged(await self._users.profile(await actor(), message.id)))

    async def update_profile(self, message: pb.UpdateProfileRequest) -> pb.ProfileResponse:
        change = cleared(present(message, but=("id",)))
        profile = await self._users.update_profile(
            await actor(), message.id, change, if_match=if_match()
        )
        return _to_profile(tagged(profile))


def _wanted(message: pb.ListUsersRequest) -> dict[str, object]:
    """What is asked of a list: 0 and the empty query and cursor are as good as absent."""
    given = {"page": message.page, "size": message.size}
    texts = {"q": message.query, "cursor": message.cursor}
    wanted = {name: value for name, value in {**given, **texts}.items() if value}
    return wanted if message.status is None else {**wanted, "status": message.status}


def to_user(view: UserView) -> pb.UserResponse:
    """A user as this door says it, in any service."""
    return pb.UserResponse(
        id=view.id,
        name=view.name,
        email=view.email,
        status=view.status.value,
        created_at=view.created_at,
        updated_at=view.updated_at,
        email_verified=view.email_verified,
        roles=view.roles,
    )


def _to_event(view: UserEventView) -> pb.UserEvent:
    return pb.UserEvent(
        kind=view.kind.value,
        type=view.type,
        id=view.id,
        at=view.at,
        resume_token=view.resume_token,
        user_id=view.user_id,
        user=to_user(view.user) if view.user else None,
        version=view.version,
        profile=_to_profile(view.profile) if view.profile else None,
        session_ids=view.session_ids,
        why=view.why,
    )


def _to_page(page: Page[UserView]) -> pb.ListUsersResponse:
    return pb.ListUsersResponse(
        users=[to_user(view) for view in page.data],
        total=page.total,
        page=page.page,
        size=page.size,
        next_cursor=page.next_cursor,
    )


def _to_profile(view: ProfileView) -> pb.ProfileResponse:
    return pb.ProfileResponse(
        user_id=view.user_id,
        avatar_url=view.avatar_url,
        bio=view.bio,
        phone=view.phone,
        updated_at=view.updated_at,
    )
