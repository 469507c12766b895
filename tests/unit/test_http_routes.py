"""Which service method each route calls, and with what."""

from typing import Any

import pytest

from service.auth.schemas import Introspection
from service.core.paging import Page
from service.users.schemas import UserView
from tests.support.http_door import ADA, GOOD, PAIR, ROLE, USER, Door

ME, ONE = "/api/v1/users/me", f"/api/v1/users/{ADA}"
RAW = b"{}"
ROUTES: list[tuple[str, str, str, str, tuple[Any, ...], int]] = [
    ("POST", "/api/v1/auth/register", "auth", "register", (RAW,), 201),
    ("POST", "/api/v1/auth/login", "auth", "login", (RAW,), 200),
    ("POST", "/api/v1/auth/refresh", "auth", "refresh", (RAW,), 200),
    ("POST", "/api/v1/auth/introspect", "auth", "introspect", (RAW,), 200),
    ("GET", "/api/v1/auth/me", "auth", "who_am_i", (), 200),
    ("GET", "/api/v1/users", "users", "list", ({},), 200),
    ("POST", "/api/v1/users", "users", "create", (RAW,), 201),
    ("GET", ME, "users", "get", (str(ADA),), 200),
    ("PATCH", ME, "users", "update", (str(ADA), RAW), 200),
    ("PUT", ME, "users", "update", (str(ADA), RAW), 200),
    ("GET", ONE, "users", "get", (str(ADA),), 200),
    ("PATCH", ONE, "users", "update", (str(ADA), RAW), 200),
    ("PUT", ONE, "users", "update", (str(ADA), RAW), 200),
    ("DELETE", ONE, "users", "delete", (str(ADA),), 204),
    ("PUT", f"{ONE}/status", "users", "set_status", (str(ADA), RAW), 200),
    ("GET", f"{ONE}/profile", "users", "profile", (str(ADA),), 200),
    ("PATCH", f"{ONE}/profile", "users", "update_profile", (str(ADA), RAW), 200),
    ("GET", "/api/v1/roles", "roles", "list", (), 200),
    ("POST", "/api/v1/roles", "roles", "create", (RAW,), 201),
    ("DELETE", "/api/v1/roles/editor", "roles", "delete", ("editor",), 204),
    ("PUT", f"{ONE}/roles/editor", "roles", "grant", (str(ADA), "editor"), 204),
    ("DELETE", f"{ONE}/roles/editor", "roles", "revoke", (str(ADA), "editor"), 204),
]


@pytest.mark.parametrize(("method", "path", "service", "name", "arguments", "status"), ROUTES)
async def test_a_route_is_one_call_of_one_service(
    method: str, path: str, service: str, name: str, arguments: tuple[Any, ...], status: int
) -> None:
    door = Door()
    body: dict[str, Any] = {"json": {}} if RAW in arguments else {}
    answer = await door.call(method, path, headers=GOOD, **body)
    assert answer.status_code == status
    call = getattr(door, service).last
    assert (call.method, call.arguments) == (name, arguments)
    if status == 204:
        assert answer.content == b""
        assert "content-type" not in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/auth/register", "/api/v1/users"])
async def test_a_new_user_is_told_where_it_is(path: str) -> None:
    answer = await Door().call("POST", path, json={}, headers=GOOD)
    assert answer.headers["location"] == ONE
    assert answer.json() == USER.model_dump(mode="json")


async def test_a_new_role_is_told_where_it_is() -> None:
    answer = await Door().call("POST", "/api/v1/roles", json={}, headers=GOOD)
    assert answer.headers["location"] == "/api/v1/roles/editor"
    assert answer.json() == ROLE.model_dump(mode="json")


async def test_a_user_has_the_fields_and_the_times_of_the_contract() -> None:
    body = (await Door().call("GET", ME, headers=GOOD)).json()
    assert list(body) == [
        "id",
        "email",
        "name",
        "status",
        "email_verified",
        "roles",
        "created_at",
        "updated_at",
    ]
    assert body["created_at"] == "2026-03-14T15:09:26.535897Z"


async def test_a_pair_says_what_the_contract_says() -> None:
    answer = await Door().call("POST", "/api/v1/auth/login", json={})
    assert answer.json() == PAIR.model_dump()


async def test_a_numbered_page_has_all_its_fields() -> None:
    body = (await Door().call("GET", "/api/v1/users", headers=GOOD)).json()
    assert list(body) == ["data", "page", "size", "total", "total_pages", "next_cursor"]
    assert body["next_cursor"] is None


async def test_a_keyset_page_has_no_number_and_no_total() -> None:
    door = Door()
    door.users.answers["list"] = Page[UserView](data=[USER], size=1)
    body = (await door.call("GET", "/api/v1/users?cursor=x", headers=GOOD)).json()
    assert list(body) == ["data", "size", "next_cursor"]
    assert body["next_cursor"] is None


async def test_of_a_worthless_token_introspection_says_only_that() -> None:
    door = Door()
    answer = await door.call("POST", "/api/v1/auth/introspect", json={}, headers=GOOD)
    assert answer.content == b'{"active":false}'
    door.auth.answers["introspect"] = Introspection(active=True, sub=str(ADA))
    answer = await door.call("POST", "/api/v1/auth/introspect", json={}, headers=GOOD)
    assert answer.json() == {"active": True, "sub": str(ADA)}


async def test_an_id_travels_as_it_was_written() -> None:
    door = Door()
    await door.call("GET", "/api/v1/users/%3Cscript%3E", headers=GOOD)
    assert door.users.last.arguments == ("<script>",)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{ONE}/sessions"),
        ("PUT", f"{ONE}/password"),
        ("POST", f"{ONE}/verify"),
        ("POST", "/api/v1/auth/password/forgot"),
        ("POST", "/api/v1/auth/email/verify"),
        ("GET", "/api/v1/orders"),
        ("GET", "/api/v1/audit"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/metrics"),
    ],
)
async def test_what_no_issue_asked_for_yet_is_not_there(method: str, path: str) -> None:
    assert (await Door().call(method, path, headers=GOOD)).status_code == 404


@pytest.mark.parametrize("path", ["/health", "/health/live"])
async def test_health_is_healthy(path: str) -> None:
    answer = await Door(ready={"database": False}).call("GET", path)
    assert answer.json() == {"status": "healthy"}


async def test_a_ready_service_says_so() -> None:
    assert (await Door().call("GET", "/health/ready")).json() == {"status": "ready"}


@pytest.mark.parametrize("token", ["good", "bad"])
async def test_only_admins_see_the_dependencies(token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    plain, admin = Door(), Door(roles_held=frozenset({"admin"}))
    assert (await plain.call("GET", "/health/ready", headers=headers)).json() == {"status": "ready"}
    shown = (await admin.call("GET", "/health/ready", headers=headers)).json()
    all_well = {"dependencies": {"database": "ok", "cache": "ok"}}
    assert shown == {"status": "ready"} | (all_well if token == "good" else {})


async def test_a_service_that_is_not_ready_refuses_in_the_one_shape() -> None:
    ready = {"database": True, "cache": False}
    answer = await Door(ready=ready).call("GET", "/health/ready", headers=GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert set(answer.json()) == {"error", "message", "code", "request_id"}
    admin = Door(ready=ready, roles_held=frozenset({"admin"}))
    shown = (await admin.call("GET", "/health/ready", headers=GOOD)).json()
    assert shown["dependencies"] == {"database": "ok", "cache": "down"}
    assert shown["code"] == "unavailable"
