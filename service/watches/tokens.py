"""Resume tokens: where a watch goes on, sealed."""

import struct
from dataclasses import dataclass
from uuid import UUID

from service.core.errors import Invalid
from service.core.seals import Seals

_HEAD = struct.Struct(">BQ")
_CHANGES, _SNAPSHOT, _WITHIN = 1, 2, 3
"""Of what: events; a snapshot from its beginning; one from behind the user whose id follows."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a watcher has been told: every event up to ``position``.

    While ``in_snapshot``, users up to ``after`` have been told as well, and then come the events.
    """

    position: int
    in_snapshot: bool = False
    after: UUID | None = None


class ResumeTokens:
    """Turns a place into an opaque text and back."""

    def __init__(self, key: bytes, *previous: bytes) -> None:
        self._seals = Seals(key, *previous)

    def seal(self, place: Place) -> str:
        kind = (_WITHIN if place.after else _SNAPSHOT) if place.in_snapshot else _CHANGES
        rest = place.after.bytes if place.after else b""
        return self._seals.seal(_HEAD.pack(kind, place.position) + rest)

    def open(self, text: str) -> Place:
        """Raises: Invalid, when this service did not make it."""
        content = self._seals.open(text)
        if content is None or len(content) < _HEAD.size:
            raise Invalid({"resume_token": ["Must be a resume_token that this service gave."]})
        kind, position = _HEAD.unpack_from(content)
        after = UUID(bytes=content[_HEAD.size :]) if kind == _WITHIN else None
        return Place(position, kind != _CHANGES, after)
