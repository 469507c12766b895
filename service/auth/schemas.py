"""Commands and views of registration, log-in and tokens."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema

from service.api_keys.facts import KnownKey
from service.auth.access_tokens import AccessClaims
from service.auth.devices import device_of
from service.auth.models import Session
from service.core.errors import Invalid
from service.core.parsing import Command
from service.core.text import Flag
from service.core.views import Id, Instant, View
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


class ListSessions(Command):
    """Which sessions are wanted: live ones, and with ``ended`` those of the last 30 days too."""

    ended: Flag = False


class SessionView(View):
    """A log-in on one device. ``device`` is ``user_agent`` in plain words, which anybody can forge.

    ``current`` is the session that asks. ``last_used_at`` is true to a minute.
    """

    id: Id
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    device: str | None
    user_agent: str | None
    address: str | None
    current: bool
    ended_at: Instant | None
    ended_why: str | None

    @classmethod
    def of(cls, session: Session, *, current: UUID | None, now: datetime) -> Self:
        expired = session.ended_at is None and session.expires_at <= now
        return cls(
            id=str(session.id),
            created_at=session.created_at,
            last_used_at=session.last_used_at or session.rotated_at,  # 0.2.0 knew no better
            expires_at=session.expires_at,
            device=device_of(session.agent),
            user_agent=session.agent,
            address=session.address,
            current=session.id == current,
            ended_at=session.expires_at if expired else session.ended_at,
            ended_why="expired" if expired else session.ended_why,
        )


class SessionList(View):
    """Sessions, live ones first. ``more`` says that older ones were left out."""

    data: list[SessionView]
    more: bool


Parameter = Annotated[str, Field(max_length=4096)]
"""A parameter of OAuth: an empty one is as good as absent (RFC 6749 §3.2)."""
BasicPair = tuple[str, str]
"""A client's id and secret, as HTTP Basic has them."""


class IssueToken(Command):
    """A service account's log-in (RFC 6749 §4.4.2); parameters it does not know are passed over."""

    model_config = ConfigDict(extra="ignore")

    grant_type: Annotated[Secret, WithJsonSchema({"type": "string", "const": "client_credentials"})]
    client_id: Parameter = ""
    client_secret: Parameter = ""

    def client(self, basic: BasicPair | None) -> BasicPair:
        """The one pair that the client sent, here or by HTTP Basic.

        Raises:
            Invalid: it used two methods at once (RFC 6749 §2.3).
        """
        if basic is None:
            return self.client_id, self.client_secret
        if self.client_secret:
            raise Invalid({"client_secret": ["Must be sent once: here or by HTTP Basic."]})
        if self.client_id not in ("", basic[0]):
            raise Invalid({"client_id": ["Must be the one that HTTP Basic names."]})
        return basic


class ClientToken(View):
    """A service account's access token, good for ``expires_in`` seconds; then log in again."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name, no secret
    expires_in: int


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
    scope: str | None = None
    client_id: str | None = None

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

    @classmethod
    def of_key(cls, key: KnownKey, *, issuer: str, audience: str) -> Self:
        """Of an API key: ``client_id`` is the key's own id, for it stands for one program."""
        return cls(
            active=True,
            token_type="Bearer",  # noqa: S106  # the scheme's name, no secret
            sub=str(key.user_id),
            iss=issuer,
            aud=audience,
            iat=int(key.created_at.timestamp()),
            exp=int(key.expires_at.timestamp()) if key.expires_at else None,
            roles=sorted(key.roles),
            scope=" ".join(sorted(key.scopes)),
            client_id=str(key.id),
        )
