"""Refusals: the failures a caller may see. Everything else is a bug."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import ClassVar


class Kind(Enum):
    """The few ways a request can fail; each door gives every kind a status."""

    INVALID = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()
    NOT_ALLOWED = auto()
    CONFLICT = auto()
    WRONG_STATE = auto()
    PRECONDITION = auto()
    TOO_LARGE = auto()
    UNSUPPORTED = auto()
    LIMITED = auto()
    UNAVAILABLE = auto()


class Refusal(Exception):
    """A failure the caller may see.

    ``code`` is what clients switch on and never changes once released; ``message`` says what is
    wrong and how to mend it, and never repeats what the caller sent. ``scheme`` is how REST asks
    the unauthenticated to authenticate (RFC 9110 §11.6.1).
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]
    message: ClassVar[str]
    scheme: ClassVar[str] = "Bearer"

    def __init__(self, message: str | None = None) -> None:
        self.text = message or self.message
        super().__init__(self.text)


class Invalid(Refusal):
    """The input breaks a rule; ``fields`` says which, field by field."""

    kind, code = Kind.INVALID, "invalid_request"
    message = "The request is not valid; see errors."

    def __init__(
        self, fields: Mapping[str, Sequence[str]] | None = None, message: str | None = None
    ) -> None:
        self.fields = {name: list(texts) for name, texts in (fields or {}).items()}
        super().__init__(message)


class MissingToken(Refusal):
    kind, code = Kind.UNAUTHENTICATED, "missing_token"
    message = "Authentication required: send 'Authorization: Bearer <access token>'."


class InvalidToken(Refusal):
    kind, code = Kind.UNAUTHENTICATED, "invalid_token"
    message = "The token is invalid, expired or revoked. Log in or refresh to get a new one."


class Forbidden(Refusal):
    kind, code = Kind.FORBIDDEN, "forbidden"
    message = "Insufficient permissions for this operation."


class InsufficientScope(Refusal):
    """The API key does not reach as far; one with ``needed`` would, or none when that is None."""

    kind, code = Kind.FORBIDDEN, "insufficient_scope"
    message = "API keys cannot be used for this. Sign in, and use an access token."

    def __init__(self, needed: str | None = None) -> None:
        self.needed = needed
        super().__init__(f"The API key lacks the scope {needed}." if needed else None)


class EtagMismatch(Refusal):
    """The row is not what the caller believes; ``etag`` is what it is now."""

    kind, code = Kind.PRECONDITION, "etag_mismatch"
    message = "It was changed since you read it. Read it again, then decide anew."

    def __init__(self, etag: str) -> None:
        self.etag = etag
        super().__init__()


class IdempotencyMismatch(Refusal):
    kind, code = Kind.WRONG_STATE, "idempotency_mismatch"
    message = "This Idempotency-Key was used for something else. Use a new one for each command."


class Limited(Refusal):
    """Too many tries; ``retry_after`` says how long to wait."""

    kind, code = Kind.LIMITED, "rate_limited"
    message = "Too many requests. Wait as long as Retry-After says, then try again."

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__()


class Unavailable(Refusal):
    """Something this service needs does not answer; ``retry_after`` says when to try again."""

    kind, code = Kind.UNAVAILABLE, "unavailable"
    message = "The service cannot answer right now. Try again shortly."

    def __init__(self, retry_after: timedelta = timedelta(seconds=1)) -> None:
        self.retry_after = retry_after
        super().__init__()
