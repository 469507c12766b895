"""Commands and views of client secrets."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field

from service.clients.models import ClientSecret
from service.core.parsing import Command
from service.core.text import Email, Name, Whole
from service.core.views import Id, Instant, View

DAYS_MAX = 365


class CreateClientSecret(Command):
    """A secret for a service account; without ``expires_in_days`` it lasts until revoked."""

    expires_in_days: Annotated[Whole, Field(ge=1, le=DAYS_MAX)] | None = None

    @property
    def lifetime(self) -> timedelta | None:
        return None if self.expires_in_days is None else timedelta(days=self.expires_in_days)


class EnrolClient(Command):
    """A new service account; without an e-mail one that leads nowhere."""

    name: Name
    email: Email | None = None


class ClientSecretView(View):
    """A secret as admins see it; ``hint`` is its beginning."""

    id: Id
    client_id: Id
    hint: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None

    @classmethod
    def of(cls, secret: ClientSecret, **more: str) -> Self:
        return cls(
            id=str(secret.id),
            client_id=str(secret.user_id),  # type: ignore[attr-defined]  # made by the relation
            hint=secret.hint,
            created_at=secret.created_at,
            expires_at=secret.expires_at,
            last_used_at=secret.last_used_at,
            **more,
        )


class NewClientSecretView(ClientSecretView):
    """A secret just made; ``client_secret`` is the secret itself, told this once."""

    client_secret: str = Field(repr=False)


class ClientSecretList(View):
    """The secrets of an account, oldest first."""

    data: list[ClientSecretView]

    @classmethod
    def of(cls, secrets: Sequence[ClientSecret]) -> Self:
        return cls(data=[ClientSecretView.of(secret) for secret in secrets])
