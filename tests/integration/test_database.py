"""The database adapter on SQLite, PostgreSQL and MariaDB: transactions, cancellation, errors."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError
from tortoise.expressions import F

from service.auth.models import Session
from service.core.clock import utc_now
from service.core.errors import Unavailable
from service.core.ports import Work
from service.infra.database import (
    Database,
    DatabaseUnavailable,
    foreign_key_violation,
    insert_rows,
    unique_violation,
)
from service.infra.database.rows import in_dialect
from service.roles.models import Role
from service.users.models import User, UserProfile, UserStatus
from tests.support.databases import Backend, clear, fresh_database

POOL = 3


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=POOL)
    await database.connect()
    await clear(database)
    yield database
    await database.close()


async def make_user(email: str = "ada@example.com", **fields: Any) -> User:
    return await User.create(email=email, name="Ada", search="ada", **fields)


# Connecting


async def test_it_connects_again_after_it_was_closed(url: str) -> None:
    database = Database(url)
    for _ in range(3):
        await database.connect()
        await database.ping()
        await database.close()
    assert not database.is_connected


async def test_closing_twice_is_harmless(url: str) -> None:
    database = Database(url)
    await database.close()
    await database.connect()
    await database.close()
    await database.close()


def test_it_connects_under_one_event_loop_after_another(url: str) -> None:
    async def visit() -> int:
        database = Database(url)
        await database.connect()
        try:
            return await User.all().count()
        finally:
            await database.close()

    assert [_in_new_loop(visit()) for _ in range(3)] == [0, 0, 0]


def test_a_database_whose_loop_died_does_not_stand_in_the_way(url: str, backend: Backend) -> None:
    if backend != "sqlite":
        pytest.skip("a pool left behind warns of its sockets; SQLite's has none")
    left = Database(url)
    _in_new_loop(left.connect())
    pool: Any = left._pool
    pool.abandon()
    database = Database(url)
    _in_new_loop(database.connect())
    assert database.is_connected
    assert not left.is_connected
    pool = database._pool
    pool.abandon()
    database._forget_if_dead()
    _in_new_loop(database.close())


def _in_new_loop(work: Any) -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def test_a_second_database_in_one_process_is_refused(database: Database, url: str) -> None:
    with pytest.raises(RuntimeError):
        await Database(url).connect()
    await database.ping()


async def test_other_tasks_find_the_database(database: Database) -> None:
    await make_user()
    assert await asyncio.ensure_future(User.all().count()) == 1


async def test_after_close_nothing_opens_it_by_accident(url: str) -> None:
    database = Database(url)
    await database.connect()
    pool = database._pool
    await database.close()
    with pytest.raises(Unavailable):
        await database.ping()
    assert pool is not None
    with pytest.raises(Unavailable):
        await pool.execute_query("SELECT 1")
    with pytest.raises(Unavailable):
        async with database.transaction():
            pass


# Transactions


async def test_a_transaction_is_committed(database: Database) -> None:
    async with database.transaction():
        await make_user()
        assert await User.all().count() == 1
    assert await User.all().count() == 1


async def test_an_error_rolls_everything_back(database: Database) -> None:
    with pytest.raises(LookupError):  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            await make_user()
            raise LookupError
    assert await User.all().count() == 0


async def test_what_waits_for_the_commit_runs_after_it_in_order(database: Database) -> None:
    seen: list[tuple[str, int]] = []

    async def note(name: str) -> None:
        seen.append((name, await asyncio.ensure_future(User.all().count())))

    async with database.transaction() as work:
        work.after_commit(lambda: note("first"))
        await make_user()
        work.after_commit(lambda: note("second"))
        assert seen == []
    assert seen == [("first", 1), ("second", 1)]


async def test_what_waits_for_the_commit_never_runs_after_a_rollback(database: Database) -> None:
    seen: list[int] = []

    async def note() -> None:
        seen.append(1)

    with pytest.raises(LookupError):  # noqa: PT012  # the block is a transaction
        async with database.transaction() as work:
            work.after_commit(note)
            raise LookupError
    assert seen == []


async def test_an_action_that_fails_is_logged_by_type_and_undoes_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []

    async def fail() -> None:
        raise ValueError("ada@example.com")

    async def note() -> None:
        done.append(1)

    async with database.transaction() as work:
        await make_user()
        work.after_commit(fail)
        work.after_commit(note)
    assert done == [1]
    assert await User.all().count() == 1
    assert "ValueError" in caplog.text
    assert "ada@example.com" not in caplog.text


async def test_a_transaction_inside_one_joins_it(database: Database) -> None:
    seen: list[int] = []

    async def note() -> None:
        seen.append(1)

    async with database.transaction() as outer:
        async with database.transaction() as inner:
            assert inner is outer
            inner.after_commit(note)
            await make_user()
        assert seen == []
        await make_user("grace@example.com")
    assert seen == [1]
    assert await User.all().count() == 2


async def test_when_the_outer_fails_the_inner_is_undone(database: Database) -> None:
    with pytest.raises(LookupError):  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            async with database.transaction():
                await make_user()
            raise LookupError
    assert await User.all().count() == 0


async def test_when_an_inner_fails_the_outer_cannot_commit(database: Database) -> None:
    with pytest.raises(TransactionManagementError):  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            await make_user()
            try:
                async with database.transaction():
                    raise LookupError
            except LookupError:
                pass
    assert await User.all().count() == 0


async def test_after_commit_of_an_ended_transaction_is_refused(database: Database) -> None:
    async with database.transaction() as work:
        pass
    with pytest.raises(RuntimeError):
        work.after_commit(database.ping)


async def test_a_task_that_outlives_its_transaction_cannot_write_into_another(
    database: Database,
) -> None:
    go_on = asyncio.Event()

    async def late() -> None:
        await go_on.wait()
        await make_user("late@example.com")

    async with database.transaction():
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(TransactionManagementError):
        await task
    assert await User.all().count() == 0


async def test_a_task_that_outlives_its_transaction_may_begin_its_own(database: Database) -> None:
    go_on = asyncio.Event()

    async def late() -> None:
        await go_on.wait()
        async with database.transaction():
            await make_user("late@example.com")

    async with database.transaction():
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    go_on.set()
    await task
    assert await User.all().count() == 1


async def test_tortoise_may_try_and_fail_inside_a_transaction(database: Database) -> None:
    await make_user()
    async with database.transaction():
        _, created = await User.get_or_create(
            email="ada@example.com", defaults={"name": "Ada", "search": "ada"}
        )
        with pytest.raises(IntegrityError):
            async with database.client._in_transaction():
                await make_user()
        await make_user("grace@example.com")
    assert not created
    assert await User.all().count() == 2


async def test_after_a_failed_statement_no_database_commits_in_silence(
    database: Database, backend: Backend
) -> None:
    await make_user()
    committed = False
    try:
        async with database.transaction():
            await make_user("grace@example.com")
            with pytest.raises(IntegrityError):
                await make_user()
        committed = True
    except TransactionManagementError:
        pass
    assert await User.filter(email="grace@example.com").exists() is committed
    assert committed is (backend != "postgres")


async def test_of_many_conditional_updates_at_once_one_wins(database: Database) -> None:
    user = await make_user()

    async def advance() -> int:
        return await User.filter(id=user.id, token_epoch=0).update(token_epoch=1)

    assert sorted(await asyncio.gather(*(advance() for _ in range(8)))) == [0] * 7 + [1]


async def test_an_update_counts_the_rows_it_found_also_when_nothing_is_different(
    database: Database,
) -> None:
    user = await make_user()
    assert await User.filter(id=user.id).update(name="Ada") == 1


async def test_after_an_update_that_changed_nothing_a_select_sees_why(database: Database) -> None:
    user = await make_user()
    read, written = asyncio.Event(), asyncio.Event()

    async def loser() -> int:
        async with database.transaction():
            if database.dialect != "sqlite":  # there the first transaction holds the lock
                await User.get(id=user.id)
                read.set()
                await written.wait()
            await User.filter(id=user.id, token_epoch=0).update(name="Lost")
            return (await User.get(id=user.id)).token_epoch

    task = asyncio.create_task(loser())
    if database.dialect != "sqlite":
        await read.wait()
    await User.filter(id=user.id).update(token_epoch=7)
    written.set()
    assert await task in ((7,) if database.dialect != "sqlite" else (0, 7))


async def test_a_delete_counts_its_own_rows_and_not_those_of_the_cascade(
    database: Database,
) -> None:
    user = await make_user()
    await UserProfile.create(user=user)
    assert await User.filter(id=user.id).delete() == 1


# Cancellation


class Pairs:
    """Writes rows in pairs, so that half a transaction shows as an odd one."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.committed: list[str] = []

    async def write(self, number: int) -> None:
        async with self.database.transaction() as work:
            await make_user(f"{number}-a@example.com")
            await asyncio.sleep(0)
            await make_user(f"{number}-b@example.com")
            await User.filter(email=f"{number}-a@example.com").update(
                token_epoch=F("token_epoch") + 1
            )
            work.after_commit(lambda: self._note(number))

    async def read(self) -> None:
        await User.all().count()

    async def _note(self, number: int) -> None:
        await asyncio.sleep(0)
        self.committed.append(str(number))


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_at_any_point_the_pool_still_serves_and_each_row_is_whole(
    database: Database, seed: int
) -> None:
    dice, pairs = random.Random(seed), Pairs(database)
    tasks = []
    for number in range(60):
        tasks.append(asyncio.create_task(pairs.write(number)))
        tasks.append(asyncio.create_task(pairs.read()))
        await asyncio.sleep(dice.random() * 0.004)
        for victim in dice.sample(tasks, k=min(2, len(tasks))):
            victim.cancel()
            if dice.random() < 0.3:
                asyncio.get_running_loop().call_later(dice.random() * 0.002, victim.cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = [result for result in results if isinstance(result, asyncio.CancelledError)]
    assert {type(r) for r in results if isinstance(r, BaseException)} <= {asyncio.CancelledError}
    assert cancelled

    emails = {user.email: user.token_epoch for user in await User.all()}
    numbers = sorted(email.split("-")[0] for email in emails)
    assert numbers == sorted(2 * [*set(numbers)])
    assert all(emails[f"{number}-a@example.com"] == 1 for number in numbers)
    assert sorted(set(numbers)) == sorted(pairs.committed)
    await assert_all_connections_serve(database)


@pytest.mark.parametrize("steps", range(1, 40))
async def test_cancelled_at_each_step_of_the_loop_a_transaction_is_whole(
    database: Database, steps: int
) -> None:
    pairs = Pairs(database)
    task = asyncio.create_task(pairs.write(steps))
    for _ in range(steps):
        await asyncio.sleep(0 if steps % 2 else 0.0003)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await User.all().count() == 2 * len(pairs.committed)
    await assert_all_connections_serve(database)


async def assert_all_connections_serve(database: Database) -> None:
    async def one(number: int) -> None:
        async with database.transaction():
            await make_user(f"after-{number}@example.com")
            assert await User.filter(email=f"after-{number}@example.com").count() == 1

    async with asyncio.timeout(5):
        await asyncio.gather(*(one(number) for number in range(2 * POOL)))
    assert await User.filter(email__startswith="after-").delete() == 2 * POOL


async def test_a_time_out_swallowed_inside_a_transaction_does_not_let_it_commit(
    database: Database,
) -> None:
    sleep = {"postgres": "SELECT pg_sleep(5)", "mysql": "SELECT SLEEP(5)"}.get(
        database.dialect,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
        " SELECT max(i) FROM n",
    )
    with pytest.raises((TransactionManagementError, Unavailable)):  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            await make_user()
            try:
                async with asyncio.timeout(0.05):
                    await database.client.execute_query(sleep)
            except TimeoutError:
                pass
            await make_user("grace@example.com")
    assert await User.all().count() == 0
    await assert_all_connections_serve(database)


async def test_a_cancelled_bulk_insert_is_whole(database: Database) -> None:
    for round_ in range(10):
        users = [User(email=f"{round_}-{n}@example.com", name="N", search="n") for n in range(200)]
        task = asyncio.ensure_future(User.bulk_create(users))
        await asyncio.sleep(0.0005 * round_)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await User.filter(email__startswith=f"{round_}-").count() in (0, 200)
    await assert_all_connections_serve(database)


async def test_a_cancelled_writer_does_not_spoil_the_row_count_of_the_next(
    database: Database,
) -> None:
    user = await make_user()
    for _ in range(20):
        task = asyncio.ensure_future(User.filter(id=user.id).update(name="Other"))
        await asyncio.sleep(0)
        task.cancel()
        assert await User.filter(id=uuid4()).update(name="Nobody") == 0
        await asyncio.gather(task, return_exceptions=True)


# Reaching it


async def test_a_database_that_is_not_there_is_unavailable(backend: Backend) -> None:
    urls = {
        "sqlite": "sqlite:///proc/nowhere/arcana.db",
        "postgres": "postgres://ada:s3cret@127.0.0.1:1/arcana",
        "mysql": "mysql://ada:s3cret@127.0.0.1:1/arcana",
    }
    database = Database(urls[backend])
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.connect()
    assert caught.value.reason
    assert "s3cret" not in str(caught.value) + caught.value.reason
    assert not database.is_connected


async def test_a_server_that_says_nothing_is_given_up_in_time(backend: Backend) -> None:
    if backend == "sqlite":
        pytest.skip("a file has no server")
    server = await asyncio.start_server(lambda _r, _w: asyncio.sleep(60), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = Database(f"{backend}://ada@127.0.0.1:{port}/arcana", connect_timeout=0.3)
    try:
        async with asyncio.timeout(3):
            with pytest.raises(DatabaseUnavailable):
                await database.connect()
    finally:
        server.close()


async def test_a_busy_pool_is_unavailable_after_a_while_and_then_serves_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.infra.database.lane.PATIENCE", 0.3)
    database = Database(url, pool_size=1, pool_timeout=0.3)
    await database.connect()

    async def hold(until: asyncio.Event) -> None:
        async with database.transaction():
            await until.wait()

    free = asyncio.Event()
    holder = asyncio.create_task(hold(free))
    await asyncio.sleep(0.05)
    if database.dialect == "sqlite":
        await User.all().count()  # a reader waits for no writer
    else:
        with pytest.raises(DatabaseUnavailable):
            await User.all().count()
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction():
            pass
    await database.ping()  # a full pool is no reason to send callers elsewhere
    free.set()
    await holder
    await database.ping()
    await database.close()


async def test_a_lost_connection_is_unavailable_once_and_then_replaced(
    database: Database, backend: Backend
) -> None:
    if backend == "sqlite":
        pytest.skip("a file has no connection to lose")
    kill = {
        "postgres": "SELECT pg_terminate_backend(pg_backend_pid())",
        "mysql": "SELECT CONCAT('KILL ', CONNECTION_ID()) AS k",
    }[backend]
    with pytest.raises(Unavailable):  # noqa: PT012  # the block is a transaction
        async with database.transaction():
            await make_user()
            _, rows = await database.client.execute_query(kill)
            if backend == "mysql":
                await database.client.execute_query(rows[0]["k"])
            await make_user("grace@example.com")
    await assert_all_connections_serve(database)
    assert await User.all().count() == 0


async def test_two_that_wait_for_each_other_are_not_both_stuck(
    database: Database, backend: Backend
) -> None:
    if backend == "sqlite":
        pytest.skip("one writer at a time cannot wait for another")
    one, other = await make_user("1@example.com"), await make_user("2@example.com")
    both = asyncio.Barrier(2)

    async def cross(first: User, second: User) -> None:
        async with database.transaction():
            await User.filter(id=first.id).update(name="x")
            await both.wait()
            await User.filter(id=second.id).update(name="x")

    results = await asyncio.gather(cross(one, other), cross(other, one), return_exceptions=True)
    assert {type(result) for result in results} == {type(None), DatabaseUnavailable}
    await assert_all_connections_serve(database)


# Errors


async def test_a_taken_email_names_its_index(database: Database) -> None:
    await make_user()
    with pytest.raises(IntegrityError) as caught:
        await make_user()
    assert "email" in (unique_violation(caught.value) or "")
    assert not foreign_key_violation(caught.value)


async def test_a_taken_role_name_is_not_about_an_email(database: Database) -> None:
    await Role.create(name="email")
    with pytest.raises(IntegrityError) as caught:
        await Role.create(name="email")
    assert "name" in (unique_violation(caught.value) or "")
    assert "email" not in (unique_violation(caught.value) or "")


async def test_a_row_cannot_choose_the_index_it_seems_to_break(database: Database) -> None:
    name = "x' for key 'email"
    await Role.create(name=name)
    with pytest.raises(IntegrityError) as caught:
        await Role.create(name=name)
    assert "email" not in (unique_violation(caught.value) or "")


async def test_a_row_that_points_to_nothing_is_a_foreign_key_violation(
    database: Database,
) -> None:
    with pytest.raises(IntegrityError) as caught:
        await UserProfile.create(user_id=uuid4())
    assert foreign_key_violation(caught.value)
    assert unique_violation(caught.value) is None


async def test_no_error_holds_a_parameter(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary@example.com"
    await make_user(canary)
    with pytest.raises(IntegrityError) as taken:
        await make_user(canary)
    query = in_dialect(database.dialect, "SELECT nothing FROM users WHERE email = ?")
    with pytest.raises(OperationalError) as unknown:
        await database.client.execute_query(query, [canary])
    for error in (taken.value, unknown.value):
        assert canary not in repr(error)
        assert error.__cause__ is None
        assert error.__context__ is None
    assert canary not in caplog.text


# The schema


async def test_an_accent_makes_another_email(database: Database) -> None:
    for email in ("rene@example.com", "rené@example.com", "rene\u0301@example.com"):
        await make_user(email)
    assert await User.filter(email="rene@example.com").count() == 1


async def test_case_and_sharp_s_make_other_emails(database: Database) -> None:
    for email in ("strasse@example.com", "straße@example.com", "STRASSE@example.com"):
        await make_user(email)
    assert await User.all().count() == 3


async def test_text_of_every_script_comes_back_as_it_went_in(database: Database) -> None:
    name = "Zoë 李小龍 שלום 👩‍👩‍👧 Ω 'quoted' \\ \"double\" %s $1 ?"
    user = await User.create(email="z@example.com", name=name, search=name)
    assert (await User.get(id=user.id)).name == name


async def test_enums_are_stored_by_value(database: Database) -> None:
    await make_user(status=UserStatus.SUSPENDED)
    _, rows = await database.client.execute_query("SELECT status, sync_status FROM users")
    assert dict(rows[0]) == {"status": "suspended", "sync_status": "synced"}
    assert (await User.first()).status is UserStatus.SUSPENDED  # type: ignore[union-attr]


async def test_instants_come_back_aware_in_utc_to_the_microsecond(database: Database) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    moment = datetime(2026, 3, 1, 2, 3, 4, 567891, tzinfo=east)
    user = await make_user(created_at=moment)
    stored = (await User.get(id=user.id)).created_at
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)
    assert await User.filter(created_at__lt=moment + timedelta(microseconds=1)).exists()
    assert not await User.filter(created_at__lt=moment).exists()


async def test_with_a_user_go_its_profile_roles_and_sessions(database: Database) -> None:
    user, role = await make_user(), await Role.create(name="user")
    await UserProfile.create(user=user)
    await Session.create(user=user, salt=b"\x00\xff", expires_at=utc_now())
    await insert_rows("user_roles", ("user_id", "role_id"), [(user.id, role.id)])
    await user.delete()
    assert await UserProfile.all().count() == await Session.all().count() == 0
    _, rows = await database.client.execute_query("SELECT * FROM user_roles")
    assert not rows
    assert await Role.all().count() == 1


async def test_with_a_role_go_its_grants_and_not_its_holders(database: Database) -> None:
    user, role = await make_user(), await Role.create(name="user")
    await user.roles.add(role)
    await role.delete()
    await user.fetch_related("roles")
    assert not list(user.roles)


async def test_a_role_is_held_once(database: Database) -> None:
    user, role = await make_user(), await Role.create(name="user")
    await user.roles.add(role)
    with pytest.raises(IntegrityError) as caught:
        await insert_rows("user_roles", ("user_id", "role_id"), [(user.id, role.id)])
    assert unique_violation(caught.value) is not None


async def test_a_session_keeps_its_bytes(database: Database) -> None:
    user = await make_user()
    salt = bytes(range(256))
    session = await Session.create(user=user, salt=salt, expires_at=datetime.now(UTC))
    assert (await Session.get(id=session.id)).salt == salt


async def test_a_value_too_long_is_refused_and_never_cut(
    database: Database, backend: Backend
) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no lengths; the schemas at the door have")
    query = "UPDATE users SET name = {}".format({"postgres": "$1", "mysql": "%s"}[backend])
    await make_user()
    with pytest.raises(OperationalError):
        await database.client.execute_query(query, ["x" * 300])


async def test_sqlite_keeps_every_acknowledged_write(database: Database, backend: Backend) -> None:
    if backend != "sqlite":
        pytest.skip("about SQLite's settings")

    async def setting(name: str) -> Any:
        return (await database.client.execute_query(f"PRAGMA {name}"))[1][0][0]

    names = ("journal_mode", "synchronous", "foreign_keys")
    assert [await setting(name) for name in names] == ["wal", 2, 1]


async def test_a_work_is_what_services_are_promised(database: Database) -> None:
    async with database.transaction() as work:
        promised: Work = work
        assert promised is work
