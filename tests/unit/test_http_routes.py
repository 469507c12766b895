"""Which service method each route calls, and with what."""

from typing import Any

import pytest

from service.auth.schemas import Introspection
from service.core.paging import Page
from service.users.schemas import UserView
from tests.support.http_door import ADA, GOOD, KEY, PAIR, ROLE, SECRET, USER, WEBHOOK, Door

ME, ONE = "/api/v1/users/me", f"/api/v1/users/{ADA}"
HOOKS = "/api/v1/webhooks"
RAW = b"{}"
ROUTES: list[tuple[str, str, str, str, tuple[Any, ...], int]] = [
    ("POST", "/api/v1/auth/register", "auth", "register", (RAW,), 201),
    ("POST", "/api/v1/auth/login", "auth", "login", (RAW,), 200),
    ("POST", "/api/v1/auth/refresh", "auth", "refresh", (RAW,), 200),
    ("POST", "/api/v1/auth/introspect", "auth", "introspect", (RAW,), 200),
    ("POST", "/api/v1/auth/token", "auth", "issue_token", (RAW,), 200),
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
    ("PUT", f"{ONE}/password", "users", "change_password", (str(ADA), RAW), 204),
    ("GET", f"{ONE}/sessions", "sessions", "list", (str(ADA), {}), 200),
    ("DELETE", f"{ONE}/sessions", "sessions", "end_others", (str(ADA),), 204),
    ("DELETE", f"{ONE}/sessions/of-it", "sessions", "end", (str(ADA), "of-it"), 204),
    ("GET", "/api/v1/roles", "roles", "list", (), 200),
    ("POST", "/api/v1/roles", "roles", "create", (RAW,), 201),
    ("DELETE", "/api/v1/roles/editor", "roles", "delete", ("editor",), 204),
    ("PUT", f"{ONE}/roles/editor", "roles", "grant", (str(ADA), "editor"), 204),
    ("DELETE", f"{ONE}/roles/editor", "roles", "revoke", (str(ADA), "editor"), 204),
    ("POST", f"{ONE}/api-keys", "api_keys", "create", (str(ADA), RAW), 201),
    ("GET", f"{ONE}/api-keys", "api_keys", "list", (str(ADA),), 200),
    ("DELETE", f"{ONE}/api-keys/k", "api_keys", "revoke", (str(ADA), "k"), 204),
    ("POST", f"{ONE}/client-secrets", "clients", "create_secret", (str(ADA), RAW), 201),
    ("GET", f"{ONE}/client-secrets", "clients", "list_secrets", (str(ADA),), 200),
    ("DELETE", f"{ONE}/client-secrets/s", "clients", "revoke_secret", (str(ADA), "s"), 204),
    ("POST", HOOKS, "webhooks", "create", (RAW,), 201),
    ("GET", HOOKS, "webhooks", "list", (), 200),
    ("GET", f"{HOOKS}/w", "webhooks", "get", ("w",), 200),
    ("PATCH", f"{HOOKS}/w", "webhooks", "update", ("w", RAW), 200),
    ("DELETE", f"{HOOKS}/w", "webhooks", "delete", ("w",), 204),
    ("POST", f"{HOOKS}/w/rotate", "webhooks", "rotate", ("w", RAW), 200),
    ("POST", f"{HOOKS}/w/test", "webhooks", "test", ("w",), 200),
    ("GET", f"{HOOKS}/w/deliveries", "webhooks", "deliveries", ("w", {}), 200),
    ("POST", f"{HOOKS}/w/replay", "webhooks", "replay", ("w", RAW), 200),
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


async def test_a_new_credential_is_shown_and_its_place_told() -> None:
    for kind, made in (("api-keys", KEY), ("client-secrets", SECRET)):
        answer = await Door().call("POST", f"{ONE}/{kind}", json={}, headers=GOOD)
        assert answer.headers["location"] == f"{ONE}/{kind}/{ADA}"
        assert answer.json() == made.model_dump(mode="json")


async def test_a_listed_credential_is_not_shown() -> None:
    for kind, hidden in (("api-keys", "key"), ("client-secrets", "client_secret")):
        (listed,) = (await Door().call("GET", f"{ONE}/{kind}", headers=GOOD)).json()["data"]
        assert hidden not in listed
        assert listed["created_at"] == "2026-03-14T15:09:26.535897Z"


async def test_an_idempotency_key_reaches_the_service_that_refuses_it() -> None:
    door, headers = Door(), GOOD | {"idempotency-key": "k"}
    await door.call("POST", f"{ONE}/api-keys", json={}, headers=headers)
    await door.call("POST", f"{ONE}/client-secrets", json={}, headers=headers)
    assert door.api_keys.last.named == {"repeat_key": "k"}
    assert door.clients.last.named == {"repeat_key": "k"}
    for path in (HOOKS, f"{HOOKS}/w/rotate"):
        await door.call("POST", path, json={}, headers=headers)
        assert door.webhooks.last.named == {"repeat_key": "k"}


async def test_a_webhook_is_told_where_it_is_and_a_listed_one_shows_no_secret() -> None:
    door = Door()
    answer = await door.call("POST", HOOKS, json={}, headers=GOOD)
    assert answer.headers["location"] == f"{HOOKS}/{ADA}"
    assert (answer.headers["etag"], answer.json()["secret"]) == ('"7"', WEBHOOK.secret)
    (listed,) = (await door.call("GET", HOOKS, headers=GOOD)).json()["data"]
    assert "secret" not in listed
    assert listed["failing_since"] == "2026-03-14T15:09:26.535897Z"


async def test_what_a_webhook_s_change_demands_reaches_the_service() -> None:
    door, headers = Door(), GOOD | {"if-match": '"7"'}
    for method in ("PATCH", "DELETE"):
        await door.call(method, f"{HOOKS}/w", json={}, headers=headers)
        assert door.webhooks.last.named == {"if_match": '"7"'}
    unchanged = await door.call("GET", f"{HOOKS}/w", headers=GOOD | {"if-none-match": '"7"'})
    assert unchanged.status_code == 304


async def test_a_client_may_show_itself_by_http_basic() -> None:
    door = Door()
    form = {"grant_type": "client_credentials"}
    await door.call("POST", "/api/v1/auth/token", data=form, auth=("me", "a:b c"))
    assert door.auth.last.arguments == (form,)
    assert door.auth.last.named == {"basic": ("me", "a:b c")}
    await door.call("POST", "/api/v1/auth/token", data=form, headers=GOOD)
    assert door.auth.last.named == {"basic": None}


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
        ("POST", f"{ONE}/verify"),
        ("POST", "/api/v1/auth/password/forgot"),
        ("POST", "/api/v1/auth/email/verify"),
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
