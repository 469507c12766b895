"""The line that each request leaves in the log."""

import json
import logging
from typing import Any

import pytest

from tests.support.http_door import ADA, GOOD, Door

CANARY = "canary-ada@example.com"


async def logged(caplog: pytest.LogCaptureFixture, method: str, path: str) -> dict[str, Any]:
    with caplog.at_level(logging.INFO, "arcana.access"):
        headers = {"X-Request-ID": "r-1", "Referer": CANARY, **GOOD}
        await Door().call(method, path, headers=headers)
    records = [vars(record) for record in caplog.records if record.name == "arcana.access"]
    assert len(records) == 1
    return records[0]


async def test_a_request_leaves_one_line_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    line = await logged(caplog, "GET", f"/api/v1/users/{ADA}/roles")
    assert line["status"] == 404
    caplog.clear()
    line = await logged(caplog, "PUT", f"/api/v1/users/{ADA}/roles/editor")
    facts = {name: line[name] for name in ("door", "method", "route", "status", "request_id")}
    assert facts == {
        "door": "http",
        "method": "PUT",
        "route": "/api/v1/users/<user_id>/roles/<name>",
        "status": 204,
        "request_id": "r-1",
    }
    assert line["duration_ms"] > 0


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", f"/api/v1/users/{CANARY}?q={CANARY}", "/api/v1/users/<user_id>"),
        ("GET", f"/{CANARY}", "-"),
        (CANARY.upper(), f"/health?{CANARY}", "-"),
    ],
)
async def test_nothing_that_the_caller_typed_is_in_it(
    caplog: pytest.LogCaptureFixture, method: str, path: str, route: str
) -> None:
    line = await logged(caplog, method, path)
    assert line["route"] == route
    assert CANARY not in json.dumps(line, default=str).lower()
