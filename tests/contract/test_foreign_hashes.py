"""People come with the password hashes of another system, log in, and get one of ours."""

import pytest

from service.core.access import SYSTEM
from service.core.errors import Invalid
from service.users.models import User
from tests.support.doors import Door
from tests.support.foreign_hashes import Known, one_of_each_form
from tests.support.live import Live

OWN = "$argon2id$v=19$m=64,t=1,p=1$"
EACH_FORM = one_of_each_form()


async def bring(live: Live, **fields: object) -> None:
    line = {"name": "Grace", "email": "grace@example.com", **fields}
    assert await live.services.imports.import_batch(SYSTEM, [line]) == [None]


async def stored() -> str | None:
    user = await User.get(email="grace@example.com")
    return user.password_hash


@pytest.mark.parametrize("known", EACH_FORM, ids=[known.form for known in EACH_FORM])
async def test_who_comes_with_a_hash_logs_in_and_has_one_of_ours_then(
    live: Live, door: Door, known: Known
) -> None:
    await bring(live, password_hash=known.encoded)
    theirs = await stored()
    wrong = await door.call("login", email="grace@example.com", password="?" + known.password)
    assert wrong.outcome == "invalid_credentials"
    assert await stored() == theirs
    for _ in range(2):
        answer = await door.call("login", email="grace@example.com", password=known.password)
        assert answer.ok
        ours = await stored()
        assert ours is not None
        assert ours.startswith(OWN)
    assert live.hasher.hashed == 1, "the second log-in found it up to date"


async def test_who_comes_without_a_hash_cannot_log_in(live: Live, door: Door) -> None:
    await bring(live, password_hash=None)
    answer = await door.call("login", email="grace@example.com", password="anything at all")
    assert answer.outcome == "invalid_credentials"


async def test_a_password_from_elsewhere_proves_who_one_is(live: Live, door: Door) -> None:
    """The rules for new passwords are not asked of an old one: it may be short."""
    short = "pbkdf2:sha1:4096$salt$4b007901b765489abead49d926f721d065a429c1"
    await bring(live, password_hash=short)
    answer = await door.call("login", email="grace@example.com", password="password")
    assert answer.ok
    grace = await User.get(email="grace@example.com")
    change = {"id": str(grace.id), "email": "hopper@example.com"}
    bearer = answer.body["access_token"]
    changed = await door.call("update_user", bearer=bearer, current_password="password", **change)
    assert changed.ok


async def test_an_absurd_or_damaged_hash_is_refused_at_the_import_without_being_shown(
    live: Live,
) -> None:
    canary = "canarycanarycanarycanarycanarycanarycanarycanarycanar"
    lines = [
        {"name": "Grace", "email": f"grace{cost}@example.com", "password_hash": hashed}
        for cost, hashed in enumerate([f"$2b$31${canary}", f"$2b$12${canary[5:]}", canary, ""])
    ]
    outcomes = await live.services.imports.import_batch(SYSTEM, lines)
    for outcome in outcomes:
        assert isinstance(outcome, Invalid)
        assert set(outcome.fields) == {"password_hash"}
        assert "canary" not in repr(outcome.fields)
    assert not await User.exists()
