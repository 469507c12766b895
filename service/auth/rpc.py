"""Registration, log-in and tokens over gRPC."""

from arcana_protos import auth as pb
from arcana_protos.user import UserResponse
from betterproto.lib.google.protobuf import Empty

from service.auth.schemas import Introspection, SessionList, TokenPair
from service.auth.service import AuthService
from service.auth.sessions import SessionService
from service.transport.rpc.call import actor, idempotency_key, tagged, visitor
from service.transport.rpc.messages import Handlers, present
from service.users.rpc import to_user
from service.users.service import UserService


class AuthRpc(Handlers, pb.AuthServiceBase):
    """``arcana.auth.AuthService``."""

    def __init__(self, auth: AuthService, sessions: SessionService, users: UserService) -> None:
        self._auth, self._sessions, self._users = auth, sessions, users

    async def register(self, message: pb.RegisterRequest) -> UserResponse:
        new, key = present(message), idempotency_key()
        return to_user(tagged(await self._auth.register(visitor(), new, idempotency_key=key)))

    async def login(self, message: pb.LoginRequest) -> pb.TokenResponse:
        return _to_tokens(await self._auth.login(visitor(), present(message)))

    async def refresh(self, message: pb.RefreshRequest) -> pb.TokenResponse:
        return _to_tokens(await self._auth.refresh(visitor(), present(message)))

    async def issue_token(self, message: pb.IssueTokenRequest) -> pb.AccessTokenResponse:
        asked = {**present(message), "grant_type": "client_credentials"}
        token = await self._auth.issue_token(visitor(), asked)
        return pb.AccessTokenResponse(
            access_token=token.access_token,
            token_type=token.token_type,
            expires_in=token.expires_in,
        )

    async def logout(self, message: pb.LogoutRequest) -> Empty:
        await self._auth.logout(await actor(), everywhere=message.all)
        return Empty()

    async def who_am_i(self, _message: Empty) -> UserResponse:
        return to_user(tagged(await self._auth.who_am_i(await actor())))

    async def introspect(self, message: pb.IntrospectRequest) -> pb.IntrospectResponse:
        return _to_introspection(await self._auth.introspect(await actor(), present(message)))

    async def list_sessions(self, message: pb.ListSessionsRequest) -> pb.ListSessionsResponse:
        wanted = present(message, but=("user_id",))
        return _to_sessions(await self._sessions.list(await actor(), message.user_id, wanted))

    async def revoke_session(self, message: pb.RevokeSessionRequest) -> Empty:
        await self._sessions.end(await actor(), message.user_id, message.session_id)
        return Empty()

    async def revoke_other_sessions(self, message: pb.RevokeOtherSessionsRequest) -> Empty:
        await self._sessions.end_others(await actor(), message.user_id)
        return Empty()

    async def change_password(self, message: pb.ChangePasswordRequest) -> Empty:
        change = present(message, but=("user_id",))
        await self._users.change_password(await actor(), message.user_id, change)
        return Empty()


def _to_tokens(pair: TokenPair) -> pb.TokenResponse:
    return pb.TokenResponse(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        token_type=pair.token_type,
        expires_in=pair.expires_in,
    )


def _to_sessions(found: SessionList) -> pb.ListSessionsResponse:
    return pb.ListSessionsResponse(
        sessions=[pb.SessionResponse(**dict(view)) for view in found.data], more=found.more
    )


def _to_introspection(found: Introspection) -> pb.IntrospectResponse:
    return pb.IntrospectResponse(
        active=found.active,
        token_type=found.token_type,
        sub=found.sub,
        sid=found.sid,
        jti=found.jti,
        iss=found.iss,
        aud=found.aud,
        iat=found.iat,
        exp=found.exp,
        roles=found.roles or [],
        scope=found.scope,
        client_id=found.client_id,
    )
