"""One address, many at once: the unique index decides, and says so in words (issue 3)."""

from tests.support.live import Live
from tests.support.people import Person
from tests.support.races import RACERS, race


async def test_of_many_who_create_one_address_at_once_exactly_one_does(
    live: Live, root: Person
) -> None:
    found = await race(live, root, rounds=5)
    assert found.unsound == []
    assert found.outcomes == {"ok": 5, "email_taken": 5 * (RACERS - 1)}
