"""Commands and views of API keys."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, WithJsonSchema

from service.api_keys.models import ApiKey
from service.core.parsing import Command
from service.core.scopes import SCOPES
from service.core.text import Whole, clean_line
from service.core.views import Id, Instant, View

DAYS_MAX = 365
NAME_MAX = 100


def _known_scopes(given: list[str]) -> list[str]:
    if not given:
        raise ValueError("Give at least one scope.")
    if not SCOPES.keys() >= set(given):
        raise ValueError(f"Unknown scope. Known: {', '.join(SCOPES)}.")
    return [scope for scope in SCOPES if scope in given]


KeyName = Annotated[
    str,
    clean_line(NAME_MAX),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": NAME_MAX}),
]
Scopes = Annotated[
    list[str],
    Field(max_length=len(SCOPES)),
    AfterValidator(_known_scopes),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "enum": list(SCOPES)},
            "minItems": 1,
            "maxItems": len(SCOPES),
        }
    ),
]
Days = Annotated[Whole, Field(ge=1, le=DAYS_MAX)]


class CreateApiKey(Command):
    """A key for a program of one's own; without ``expires_in_days`` it lasts until revoked."""

    name: KeyName
    scopes: Scopes
    expires_in_days: Days | None = None

    @property
    def lifetime(self) -> timedelta | None:
        return None if self.expires_in_days is None else timedelta(days=self.expires_in_days)


class ApiKeyView(View):
    """A key as its owner and admins see it; ``hint`` is its beginning."""

    id: Id
    name: str
    hint: str
    scopes: list[str]
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None

    @classmethod
    def of(cls, row: ApiKey, **more: str) -> Self:
        return cls(
            id=str(row.id),
            name=row.name,
            hint=row.hint,
            scopes=row.scopes.split(),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            **more,
        )


class NewApiKeyView(ApiKeyView):
    """A key just made; ``key`` is the key itself, told this once."""

    key: str = Field(repr=False)


class ApiKeyList(View):
    """The keys of a user, oldest first."""

    data: list[ApiKeyView]

    @classmethod
    def of(cls, keys: Sequence[ApiKey]) -> Self:
        return cls(data=[ApiKeyView.of(key) for key in keys])
