"""Commands and views of webhooks."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from service.core.destinations import URL_MAX, normal_url
from service.core.events import TYPE_PREFIX
from service.core.ids import canonical
from service.core.parsing import Command
from service.core.text import Number, Whole, clean_line, line_schema
from service.core.views import Id, Instant, VersionedView, View
from service.events.repository import Parked
from service.webhooks.models import Webhook, WebhookStatus

TYPES_MAX, TYPE_MAX = 20, 48
DESCRIPTION_MAX = 255
OVERLAP_DEFAULT, OVERLAP_MAX = 24, 168
"""Hours for which what is sent is signed with the old secret, too."""
POSITION_MAX = 2**63 - 1
SIZE_DEFAULT, SIZE_MAX = 20, 100
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _known_types(given: list[str]) -> list[str]:
    """Each once, in the order in which they came; none stands for all, and ``*`` for none."""
    bare = [type_.removeprefix(TYPE_PREFIX) for type_ in given if type_ != "*"]
    if any(len(type_) > TYPE_MAX or not _TYPE.fullmatch(type_) for type_ in bare):
        text = f"Must be types such as user.created or user.*, of up to {TYPE_MAX} characters."
        raise ValueError(text)
    return list(dict.fromkeys(bare)) if "*" not in given else []


def _instant(value: Any) -> Any:
    """RFC 3339 §5.6, as JSON writes an instant."""
    if not isinstance(value, str):
        return value
    if not _INSTANT.fullmatch(value):
        raise ValueError("Must be an instant such as 2026-03-14T15:09:26Z.")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Must be an instant such as 2026-03-14T15:09:26Z.") from None


def _event_id(value: str) -> str:
    if canonical(value) is None:
        raise ValueError("Must be the id of an event, a UUID in its canonical form.")
    return value


Url = Annotated[
    str,
    AfterValidator(normal_url),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": URL_MAX}),
]
Types = Annotated[
    list[str],
    Field(max_length=TYPES_MAX),
    AfterValidator(_known_types),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "pattern": rf"^(\*|{_TYPE.pattern})$", "maxLength": 48},
            "maxItems": TYPES_MAX,
            "description": "Types of events, or what they begin with such as user.*; none for all.",
        }
    ),
]
Description = Annotated[
    str, clean_line(DESCRIPTION_MAX, least=0), line_schema(DESCRIPTION_MAX, least=0)
]
Since = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
EventId = Annotated[
    str, AfterValidator(_event_id), WithJsonSchema({"type": "string", "format": "uuid"})
]


class CreateWebhook(Command):
    """An address to be told of events; without ``types`` of all."""

    url: Url
    description: Description = ""
    types: Types = Field(default_factory=list)


class UpdateWebhook(Command):
    """A change of the given fields. ``enabled`` also brings back a webhook that we gave up."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    url: Url = Field(default_factory=str)
    description: Description = Field(default_factory=str)
    types: Types = Field(default_factory=list)
    status: Literal["enabled", "disabled"] = Field(default_factory=lambda: "enabled")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("Give at least one field to change.")
        return self


class RotateWebhookSecret(Command):
    """For how many hours the old secret signs beside the new one; 0 for not at all."""

    overlap_hours: Annotated[Whole, Field(ge=0, le=OVERLAP_MAX)] = OVERLAP_DEFAULT

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.overlap_hours)


class ReplayWebhook(Command):
    """From where on all is told again; of several places the last one counts.

    Without any only what was given up is tried once more.
    """

    from_event: EventId | None = None
    from_position: Annotated[Whole, Field(ge=1, le=POSITION_MAX)] | None = None
    since: Since | None = None

    @property
    def is_of_the_dead(self) -> bool:
        return self.from_event is None and self.from_position is None and self.since is None


class ListDeliveries(Command):
    """Which part of the list is wanted."""

    after: Annotated[Number, Field(ge=0, le=POSITION_MAX)] = 0
    size: Annotated[Number, Field(ge=1, le=SIZE_MAX)] = SIZE_DEFAULT


class WebhookView(VersionedView):
    """A webhook as admins see it. ``error`` says why it is ``failing``."""

    id: Id
    url: str
    description: str
    types: list[str]
    status: WebhookStatus
    failing_since: Instant | None
    error: str | None
    previous_secret_until: Instant | None
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, row: Webhook, error: str | None = None, **more: str) -> Self:
        return cls(
            id=str(row.id),
            url=row.url,
            description=row.description,
            types=row.types.split(),
            status=row.status,
            failing_since=row.failing_since,
            error=error if row.status is WebhookStatus.FAILING else None,
            previous_secret_until=row.previous_until,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
            **more,
        )


class NewWebhookView(WebhookView):
    """A webhook with a new secret, which is told this once."""

    secret: str = Field(repr=False)


class WebhookList(View):
    """Every webhook, oldest first."""

    data: list[WebhookView]

    @classmethod
    def of(cls, rows: Sequence[Webhook], errors: Mapping[str, str]) -> Self:
        return cls(data=[WebhookView.of(row, errors.get(row.sink)) for row in rows])


class DeliveryView(View):
    """An event that a receiver has yet to take: ``waiting`` for another try at ``due_at``,
    ``behind`` another of its user's, or ``dead``."""

    event_id: Id
    position: int
    type: str
    subject: str
    happened_at: Instant
    state: str
    attempts: int
    due_at: Instant | None
    error: str | None

    @classmethod
    def of(cls, parked: Parked) -> Self:
        return cls(
            event_id=str(parked.told.id),
            position=parked.told.position,
            type=TYPE_PREFIX + parked.told.type,
            subject=parked.told.subject,
            happened_at=parked.told.at,
            state=parked.state.value,
            attempts=parked.attempts,
            due_at=parked.due_at if parked.state == "waiting" else None,
            error=parked.error,
        )


class DeliveryList(View):
    """A part of what a receiver has yet to take; more begins ``after`` what ``next_after`` says."""

    data: list[DeliveryView]
    next_after: int | None

    @classmethod
    def of(cls, parked: Sequence[Parked], size: int) -> Self:
        shown = [DeliveryView.of(each) for each in parked[:size]]
        more = len(parked) > size
        return cls(data=shown, next_after=shown[-1].position if more else None)


class ReplayView(View):
    """How many events are told again, and where the next replay begins if there is to be one."""

    replayed: int
    next_position: int | None


class WebhookTestView(View):
    """What a receiver said to a test: its ``status``, or in ``error`` why there is none.

    ``taken`` is what counts: whether an event would have been taken.
    """

    event_id: Id
    taken: bool
    status: int | None
    duration_ms: int
    error: str | None
