"""Versions of rows as entity tags, and what a caller demands of them (RFC 9110 §8.8.3, §13.1)."""

import re
from dataclasses import dataclass

from service.core.errors import EtagMismatch, Invalid

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\U0010ffff]*"'
_NEXT = re.compile(rf"[ \t]*({_TAG})?[ \t]*(?:,|\Z)")
LENGTH_MAX = 4096


def etag_of(version: int) -> str:
    """The strong entity tag of a row's version."""
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Precondition:
    """The versions that a change may be made to; without ``tags`` any will do."""

    tags: frozenset[str] | None = None

    @classmethod
    def read(cls, if_match: str | None) -> "Precondition":
        """What ``If-Match`` demands, its several values joined by commas; None demands nothing.

        Raises:
            Invalid: it is neither ``*`` nor a list of entity tags.
        """
        if if_match is None or if_match.strip(" \t") == "*":
            return cls()
        tags = entity_tags(if_match)
        if not tags:
            raise Invalid({"if-match": ['Must be * or entity tags, such as "7".']})
        return cls(frozenset(tags))

    def check(self, version: int) -> None:
        """Call it while the row is locked, so that what it finds stays so until the change.

        A weak tag never matches (RFC 9110 §13.1.1).

        Raises:
            EtagMismatch: the row has another version.
        """
        if self.tags is not None and etag_of(version) not in self.tags:
            raise EtagMismatch(etag_of(version))


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller holds this very representation already (RFC 9110 §13.1.2).

    A header that can't be read is passed over: the worst of it is an answer sent once more.
    """
    if if_none_match is None:
        return False
    if if_none_match.strip(" \t") == "*":
        return True
    return etag in {tag.removeprefix("W/") for tag in entity_tags(if_none_match)}


def entity_tags(text: str) -> list[str]:
    """The tags of a list; none when any of it is malformed. Empty elements are passed over."""
    tags, at = [], 0
    while at < len(text) <= LENGTH_MAX:
        found = _NEXT.match(text, at)
        if found is None:
            return []
        tags += [found[1]] if found[1] else []
        at = found.end()
    return tags
