"""What callers send: bodies and queries, taken apart no further than the door must."""

from collections.abc import Iterable, Mapping
from typing import ClassVar
from urllib.parse import parse_qsl

from service.core.errors import Invalid, Kind, Refusal
from service.core.parsing import Raw, printable
from service.transport.http.requests import Request

FORM = "application/x-www-form-urlencoded"
FIELDS_MAX = 50
_JSON_OR_FORM = f"Send the body as application/json or {FORM}, not compressed."


class UnsupportedMediaType(Refusal):
    """The body is of a type, or packed in a way, that the operation does not read."""

    kind: ClassVar[Kind] = Kind.UNSUPPORTED
    code: ClassVar[str] = "unsupported_media_type"
    message: ClassVar[str] = "Send the body as application/json, not compressed."


def json_body(request: Request) -> bytes:
    """The body, for a service to parse; an absent one is empty and needs no content type.

    Raises:
        UnsupportedMediaType: it does not say that it is JSON.
    """
    body: bytes = request.body
    if body and (_is_packed(request) or not _is_json(_media_type(request))):
        raise UnsupportedMediaType
    return body


def json_or_form(request: Request) -> Raw:
    """The body as JSON, or the fields of a form (RFC 7662 §2.1).

    Raises:
        UnsupportedMediaType: it is neither.
        Invalid: a field of the form comes twice, or there are too many.
    """
    body: bytes = request.body
    media_type = _media_type(request)
    is_known = media_type == FORM or _is_json(media_type)
    if body and (_is_packed(request) or not is_known):
        raise UnsupportedMediaType(_JSON_OR_FORM)
    return _pairs(body) if media_type == FORM else body


def query(request: Request) -> Mapping[str, str]:
    """The query's parameters.

    Raises:
        Invalid: one comes twice, there are too many, or the query is not percent-encoded UTF-8.
    """
    return _pairs(request.query_string.encode())


def keep_out_of_query(request: Request, names: Iterable[str]) -> None:
    """What is secret must not stand in an address, which others write down (RFC 6749 §2.3.1).

    Raises:
        Invalid: one of ``names`` is a parameter of the query.
    """
    if found := query(request).keys() & set(names):
        raise Invalid({name: ["Must not be sent in the query."] for name in sorted(found)})


def _pairs(text: bytes) -> Mapping[str, str]:
    if text.count(b"&") >= FIELDS_MAX:
        raise Invalid(message=f"The query or form may have at most {FIELDS_MAX} fields.")
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Invalid(message="The query or form is not percent-encoded UTF-8.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Invalid({printable(name): ["Must be given only once."]})
        fields[name] = value
    return fields


def _media_type(request: Request) -> str:
    values = request.headers.getall("content-type", [])
    return values[0].partition(";")[0].strip().lower() if len(values) == 1 else ""


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _is_packed(request: Request) -> bool:
    codings = ",".join(request.headers.getall("content-encoding", []))
    return codings.strip().lower() not in ("", "identity")
