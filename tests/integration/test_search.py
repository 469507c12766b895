"""Search by part of a name or e-mail: the same people on SQLite, PostgreSQL and MariaDB."""

from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio

from service.infra.cache import MemoryCache
from service.infra.changes import ChangeFeed
from service.infra.database import Database
from service.infra.totals import Totals
from service.users import search
from service.users.lists import UserLists
from service.users.models import UserStatus
from service.users.repository import NewUser, UserRepository
from service.users.search import Match
from tests.support.databases import Backend, clear, fresh_database

NAMES = [
    "Åse Ångström",
    "Anna Straße",
    "松田 篤司",
    "李丽华",
    "حدیث هدایت",
    "Иван Ёлкин",
    "ΣΊΣΥΦΟΣ",
    "Coder 👩🏽‍💻",
    "👩👩👩 Trio",
    "Zoe\u0308 Decomposed",
    'Dwayne "The Rock" Johnson',
    "O'Neil",
    "100 % Ada",
    "snake_case",
    "back\\slash",
    "st*r",
    "NEAR AND OR NOT",
    "Ada Lovelace",
]


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


@pytest_asyncio.fixture
async def users(database: Database) -> AsyncIterator[UserRepository]:
    totals = Totals(MemoryCache())
    yield UserRepository(UserLists(totals), ChangeFeed(database))
    await totals.close()


async def add(
    database: Database, users: UserRepository, *names: str, domain: str = "x.test"
) -> None:
    news = [NewUser(name, f"p{number}@{domain}") for number, name in enumerate(names)]
    async with database.transaction():
        await users.save_all(news)


async def found(users: UserRepository, term: str, status: UserStatus | None = None) -> list[str]:
    match = Match(status, term)
    rows = [row.name for row in (await users.after(match, None, 100)).rows]
    assert await users.total(match) == len(rows)
    assert [row.name for row in (await users.page(match, 0, 100)).rows] == rows
    return rows


@pytest.mark.parametrize(
    ("term", "names"),
    [
        ("ngst", ["Åse Ångström"]),
        ("ANGSTROM", ["Åse Ångström"]),
        ("åse å", ["Åse Ångström"]),
        ("e a", ["Åse Ångström"]),
        ("STRASSE", ["Anna Straße"]),
        ("straß", ["Anna Straße"]),
        ("篤司", ["松田 篤司"]),
        ("松田", ["松田 篤司"]),
        ("松", ["松田 篤司"]),
        ("田 篤", ["松田 篤司"]),
        ("李丽华", ["李丽华"]),
        ("حدیث", ["حدیث هدایت"]),
        ("елкин", ["Иван Ёлкин"]),
        ("σισυφοσ", ["ΣΊΣΥΦΟΣ"]),
        ("👩", ["Coder 👩🏽‍💻", "👩👩👩 Trio"]),
        ("👩👩👩", ["👩👩👩 Trio"]),
        ("zoë", ["Zoe\u0308 Decomposed"]),
        ("zoe\u0308 d", ["Zoe\u0308 Decomposed"]),
        ('"the rock"', ['Dwayne "The Rock" Johnson']),
        ('"', ['Dwayne "The Rock" Johnson']),
        ("o'n", ["O'Neil"]),
        ("'", ["O'Neil"]),
        ("%", ["100 % Ada"]),
        ("00 % a", ["100 % Ada"]),
        ("%%%", []),
        ("___", []),
        ("_", ["snake_case"]),
        ("e_c", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("k\\s", ["back\\slash"]),
        ("*", ["st*r"]),
        ("st*", ["st*r"]),
        ("near and", ["NEAR AND OR NOT"]),
        ("' OR '1'='1", []),
        ("ad", ["100 % Ada", "Ada Lovelace"]),
        ("lo", ["Ada Lovelace"]),
        ("ov", []),
        ("a", ["Åse Ångström", "Anna Straße", "100 % Ada", "NEAR AND OR NOT", "Ada Lovelace"]),
        ("p1@", ["Anna Straße"]),
        ("1@x.t", [name for number, name in enumerate(NAMES) if number % 10 == 1]),
    ],
)
async def test_a_term_finds_the_same_people_on_every_database(
    database: Database, users: UserRepository, term: str, names: Sequence[str]
) -> None:
    await add(database, users, *NAMES)
    assert await found(users, term) == list(names)


async def test_a_term_of_one_or_two_letters_is_the_beginning_of_a_word_or_of_the_address(
    database: Database, users: UserRepository
) -> None:
    await add(database, users, "Bea Quist", "Jacqueline")
    assert await found(users, "qu") == ["Bea Quist"]
    assert await found(users, "p1") == ["Jacqueline"]


async def test_a_whole_address_finds_the_one_who_has_it(
    database: Database, users: UserRepository
) -> None:
    async with database.transaction():
        await users.save_all(
            [NewUser("Ada", "ada@example.com"), NewUser("Nada", "nada@example.com")]
        )
    assert await found(users, "Ada@EXAMPLE.com") == ["Ada"]
    assert await found(users, "da@example.com") == ["Ada", "Nada"]


async def test_search_and_status_hold_together(database: Database, users: UserRepository) -> None:
    async with database.transaction():
        await users.save_all(
            [
                NewUser("Anna One", "1@x.test", status=UserStatus.INACTIVE),
                NewUser("Anna Two", "2@x.test"),
            ]
        )
    assert await found(users, "anna", UserStatus.INACTIVE) == ["Anna One"]
    assert await found(users, "an", UserStatus.ACTIVE) == ["Anna Two"]


async def test_what_is_changed_or_deleted_is_found_as_it_is_now(
    database: Database, users: UserRepository
) -> None:
    await add(database, users, "Ada Lovelace", "Grace Hopper")
    user = await users.find_by_email("p0@x.test")
    assert user is not None
    user.name, user.email = "Countess", "new@y.test"
    async with database.transaction():
        await users.save(user)
    assert (await found(users, "lovelace"), await found(users, "p0@x")) == ([], [])
    assert await found(users, "countess") == await found(users, "new@y") == ["Countess"]
    async with database.transaction():
        await users.delete(user)
    assert (await found(users, "countess"), await found(users, "co")) == ([], [])
    assert await found(users, "hopper") == ["Grace Hopper"]


async def test_what_another_release_writes_is_found(
    database: Database, users: UserRepository
) -> None:
    """Release 0.1.0 knows nothing of the indexes: the database keeps them."""
    await add(database, users, "Ada Lovelace")
    await database.client.execute_script(
        "UPDATE users SET name = 'Byron', search = 'byron' WHERE name = 'Ada Lovelace'"
    )
    assert (await found(users, "lovelace"), await found(users, "yro")) == ([], ["Byron"])


async def test_pages_of_a_search_follow_each_other_in_the_order_of_ids(
    database: Database, users: UserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(database, users, *(f"Person {n:02}" for n in range(25)))
    for few in (search.FEW, 5):  # SQLite reads it either way
        monkeypatch.setattr(search, "FEW", few)
        for term in ("person", "pe"):
            assert await walk(users, Match(term=term), 4) == [f"Person {n:02}" for n in range(25)]


async def walk(users: UserRepository, match: Match, size: int) -> list[str]:
    names: list[str] = []
    after: UUID | None = None
    while True:
        page = await users.after(match, after, size)
        names += [row.name for row in page.rows]
        if not page.more:
            return names
        after = page.rows[-1].id


async def test_the_longest_term_and_the_longest_name_are_no_trouble(
    database: Database, users: UserRepository
) -> None:
    long = "ﷺ" * 255  # folded it has 4590 characters
    await add(database, users, long, "x" * 255)
    assert await found(users, "x" * 255) == ["x" * 255]
    assert await found(users, "ﷺ" * 14) == [long]


async def test_a_term_of_accents_alone_is_no_term(
    database: Database, users: UserRepository
) -> None:
    await add(database, users, "Ada", "Bob")
    assert await found(users, "\u0301") == ["Ada", "Bob"]
