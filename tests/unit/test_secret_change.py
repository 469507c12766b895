"""With the other secret named beside it, everything that was made with it is still taken."""

import pytest

from service.auth.refresh_tokens import RefreshTokens
from service.core.access import Actor
from service.core.errors import IdempotencyMismatch, Invalid, InvalidToken
from service.core.idempotency import Idempotency
from service.core.ids import new_id
from service.core.keys import Secrets
from service.core.paging import Cursors
from service.core.parsing import Command
from service.core.views import VersionedView
from tests.support.fakes import FakeAnswers

OLD, NEW = b"the old secret, of 32 bytes at least", b"the new secret, of 32 bytes at least"
BOTH, BEFORE = Secrets(NEW, (OLD,)), Secrets(OLD, (NEW,))
SESSION, SALT = new_id(), b"s" * 16


def test_an_old_refresh_token_is_read_and_answered_with_a_new_one() -> None:
    old, both, new = RefreshTokens(OLD), RefreshTokens(*BOTH.all), RefreshTokens(NEW)
    presented = old.mint(SESSION, 7, SALT)
    claim = both.read(presented)
    assert (claim.session_id, claim.counter) == (SESSION, 7)
    assert both.fits(claim, SALT)
    assert not both.fits(claim, b"t" * 16)
    successor = both.mint(SESSION, 8, SALT)
    assert successor == both.mint(SESSION, 8, SALT) == new.mint(SESSION, 8, SALT)
    with pytest.raises(InvalidToken):
        old.read(successor)
    with pytest.raises(InvalidToken):
        new.read(presented)


def test_who_learned_of_the_new_secret_beforehand_reads_its_tokens_too() -> None:
    before = RefreshTokens(*BEFORE.all)
    assert before.mint(SESSION, 8, SALT) == RefreshTokens(OLD).mint(SESSION, 8, SALT)
    claim = before.read(RefreshTokens(NEW).mint(SESSION, 8, SALT))
    assert before.fits(claim, SALT)


def test_the_parts_of_two_secrets_do_not_mix() -> None:
    """A proof of the one under the seal of the other is nobody's token."""
    both = RefreshTokens(*BOTH.all)
    claim = both.read(RefreshTokens(OLD).mint(SESSION, 7, SALT))
    new = both.read(RefreshTokens(NEW).mint(SESSION, 7, SALT))
    assert claim.proof != new.proof
    assert claim.key_id != new.key_id


def test_an_old_cursor_is_opened_and_new_ones_are_sealed_anew() -> None:
    old, both = Cursors(*Secrets(OLD).derive("cursor")), Cursors(*BOTH.derive("cursor"))
    after = new_id()
    assert both.open(old.seal(after)) == after
    assert both.seal(after) == Cursors(*Secrets(NEW).derive("cursor")).seal(after)
    with pytest.raises(Invalid):
        old.open(both.seal(after))


class MakeNote(Command):
    text: str


class NoteView(VersionedView):
    text: str


class Notes:
    """Notes that several processes make, each with secrets of its own, over one table."""

    def __init__(self) -> None:
        self.answers, self.made = FakeAnswers(), 0

    async def make(self, secrets: Secrets, text: str = "a") -> str:
        idempotency = Idempotency(self.answers, *secrets.derive("idempotency"))
        actor, command = Actor(SESSION), MakeNote(text=text)
        async with idempotency.once(actor, "key", command, NoteView) as once:
            if once.is_first:
                self.made += 1
                await once.keep(NoteView(text=f"{text} {self.made}", version=1))
        return once.answer.text


@pytest.mark.parametrize("first", [Secrets(OLD), BEFORE, BOTH, Secrets(NEW)])
@pytest.mark.parametrize("second", [BEFORE, BOTH])
async def test_a_creation_sent_again_during_the_change_happens_once(
    first: Secrets, second: Secrets
) -> None:
    notes = Notes()
    assert await notes.make(first) == await notes.make(second) == "a 1"
    with pytest.raises(IdempotencyMismatch):
        await notes.make(second, "b")


@pytest.mark.parametrize("alone", [OLD, NEW])
async def test_who_knows_one_secret_finds_what_was_kept_with_both(alone: bytes) -> None:
    notes = Notes()
    assert await notes.make(BOTH) == await notes.make(Secrets(alone)) == "a 1"
