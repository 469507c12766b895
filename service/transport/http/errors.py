"""How refusals and bugs are answered."""

import math
import re
from asyncio import CancelledError
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sanic.exceptions import MethodNotAllowed, NotFound, SanicException
from sanic.handlers import ErrorHandler
from sanic.response import HTTPResponse

from service.core.errors import (
    EtagMismatch,
    InsufficientScope,
    Invalid,
    InvalidToken,
    Kind,
    Limited,
    Refusal,
    Unavailable,
)
from service.transport.bugs import log_bug
from service.transport.errors import BUG, INTERNAL_CODE, WIRE, Wire, wire
from service.transport.http.answers import JSON
from service.transport.http.cors import Cors
from service.transport.http.framing import Malformed
from service.transport.http.requests import Request
from service.transport.http.routes import METHODS, template

PROBLEM = "application/problem+json"
REALM = 'realm="arcana"'
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class RefusalBody(BaseModel):
    """What every refusal says. Switch on ``code``; it never changes. ``message`` is for people."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(description="The kind of failure, in words.")
    message: str = Field(description="What is wrong and how to mend it.")
    code: str = Field(description="A stable word for programs to switch on.")
    request_id: str = Field(description="Names this request in the service's logs.")
    errors: dict[str, list[str]] | None = Field(
        default=None, description="For code invalid_request: what is wrong, field by field."
    )


class ProblemBody(BaseModel):
    """The same as RFC 9457 says it, for callers that accept application/problem+json."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: dict[str, list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """All that the caller learns of what went wrong."""

    status: int
    error: str
    code: str
    message: str
    fields: dict[str, list[str]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_INTERNAL = Failure(BUG.http, BUG.error, INTERNAL_CODE, "An unexpected error occurred.")


def _by_sanic(status: int, kind: Kind, code: str, message: str) -> Failure:
    return Failure(status, WIRE[kind].error, code, message)


_OF_SANIC = {
    failure.status: failure
    for failure in (
        _by_sanic(400, Kind.INVALID, "invalid_request", "The request is not well-formed HTTP."),
        _by_sanic(404, Kind.NOT_FOUND, "not_found", "Nothing is at this address."),
        _by_sanic(405, Kind.NOT_ALLOWED, "method_not_allowed", "See Allow for what is offered."),
        _by_sanic(408, Kind.INVALID, "request_timeout", "The request took too long to arrive."),
        _by_sanic(
            413, Kind.TOO_LARGE, "too_large", "The request is larger than this service takes."
        ),
        _by_sanic(
            417, Kind.INVALID, "invalid_request", "Only 'Expect: 100-continue' is understood."
        ),
    )
}
"""Sanic's own refusals. Where CONTRACT §3 has no word for a status, the nearest one stands."""


class Errors(ErrorHandler):
    """Answers every exception in the contract's shape, and logs those that are bugs."""

    def __init__(self, cors: Cors) -> None:
        super().__init__()
        self._cors = cors

    def response(self, request: Request, exception: BaseException) -> HTTPResponse:
        if isinstance(exception, NotFound) and request.method not in METHODS:
            exception = MethodNotAllowed("", request.method, METHODS)
        if isinstance(exception, MethodNotAllowed):
            allowed = self._cors.preflight(request, exception.allowed_methods or ())
            if allowed is not None:
                return allowed
        failure = failure_of(exception)
        if failure is _INTERNAL:
            log_bug(exception, door="http", request_id=request.id, route=template(request))
        return present(failure, request)


def failure_of(exception: BaseException) -> Failure:
    """What a caller is told about ``exception``."""
    if isinstance(exception, Refusal):
        return _refused(exception, wire(exception))
    if isinstance(exception, CancelledError):
        return failure_of(Unavailable())
    if isinstance(exception, SanicException):
        return _refused_by_sanic(exception)
    return _INTERNAL


def _refused(refusal: Refusal, on_wire: Wire) -> Failure:
    fields = refusal.fields if isinstance(refusal, Invalid) and refusal.fields else None
    headers = _headers(refusal)
    return Failure(on_wire.http, on_wire.error, refusal.code, refusal.text, fields, headers)


def _headers(refusal: Refusal) -> dict[str, str]:
    if isinstance(refusal, (Limited, Unavailable)):
        return {"Retry-After": str(max(1, math.ceil(refusal.retry_after.total_seconds())))}
    if isinstance(refusal, EtagMismatch):
        return {"ETag": refusal.etag}
    if isinstance(refusal, InsufficientScope):
        return _challenge(refusal, f', scope="{refusal.needed}"' if refusal.needed else "")
    return _challenge(refusal) if refusal.kind is Kind.UNAUTHENTICATED else {}


def _challenge(refusal: Refusal, more: str = "") -> dict[str, str]:
    """RFC 6750 §3: a caller that sent no token hears of no error."""
    has_sent = isinstance(refusal, (InvalidToken, InsufficientScope))
    fault = f', error="{refusal.code}"' if has_sent else ""
    return {"WWW-Authenticate": f"{refusal.scheme} {REALM}{fault}{more}"}


def _refused_by_sanic(exception: SanicException) -> Failure:
    status = exception.status_code
    if status == 503:
        return failure_of(Unavailable())
    known = _OF_SANIC.get(status) or (_OF_SANIC[400] if 400 <= status < 500 else None)
    if known is None:
        return _INTERNAL
    if isinstance(exception, Malformed):
        return Failure(known.status, known.error, known.code, str(exception))
    if not isinstance(exception, MethodNotAllowed):
        return known
    allow = ", ".join(sorted(exception.allowed_methods or ()))
    return Failure(known.status, known.error, known.code, known.message, headers={"Allow": allow})


def present(failure: Failure, request: Request, **more: object) -> HTTPResponse:
    """``failure`` in the form that the caller accepts, and ``more`` beside it."""
    request.refused = failure.code
    facts: dict[str, Any] = {
        "code": failure.code,
        "request_id": request.id,
        "errors": failure.fields,
        **more,
    }
    body: BaseModel
    if _wants_problem(request):
        form = PROBLEM
        body = ProblemBody(
            title=failure.error, status=failure.status, detail=failure.message, **facts
        )
    else:
        form, body = JSON, RefusalBody(error=failure.error, message=failure.message, **facts)
    text = body.model_dump_json(exclude_none=True)
    return HTTPResponse(text, failure.status, dict(failure.headers), content_type=form)


def _wants_problem(request: Request) -> bool:
    """Whether the caller names the type and weighs it no less than JSON (RFC 9110 §12.5.1)."""
    weights: dict[str, float] = {}
    for item in ",".join(request.headers.getall("accept", [])).lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights[name] = _weight(parameters)
    return weights.get(PROBLEM, 0) > 0 and weights[PROBLEM] >= weights.get("application/json", 0)


def _weight(parameters: list[str]) -> float:
    """The weight among the parameters of a type (RFC 9110 §12.4.2); 0 for one that is none."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            return float(value) if _WEIGHT.fullmatch(value) else 0
    return 1
