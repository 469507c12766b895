"""The answer to a caller that there is no room for."""

from service.core.errors import Unavailable
from service.core.ids import new_id
from service.transport.http.answers import JSON
from service.transport.http.errors import RefusalBody, failure_of
from service.transport.http.headers import STANDARD, date


def overloaded() -> bytes:
    """A whole 503, for a connection whose request is not read."""
    failure, name = failure_of(Unavailable()), str(new_id())
    refusal = RefusalBody(
        error=failure.error, message=failure.message, code=failure.code, request_id=name
    )
    body = refusal.model_dump_json(exclude_none=True).encode()
    headers = {
        **STANDARD,
        **failure.headers,
        "Date": date(),
        "X-Request-ID": name,
        "Content-Type": JSON,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode() + body
