"""A request's way through the service as spans: what they say, and what they never do."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from service.core import tracing
from service.core.access import SYSTEM
from service.infra.telemetry.otel import OtelTracer
from tests.support.doors import Door
from tests.support.live import Live
from tests.support.people import Person
from tests.support.spans import Keeper, Spans

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
DOOR = {"rest": "GET /api/v1/users/<user_id>", "grpc": "arcana.user.UserService/GetUser"}


class Traced:
    """A tracer, and what it has finished."""

    def __init__(self) -> None:
        self._keeper = Keeper()
        self.tracer = OtelTracer(self._keeper)

    def spans(self) -> Spans:
        self.tracer.flush()
        return self._keeper.spans


@pytest.fixture
def traced(live: Live) -> Iterator[Traced]:
    del live
    made = Traced()
    with tracing.traced_by(made.tracer):
        yield made
    made.tracer.end()


async def _get(door: Door, person: Person, **headers: str) -> Any:
    return await door.call("get_user", bearer=person.access, id=person.id, headers=headers)


async def test_a_request_shows_door_service_and_database_in_the_callers_trace(
    door: Door, ada: Person, traced: Traced
) -> None:
    changed = await door.call(
        "update_user", bearer=ada.access, id=ada.id, name="Ada B.", headers={"traceparent": PARENT}
    )
    assert changed.ok
    spans = traced.spans().of(TRACE)
    top = next(span for span in spans.seen if span.parent == SPAN)
    update = spans.named("UserService.update")
    assert spans.ancestors(update) == [top.name]
    statement = spans.named("UPDATE users")
    assert spans.ancestors(statement) == ["UserService.update", top.name]
    assert statement.facts == {"db.operation.name": "UPDATE", "db.collection.name": "users"}
    commit = spans.named("COMMIT")
    assert spans.ancestors(commit) == ["UserService.update", top.name]
    assert spans.named("AuthService.authenticate").parent == top.id


async def test_the_line_in_the_log_names_the_trace(
    door: Door, ada: Person, traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    del traced
    with caplog.at_level(logging.INFO, "arcana.access"):
        await _get(door, ada, traceparent=PARENT)
    (line,) = (vars(record) for record in caplog.records if record.name == "arcana.access")
    assert line["trace_id"] == TRACE


async def test_the_span_of_a_door_is_named_and_says_how_it_ended(
    door: Door, ada: Person, root: Person, traced: Traced
) -> None:
    assert (await _get(door, ada)).ok
    refused = await door.call("get_user", bearer=ada.access, id=root.id)
    assert refused.code == "forbidden"
    good, bad = (span for span in traced.spans().seen if span.name == DOOR[door.name])
    assert "error.type" not in good.facts
    assert bad.facts["error.type"] == "forbidden"
    assert bad.facts["arcana.request_id"] == refused.request_id
    assert not bad.failed  # the caller's fault is no error of the server's
    status = {
        "rest": ("http.response.status_code", 200, 403),
        "grpc": ("rpc.grpc.status_code", 0, 7),
    }[door.name]
    assert (good.facts[status[0]], bad.facts[status[0]]) == status[1:]
    assert good.trace != bad.trace


@pytest.mark.parametrize(
    "header",
    [
        "canary",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"{PARENT}, {PARENT}",
    ],
)
async def test_a_malformed_traceparent_is_ignored(
    door: Door, ada: Person, traced: Traced, header: str
) -> None:
    assert (await _get(door, ada, traceparent=header)).ok
    (top,) = (span for span in traced.spans().seen if span.name == DOOR[door.name])
    assert top.parent is None
    assert top.trace != TRACE
    assert "canary" not in top.everything


async def test_a_bug_is_an_error_without_words(live: Live, door: Door, traced: Traced) -> None:
    live.hasher.failure = RuntimeError("canary in the message of a bug")
    try:
        failed = await door.call("login", email="canary@example.com", password="canary 5521 x")
    finally:
        live.hasher.failure = None
    assert failed.outcome == "internal"
    spans = traced.spans()
    service = spans.named("AuthService.login")
    assert (service.failed, service.facts["error.type"]) == (True, "RuntimeError")
    (top,) = (span for span in spans.seen if span.parent is None)
    assert (top.failed, top.facts["error.type"]) == (True, "internal")
    assert "canary" not in "".join(span.everything for span in spans.seen)


async def test_no_span_tells_a_secret(live: Live, door: Door, root: Person, traced: Traced) -> None:
    account = {"name": "Canary", "email": "canary@canary.example", "password": "canary word 55"}
    made = await door.call("register", **account)
    await door.call("register", **account)
    pair = (await door.call("login", email=account["email"], password=account["password"])).body
    await door.call("refresh", refresh_token=pair["refresh_token"])
    await door.call("introspect", bearer=root.access, token=pair["access_token"])
    await door.call("list_users", bearer=root.access, q="canary")
    await door.call("get_user", bearer="canary.canary.canary", id="canary")
    await door.call("update_profile", bearer=pair["access_token"], id=made.body["id"], bio="canary")
    await door.call("delete_user", bearer=root.access, id=made.body["id"])
    everything = "".join(span.everything for span in traced.spans().seen)
    assert "AuthService.login" in everything
    assert "canary" not in everything.lower()
    for secret in (*pair.values(), root.access, root.email, "$argon2"):
        if isinstance(secret, str) and len(secret) > 8:
            assert secret not in everything


async def test_what_runs_for_no_request_has_no_span(live: Live, traced: Traced) -> None:
    await live.services.users.list(SYSTEM, {})
    await live.database.ping()
    assert traced.spans().seen == []


async def test_without_a_tracer_nothing_is_made(door: Door, ada: Person) -> None:
    assert not tracing.is_traced()
    assert (await _get(door, ada, traceparent=PARENT)).ok
    assert tracing.trace_id() is None
