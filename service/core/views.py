"""What all answers share: how instants are written."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema


def rfc3339(moment: datetime) -> str:
    """``moment`` in UTC with microseconds and ``Z`` (RFC 3339 §5.6)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class View(BaseModel):
    """What goes out. Only fields named here can ever leave the service."""

    model_config = ConfigDict(frozen=True)
