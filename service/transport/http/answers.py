"""What handlers answer."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from sanic.response import HTTPResponse

from service.core.paging import Page

JSON = "application/json"
NUMBERED_ONLY = {"page", "total", "total_pages"}


def reply(
    view: BaseModel,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    sparse: bool = False,
) -> HTTPResponse:
    """``view`` as JSON; a ``sparse`` one leaves out what is None."""
    text = view.model_dump_json(exclude_none=sparse)
    return HTTPResponse(text, status, dict(headers or {}), content_type=JSON)


def reply_page(page: Page[Any]) -> HTTPResponse:
    """A page of a list; one read by keyset has no number and no total."""
    left_out = NUMBERED_ONLY if page.page is None else None
    return HTTPResponse(page.model_dump_json(exclude=left_out), content_type=JSON)


def no_content() -> HTTPResponse:
    return HTTPResponse(status=204)
