"""Creations under a key, over a fake of where answers are kept."""

import pytest

from service.core.access import SYSTEM, Actor
from service.core.errors import IdempotencyMismatch, Invalid, Kind, Refusal, Unavailable
from service.core.idempotency import Idempotency, Kept, KeyTaken
from service.core.ids import new_id
from service.core.parsing import Command
from service.core.views import VersionedView
from tests.support.fakes import FakeAnswers


class MakeNote(Command):
    text: str
    colour: str | None = None


class MakePage(Command):
    text: str


class NoteView(VersionedView):
    text: str


class NoteTaken(Refusal):
    kind, code, message = Kind.CONFLICT, "note_taken", "Taken."


ADA = Actor(new_id())


class World:
    """Makes notes under keys; ``made`` are those that were."""

    def __init__(self) -> None:
        self.answers = FakeAnswers()
        self.idempotency = Idempotency(self.answers, b"secret")
        self.made: list[str] = []

    async def make(
        self, key: str | None, command: MakeNote | MakePage, actor: Actor = ADA
    ) -> NoteView:
        async with self.idempotency.once(actor, key, command, NoteView) as once:
            if once.is_first:
                await once.keep(NoteView(text=command.text, version=len(self.made) + 1))
                self.made.append(command.text)
        return once.answer


async def test_without_a_key_every_creation_is_made_and_nothing_is_kept() -> None:
    world = World()
    for _ in range(2):
        await world.make(None, MakeNote(text="a"))
    assert world.made == ["a", "a"]
    assert world.answers.kept == {}


async def test_the_first_answer_comes_again_with_its_version() -> None:
    world = World()
    first = await world.make("k", MakeNote(text="a"))
    again = await world.make("k", MakeNote(text="a", colour=""))
    assert first == again
    assert (again.etag, world.made) == ('"1"', ["a"])


async def test_another_text_or_another_kind_of_command_mismatches() -> None:
    world = World()
    await world.make("k", MakeNote(text="a"))
    for command in (MakeNote(text="b"), MakeNote(text="a", colour="red"), MakePage(text="a")):
        with pytest.raises(IdempotencyMismatch):
            await world.make("k", command)


async def test_keys_belong_to_accounts_and_those_without_one_share_theirs() -> None:
    world = World()
    for actor in (ADA, Actor(new_id()), Actor(address="192.0.2.1")):
        await world.make("k", MakeNote(text="a"), actor)
    for actor in (Actor(address="2001:db8::1"), SYSTEM):
        await world.make("k", MakeNote(text="a"), actor)
    assert world.made == ["a"] * 3


async def test_what_is_kept_can_be_read_by_nobody_without_the_secret() -> None:
    world, other = World(), World()
    other.idempotency = Idempotency(other.answers, b"another secret")
    for each in (world, other):
        await each.make("key", MakeNote(text="hidden"))
    (ours,), (theirs,) = world.answers.kept.values(), other.answers.kept.values()
    assert (ours.key_hash, ours.command_hash) != (theirs.key_hash, theirs.command_hash)
    assert "hidden" not in ours.key_hash + ours.command_hash


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\n", "\x7f"])
async def test_a_key_is_1_to_255_visible_ascii_characters(key: str) -> None:
    with pytest.raises(Invalid):
        await World().make(key, MakeNote(text="a"))


async def test_a_twin_that_comes_second_gets_the_first_s_answer() -> None:
    world = World()
    command = MakeNote(text="a")
    for lost in (KeyTaken, NoteTaken):
        key = lost.__name__
        async with world.idempotency.once(ADA, key, command, NoteView) as once:
            assert once.is_first
            first = await world.make(key, command)  # the twin, from looking up to commit
            raise lost
        assert once.answer == first


async def test_a_twin_with_another_command_mismatches_on_the_way_out() -> None:
    world = World()

    async def overtaken() -> None:
        async with world.idempotency.once(ADA, "k", MakeNote(text="a"), NoteView):
            await world.make("k", MakeNote(text="b"))
            raise KeyTaken

    with pytest.raises(IdempotencyMismatch):
        await overtaken()


async def test_a_refusal_without_a_twin_is_told_and_leaves_the_key_free() -> None:
    world = World()
    with pytest.raises(NoteTaken):
        async with world.idempotency.once(ADA, "k", MakeNote(text="a"), NoteView):
            raise NoteTaken
    assert world.answers.kept == {}


async def test_a_key_taken_by_what_is_gone_at_the_second_look_is_to_be_tried_again() -> None:
    with pytest.raises(Unavailable):
        async with World().idempotency.once(ADA, "k", MakeNote(text="a"), NoteView):
            raise KeyTaken


async def test_old_answers_that_cannot_be_deleted_spoil_no_creation() -> None:
    class Stubborn(FakeAnswers):
        async def purge(self) -> int:
            raise Unavailable

    world = World()
    world.idempotency = Idempotency(Stubborn(), b"secret")
    assert (await world.make("k", MakeNote(text="a"))).text == "a"


async def test_an_answer_of_another_kind_is_never_given() -> None:
    """Whatever stands in the table: it is parsed as the view it should be."""
    world = World()
    await world.make("k", MakeNote(text="a"))
    (kept,) = world.answers.kept.values()
    odd = Kept(kept.key_hash, kept.operation, kept.command_hash, '{"hash": "secret"}')
    world.answers.kept[kept.key_hash] = odd
    with pytest.raises(ValueError):
        await world.make("k", MakeNote(text="a"))
