"""Commands and views of registration, log-in and tokens."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field

from service.auth.access_tokens import AccessClaims
from service.core.parsing import Command
from service.core.views import View
from service.users.schemas import CreateUser

Secret = Annotated[str, Field(min_length=1, max_length=4096)]


class Register(CreateUser):
    """A new account for whoever asks."""


class Login(Command):
    """An e-mail and a password. Any text is taken: what can't be right is simply wrong."""

    email: Secret
    password: Secret


class Refresh(Command):
    """A refresh token to trade in."""

    refresh_token: Secret


class Introspect(Command):
    """A token to look into (RFC 7662 §2.1); parameters it does not know are passed over."""

    model_config = ConfigDict(extra="ignore")

    token: Secret
    token_type_hint: Annotated[str, Field(max_length=64)] | None = None


class TokenPair(View):
    """An access token, good for ``expires_in`` seconds, and the refresh token for the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name, no secret
    expires_in: int


class Introspection(View):
    """What a token is worth (RFC 7662 §2.2); of one that is worth nothing only ``active``."""

    active: bool
    token_type: Literal["Bearer"] | None = None
    sub: str | None = None
    sid: str | None = None
    jti: str | None = None
    iss: str | None = None
    aud: str | None = None
    iat: int | None = None
    exp: int | None = None
    roles: list[str] | None = None

    @classmethod
    def of(cls, claims: AccessClaims, *, issuer: str, audience: str) -> Self:
        return cls(
            active=True,
            token_type="Bearer",  # noqa: S106  # the scheme's name, no secret
            sub=str(claims.user_id),
            sid=str(claims.session_id),
            jti=claims.token_id,
            iss=issuer,
            aud=audience,
            iat=int(claims.issued_at.timestamp()),
            exp=int(claims.expires_at.timestamp()),
            roles=sorted(claims.roles),
        )
