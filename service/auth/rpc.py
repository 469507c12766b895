"""Registration, log-in and tokens over gRPC."""

from arcana_protos import auth as pb
from arcana_protos.user import UserResponse
from betterproto.lib.google.protobuf import Empty

from service.auth.schemas import Introspection, TokenPair
from service.auth.service import AuthService
from service.transport.rpc.call import actor, idempotency_key, tagged, visitor
from service.transport.rpc.messages import Handlers, present
from service.users.rpc import to_user


class AuthRpc(Handlers, pb.AuthServiceBase):
    """``arcana.auth.AuthService``."""

    def __init__(self, auth: AuthService) -> None:
        self._auth = auth

    async def register(self, message: pb.RegisterRequest) -> UserResponse:
        new, key = present(message), idempotency_key()
        return to_user(tagged(await self._auth.register(visitor(), new, idempotency_key=key)))

    async def login(self, message: pb.LoginRequest) -> pb.TokenResponse:
        return _to_tokens(await self._auth.login(visitor(), present(message)))

    async def refresh(self, message: pb.RefreshRequest) -> pb.TokenResponse:
        return _to_tokens(await self._auth.refresh(visitor(), present(message)))

    async def logout(self, message: pb.LogoutRequest) -> Empty:
        await self._auth.logout(await actor(), everywhere=message.all)
        return Empty()

    async def who_am_i(self, _message: Empty) -> UserResponse:
        return to_user(tagged(await self._auth.who_am_i(await actor())))

    async def introspect(self, message: pb.IntrospectRequest) -> pb.IntrospectResponse:
        return _to_introspection(await self._auth.introspect(await actor(), present(message)))


def _to_tokens(pair: TokenPair) -> pb.TokenResponse:
    return pb.TokenResponse(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        token_type=pair.token_type,
        expires_in=pair.expires_in,
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
    )
