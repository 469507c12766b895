"""Both doors behind one small interface, so that a contract test is written once.

Every refusal that passes through here is held against the contract's shape (CONTRACT §3).
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints
from urllib.parse import quote

import betterproto
import grpc
import httpx
from arcana_protos import common
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from grpclib.client import Channel
from grpclib.const import Cardinality, Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.exceptions import GRPCError

from service.core.views import rfc3339
from tests.support.operations import OPERATIONS, Operation

TIMEOUT = 20.0
"""Seconds after which a call that hangs fails its test."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "invalid_request": (400, "INVALID_ARGUMENT", "Bad Request"),
    "missing_token": (401, "UNAUTHENTICATED", "Unauthorized"),
    "invalid_token": (401, "UNAUTHENTICATED", "Unauthorized"),
    "invalid_credentials": (401, "UNAUTHENTICATED", "Unauthorized"),
    "invalid_client": (401, "UNAUTHENTICATED", "Unauthorized"),
    "unsupported_grant_type": (400, "INVALID_ARGUMENT", "Bad Request"),
    "insufficient_scope": (403, "PERMISSION_DENIED", "Forbidden"),
    "forbidden": (403, "PERMISSION_DENIED", "Forbidden"),
    "registration_closed": (403, "PERMISSION_DENIED", "Forbidden"),
    "wrong_password": (403, "PERMISSION_DENIED", "Forbidden"),
    "user_not_found": (404, "NOT_FOUND", "Not Found"),
    "session_not_found": (404, "NOT_FOUND", "Not Found"),
    "key_not_found": (404, "NOT_FOUND", "Not Found"),
    "role_not_found": (404, "NOT_FOUND", "Not Found"),
    "api_key_not_found": (404, "NOT_FOUND", "Not Found"),
    "order_not_found": (404, "NOT_FOUND", "Not Found"),
    "notification_not_found": (404, "NOT_FOUND", "Not Found"),
    "client_secret_not_found": (404, "NOT_FOUND", "Not Found"),
    "webhook_not_found": (404, "NOT_FOUND", "Not Found"),
    "api_key_limit": (409, "FAILED_PRECONDITION", "Conflict"),
    "client_secret_limit": (409, "FAILED_PRECONDITION", "Conflict"),
    "webhook_limit": (409, "FAILED_PRECONDITION", "Conflict"),
    "not_a_service_account": (409, "FAILED_PRECONDITION", "Conflict"),
    "email_taken": (409, "ALREADY_EXISTS", "Conflict"),
    "role_taken": (409, "ALREADY_EXISTS", "Conflict"),
    "role_builtin": (409, "FAILED_PRECONDITION", "Conflict"),
    "key_in_use": (409, "FAILED_PRECONDITION", "Conflict"),
    "keys_changed": (409, "FAILED_PRECONDITION", "Conflict"),
    "keys_locked": (409, "FAILED_PRECONDITION", "Conflict"),
    "order_transition": (409, "FAILED_PRECONDITION", "Conflict"),
    "last_admin": (409, "FAILED_PRECONDITION", "Conflict"),
    "idempotency_mismatch": (409, "FAILED_PRECONDITION", "Conflict"),
    "etag_mismatch": (412, "FAILED_PRECONDITION", "Precondition Failed"),
    "resume_expired": (409, "FAILED_PRECONDITION", "Conflict"),
    "watch_too_slow": (429, "RESOURCE_EXHAUSTED", "Too Many Requests"),
    "rate_limited": (429, "RESOURCE_EXHAUSTED", "Too Many Requests"),
    "too_large": (413, "RESOURCE_EXHAUSTED", "Payload Too Large"),
    "unavailable": (503, "UNAVAILABLE", "Service Unavailable"),
    "internal": (500, "INTERNAL", "Internal Server Error"),
}
"""What each code is at either door, and the body's word for it, written down once more by hand."""


class Clear:
    """Stands for "empty this field": null at REST, a present empty text at gRPC."""


CLEAR = Clear()


@dataclass(frozen=True)
class Answer:
    """What came back, in REST's names whatever the door."""

    ok: bool
    request_id: str
    body: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """ "ok", or the code of the refusal."""
        return "ok" if self.ok else self.code


class Door(ABC):
    """One way into the service."""

    name: str

    @abstractmethod
    async def call(
        self,
        operation: str,
        /,
        *,
        bearer: str | None = None,
        headers: Any = None,
        **arguments: Any,
    ) -> Answer:
        """Call an operation of the table with an access token; ``arguments`` have REST's names.

        ``headers`` is a mapping of text to text.
        """

    def offers(self, operation: str) -> bool:
        """Whether the operation exists at this door."""
        return True


class Rest(Door):
    """The REST door, through httpx. ``address`` is what a proxy would say of the caller."""

    name = "rest"

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    def offers(self, operation: str) -> bool:
        return bool(OPERATIONS[operation].routes)

    async def call(
        self,
        operation: str,
        /,
        *,
        bearer: str | None = None,
        headers: Any = None,
        route: str | None = None,
        **arguments: Any,
    ) -> Answer:
        wanted = OPERATIONS[operation]
        method, template = (route or wanted.routes[0]).split()
        path, query, body = _taken_apart(wanted, template, arguments)
        response = await self.client.request(
            method,
            path,
            params=query,
            content=_json(body) if method in ("POST", "PUT", "PATCH") else None,
            headers=_headers(bearer, headers) | {"content-type": "application/json"},
        )
        if response.is_success:
            assert response.status_code == wanted.status, response.status_code
        return answer_of(response)


def _taken_apart(
    operation: Operation, template: str, arguments: Mapping[str, Any]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    in_path = {name: quote(str(value), safe="") for name, value in arguments.items()}
    path = template.format_map(in_path)
    rest = {name: value for name, value in arguments.items() if f"{{{name}}}" not in template}
    query = {n: _as_query(v) for n, v in rest.items() if n in operation.query}
    body = {n: None if v is CLEAR else v for n, v in rest.items() if n not in operation.query}
    return path, query, body | operation.besides


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, default=rfc3339).encode()


def _as_query(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer_of(response: httpx.Response) -> Answer:
    """An HTTP answer, held against the contract."""
    name = response.headers["x-request-id"]
    assert _REQUEST_ID.fullmatch(name)
    if response.is_success:
        body = response.json() if response.content else {}
        return Answer(True, name, body, headers=response.headers)
    body = response.json()
    _check_shape(response, body)
    retry_after = response.headers.get("retry-after")
    return Answer(
        ok=False,
        request_id=name,
        body=body,
        code=body["code"],
        message=body["message"],
        errors=body.get("errors", {}),
        retry_after=int(retry_after) if retry_after else None,
        headers=response.headers,
    )


def _check_shape(response: httpx.Response, body: dict[str, Any]) -> None:
    assert response.headers["content-type"] == "application/json"
    assert set(body) - {"errors"} == {"error", "message", "code", "request_id"}, body
    assert body["request_id"] == response.headers["x-request-id"]
    if body["code"] in REFUSALS:
        status, _, error = REFUSALS[body["code"]]
        assert (response.status_code, body["error"]) == (status, error)
    is_asked = response.status_code == 401 or body["code"] == "insufficient_scope"
    assert ("www-authenticate" in response.headers) is is_asked
    scheme = "Basic" if body["code"] == "invalid_client" else "Bearer"
    assert response.headers.get("www-authenticate", scheme).startswith(scheme)
    if response.status_code in (429, 503):
        assert int(response.headers["retry-after"]) >= 1
    if "errors" in body:
        assert body["code"] == "invalid_request"
        assert all(texts and all(map(str, texts)) for texts in body["errors"].values())


def _headers(bearer: str | None, more: Mapping[str, str] | None) -> dict[str, str]:
    headers = dict(more or {})
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    return headers


@dataclass(frozen=True)
class Reply:
    """A gRPC answer as it came, from whichever client."""

    status: str
    message: str
    messages: Sequence[betterproto.Message]
    metadata: Mapping[str, str]
    details: bytes | None


class RawDetails(StatusDetailsCodecBase):
    """Leaves ``grpc-status-details-bin`` as the bytes it is."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        raise NotImplementedError

    def decode(self, status: Status, message: str | None, data: bytes) -> bytes:
        return data


class Rpc(Door):
    """The gRPC door, through grpclib."""

    name = "grpc"

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def offers(self, operation: str) -> bool:
        return bool(OPERATIONS[operation].rpc)

    async def call(
        self,
        operation: str,
        /,
        *,
        bearer: str | None = None,
        headers: Any = None,
        **arguments: Any,
    ) -> Answer:
        wanted = OPERATIONS[operation]
        reply = await self.exchange(wanted, _message(wanted, arguments), _headers(bearer, headers))
        name = reply.metadata["x-request-id"]
        assert _REQUEST_ID.fullmatch(name)
        if reply.status != "OK":
            return _refused(reply, name)
        plain = [_plain(message, wanted) for message in reply.messages]
        body = {"data": plain} if wanted.streams else plain[0]
        return Answer(True, name, body, headers=reply.metadata)

    async def exchange(
        self, wanted: Operation, message: betterproto.Message, metadata: Mapping[str, str]
    ) -> Reply:
        """Make the call, and give back all that came."""
        came: list[betterproto.Message] = []
        status, text, details = "OK", "", None
        stream = self.channel.request(
            wanted.rpc,
            Cardinality.UNARY_STREAM if wanted.streams else Cardinality.UNARY_UNARY,
            type(message),
            wanted.response,
            timeout=TIMEOUT,
            metadata=metadata,
        )
        try:
            async with stream:
                await stream.send_message(message, end=True)
                async for item in stream:
                    came.append(item)
                    if wanted.endless:
                        await stream.cancel()
                        break
                else:
                    await stream.recv_trailing_metadata()
        except GRPCError as error:
            status, text, details = error.status.name, error.message or "", error.details
        sent = _texts(stream.initial_metadata) | _texts(stream.trailing_metadata)
        return Reply(status, text, came, sent, details)


class Grpcio(Rpc):
    """The gRPC door, through the official client."""

    name = "grpcio"

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def exchange(
        self, wanted: Operation, message: betterproto.Message, metadata: Mapping[str, str]
    ) -> Reply:
        kind = self._channel.unary_stream if wanted.streams else self._channel.unary_unary
        method = kind(
            wanted.rpc, request_serializer=bytes, response_deserializer=wanted.response().parse
        )
        call = method(message, metadata=tuple(metadata.items()), timeout=TIMEOUT)
        came: list[betterproto.Message] = []
        try:
            came = [item async for item in call] if wanted.streams else [await call]
        except grpc.aio.AioRpcError:
            pass
        sent = {**dict(await call.initial_metadata()), **dict(await call.trailing_metadata())}
        details = sent.pop("grpc-status-details-bin", None)
        code = await call.code()
        return Reply(code.name, await call.details() or "", came, sent, details)


def _texts(metadata: Mapping[str, str | bytes] | None) -> dict[str, str]:
    return {name: value for name, value in (metadata or {}).items() if isinstance(value, str)}


def _message(wanted: Operation, arguments: Mapping[str, Any]) -> betterproto.Message:
    kinds = get_type_hints(wanted.request)
    given: dict[str, Any] = {}
    for argument, value in arguments.items():
        name = wanted.renamed.get(argument, argument)
        given[name] = "" if value is CLEAR else _nested(kinds.get(name), value)
    return wanted.request(**given)


def _nested(kind: Any, value: Any) -> Any:
    """Mappings in a list, as the messages that they are at this door."""
    if not isinstance(value, list):
        return value
    return [get_args(kind)[0](**one) if isinstance(one, Mapping) else one for one in value]


def _refused(reply: Reply, request_id: str) -> Answer:
    code = reply.metadata["error-code"]
    if code in REFUSALS:
        assert reply.status == REFUSALS[code][1], (code, reply.status)
    assert reply.details is not None, "a refusal carries details"
    refusal, reason, fields_, delay = _unpacked(reply.details)
    assert (refusal.code, refusal.message, refusal.request_id) == (code, reply.message, request_id)
    assert reason == code
    assert fields_ == [(error.field, error.text) for error in refusal.errors]
    assert delay == refusal.retry_after
    if code in ("rate_limited", "unavailable"):
        assert delay is not None
    assert not refusal.errors or code == "invalid_request"
    errors: dict[str, list[str]] = {}
    for name, text in fields_:
        errors.setdefault(name, []).append(text)
    return Answer(
        ok=False,
        request_id=request_id,
        code=code,
        message=reply.message,
        errors=errors,
        retry_after=delay,
        headers=reply.metadata,
    )


def _unpacked(
    details: bytes,
) -> tuple[common.Refusal, str, list[tuple[str, str]], int | None]:
    refusal, reason, delay = common.Refusal(), "", None
    broken: list[tuple[str, str]] = []
    for packed in RpcStatus.FromString(details).details:
        kind = packed.type_url.rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo":
            reason = ErrorInfo.FromString(packed.value).reason
        elif kind == "google.rpc.BadRequest":
            found = BadRequest.FromString(packed.value).field_violations
            broken = [(one.field, one.description) for one in found]
        elif kind == "google.rpc.RetryInfo":
            delay = RetryInfo.FromString(packed.value).retry_delay.seconds
        elif kind == "arcana.common.Refusal":
            refusal = common.Refusal().parse(packed.value)
    return refusal, reason, broken, delay


def _plain(message: betterproto.Message, operation: Operation) -> dict[str, Any]:
    """A message as REST would write it."""
    back = {theirs: ours for ours, theirs in operation.renamed.items()}
    plain = {back.get(f.name, f.name): _value(getattr(message, f.name)) for f in fields(message)}  # type: ignore[arg-type]
    if operation.sparse:
        return {name: value for name, value in plain.items() if value is not None and value != []}
    if operation.name in ("list_users", "list_orders") and plain["total"] is None:
        del plain["total"], plain["page"]
    return plain


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, betterproto.Message):
        return {f.name: _value(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value


@asynccontextmanager
async def rest_door(port: int) -> AsyncIterator[Rest]:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT, limits=limits, trust_env=False
    ) as client:
        yield Rest(client)


@asynccontextmanager
async def rpc_door(port: int) -> AsyncIterator[Rpc]:
    async with Channel("127.0.0.1", port, status_details_codec=RawDetails()) as channel:
        yield Rpc(channel)


@asynccontextmanager
async def grpcio_door(port: int) -> AsyncIterator[Grpcio]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Grpcio(channel)
