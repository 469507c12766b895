"""The key ring on real databases: how it begins, turns and ends, with several workers at it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import jwt
import pytest
import pytest_asyncio

from config.settings import Settings
from service.app import Outside, Services, build
from service.core.access import SYSTEM
from service.core.errors import InvalidToken
from service.core.ids import new_id
from service.infra.cache import MemoryCache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.limits import NoLimits
from service.keys import ring as ring_module
from service.keys.errors import KeyInUse, KeyNotFound, KeysChanged, KeysLocked
from service.keys.held import State
from service.keys.locksmith import KEPT, LEEWAY
from service.keys.models import SigningKey
from tests.support.clock import MovingClock
from tests.support.databases import Backend, clear, fresh_database
from tests.support.fakes import PlainHasher
from tests.support.keys import secrets_own

OLD, NEW = "the old secret, of 32 bytes at least", "the new secret, of 32 bytes at least"
PAIRS = ("EdDSA", "ES256", "RS256")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.connect()
    await clear(database)
    yield database
    await database.close()


class Workers:
    """Workers over one database, each with a ring and settings of its own; all share a clock."""

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self._database, self._stack = database, stack
        self.clock = MovingClock()

    def built(self, secret: str = OLD, **settings: Any) -> Services:
        """A worker, or a command, that has not started."""
        chosen = Settings(database_url="sqlite://:memory:", jwt_secret=secret, **settings)
        feed = ChangeFeed(self._database)
        outside = Outside(
            self._database, MemoryCache(), PlainHasher(), NoLimits(), self.clock, feed
        )
        return build(chosen, outside)

    async def started(self, secret: str = OLD, **settings: Any) -> Services:
        worker = self.built(secret, **settings)
        await worker.ring.start()
        self._stack.push_async_callback(worker.ring.stop)
        return worker

    async def states(self) -> dict[str, str]:
        """Each key's state, by algorithm and name."""
        views = await self.built().keys.list(SYSTEM)
        return {f"{view.algorithm} {view.kid}": view.state.value for view in views}

    async def count(self, state: State) -> int:
        return list((await self.states()).values()).count(state.value)


@asynccontextmanager
async def workers_over(database: Database) -> AsyncIterator[Workers]:
    async with AsyncExitStack() as stack:
        yield Workers(database, stack)


@pytest_asyncio.fixture
async def workers(database: Database) -> AsyncIterator[Workers]:
    async with workers_over(database) as workers:
        yield workers


async def issued(worker: Services) -> str:
    return await worker.access_tokens.issue(new_id(), new_id(), frozenset({"user"}), 0)


async def good(worker: Services, token: str) -> bool:
    try:
        await worker.access_tokens.read(token)
    except InvalidToken:
        return False
    return True


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


# How it begins


async def test_the_first_key_is_the_secret_itself_and_the_next_is_published(
    workers: Workers,
) -> None:
    worker = await workers.started()
    own = secrets_own(OLD.encode()).kid
    assert kid_of(await issued(worker)) == own
    assert sorted((await workers.states()).values()) == ["next", "signing"]
    assert (await SigningKey.get(kid=own)).sealed is None


@pytest.mark.parametrize("algorithm", ["HS256", *PAIRS])
async def test_of_many_workers_that_start_at_once_one_key_signs(
    workers: Workers, algorithm: str
) -> None:
    team = await asyncio.gather(*(workers.started(jwt_algorithm=algorithm) for _ in range(5)))
    for worker in team:
        await worker.ring.refresh()
    tokens = [await issued(worker) for worker in team]
    assert len(set(map(kid_of, tokens))) == 1
    assert jwt.get_unverified_header(tokens[0])["alg"] == algorithm
    assert await workers.count(State.SIGNING) == 1
    for token in tokens:
        assert all([await good(worker, token) for worker in team])


async def test_nothing_of_a_private_key_stands_in_the_table(workers: Workers) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    private = (await worker.ring.signing()).private()
    for row in await SigningKey.all():
        for text in (row.public or "", row.sealed or ""):
            assert private.hex() not in text
            assert '"d"' not in text


# How it turns


@pytest.mark.parametrize("algorithm", ["HS256", *PAIRS])
async def test_a_rotation_counts_everywhere_and_refuses_no_token(
    workers: Workers, algorithm: str
) -> None:
    one = await workers.started(jwt_algorithm=algorithm)
    two = await workers.started(jwt_algorithm=algorithm)
    old = await issued(one)
    done = await workers.built(jwt_algorithm=algorithm).keys.rotate(SYSTEM)
    await one.ring.refresh()
    new = await issued(one)
    assert (kid_of(old), kid_of(new)) == (done.old, done.signing)
    assert await good(two, new), "the other worker had not read the ring since"
    assert await good(one, old)
    assert await good(two, old)
    assert await workers.count(State.SIGNING) == await workers.count(State.NEXT) == 1


async def test_the_next_key_was_known_before_it_signed(workers: Workers) -> None:
    worker = await workers.started(jwt_algorithm="ES256")
    announced = {jwk["kid"] for jwk in await worker.ring.published()}
    done = await worker.keys.rotate(SYSTEM)
    assert {done.signing, done.old} <= announced
    assert done.following not in announced


async def test_an_old_key_is_good_until_its_last_token_has_expired_and_is_deleted_later(
    workers: Workers,
) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    old = await issued(worker)
    await worker.keys.rotate(SYSTEM)
    workers.clock.forward(minutes=59, seconds=59)
    await worker.ring.refresh()
    assert await good(worker, old)
    workers.clock.forward(seconds=(LEEWAY + timedelta(seconds=1)).total_seconds())
    assert kid_of(old) not in {jwk["kid"] for jwk in await worker.ring.published()}
    workers.clock.forward(seconds=KEPT.total_seconds())
    await worker.keys.rotate(SYSTEM)
    assert not await SigningKey.exists(kid=kid_of(old))


async def test_an_old_key_is_good_as_long_as_the_longest_tokens_of_any_worker(
    workers: Workers,
) -> None:
    """Whoever turns the ring may have been told of shorter ones, or of nothing."""
    long = await workers.started(access_token_expiry=2 * HOUR)
    tokens = [await issued(long)]
    short = await workers.started(access_token_expiry=HOUR / 4)
    for _ in range(2):  # the second key was never written to by a worker
        await workers.built(access_token_expiry=HOUR / 4).keys.rotate(SYSTEM)
        await long.ring.refresh()
        await short.ring.refresh()
        tokens.append(await issued(long))
    workers.clock.forward(seconds=2 * 3600 - 1)
    for worker in (long, short):
        await worker.ring.refresh()
        assert [await good(worker, token) for token in tokens] == [True] * 3


async def test_of_rotations_at_the_same_moment_one_key_signs_and_one_is_next(
    workers: Workers,
) -> None:
    await workers.started(jwt_algorithm="EdDSA")
    for _ in range(5):
        both = [workers.built(jwt_algorithm="EdDSA") for _ in range(4)]
        turns = [worker.keys.rotate(SYSTEM) for worker in both]
        done = await asyncio.gather(*turns, return_exceptions=True)
        assert not all(isinstance(each, KeysChanged) for each in done)
        failures = [each for each in done if isinstance(each, BaseException)]
        assert {type(each) for each in failures} <= {KeysChanged}
        assert await workers.count(State.SIGNING) == await workers.count(State.NEXT) == 1


async def test_a_rotation_that_fails_changes_nothing(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    before = await workers.states()

    async def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("service.keys.repository.KeyRepository.promote", broken)
        with pytest.raises(RuntimeError):
            await worker.keys.rotate(SYSTEM)
    assert await workers.states() == before


@pytest.mark.parametrize("before", ["HS256", *PAIRS])
@pytest.mark.parametrize("after", ["HS256", *PAIRS])
async def test_another_algorithm_signs_after_a_restart_and_old_tokens_stay_good(
    workers: Workers, before: str, after: str
) -> None:
    if before == after:
        return
    old = await workers.started(jwt_algorithm=before)
    token = await issued(old)
    new = await workers.started(jwt_algorithm=after)
    fresh = await issued(new)
    assert jwt.get_unverified_header(fresh)["alg"] == after
    for worker in (old, new):
        assert await good(worker, token)
        assert await good(worker, fresh)
    await old.ring.refresh()
    assert jwt.get_unverified_header(await issued(old))["alg"] == after, "all sign with one key"
    assert await workers.count(State.SIGNING) == await workers.count(State.NEXT) == 1


async def test_a_worker_without_a_reading_of_its_own_learns_by_itself(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "INTERVAL", 0.05)
    worker = await workers.started(jwt_algorithm="EdDSA")
    done = await workers.built(jwt_algorithm="EdDSA").keys.rotate(SYSTEM)
    async with asyncio.timeout(10):
        while kid_of(await issued(worker)) != done.signing:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "ES256"])
async def test_rotations_one_after_the_other_under_load_refuse_no_token(
    workers: Workers, algorithm: str
) -> None:
    """Each worker takes what any signs, at once; ``make chaos-keys`` does so for a minute."""
    team = [await workers.started(jwt_algorithm=algorithm) for _ in range(2)]
    kids: set[str] = set()
    refused: list[str] = []
    over = asyncio.Event()

    async def load(signer: Services, reader: Services) -> None:
        while not over.is_set():
            token = await issued(signer)
            kids.add(kid_of(token))
            if not await good(reader, token):
                refused.append(token)
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(load(a, b)) for a in team for b in team]
    signing = []
    for _ in range(3):
        signing.append((await workers.built(jwt_algorithm=algorithm).keys.rotate(SYSTEM)).signing)
        async with asyncio.timeout(30):
            while signing[-1] not in kids:
                await asyncio.sleep(0.05)
    team.append(await workers.started(jwt_algorithm=algorithm))  # one that has just restarted
    assert kid_of(await issued(team[-1])) == signing[-1]
    over.set()
    await asyncio.gather(*tasks)
    assert refused == []
    assert kids > set(signing)


async def test_an_emptied_table_is_filled_again(workers: Workers) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    await SigningKey.all().delete()
    await worker.ring.tend()
    assert jwt.get_unverified_header(await issued(worker))["alg"] == "EdDSA"
    assert await workers.count(State.SIGNING) == 1


# How one ends


async def test_a_retired_key_is_good_no_longer_whatever_the_clocks_say(workers: Workers) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    token = await issued(worker)
    done = await worker.keys.rotate(SYSTEM)
    await worker.keys.retire(SYSTEM, done.old)
    workers.clock.now -= timedelta(minutes=4)  # this worker's clock is behind
    await worker.ring.refresh()
    assert not await good(worker, token)
    assert await workers.count(State.RETIRED) == 1
    await worker.keys.retire(SYSTEM, done.old)


async def test_the_signing_key_is_not_retired(workers: Workers) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    with pytest.raises(KeyInUse):
        await worker.keys.retire(SYSTEM, kid_of(await issued(worker)))
    with pytest.raises(KeyNotFound):
        await worker.keys.retire(SYSTEM, "nobody")


async def test_a_next_key_that_is_retired_has_a_successor_and_never_signs(
    workers: Workers,
) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    (following,) = [row.kid for row in await SigningKey.filter(signs_from=None)]
    await worker.keys.retire(SYSTEM, following)
    assert await workers.count(State.NEXT) == 1
    assert (await worker.keys.rotate(SYSTEM)).signing != following


async def test_a_retired_key_is_forgotten_by_the_cache_of_verified_tokens(
    workers: Workers,
) -> None:
    worker = await workers.started(jwt_algorithm="EdDSA")
    heard: list[int] = []
    worker.ring.subscribe(lambda: heard.append(1))
    done = await worker.keys.rotate(SYSTEM)
    await worker.ring.refresh()
    assert heard == []
    await worker.keys.retire(SYSTEM, done.old)
    await worker.ring.refresh()
    assert heard == [1]


# When the secret changes


async def test_a_command_with_another_secret_changes_nothing(workers: Workers) -> None:
    stranger = workers.built(NEW)
    with pytest.raises(KeysLocked):
        await stranger.keys.rotate(SYSTEM)
    for algorithm in ("HS256", "EdDSA"):
        await workers.started(jwt_algorithm=algorithm)
        before = await workers.states()
        with pytest.raises(KeysLocked):
            await stranger.keys.rotate(SYSTEM)
        assert await workers.states() == before


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
async def test_the_secret_changes_and_no_token_is_refused(workers: Workers, algorithm: str) -> None:
    """The steps of docs/keys.md, each with the step before it still running."""
    settings: list[dict[str, str]] = [
        {"secret": OLD},
        {"secret": OLD, "jwt_secret_previous": NEW},
        {"secret": NEW, "jwt_secret_previous": OLD},
    ]
    team = [await workers.started(**settings[0], jwt_algorithm=algorithm)]
    tokens = [await issued(team[0])]
    for step in settings[1:]:
        team.append(await workers.started(**step, jwt_algorithm=algorithm))
        for worker in team:
            await worker.ring.tend()
            tokens.append(await issued(worker))
        for token in tokens:
            assert all([await good(worker, token) for worker in team])
    workers.clock.forward(seconds=(HOUR + LEEWAY).total_seconds())
    last = await workers.started(NEW, jwt_algorithm=algorithm)
    fresh = [await issued(worker) for worker in (*team, last)]
    for token in fresh:
        assert all([await good(worker, token) for worker in (*team, last)])


async def test_a_secret_that_was_changed_without_naming_the_old_one_starts_anew(
    workers: Workers,
) -> None:
    token = await issued(await workers.started())
    worker = await workers.started(NEW)
    assert not await good(worker, token)
    assert await good(worker, await issued(worker))
    assert await workers.count(State.SIGNING) == 1


async def test_a_ring_that_begins_with_both_secrets_takes_tokens_of_the_old_one(
    workers: Workers, database: Database
) -> None:
    """As release 0.2.0 left it: sessions and tokens, and no ring."""
    token = await issued(await workers.started())
    await SigningKey.all().delete()
    worker = await workers.started(NEW, jwt_secret_previous=OLD)
    assert await good(worker, token)


async def test_a_key_that_was_sealed_by_one_secret_is_sealed_anew_for_both(
    workers: Workers,
) -> None:
    await workers.started(jwt_algorithm="EdDSA")
    await workers.started(NEW, jwt_secret_previous=OLD, jwt_algorithm="EdDSA")
    before = await SigningKey.filter(sealed__isnull=False).values_list("sealed", flat=True)
    alone = await workers.started(NEW, jwt_algorithm="EdDSA")
    assert (await alone.ring.signing()).algorithm == "EdDSA"
    after = await SigningKey.filter(sealed__isnull=False).values_list("sealed", flat=True)
    assert after == before, "who starts with the new one alone finds all it needs"
