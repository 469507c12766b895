"""The rules about users, over fakes. The first seven are the seed's own cases (SEED O8–O14)."""

import inspect
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import pytest

from service.core.access import SYSTEM, Actor
from service.core.errors import Forbidden, Invalid, Limited, MissingToken
from service.core.idempotency import Idempotency
from service.core.ids import new_id
from service.core.paging import Cursors
from service.users.errors import EmailTaken, LastAdmin, UserNotFound, WrongPassword
from service.users.models import UserStatus
from service.users.repository import UserRepository
from service.users.service import UserService
from tests.support.fakes import (
    CountingLimiter,
    FakeAnswers,
    FakePublisher,
    FakeRole,
    FakeSessions,
    FakeTransactions,
    FakeUsers,
    Person,
    PlainHasher,
)

GOOD = {"name": "Grace", "email": "Grace@Example.com", "password": "correct horse"}


@dataclass
class World:
    """A service, and what stands around it."""

    users: FakeUsers
    transactions: FakeTransactions = field(default_factory=FakeTransactions)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    limiter: CountingLimiter = field(default_factory=CountingLimiter)
    events: FakePublisher = field(default_factory=FakePublisher)

    @property
    def service(self) -> UserService:
        users = cast(UserRepository, self.users)
        return UserService(
            users,
            self.transactions,
            PlainHasher(),
            self.sessions,
            self.limiter,
            Cursors(b"key"),
            Idempotency(FakeAnswers(), b"key"),
            self.events,
        )


def as_self(person: Person) -> Actor:
    return Actor(person.id, roles=frozenset({"user"}))


def admin() -> Person:
    return Person("root@example.com", "Root", roles=[FakeRole("admin")])


async def test_a_user_is_found_by_id() -> None:
    ada = Person()
    view = await World(FakeUsers(ada)).service.get(SYSTEM, str(ada.id))
    assert (view.id, view.email, view.roles) == (str(ada.id), "ada@example.com", ["user"])


async def test_an_unknown_id_is_user_not_found() -> None:
    service = World(FakeUsers(Person())).service
    for unknown in (str(new_id()), "nonexistent-id", "", "me"):
        with pytest.raises(UserNotFound):
            await service.get(SYSTEM, unknown)


async def test_a_user_is_created_with_a_normal_address_a_hash_and_the_role_user() -> None:
    world = World(FakeUsers())
    view = await world.service.create(SYSTEM, GOOD)
    row = world.users.rows[UUID(view.id)]
    assert (row.email, row.password_hash) == ("grace@example.com", "hash of correct horse")
    assert (view.roles, view.email_verified) == (["user"], False)
    assert world.transactions.committed == 1


async def test_an_address_that_is_taken_is_refused_and_nothing_is_kept() -> None:
    world = World(FakeUsers(Person("grace@example.com")))
    with pytest.raises(EmailTaken):
        await world.service.create(SYSTEM, GOOD)
    assert (world.transactions.committed, world.transactions.rolled_back) == (0, 1)


async def test_a_user_is_updated() -> None:
    ada = Person()
    view = await World(FakeUsers(ada)).service.update(SYSTEM, str(ada.id), {"name": " Countess "})
    assert (view.name, ada.name, view.email_verified) == ("Countess", "Countess", True)


async def test_a_user_is_deleted() -> None:
    world = World(FakeUsers(ada := Person()))
    await world.service.delete(SYSTEM, str(ada.id))
    assert world.users.rows == {}


async def test_an_unknown_user_is_not_deleted() -> None:
    world = World(FakeUsers(Person()))
    with pytest.raises(UserNotFound):
        await world.service.delete(SYSTEM, str(new_id()))
    assert len(world.users.rows) == 1


async def test_whoever_changes_their_own_address_proves_it_with_the_password() -> None:
    ada = Person()
    service, change = World(FakeUsers(ada)).service, {"email": "new@example.com"}
    with pytest.raises(Invalid) as refused:
        await service.update(as_self(ada), str(ada.id), change)
    assert set(refused.value.fields) == {"current_password"}
    with pytest.raises(WrongPassword):
        await service.update(as_self(ada), str(ada.id), change | {"current_password": "wrong"})
    right = change | {"current_password": "correct horse"}
    view = await service.update(as_self(ada), str(ada.id), right)
    assert (view.email, view.email_verified) == ("new@example.com", False)


async def test_an_admin_changes_anothers_address_without_a_password() -> None:
    ada = Person()
    service = World(FakeUsers(ada)).service
    root = Actor(new_id(), roles=frozenset({"admin"}))
    assert (await service.update(root, str(ada.id), {"email": "new@example.com"})).email


async def test_the_same_address_in_another_case_needs_no_password_and_stays_verified() -> None:
    ada = Person()
    service = World(FakeUsers(ada)).service
    view = await service.update(as_self(ada), str(ada.id), {"email": " ADA@example.com"})
    assert (view.email, view.email_verified) == ("ada@example.com", True)


async def test_guessing_at_the_current_password_is_limited() -> None:
    ada = Person()
    service = World(FakeUsers(ada), limiter=CountingLimiter(allowed=2)).service
    guess = {"email": "new@example.com", "current_password": "wrong"}
    for expected in (WrongPassword, WrongPassword, Limited):
        with pytest.raises(expected):
            await service.update(as_self(ada), str(ada.id), guess)


async def test_whoever_is_barred_loses_their_sessions() -> None:
    world = World(FakeUsers(ada := Person()))
    for status in ("suspended", "inactive"):
        await world.service.set_status(SYSTEM, str(ada.id), {"status": status})
    assert world.sessions.ended == [(ada.id, "user_suspended"), (ada.id, "user_inactive")]
    assert ada.status is UserStatus.INACTIVE


async def test_whoever_is_let_back_in_keeps_nothing_and_loses_nothing() -> None:
    world = World(FakeUsers(ada := Person(status=UserStatus.SUSPENDED)))
    await world.service.set_status(SYSTEM, str(ada.id), {"status": "active"})
    assert (ada.status, world.sessions.ended) == (UserStatus.ACTIVE, [])


async def test_the_last_admin_stays() -> None:
    world = World(FakeUsers(root := admin()))
    with pytest.raises(LastAdmin):
        await world.service.delete(SYSTEM, str(root.id))
    with pytest.raises(LastAdmin):
        await world.service.set_status(SYSTEM, str(root.id), {"status": "suspended"})
    with pytest.raises(LastAdmin):
        await world.service.revoke_role(SYSTEM, str(root.id), "admin")
    assert (root.status, root.has_role("admin")) == (UserStatus.ACTIVE, True)
    assert (world.transactions.committed, world.sessions.ended) == (0, [])


async def test_only_a_role_that_changed_outdates_tokens() -> None:
    world = World(FakeUsers(ada := Person()))
    await world.service.grant_role(SYSTEM, str(ada.id), "user")
    await world.service.revoke_role(SYSTEM, str(ada.id), "service")
    assert world.users.outdated == []
    await world.service.grant_role(SYSTEM, str(ada.id), "service")
    assert world.users.outdated == [ada.id]


async def test_a_stream_reads_batch_after_batch_in_order() -> None:
    people = [Person(f"p{n}@example.com") for n in range(450)]
    service = World(FakeUsers(*people)).service
    seen = [view.id async for view in service.stream(SYSTEM, {})]
    assert seen == sorted(str(person.id) for person in people)


async def test_policy_is_asked_before_input_is_read() -> None:
    service = World(FakeUsers(ada := Person())).service
    for nonsense in (b"not json", {"unknown": 1}):
        with pytest.raises(MissingToken):
            await service.create(Actor(), nonsense)
        with pytest.raises(Forbidden):
            await service.create(as_self(ada), nonsense)


def test_the_fake_repository_has_no_method_that_the_real_one_lacks() -> None:
    for name, fake in inspect.getmembers(FakeUsers, inspect.isfunction):
        if not name.startswith("_"):
            real = getattr(UserRepository, name)
            assert list(inspect.signature(fake).parameters) == list(
                inspect.signature(real).parameters
            )
