"""Service accounts at both doors: two secrets in turn, and log-in by client credentials."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
import pytest_asyncio

from service.auth.models import Session
from service.core.access import SYSTEM
from service.core.credentials import CredentialForm
from service.core.ids import new_id
from service.core.rates import CLIENT_LOGINS_BY_ADDRESS, FAILED_CLIENT_LOGINS
from tests.support.doors import Answer, Door, answer_of
from tests.support.live import SECRET, Live
from tests.support.operations import API
from tests.support.people import People, Person
from tests.support.processes import manage

FIELDS = {"id", "client_id", "hint", "created_at", "expires_at", "last_used_at"}
GRANT = "client_credentials"


@pytest_asyncio.fixture
async def machine(people: People) -> Person:
    """A service account without a secret."""
    return await people.make("Machine", "service")


async def create(door: Door, root: Person, machine: Person, **more: Any) -> Answer:
    return await door.call("create_client_secret", bearer=root.access, user_id=machine.id, **more)


async def listed(door: Door, root: Person, machine: Person) -> list[dict[str, Any]]:
    answer = await door.call("list_client_secrets", bearer=root.access, user_id=machine.id)
    data: list[dict[str, Any]] = answer.body["data"]
    return data


async def revoke(door: Door, root: Person, machine: Person, secret_id: str) -> Answer:
    return await door.call(
        "revoke_client_secret", bearer=root.access, user_id=machine.id, secret_id=secret_id
    )


async def log_in(door: Door, machine: Person, secret: str) -> Answer:
    return await door.call("issue_token", client_id=machine.id, client_secret=secret)


# Secrets


async def test_a_secret_is_told_once(live: Live, door: Door, root: Person, machine: Person) -> None:
    made = await create(door, root, machine, expires_in_days=90)
    assert set(made.body) == {*FIELDS, "client_secret"}
    assert made.body["client_id"] == machine.id
    assert made.body["expires_at"] == "2026-06-12T15:09:26.535897Z"
    assert made.body["client_secret"].startswith(made.body["hint"])
    known = {name: made.body[name] for name in FIELDS}
    for either in (live.rest, live.rpc):
        assert await listed(either, root, machine) == [known]


async def test_nothing_need_be_said_to_make_one(live: Live, root: Person, machine: Person) -> None:
    path = f"{API}/users/{machine.id}/client-secrets"
    made = await live.rest.client.post(path, headers={"authorization": f"Bearer {root.access}"})
    assert made.status_code == 201
    assert made.headers["location"] == f"{path}/{made.json()['id']}"


async def test_two_at_once_and_no_more_however_they_are_asked_for(
    door: Door, root: Person, machine: Person
) -> None:
    answers = await asyncio.gather(*(create(door, root, machine) for _ in range(6)))
    outcomes = sorted(answer.outcome for answer in answers)
    assert outcomes == ["client_secret_limit"] * 4 + ["ok"] * 2


async def test_one_is_replaced_while_the_other_works(
    door: Door, root: Person, machine: Person
) -> None:
    old = (await create(door, root, machine)).body
    new = (await create(door, root, machine)).body
    for secret in (old, new):
        assert (await log_in(door, machine, secret["client_secret"])).ok
    assert (await revoke(door, root, machine, old["id"])).ok
    assert (await log_in(door, machine, old["client_secret"])).outcome == "invalid_client"
    assert (await log_in(door, machine, new["client_secret"])).ok
    assert (await create(door, root, machine)).ok


async def test_a_revoked_secret_takes_its_sessions_along_and_no_others(
    live: Live, door: Door, root: Person, machine: Person
) -> None:
    one, other = (await create(door, root, machine)).body, (await create(door, root, machine)).body
    ended = (await log_in(door, machine, one["client_secret"])).body["access_token"]
    kept = (await log_in(door, machine, other["client_secret"])).body["access_token"]
    assert (await revoke(door, root, machine, one["id"])).ok
    for either in (live.rest, live.rpc):
        assert (await either.call("who_am_i", bearer=ended)).outcome == "invalid_token"
        assert (await either.call("who_am_i", bearer=kept)).ok
    (session,) = await Session.filter(credential_id=one["id"])
    assert session.ended_why == "client_secret_revoked"


async def test_only_service_accounts_have_secrets(door: Door, root: Person, ada: Person) -> None:
    assert (await create(door, root, ada)).outcome == "not_a_service_account"
    assert await listed(door, root, ada) == []


async def test_an_idempotency_key_is_refused(door: Door, root: Person, machine: Person) -> None:
    answer = await create(door, root, machine, headers={"idempotency-key": "k"})
    assert set(answer.errors) == {"idempotency-key"}
    assert await listed(door, root, machine) == []


@pytest.mark.one_database
@pytest.mark.parametrize("days", [0, -1, 366])
async def test_it_lasts_a_day_to_a_year_or_until_revoked(
    door: Door, root: Person, machine: Person, days: int
) -> None:
    answer = await create(door, root, machine, expires_in_days=days)
    assert set(answer.errors) == {"expires_in_days"}


async def test_a_secret_is_found_only_beside_its_account(
    door: Door, root: Person, people: People, machine: Person
) -> None:
    other = await people.make("Other", "service")
    made = (await create(door, root, machine)).body
    for account, secret in ((machine, str(new_id())), (machine, "x"), (other, made["id"])):
        answer = await revoke(door, root, account, secret)
        assert answer.outcome == "client_secret_not_found"
    nobody = Person(str(new_id()), "", "")
    for answer in (
        await create(door, root, nobody),
        await revoke(door, root, nobody, made["id"]),
        await door.call("list_client_secrets", bearer=root.access, user_id=nobody.id),
    ):
        assert answer.outcome == "user_not_found"


# Log-in


async def test_a_secret_gives_an_access_token_and_no_refresh_token(
    live: Live, door: Door, root: Person, machine: Person
) -> None:
    secret = await live.people.client_secret(machine)
    answer = await log_in(door, machine, secret)
    assert set(answer.body) == {"access_token", "token_type", "expires_in"}
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("Bearer", 3600)
    token = answer.body["access_token"]
    me = await door.call("who_am_i", bearer=token)
    assert (me.body["id"], me.body["roles"]) == (machine.id, ["service", "user"])
    told = await door.call("introspect", bearer=token, token=root.access)
    assert told.body["active"] is True
    (known,) = await listed(door, root, machine)
    assert known["last_used_at"] == "2026-03-14T15:09:26.535897Z"


async def test_its_session_ends_with_the_token_and_names_the_secret(
    live: Live, door: Door, root: Person, machine: Person
) -> None:
    made = (await create(door, root, machine)).body
    token = (await log_in(door, machine, made["client_secret"])).body["access_token"]
    (session,) = await Session.filter(user_id=machine.id)
    assert str(session.credential_id) == made["id"]
    assert (session.expires_at - live.clock()).total_seconds() == 3600
    live.clock.forward(minutes=59, seconds=59)
    assert (await door.call("who_am_i", bearer=token)).ok
    live.clock.forward(seconds=1)
    assert (await door.call("who_am_i", bearer=token)).outcome == "invalid_token"


async def test_it_logs_out_like_anybody(live: Live, door: Door, machine: Person) -> None:
    secret = await live.people.client_secret(machine)
    token = (await log_in(door, machine, secret)).body["access_token"]
    assert (await door.call("logout", bearer=token)).ok
    assert (await door.call("who_am_i", bearer=token)).outcome == "invalid_token"


async def another_account(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return (await live.people.make("Other", "service")).id, secret


async def an_unknown_account(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return str(new_id()), secret


async def no_id(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return machine.id.upper(), secret


async def an_unknown_secret(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return machine.id, CredentialForm("arcs_").mint(new_id()).text


async def another_secret_of_that_id(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    presented = CredentialForm("arcs_").read(secret)
    assert presented is not None
    return machine.id, CredentialForm("arcs_").mint(presented.id).text


async def garbage(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return machine.id, secret[:-1] + "\N{GREEK SMALL LETTER ALPHA}"


async def a_password(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return machine.id, machine.password


async def nothing(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    return "", ""


async def an_expired_secret(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    live.clock.forward(days=31)
    return machine.id, secret


async def a_suspended_account(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    await live.services.users.set_status(SYSTEM, machine.id, {"status": "suspended"})
    return machine.id, secret


async def a_deleted_account(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    await live.services.users.delete(SYSTEM, machine.id)
    return machine.id, secret


async def a_former_machine(live: Live, machine: Person, secret: str) -> tuple[str, str]:
    await live.services.roles.revoke(SYSTEM, machine.id, "service")
    return machine.id, secret


WRONG = (
    another_account,
    an_unknown_account,
    no_id,
    an_unknown_secret,
    another_secret_of_that_id,
    garbage,
    a_password,
    nothing,
    an_expired_secret,
    a_suspended_account,
    a_deleted_account,
    a_former_machine,
)


@pytest.mark.parametrize("wrong", WRONG)
async def test_whatever_is_wrong_is_told_alike(
    live: Live, door: Door, root: Person, machine: Person, wrong: Any
) -> None:
    secret = (await create(door, root, machine, expires_in_days=30)).body["client_secret"]
    client_id, shown = await wrong(live, machine, secret)
    answer = await door.call("issue_token", client_id=client_id, client_secret=shown)
    assert answer.outcome == "invalid_client"
    assert answer.message == (
        "The client_id or the client_secret is wrong, or the account may not sign in."
    )


async def test_who_revokes_and_who_logs_in_at_once_leave_no_session_behind(
    live: Live, door: Door, root: Person, machine: Person
) -> None:
    for _ in range(5):
        made = (await create(door, root, machine)).body
        answers = await asyncio.gather(
            *(log_in(door, machine, made["client_secret"]) for _ in range(4)),
            revoke(door, root, machine, made["id"]),
        )
        assert answers[-1].ok
        assert {answer.outcome for answer in answers[:-1]} <= {"ok", "invalid_client"}
        for answer in answers[:-1]:
            if answer.ok:
                token = answer.body["access_token"]
                assert (await door.call("who_am_i", bearer=token)).outcome == "invalid_token"
        assert await Session.filter(credential_id=made["id"], ended_at=None).count() == 0


async def test_a_person_without_secrets_can_not_log_in_so(door: Door, ada: Person) -> None:
    assert (await log_in(door, ada, ada.password)).outcome == "invalid_client"


async def test_no_column_holds_the_secret(live: Live, door: Door, root: Person) -> None:
    machine = await live.people.make("Machine", "service")
    made = (await create(door, root, machine)).body
    await log_in(door, machine, made["client_secret"])
    rows = await live.database.client.execute_query_dict("SELECT * FROM client_secrets")
    rows += await live.database.client.execute_query_dict("SELECT * FROM sessions")
    written = json.dumps(rows, default=str)
    assert made["hint"] in written
    assert made["client_secret"][len(made["hint"]) :][:20] not in written


# As OAuth has it


async def asked(live: Live, **options: Any) -> httpx.Response:
    return await live.rest.client.post(f"{API}/auth/token", **options)


def basic(name: str, secret: str) -> dict[str, str]:
    """As RFC 6749 §2.3.1 has it: each part is form-encoded first."""
    pair = f"{quote_plus(name)}:{quote_plus(secret)}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@pytest_asyncio.fixture
async def secret(live: Live, machine: Person) -> str:
    return await live.people.client_secret(machine)


async def test_a_form_with_the_secret_in_it(live: Live, machine: Person, secret: str) -> None:
    form = {"grant_type": GRANT, "client_id": machine.id, "client_secret": secret}
    answer = await asked(live, data=form)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"access_token", "token_type", "expires_in"}


async def test_http_basic_percent_encoded_or_not(live: Live, machine: Person, secret: str) -> None:
    heavily = "".join(f"%{ord(letter):02X}" for letter in secret)
    pair = base64.b64encode(f"{machine.id}:{heavily}".encode()).decode()
    for headers in (
        basic(machine.id, secret),
        {"authorization": f"Basic {pair}"},
        {"authorization": f"bAsIc  {pair}"},
    ):
        answer = await asked(live, data={"grant_type": GRANT}, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_httpx_with_basic_auth_is_a_client_like_any(
    live: Live, machine: Person, secret: str
) -> None:
    answer = await asked(live, data={"grant_type": GRANT}, auth=(machine.id, secret))
    assert answer.status_code == 200


async def test_what_oauth_does_not_know_and_what_is_empty_is_passed_over(
    live: Live, machine: Person, secret: str
) -> None:
    form = {"grant_type": GRANT, "client_secret": "", "client_id": machine.id, "scope": "a b"}
    answer = await asked(live, data=form | {"x": "y"}, headers=basic(machine.id, secret))
    assert answer.status_code == 200


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("grant", "code"),
    [
        ("password", "unsupported_grant_type"),
        ("refresh_token", "unsupported_grant_type"),
        ("CLIENT_CREDENTIALS", "unsupported_grant_type"),
        ("", "invalid_request"),
    ],
)
async def test_another_grant_is_not_offered(
    live: Live, machine: Person, secret: str, grant: str, code: str
) -> None:
    answer = answer_of(
        await asked(live, data={"grant_type": grant}, headers=basic(machine.id, secret))
    )
    assert answer.outcome == code


@pytest.mark.one_database
async def test_the_challenge_is_basic(live: Live, machine: Person, secret: str) -> None:
    del secret
    for options in (
        {"headers": basic(machine.id, "wrong"), "data": {"grant_type": GRANT}},
        {"data": {"grant_type": GRANT, "client_id": machine.id, "client_secret": "wrong"}},
    ):
        answer = answer_of(await asked(live, **options))
        assert answer.outcome == "invalid_client"
        assert answer.headers["www-authenticate"] == 'Basic realm="arcana"'


@pytest.mark.one_database
@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic YQ", "Basic YTpi YTpi", "Basic /w=="]
)
async def test_basic_that_can_not_be_read_is_a_wrong_client(live: Live, header: str) -> None:
    answer = answer_of(
        await asked(live, data={"grant_type": GRANT}, headers={"authorization": header})
    )
    assert answer.outcome == "invalid_client"


@pytest.mark.one_database
async def test_two_ways_at_once_are_refused(live: Live, machine: Person, secret: str) -> None:
    form = {"grant_type": GRANT, "client_id": machine.id, "client_secret": secret}
    answer = answer_of(await asked(live, data=form, headers=basic(machine.id, secret)))
    assert set(answer.errors) == {"client_secret"}
    other = {"grant_type": GRANT, "client_id": str(new_id())}
    answer = answer_of(await asked(live, data=other, headers=basic(machine.id, secret)))
    assert set(answer.errors) == {"client_id"}


@pytest.mark.one_database
@pytest.mark.parametrize("name", ["client_id", "client_secret", "grant_type"])
async def test_nothing_of_it_may_stand_in_the_query(
    live: Live, machine: Person, secret: str, name: str
) -> None:
    form = {"grant_type": GRANT, "client_id": machine.id, "client_secret": secret}
    path = f"{API}/auth/token?{name}={quote(form[name])}"
    answer = answer_of(await live.rest.client.post(path, data=form))
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {name})


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("application/x-www-form-urlencoded", f"grant_type={GRANT}&grant_type={GRANT}", 400),
        ("application/x-www-form-urlencoded", "client_id=a", 400),
        ("application/x-www-form-urlencoded", "grant_type=%FF", 400),
        ("application/json", '{"grant_type": 1}', 400),
        ("application/json", "", 400),
        ("application/json", json.dumps({"grant_type": GRANT, "client_id": "x" * 5000}), 400),
        ("text/plain", f"grant_type={GRANT}", 415),
    ],
)
async def test_what_is_not_understood_is_refused(
    live: Live, kind: str, content: str, status: int
) -> None:
    answer = await asked(live, content=content, headers={"content-type": kind})
    assert answer.status_code == status


# How often


@pytest.mark.one_database
async def test_wrong_tries_are_limited_and_keep_nobody_out_who_knows_the_secret(
    live: Live, door: Door, machine: Person, secret: str
) -> None:
    live.limits.on = True
    outcomes = [
        (await log_in(door, machine, "wrong")).outcome
        for _ in range(FAILED_CLIENT_LOGINS.at_most + 1)
    ]
    assert outcomes == ["invalid_client"] * FAILED_CLIENT_LOGINS.at_most + ["rate_limited"]
    for either in (live.rest, live.rpc):
        assert (await log_in(either, machine, "wrong")).outcome == "rate_limited"
        assert (await log_in(either, machine, secret)).ok


@pytest.mark.one_database
async def test_an_address_has_its_limit_too(live: Live, door: Door, machine: Person) -> None:
    live.limits.on = True
    for number in range(CLIENT_LOGINS_BY_ADDRESS.at_most):
        answer = await door.call("issue_token", client_id=f"nobody-{number}", client_secret="x")
        assert answer.outcome == "invalid_client"
    assert (await log_in(door, machine, "x")).outcome == "rate_limited"


# From the command line


async def created(live: Live, folder: Path, *options: str) -> str:
    settings = {"DATABASE_URL": live.settings.database_url, "JWT_SECRET": SECRET}
    ran = await asyncio.to_thread(
        manage, folder, "client", "create", "--name", "Machine", *options, **settings
    )
    assert ran.returncode == 0 or not ran.stdout, ran.stderr
    return ran.stdout or ran.stderr


async def test_the_command_line_makes_one_that_logs_in_at_once(
    live: Live, door: Door, root: Person, tmp_path: Path
) -> None:
    printed = dict(line.split("=", 1) for line in (await created(live, tmp_path)).splitlines())
    assert set(printed) == {"client_id", "client_secret"}
    answer = await door.call("issue_token", **printed)
    assert answer.ok
    account = (await door.call("get_user", bearer=root.access, id=printed["client_id"])).body
    assert (account["name"], account["roles"]) == ("Machine", ["service"])
    assert account["email"].endswith("@clients.invalid")
    told = await door.call("introspect", bearer=answer.body["access_token"], token=root.access)
    assert told.body["active"] is True


@pytest.mark.one_database
async def test_the_command_line_says_what_is_wrong_in_one_line(
    live: Live, ada: Person, tmp_path: Path
) -> None:
    said = await created(live, tmp_path, "--email", ada.email)
    assert said == "Error: That e-mail is already registered.\n"
