"""What a worker knows of the change feed: gaps, marks and trust, without any database."""

import random
from uuid import UUID, uuid4

import pytest

from service.infra.changes.known import SPANS, WINDOW, Known
from service.infra.changes.rows import Change

ADA, BOB = uuid4(), uuid4()


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def change(number: int, user: UUID = ADA) -> Change:
    return Change(number, user, "user", 0.0)


def test_an_id_that_was_passed_over_is_looked_for_and_met_once() -> None:
    known = Known()
    assert known.meet(change(1))
    assert known.meet(change(4, BOB))
    assert known.missing() == [(2, 3)]
    assert known.meet(change(3))
    assert not known.meet(change(3))
    assert known.missing() == [(2, 2)]
    assert known.top == 4


def test_an_id_that_never_comes_is_given_up() -> None:
    clock = Seconds()
    known = Known(clock=clock)
    known.meet(change(5))
    clock.now += WINDOW - 1
    assert known.missing() == [(1, 4)]
    clock.now += 2
    assert known.missing() == []
    assert known.mark(BOB) == 5


def test_many_gaps_are_looked_for_as_one_span() -> None:
    known = Known()
    for number in range(2, 2 * SPANS + 6, 2):
        known.meet(change(number))
    assert known.missing() == [(1, 2 * SPANS + 3)]


def test_a_value_read_before_a_change_is_not_trusted_after_it() -> None:
    known = Known()
    known.meet(change(1))
    mark = known.mark(ADA)
    assert known.trusts(ADA, mark)
    known.hear(change(2))
    assert not known.trusts(ADA, mark)
    assert known.trusts(ADA, known.mark(ADA))
    assert known.trusts(BOB, known.mark(BOB))


def test_a_value_read_while_a_change_was_pending_is_not_trusted_once_it_is_known() -> None:
    """Ids rise with inserts, not with commits: 2 is committed after 3 was met."""
    known = Known()
    known.meet(change(1, BOB))
    known.meet(change(3, BOB))
    mark = known.mark(ADA)
    known.meet(change(2))
    assert not known.trusts(ADA, mark)


def test_what_was_forgotten_for_want_of_room_is_trusted_only_if_read_later() -> None:
    known = Known(users=2)
    known.meet(change(1))
    old = known.mark(ADA)
    for number in range(2, 6):
        known.meet(change(number, uuid4()))
    assert not known.trusts(ADA, old)
    assert known.trusts(ADA, known.mark(ADA))


def test_a_change_is_applied_once_whichever_way_it_comes() -> None:
    known = Known()
    assert known.hear(change(2))
    assert not known.hear(change(2))
    assert not known.meet(change(2))
    assert known.meet(change(3))
    assert not known.hear(change(3))


def test_a_late_message_about_one_change_does_not_hide_another_of_that_user() -> None:
    known = Known()
    assert known.hear(change(7))
    assert known.hear(change(5))
    assert not known.meet(change(5))
    assert not known.meet(change(7))
    assert known.meet(change(6))


@pytest.mark.parametrize("seed", range(20))
def test_no_value_is_trusted_that_lacks_a_change_the_reader_knows_of(seed: int) -> None:
    """Workers that poll, hear and read at random, while transactions commit out of order."""
    dice = random.Random(seed)
    users = [uuid4() for _ in range(5)]
    team = [Known(users=3) for _ in range(3)]
    committed: list[Change] = []
    pending: list[Change] = []
    values: list[tuple[UUID, int, int]] = []  # user, mark, the user's last change it holds
    for number in range(1, 400):
        free = [user for user in users if user not in {row.user_id for row in pending}]
        if free:
            pending.append(change(number, dice.choice(free)))
        dice.shuffle(pending)
        while pending and dice.random() < 0.6:
            row = pending.pop()
            committed.append(row)
            dice.choice(team).note(row)  # the writer itself
            if dice.random() < 0.5:
                dice.choice(team).hear(row)
        poller = dice.choice(team)
        spans = poller.missing()
        for row in sorted(committed):
            if row.id >= poller.top or any(low <= row.id <= high for low, high in spans):
                poller.meet(row)
        maker, user = dice.choice(team), dice.choice(users)
        mine = [row.id for row in committed if row.user_id == user]
        values.append((user, maker.mark(user), max(mine, default=0)))
        for about, mark, holds in values[-50:]:
            for known in team:
                if known.trusts(about, mark):
                    assert holds >= known._last.get(about, 0), f"seed {seed}"
