"""Methods that answer from the cache, and the keys they make."""

import inspect
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.infra.cache import MISS, MemoryCache, cached
from service.infra.cache.cached import as_text

MINUTE = timedelta(minutes=1)


class Users:
    """A repository whose database is a list of the calls it got."""

    def __init__(self) -> None:
        self._cache = MemoryCache()
        self.asked: list[object] = []

    @cached("u:{user_id}", ttl=MINUTE)
    async def find(self, user_id: int) -> dict[str, int] | None:
        """Find a user."""
        self.asked.append(user_id)
        return {"id": user_id} if user_id else None

    @cached("search:{text}:{page}:{size}")
    async def search(self, text: str, page: int = 0, *, size: int = 10) -> list[str]:
        self.asked.append((text, page, size))
        return [text]


@pytest.fixture
def users() -> Users:
    return Users()


def test_x54_a_cached_method_keeps_its_name_and_words() -> None:
    """SEED X54: functools.wraps was used but never imported."""
    assert Users.find.__name__ == "find"  # type: ignore[attr-defined]
    assert Users.find.__doc__ == "Find a user."
    assert list(inspect.signature(Users.find).parameters) == ["self", "user_id"]


async def test_the_second_call_is_answered_from_the_cache(users: Users) -> None:
    assert [await users.find(1), await users.find(1)] == [{"id": 1}] * 2
    assert users.asked == [1]


async def test_a_method_called_on_its_class_is_the_same(users: Users) -> None:
    await users.find(1)
    await Users.find(users, 1)
    assert users.asked == [1]


async def test_x56_nothing_found_is_remembered(users: Users) -> None:
    """SEED X56: None could not be cached."""
    assert [await users.find(0), await users.find(0)] == [None, None]
    assert users.asked == [0]


async def test_x57_however_an_argument_is_given_the_key_is_the_same(users: Users) -> None:
    """SEED X57: a positional call raised KeyError, and made another key than a keyword call."""
    await users.search("ada")
    await users.search(text="ada")
    await users.search("ada", 0)
    await users.search(page=0, text="ada", size=10)
    assert users.asked == [("ada", 0, 10)]
    assert users.find.key(1) == users.find.key(user_id=1) == "u:=1"


async def test_two_objects_share_only_their_cache() -> None:
    one, other = Users(), Users()
    await one.find(1)
    await other.find(1)
    assert other.asked == [1]


async def test_forgetting_one_call_leaves_the_others(users: Users) -> None:
    await users.find(1)
    await users.find(2)
    assert await users.find.forget(user_id=1) is True
    assert await users.find.forget(1) is False
    await users.find(1)
    await users.find(2)
    assert users.asked == [1, 2, 1]


async def test_x57_the_texts_of_two_calls_do_not_run_together(users: Users) -> None:
    """SEED X57. A colon in a text is not the colon of the template."""
    calls = [("a:0", 0), ("a", 0), ("a%3A0", 0), ("a", 10), ("", 0), ("=0", 0), ("{page}", 0)]
    for text, page in calls:
        await users.search(text, page)
    assert len(users.asked) == len(calls)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.uuids(), st.binary()),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple),
    max_leaves=4,
)


@given(values, values)
def test_no_two_values_have_one_text(left: object, right: object) -> None:
    try:
        texts = [as_text(left), as_text(right)]
    except TypeError:  # half a surrogate pair inside a list
        return
    assert (texts[0] == texts[1]) == (repr(left) == repr(right))
    assert not any(":" in text or len(text) > 120 for text in texts)
    assert all(text.isascii() and text.isprintable() for text in texts)


def test_like_values_of_different_types_are_different_calls() -> None:
    zero = UUID(int=0)
    like = [1, "1", True, 1.0, Decimal(1), b"1", None, "None", "null", zero, str(zero), "", ()]
    assert len({as_text(value) for value in like}) == len(like)


def test_long_texts_differ_to_the_end() -> None:
    assert as_text("x" * 5000 + "a") != as_text("x" * 5000 + "b")
    assert len(as_text("x" * 5000)) == 65


async def test_wrong_arguments_are_a_bug_and_not_a_key(users: Users) -> None:
    with pytest.raises(TypeError):
        await users.find()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        await users.find(1, 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        await users.find(object())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "template",
    ["x:{a}", "{a}{b}", "{a}-{b}", "{a}:{b}:{c}", "{a!r}:{b}", "{a:>3}:{b}", "{a}:{b}:{a}"],
)
def test_a_key_that_could_mix_up_calls_is_refused_when_the_class_is_made(template: str) -> None:
    async def method(self: Users, a: str, b: str) -> None: ...

    with pytest.raises(ValueError):
        cached(template)(method)


def test_x58_a_ttl_of_nothing_is_refused_when_the_class_is_made() -> None:
    """SEED X58."""

    async def method(self: Users) -> None: ...

    with pytest.raises(ValueError):
        cached("all", ttl=timedelta(0))(method)


def test_x63_only_async_methods_can_be_cached() -> None:
    """SEED X63: a synchronous client would block the loop."""

    def method(self: Users) -> None: ...

    with pytest.raises(TypeError):
        cached("all")(method)  # type: ignore[arg-type]


async def test_a_method_without_arguments_has_one_key(users: Users) -> None:
    class Roles(Users):
        @cached("roles")
        async def all(self) -> list[str]:
            self.asked.append("all")
            return ["admin"]

    roles = Roles()
    assert [await roles.all(), await roles.all()] == [["admin"]] * 2
    assert roles.asked == ["all"]
    assert await roles._cache.get("roles") == ["admin"]
    assert await users._cache.get("roles") is MISS
