"""Of what people are told, and how: one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.auth.events import ENDED as SESSION_ENDED
from service.core.access import SERVICE
from service.core.events import Told
from service.users.events import CREATED, PASSWORD_CHANGED, STATUS_CHANGED

Facts = Mapping[str, Any]


class ChannelName(StrEnum):
    """A way to reach somebody."""

    INBOX = "inbox"
    MAIL = "mail"


BOTH = frozenset(ChannelName)


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that people are told: of which event, and of those that ``applies`` says.

    ``name`` is what its templates are called and what the inbox shows it as. ``applies`` is asked
    of events of other releases, too: it doesn't count on a fact to be there.
    """

    name: str
    event: str
    applies: Callable[[Facts], bool] = lambda facts: True
    channels: frozenset[ChannelName] = BOTH


def _is_a_person_who_came(facts: Facts) -> bool:
    """Machines read no mail, and whoever was imported had an account already."""
    return SERVICE not in facts.get("roles", ()) and not facts.get("imported", False)


KINDS = (
    Kind("welcome", CREATED, _is_a_person_who_came),
    Kind("suspended", STATUS_CHANGED, lambda facts: facts.get("status") == "suspended"),
    Kind("session_reused", SESSION_ENDED, lambda facts: facts.get("why") == "refresh_reuse"),
    Kind("password_changed", PASSWORD_CHANGED),
    Kind("order_paid", "order.paid"),
    Kind("order_shipped", "order.shipped"),
    Kind("order_delivered", "order.delivered"),
    Kind("order_cancelled", "order.cancelled"),
)
_OF_EVENT: dict[str, list[Kind]] = {}
for _kind in KINDS:
    _OF_EVENT.setdefault(_kind.event, []).append(_kind)


def kind_of(told: Told, channel: ChannelName) -> Kind | None:
    """What an event is told as by a channel: the first that applies, for nobody is told twice."""
    for kind in _OF_EVENT.get(told.type, ()):
        if channel in kind.channels and told.user_id is not None and kind.applies(told.facts()):
            return kind
    return None
