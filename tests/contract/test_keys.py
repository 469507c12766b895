"""Each algorithm at both doors: what is published, what is refused, and what a rotation changes."""

import json
from collections.abc import AsyncIterator, Iterator

import jwt
import pytest
import pytest_asyncio

from service.core.access import SYSTEM
from service.keys.algorithms import ALGORITHMS, Algorithm
from tests.support.databases import fresh_database
from tests.support.doors import Door
from tests.support.forge import Forge
from tests.support.keys import forge_of
from tests.support.live import Live, live_service
from tests.support.people import Person

JWKS = "/.well-known/jwks.json"
UNSENDABLE = {"a newline after", "a blank inside"}
MEMBERS = {
    "EdDSA": {"crv", "x"},
    "ES256": {"crv", "x", "y"},
    "RS256": {"n", "e"},
}
SHARED = {"kty", "use", "key_ops", "alg", "kid"}


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """Keys on the other databases: tests/integration/test_key_ring.py."""
    with fresh_database("sqlite") as url:
        yield url


@pytest.fixture(scope="module", params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    chosen: Algorithm = request.param
    return chosen


@pytest_asyncio.fixture(scope="module")
async def running(database_url: str, algorithm: Algorithm) -> AsyncIterator[Live]:
    async with live_service(database_url, jwt_algorithm=algorithm) as live:
        yield live


async def forge(live: Live) -> Forge:
    """One that knows the key that signs."""
    return forge_of(await live.services.ring.signing())


async def test_tokens_are_of_the_algorithm_and_name_their_key(
    ada: Person, door: Door, algorithm: Algorithm
) -> None:
    header = jwt.get_unverified_header(ada.access)
    assert header == {"alg": algorithm, "kid": header["kid"], "typ": "at+jwt"}
    assert (await door.call("who_am_i", bearer=ada.access)).ok


@pytest.mark.parametrize("kind", sorted(set(Forge.KINDS) - UNSENDABLE))
async def test_a_forged_token_is_refused(live: Live, door: Door, root: Person, kind: str) -> None:
    with_key = await forge(live)
    assert (await door.call("list_users", bearer=with_key.resigned(root.access))).ok
    forged = with_key.make(kind, root.access)
    assert (await door.call("list_users", bearer=forged)).outcome == "invalid_token"


async def test_public_keys_are_published_and_no_others(live: Live, algorithm: Algorithm) -> None:
    answer = await live.rest.client.get(JWKS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    found = answer.json()["keys"]
    if algorithm == "HS256":
        assert found == []
        return
    assert len(found) == 2, "the one that signs, and the next"
    for jwk in found:
        assert set(jwk) == SHARED | MEMBERS[algorithm]
        assert (jwk["use"], jwk["key_ops"], jwk["alg"]) == ("sig", ["verify"], algorithm)


async def test_anybody_checks_a_token_with_the_published_keys(
    live: Live, ada: Person, algorithm: Algorithm
) -> None:
    if algorithm == "HS256":
        return
    found = jwt.PyJWKSet.from_dict((await live.rest.client.get(JWKS)).json())
    key = found[jwt.get_unverified_header(ada.access)["kid"]]
    options = {"verify_exp": False, "verify_iat": False}  # the tests' clock stands still
    claims = jwt.decode(
        ada.access,
        key,
        algorithms=[algorithm],
        audience="arcana",
        issuer="arcana",
        options=options,  # type: ignore[arg-type]  # a part of them
    )
    assert claims["sub"] == ada.id


async def test_who_holds_the_set_already_is_told_so_until_it_changes(
    live: Live, algorithm: Algorithm
) -> None:
    client = live.rest.client
    tag = (await client.get(JWKS)).headers["etag"]
    again = await client.get(JWKS, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "public, max-age=300"
    await live.services.keys.rotate(SYSTEM)
    await live.app.ctx.services.ring.refresh()
    changed = await client.get(JWKS, headers={"if-none-match": tag})
    assert changed.status_code == (304 if algorithm == "HS256" else 200)


async def test_the_set_is_asked_for_by_head_too_and_changed_by_nobody(live: Live) -> None:
    head = await live.rest.client.head(JWKS)
    assert (head.status_code, head.content) == (200, b"")
    assert (await live.rest.client.post(JWKS)).status_code == 405


async def test_a_rotation_leaves_old_tokens_good_and_new_ones_are_of_the_new_key(
    live: Live, door: Door, ada: Person
) -> None:
    done = await live.services.keys.rotate(SYSTEM)
    await live.services.ring.refresh()
    again = await live.people.sign_in(ada)
    assert jwt.get_unverified_header(again.access)["kid"] == done.signing
    for token in (ada.access, again.access):
        assert (await door.call("who_am_i", bearer=token)).ok


async def test_what_a_retired_key_signed_is_refused_and_refresh_goes_on(
    live: Live, door: Door, ada: Person
) -> None:
    assert (await door.call("who_am_i", bearer=ada.access)).ok
    done = await live.services.keys.rotate(SYSTEM)
    await live.services.keys.retire(SYSTEM, done.old)
    for services in (live.app.ctx.services, live.services):
        await services.ring.refresh()
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
    fresh = await door.call("refresh", refresh_token=ada.refresh)
    assert (await door.call("who_am_i", bearer=fresh.body["access_token"])).ok


async def test_the_set_is_described_in_the_document(live: Live) -> None:
    document = (await live.rest.client.get("/docs/openapi.json")).json()
    described = document["paths"][JWKS]["get"]
    assert described["security"] == []
    assert {"200", "304"} <= set(described["responses"])
    assert '"kty"' in json.dumps(document["components"]["schemas"]["JwkView"])
