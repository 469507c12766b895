"""Commands and views of users."""

from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from service.core.clock import utc_now
from service.core.foreign_hashes import check_foreign
from service.core.paging import PAGE_MAX, SIZE_MAX, PageQuery
from service.core.parsing import Command
from service.core.text import Email, Name, Number, clean_line, line_schema, one_of, refuse_controls
from service.core.views import Id, Instant, VersionedView
from service.users.facts import ProfileFacts, UserFacts
from service.users.models import ListedUser, User, UserProfile, UserStatus
from service.users.passwords import Password, normal_password, refuse_familiar

BIO_MAX, URL_MAX, TERM_MAX = 1000, 500, 255


def _web_address(text: str) -> str:
    if not text.isascii() or any(c.isspace() for c in text):
        raise ValueError("Must be an http or https address, percent-encoded where needed.")
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it refuses a bad port
    except ValueError:
        raise ValueError("Must be an http or https address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("Must be an http or https address.")
    return text


def _paragraphs(text: str) -> str:
    refuse_controls(text, besides="\n\r\t")
    return text


def _past_instant(value: Any) -> Any:
    """An instant with its zone (RFC 3339), not in the future."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("Must be an instant, such as 2026-01-31T12:00:00Z.") from None
    if isinstance(instant, datetime) and (instant.tzinfo is None or instant > utc_now()):
        raise ValueError("Must have a zone and not be in the future.")
    return instant


def _something(self: Any, but: str = "") -> None:
    if not self.model_fields_set - {but}:
        raise ValueError("Give at least one field to change.")


Status = Annotated[UserStatus, one_of(UserStatus)]
WebAddress = Annotated[
    str,
    Field(max_length=URL_MAX),
    AfterValidator(_web_address),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": URL_MAX,
            "pattern": r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,4})?([/?#][!-~]*)?$",
        }
    ),
]
Bio = Annotated[
    str,
    Field(max_length=BIO_MAX),
    AfterValidator(_paragraphs),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": BIO_MAX,
            "pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
        }
    ),
]
Term = Annotated[str, clean_line(TERM_MAX, least=0), line_schema(TERM_MAX, least=0)]
Phone = Annotated[str, StringConstraints(max_length=20, pattern=r"^\+[1-9][0-9]{1,14}$")]
"""A telephone number as ITU-T E.164 writes it, with its plus sign."""
ForeignHash = Annotated[str, AfterValidator(check_foreign)]


ExternalId = Annotated[str, clean_line(255)]
"""Another system's name for a person."""
PastInstant = Annotated[datetime, BeforeValidator(_past_instant)]


class CreateUser(Command):
    """A new account."""

    name: Name
    email: Email
    password: Password

    @field_validator("password")
    @classmethod
    def _is_not_about_the_person(cls, password: str, others: ValidationInfo) -> str:
        refuse_familiar(password, others.data.get("email", ""), others.data.get("name", ""))
        return password


class UpdateUser(Command):
    """A change of the given fields. Whoever changes their own e-mail gives their password too."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["name"]}, {"required": ["email"]}]}
    )

    name: Name = Field(default_factory=str)
    email: Email = Field(default_factory=str)
    current_password: Annotated[str, Field(max_length=4096)] = Field(default_factory=str)

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        _something(self, but="current_password")
        return self


class ChangePassword(Command):
    """A new password, by whoever knows the current one."""

    current_password: Annotated[str, Field(max_length=4096)]
    password: Password

    @field_validator("password")
    @classmethod
    def _is_another(cls, password: str, others: ValidationInfo) -> str:
        if normal_password(others.data.get("current_password", "")) == password:
            raise ValueError("Must differ from the current one.")
        return password


class UpdateOwnUser(UpdateUser):
    """A change of one's own account; a new e-mail takes the password that is in force."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": ["name"]}, {"required": ["email"]}],
            "dependentRequired": {"email": ["current_password"]},
        }
    )


class SetStatus(Command):
    """A new status for an account."""

    status: Status


class ListUsers(PageQuery):
    """Which users are wanted: those of a status, those with ``q`` in name or e-mail."""

    status: Status | None = Field(default=None)
    q: Term | None = Field(default=None)


class StreamUsers(Command):
    """As ListUsers, but ``size`` 0 streams every match."""

    status: Status | None = None
    q: Term | None = None
    page: Annotated[Number, Field(ge=0, le=PAGE_MAX)] = 0
    size: Annotated[Number, Field(ge=0, le=SIZE_MAX)] = 0


class UpdateProfile(Command):
    """A change of the given fields of a profile; null clears one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    avatar_url: WebAddress | None = None
    bio: Bio | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        _something(self)
        return self


class ImportedProfile(UpdateProfile):
    """The profile of an imported person, which may be empty."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        return self


class ImportedUser(Command):
    """A person from another system, with the hash of their password if that system told it.

    ``id`` and ``updated_at`` are read over, so that what was exported can be imported.
    """

    name: Name
    email: Email
    status: Status = UserStatus.ACTIVE
    email_verified: bool = False
    password_hash: ForeignHash | None = Field(default=None, repr=False)
    profile: ImportedProfile | None = None
    roles: list[Annotated[str, Field(max_length=50)]] = Field(default_factory=list, max_length=50)
    external_id: ExternalId | None = None
    created_at: PastInstant | None = None
    id: str | None = None
    updated_at: str | None = None


class UserView(VersionedView):
    """A user as clients see it."""

    id: Id
    email: str
    name: str
    status: UserStatus
    email_verified: bool
    roles: list[str]
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, user: User | ListedUser | UserFacts) -> Self:
        """The view of a user whose roles have been fetched."""
        return cls(
            id=str(user.id),
            email=user.email,
            name=user.name,
            status=user.status,
            email_verified=user.email_verified,
            roles=sorted(role.name for role in user.roles),
            created_at=user.created_at,
            updated_at=user.updated_at,
            version=user.version,
        )


class ProfileView(VersionedView):
    """What a user tells about themselves; empty until something is told.

    Its version is the user's: one number says whether anything of a user has changed.
    """

    user_id: Id
    avatar_url: str | None = None
    bio: str | None = None
    phone: str | None = None
    updated_at: Instant | None = None

    @classmethod
    def of(cls, user: User | ProfileFacts, profile: UserProfile | ProfileFacts | None) -> Self:
        if profile is None:
            return cls(user_id=str(user.id), version=user.version)
        return cls(
            user_id=str(user.id),
            avatar_url=profile.avatar_url,
            bio=profile.bio,
            phone=profile.phone,
            updated_at=profile.updated_at,
            version=user.version,
        )
