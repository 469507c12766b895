"""Every service method says who may call it, and the saying is what holds."""

import pytest

from service.core.access import (
    SYSTEM,
    Actor,
    Anyone,
    Inside,
    Role,
    Self,
    SignedIn,
    allow,
)
from service.core.errors import Forbidden, MissingToken
from service.core.ids import new_id

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
