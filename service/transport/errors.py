"""THE table: what each kind of refusal is called at either door."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from grpclib.const import Status

from service.core.errors import Kind, Refusal

INTERNAL_CODE = "internal"
"""The code of every bug: callers learn nothing else about it."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One kind of failure as REST and gRPC say it; ``error`` is the body's word for it."""

    http: HTTPStatus
    grpc: Status
    error: str


WIRE: Mapping[Kind, Wire] = MappingProxyType(
    {
        Kind.INVALID: Wire(HTTPStatus.BAD_REQUEST, Status.INVALID_ARGUMENT, "Bad Request"),
        Kind.UNAUTHENTICATED: Wire(HTTPStatus.UNAUTHORIZED, Status.UNAUTHENTICATED, "Unauthorized"),
        Kind.FORBIDDEN: Wire(HTTPStatus.FORBIDDEN, Status.PERMISSION_DENIED, "Forbidden"),
        Kind.NOT_FOUND: Wire(HTTPStatus.NOT_FOUND, Status.NOT_FOUND, "Not Found"),
        Kind.NOT_ALLOWED: Wire(
            HTTPStatus.METHOD_NOT_ALLOWED, Status.UNIMPLEMENTED, "Method Not Allowed"
        ),
        Kind.CONFLICT: Wire(HTTPStatus.CONFLICT, Status.ALREADY_EXISTS, "Conflict"),
        Kind.WRONG_STATE: Wire(HTTPStatus.CONFLICT, Status.FAILED_PRECONDITION, "Conflict"),
        Kind.PRECONDITION: Wire(
            HTTPStatus.PRECONDITION_FAILED,
            Status.FAILED_PRECONDITION,
            "Precondition Failed",
        ),
        Kind.TOO_LARGE: Wire(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            Status.RESOURCE_EXHAUSTED,
            "Payload Too Large",
        ),
        Kind.UNSUPPORTED: Wire(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            Status.UNIMPLEMENTED,
            "Unsupported Media Type",
        ),
        Kind.LIMITED: Wire(
            HTTPStatus.TOO_MANY_REQUESTS, Status.RESOURCE_EXHAUSTED, "Too Many Requests"
        ),
        Kind.UNAVAILABLE: Wire(
            HTTPStatus.SERVICE_UNAVAILABLE, Status.UNAVAILABLE, "Service Unavailable"
        ),
    }
)

BUG = Wire(HTTPStatus.INTERNAL_SERVER_ERROR, Status.INTERNAL, "Internal Server Error")
"""Whatever is not a refusal: logged with its request id, answered bare."""


def wire(refusal: Refusal) -> Wire:
    """How both doors answer ``refusal``."""
    return WIRE[refusal.kind]
