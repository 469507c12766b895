"""How calls fail, as clients of Arcana see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import betterproto
from betterproto.lib.google.protobuf import Any as AnyMessage
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.exceptions import StreamTerminatedError

from arcana_protos.common import Refusal

_REFUSAL = "arcana.common.Refusal"


class ArcanaError(Exception):
    """A call that failed. Switch on the class or on ``code``; ``message`` is for people.

    ``errors`` are the faults of single fields; ``retry_after`` is in seconds and None when
    waiting does not help; ``request_id`` is what the service logged the call under.
    """

    statuses: ClassVar[frozenset[Status]] = frozenset()

    def __init__(self, status: Status, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.status, self.code, self.message = status, refusal.code, refusal.message
        self.request_id, self.retry_after = refusal.request_id, refusal.retry_after
        self.errors: dict[str, list[str]] = {}
        for fault in refusal.errors:
            self.errors.setdefault(fault.field, []).append(fault.text)


class Invalid(ArcanaError):
    """The input breaks a rule; see ``errors``."""

    statuses = frozenset({Status.INVALID_ARGUMENT})


class Unauthenticated(ArcanaError):
    """Nobody signed in, or with a token or password that is not good."""

    statuses = frozenset({Status.UNAUTHENTICATED})


class Forbidden(ArcanaError):
    """Signed in, and may not."""

    statuses = frozenset({Status.PERMISSION_DENIED})


class NotFound(ArcanaError):
    """There is no such thing."""

    statuses = frozenset({Status.NOT_FOUND})


class Conflict(ArcanaError):
    """It is taken, or not in a state for this."""

    statuses = frozenset({Status.ALREADY_EXISTS, Status.FAILED_PRECONDITION})


class Limited(ArcanaError):
    """Too much or too often; see ``retry_after``."""

    statuses = frozenset({Status.RESOURCE_EXHAUSTED})


class Unavailable(ArcanaError):
    """The service cannot answer now; trying again helps."""

    statuses = frozenset({Status.UNAVAILABLE})


_CLASSES = {status: kind for kind in ArcanaError.__subclasses__() for status in kind.statuses}


@contextmanager
def typed_errors() -> Iterator[None]:
    """Raise what goes wrong with a call in the block as one of the classes of this module."""
    try:
        yield
    except GRPCError as error:
        raise _typed(error) from None
    except TimeoutError:
        refusal = Refusal(code="deadline_exceeded", message="No answer within the timeout.")
        raise ArcanaError(Status.DEADLINE_EXCEEDED, refusal) from None
    except (OSError, StreamTerminatedError) as error:
        refusal = Refusal(code="unavailable", message="The service cannot be reached.")
        raise Unavailable(Status.UNAVAILABLE, refusal) from error


def _typed(error: GRPCError) -> ArcanaError:
    refusal = error.details if isinstance(error.details, Refusal) else None
    if refusal is None:
        refusal = Refusal(code=error.status.name.lower(), message=error.message or "")
    return _CLASSES.get(error.status, ArcanaError)(error.status, refusal)


@dataclass(eq=False, repr=False)
class _RpcStatus(betterproto.Message):
    """google.rpc.Status, as far as it is read here."""

    details: list[AnyMessage] = betterproto.message_field(3)  # noqa: RUF009  # its way


class StatusDetails(StatusDetailsCodecBase):
    """Reads the Refusal out of ``grpc-status-details-bin``; None when there is none."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        raise NotImplementedError

    def decode(self, status: Status, message: str | None, data: bytes) -> Refusal | None:
        for detail in _RpcStatus().parse(data).details:
            if detail.type_url.rpartition("/")[2] == _REFUSAL:
                return Refusal().parse(detail.value)
        return None
