"""What all answers share: how instants are written, and which version of a row they show."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from service.core.preconditions import etag_of


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


class VersionedView(View):
    """What goes out of a row that has a version, which travels beside the fields, as ETag."""

    version: SkipJsonSchema[int] = Field(exclude=True)

    @property
    def etag(self) -> str:
        return etag_of(self.version)
