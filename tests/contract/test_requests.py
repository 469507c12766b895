"""What every answer has in common: a request id, a shape, and silence about bugs."""

from pathlib import Path
from typing import Any

import pytest
from arcana_protos.auth import RegisterRequest

from service.core.errors import Unavailable
from service.core.ids import canonical
from tests.support.doors import Door, answer_of
from tests.support.live import Live
from tests.support.operations import API, OPERATIONS
from tests.support.people import PASSWORD, Person

FOLDER = Path(__file__).parents[1] / "data" / "vectors" / "json_parsing"
VECTORS = {kind: sorted(FOLDER.glob(f"{kind}_*.json")) for kind in "ny"}

# Request ids

pytestmark = pytest.mark.one_database


@pytest.mark.parametrize("given", ["abc", "A-Z.a_z-09", "x" * 128, "0", ".", "-"])
async def test_a_sane_request_id_is_taken_over(door: Door, ada: Person, given: str) -> None:
    headers = {"x-request-id": given}
    answer = await door.call("get_user", bearer=ada.access, headers=headers, id=ada.id)
    assert (answer.ok, answer.request_id) == (True, given)
    refused = await door.call("get_user", headers=headers, id=ada.id)
    assert (refused.outcome, refused.request_id) == ("missing_token", given)


@pytest.mark.parametrize("given", ["x" * 129, "a b", "a/b", "a,b", "<script>", "%0a", "a;b", "~"])
async def test_any_other_request_id_is_replaced(door: Door, ada: Person, given: str) -> None:
    headers = {"x-request-id": given}
    answer = await door.call("get_user", bearer=ada.access, headers=headers, id=ada.id)
    assert answer.ok
    assert canonical(answer.request_id)


async def test_two_request_ids_are_replaced_by_one(live: Live) -> None:
    twice = [("x-request-id", "one"), ("x-request-id", "two")]
    answer = answer_of(await live.rest.client.get(f"{API}/auth/me", headers=twice))
    assert canonical(answer.request_id)


async def test_every_call_has_an_id_of_its_own(door: Door) -> None:
    assert len({(await door.call("who_am_i")).request_id for _ in range(20)}) == 20


# Bugs and outages


async def test_a_bug_says_nothing_of_itself(live: Live, door: Door) -> None:
    live.hasher.failure = RuntimeError("canary: SELECT password_hash FROM users")
    answer = await door.call("login", email="a@example.com", password="x")
    assert answer.outcome == "internal"
    assert "canary" not in f"{answer}"
    assert answer.message in ("An unexpected error occurred.", "internal")
    live.hasher.failure = None
    assert (await door.call("login", email="a@example.com", password="x")).code != "internal"


async def test_what_is_overloaded_says_when_to_come_again(live: Live, door: Door) -> None:
    live.hasher.failure = Unavailable()
    answer = await door.call("login", email="a@example.com", password="x")
    assert answer.outcome == "unavailable"
    assert answer.retry_after
    assert answer.retry_after >= 1


# Bodies


@pytest.mark.parametrize("kind", ["n", "y"])
async def test_no_body_that_is_not_a_log_in_breaks_the_door(live: Live, kind: str) -> None:
    """JSONTestSuite's bodies: what is not JSON (n) and what is JSON of another kind (y)."""
    for path in VECTORS[kind]:
        answer = await live.rest.client.post(
            f"{API}/auth/login",
            content=path.read_bytes(),
            headers={"content-type": "application/json"},
        )
        assert answer_of(answer).outcome == "invalid_request", path.name


async def test_a_body_beyond_a_mebibyte_is_too_large_and_one_beyond_four_at_grpc(
    live: Live,
) -> None:
    arguments: dict[str, Any] = {"name": "x" * 2**20, "email": "a@example.com"}
    answer = await live.rest.client.post(
        f"{API}/auth/register", json=arguments | {"password": PASSWORD}
    )
    assert answer_of(answer).outcome == "too_large"
    long = RegisterRequest(name="x" * (4 * 2**20))
    # grpclib's client drops the trailers when it is refused before it has sent all
    assert (await live.rpc.exchange(OPERATIONS["register"], long, {})).status == (
        "RESOURCE_EXHAUSTED"
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", ""])
async def test_a_body_that_is_not_called_json_is_unsupported(live: Live, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = await live.rest.client.post(f"{API}/auth/login", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", f"{API}/users/a/b/c", 404, "not_found"),
        ("DELETE", f"{API}/auth/login", 405, "method_not_allowed"),
        ("POST", f"{API}/users/me", 405, "method_not_allowed"),
        ("GET", f"{API}/auth/password/forgot", 404, "not_found"),
        ("GET", f"{API}/audit", 404, "not_found"),
        ("GET", "/metrics", 404, "not_found"),
    ],
)
async def test_what_is_not_offered_is_refused_in_the_same_shape(
    live: Live, method: str, path: str, status: int, code: str
) -> None:
    answer = await live.rest.client.request(method, path)
    assert answer.status_code == status
    assert answer_of(answer).code == code
    assert ("allow" in answer.headers) is (status == 405)


async def test_a_refusal_can_be_a_problem_of_rfc_9457(live: Live) -> None:
    answer = await live.rest.client.get(
        f"{API}/auth/me", headers={"accept": "application/problem+json"}
    )
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["title"], body["code"]) == (401, "Unauthorized", "missing_token")
    assert body["request_id"] == answer.headers["x-request-id"]


# Health


async def test_health_is_what_the_seed_says(live: Live) -> None:
    for path in ("/health", "/health/live"):
        answer = await live.rest.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_only_an_admin_sees_what_readiness_depends_on(
    live: Live, root: Person, ada: Person
) -> None:
    plain = await live.rest.client.get("/health/ready")
    assert plain.json() == {"status": "ready"}
    for person, seen in ((ada, False), (root, True)):
        headers = {"authorization": f"Bearer {person.access}"}
        answer = await live.rest.client.get("/health/ready", headers=headers)
        assert ("dependencies" in answer.json()) is seen
