"""Every service method says who may call it, and the saying is what holds."""

import re
from dataclasses import dataclass
from uuid import UUID

import pytest

from service.core.access import (
    SYSTEM,
    Actor,
    Anyone,
    Inside,
    Owner,
    Role,
    Self,
    SignedIn,
    allow,
    owned,
)
from service.core.errors import Forbidden, InsufficientScope, Kind, MissingToken, Refusal
from service.core.ids import new_id
from service.core.scopes import SCOPES, USERS_READ, USERS_WRITE

ADA, BOB = (Actor(new_id(), roles=frozenset({"user"})) for _ in range(2))
ROOT = Actor(new_id(), roles=frozenset({"user", "admin"}))
NOBODY = Actor()


class Rooms:
    """A service with one method for each rule."""

    @allow(Anyone())
    async def hall(self, actor: Actor) -> str:
        return "in"

    @allow(SignedIn())
    async def lounge(self, actor: Actor) -> str:
        return "in"

    @allow(Role("admin"))
    async def office(self, actor: Actor) -> str:
        return "in"

    @allow(Self("user_id"), Role("admin"))
    async def bedroom(self, actor: Actor, user_id: str, *, quietly: bool = False) -> str:
        return f"in {user_id} {quietly}"

    @allow(Owner(), Role("admin"))
    async def locker(self, actor: Actor) -> str:
        return "in"

    @allow(Inside())
    async def cellar(self, actor: Actor) -> str:
        return "in"

    @allow(Role("admin"))
    def plain(self, actor: Actor) -> str:
        """Not a coroutine: refused at the call, not at the first step."""
        return "in"


@pytest.mark.parametrize(
    ("room", "admitted"),
    [
        ("hall", [NOBODY, ADA, ROOT, SYSTEM]),
        ("lounge", [ADA, ROOT, SYSTEM]),
        ("locker", [ADA, ROOT, SYSTEM]),
        ("office", [ROOT, SYSTEM]),
        ("cellar", [SYSTEM]),
    ],
)
async def test_a_rule_admits_whom_it_names(room: str, admitted: list[Actor]) -> None:
    for actor in (NOBODY, ADA, ROOT, SYSTEM):
        if actor in admitted:
            assert await getattr(Rooms(), room)(actor) == "in"
        else:
            with pytest.raises(Forbidden if actor.is_signed_in else MissingToken):
                await getattr(Rooms(), room)(actor)


async def test_self_is_whoever_the_named_argument_is() -> None:
    rooms = Rooms()
    assert await rooms.bedroom(ADA, str(ADA.user_id)) == f"in {ADA.user_id} False"
    assert await rooms.bedroom(ADA, user_id=str(ADA.user_id), quietly=True)
    assert await rooms.bedroom(ROOT, str(ADA.user_id))
    with pytest.raises(Forbidden):
        await rooms.bedroom(BOB, str(ADA.user_id))
    with pytest.raises(MissingToken):
        await rooms.bedroom(NOBODY, str(ADA.user_id))


async def test_nobody_is_not_the_user_without_an_id() -> None:
    for nothing in ("None", "", "null"):
        with pytest.raises(MissingToken):
            await Rooms().bedroom(NOBODY, nothing)


async def test_an_id_in_another_spelling_is_not_self() -> None:
    with pytest.raises(Forbidden):
        await Rooms().bedroom(ADA, str(ADA.user_id).upper())


def test_a_method_that_is_no_coroutine_refuses_at_once() -> None:
    with pytest.raises(Forbidden):
        Rooms().plain(ADA)


def test_the_policy_can_be_read_off_the_method() -> None:
    assert Rooms.bedroom.__policy__ == (Self("user_id"), Role("admin"))  # type: ignore[attr-defined]
    assert Rooms.bedroom.__name__ == "bedroom"


class Desks:
    """A service whose methods differ in the scope that they ask of a key."""

    @allow(Role("admin"), scope=USERS_READ)
    async def scoped(self, actor: Actor) -> str:
        return "in"

    @allow(Role("admin"), scope=None)
    async def closed(self, actor: Actor) -> str:
        return "in"

    @allow(Role("admin"))
    async def forgotten(self, actor: Actor) -> str:
        return "in"

    @allow(Anyone())
    async def public(self, actor: Actor) -> str:
        return "in"


def key(*scopes: str, roles: str = "admin") -> Actor:
    return Actor(new_id(), roles=frozenset({roles}), scopes=frozenset(scopes))


async def test_a_key_does_what_its_scopes_and_its_owner_s_roles_allow_and_no_more() -> None:
    assert await Desks().scoped(key(USERS_READ)) == "in"
    with pytest.raises(InsufficientScope) as refused:
        await Desks().scoped(key(USERS_WRITE))
    assert refused.value.needed == USERS_READ
    with pytest.raises(Forbidden):
        await Desks().scoped(key(USERS_READ, roles="user"))


@pytest.mark.parametrize("desk", ["closed", "forgotten"])
async def test_a_method_without_a_scope_is_closed_to_every_key(desk: str) -> None:
    with pytest.raises(InsufficientScope):
        await getattr(Desks(), desk)(key(*SCOPES))
    assert await getattr(Desks(), desk)(ROOT) == "in"


async def test_what_is_for_anyone_is_for_keys_too() -> None:
    assert await Desks().public(key()) == "in"


def test_every_scope_at_once_fits_the_column() -> None:
    assert len(" ".join(SCOPES)) <= 512
    assert all(re.fullmatch(r"[a-z_]+:[a-z]+", name) for name in SCOPES)


@dataclass(frozen=True)
class Thing:
    """A row that belongs to somebody, or to nobody any longer."""

    user_id: UUID | None


class ThingNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "thing_not_found", "Thing not found."


@pytest.mark.parametrize("actor", [ADA, ROOT, SYSTEM])
def test_a_row_is_shown_to_its_owner_and_to_admins(actor: Actor) -> None:
    thing = Thing(ADA.user_id)
    assert owned(actor, thing, ThingNotFound) is thing


@pytest.mark.parametrize("row", [None, Thing(ADA.user_id), Thing(None)])
@pytest.mark.parametrize("actor", [BOB, NOBODY])
def test_a_stranger_is_told_the_same_of_a_row_that_is_missing(
    actor: Actor, row: Thing | None
) -> None:
    with pytest.raises(Forbidden):
        owned(actor, row, ThingNotFound)


@pytest.mark.parametrize("actor", [ROOT, SYSTEM])
def test_an_admin_is_told_that_a_row_is_missing_and_shown_one_that_is_nobodys(actor: Actor) -> None:
    with pytest.raises(ThingNotFound):
        owned(actor, None, ThingNotFound)
    assert owned(actor, Thing(None), ThingNotFound) == Thing(None)
