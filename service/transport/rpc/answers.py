"""What a caller is told about a call that failed: status, code, and details machines can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

from arcana_protos import common
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase

from service.core.errors import EtagMismatch, Invalid, Refusal
from service.transport.errors import BUG, INTERNAL_CODE, wire
from service.transport.rpc.faults import Fault

DOMAIN = "arcana"
"""Whose words the codes are (google.rpc.ErrorInfo.domain)."""
_TYPE_URL = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a failed call ends. ``retry_after`` is in whole seconds; ``etag`` is the row's own."""

    status: Status
    code: str
    message: str
    errors: tuple[tuple[str, str], ...] = ()
    retry_after: int | None = None
    etag: str | None = None

    def trailers(self, request_id: str) -> dict[str, str]:
        """The metadata that ends the call, beside status, message and details."""
        trailers = {"x-request-id": request_id, "error-code": self.code}
        if self.retry_after is not None:
            trailers["retry-after"] = str(self.retry_after)
        if self.etag is not None:
            trailers["etag"] = self.etag
        return trailers

    def details(self, request_id: str) -> list[AnyMessage]:
        """The same for machines: google.rpc's words for it, and our own."""
        packed = [_pack(ErrorInfo(reason=self.code, domain=DOMAIN))]
        if self.errors:
            packed.append(_pack(_bad_request(self.errors)))
        if self.retry_after is not None:
            packed.append(_pack(RetryInfo(retry_delay=Duration(seconds=self.retry_after))))
        return [*packed, self._refusal(request_id)]

    def _refusal(self, request_id: str) -> AnyMessage:
        refusal = common.Refusal(
            code=self.code,
            message=self.message,
            request_id=request_id,
            errors=[common.FieldError(field=name, text=text) for name, text in self.errors],
            retry_after=self.retry_after,
        )
        return AnyMessage(type_url=f"{_TYPE_URL}arcana.common.Refusal", value=bytes(refusal))


BUG_ANSWER = Answer(BUG.grpc, INTERNAL_CODE, "internal")
"""All that a caller learns of a bug."""


def answer_to(error: Exception) -> Answer | None:
    """How a call ends that ``error`` broke; None when the error is a bug."""
    if isinstance(error, Refusal):
        return Answer(
            wire(error).grpc,
            error.code,
            error.text,
            _errors(error),
            _retry_after(error),
            error.etag if isinstance(error, EtagMismatch) else None,
        )
    if isinstance(error, Fault):
        return Answer(error.status, error.code, error.message)
    if isinstance(error, GRPCError):
        return Answer(error.status, error.status.name.lower(), error.message or "")
    return None


def _errors(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    if not isinstance(refusal, Invalid):
        return ()
    return tuple((name, text) for name, texts in refusal.fields.items() for text in texts)


def _retry_after(refusal: Refusal) -> int | None:
    wait = getattr(refusal, "retry_after", None)
    return max(1, ceil(wait.total_seconds())) if isinstance(wait, timedelta) else None


def _bad_request(errors: Sequence[tuple[str, str]]) -> BadRequest:
    violations = [BadRequest.FieldViolation(field=name, description=text) for name, text in errors]
    return BadRequest(field_violations=violations)


def _pack(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


class StatusDetails(StatusDetailsCodecBase):
    """Writes ``grpc-status-details-bin``; a server never reads one."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        written: bytes = RpcStatus(
            code=status.value, message=message or "", details=details
        ).SerializeToString()
        return written

    def decode(self, status: Status, message: str | None, data: bytes) -> Any:
        raise NotImplementedError
