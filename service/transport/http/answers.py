"""What handlers answer."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from sanic.response import HTTPResponse

from service.core.paging import Page
from service.core.preconditions import is_known
from service.core.views import VersionedView
from service.transport.http.requests import Request, joined

JSON = "application/json"
NUMBERED_ONLY = {"page", "total", "total_pages"}


def reply(
    view: BaseModel,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    sparse: bool = False,
) -> HTTPResponse:
    """``view`` as JSON, with its version as ETag; a ``sparse`` one leaves out what is None."""
    text = view.model_dump_json(exclude_none=sparse)
    tag = {"ETag": view.etag} if isinstance(view, VersionedView) else {}
    return HTTPResponse(text, status, {**tag, **(headers or {})}, content_type=JSON)


def reply_if_new(
    request: Request,
    view: VersionedView,
    headers: Mapping[str, str] | None = None,
    *,
    sparse: bool = False,
) -> HTTPResponse:
    """``view``, or 304 and nothing for a caller that holds this version already."""
    if is_known(joined(request, "if-none-match"), view.etag):
        return HTTPResponse(status=304, headers={"ETag": view.etag, **(headers or {})})
    return reply(view, headers=headers, sparse=sparse)


def reply_page(page: Page[Any]) -> HTTPResponse:
    """A page of a list; one read by keyset has no number and no total."""
    left_out = NUMBERED_ONLY if page.page is None else None
    return HTTPResponse(page.model_dump_json(exclude=left_out), content_type=JSON)


def no_content() -> HTTPResponse:
    return HTTPResponse(status=204)
