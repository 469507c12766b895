"""Bringing people in from another system."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from service.core.access import USER, Actor, Inside, allow
from service.core.errors import Invalid, Refusal
from service.core.events import Publisher
from service.core.parsing import Raw, parse
from service.core.ports import Transactions
from service.users.bulk import BulkUsers, Known
from service.users.errors import EmailTaken
from service.users.events import CREATED, UPDATED, told
from service.users.repository import NewUser, UserRepository
from service.users.schemas import ImportedUser
from service.users.service import UserService


class MatchBy(StrEnum):
    """What tells that a person is there already."""

    EMAIL = "email"
    EXTERNAL_ID = "external_id"


class Found(StrEnum):
    """What became of a line about a person who is there already."""

    LEFT_ALONE = "already there"
    UPDATED = "updated"


Outcome = Refusal | Found | None
"""What became of one line: None when it was imported."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A person who is there already, and what the file says of them."""

    id: UUID
    new: NewUser


Sorted = NewUser | Wanted | Refusal


class Sorter:
    """Tells who of a batch is new, who is there already, and who can't be taken."""

    def __init__(self, match: MatchBy, people: Iterable[Known], roles: set[str]) -> None:
        self._match, self._roles = match, roles
        self._by_email, self._by_id = dict[str, Known](), dict[str, Known]()
        for known in people:
            self._by_email[known.email] = known
            if known.external_id:
                self._by_id[known.external_id] = known
        self._emails, self._ids = set[str](), set[str]()

    def place(self, new: NewUser) -> Sorted:
        """What ``new`` is; a line that repeats an earlier one of the batch is refused."""
        if not self._roles.issuperset(new.roles):
            return Invalid({"roles": ["There is no such role; make it first."]})
        if self._match is MatchBy.EXTERNAL_ID and not new.external_id:
            return Invalid({"external_id": ["Required, for people are matched by it."]})
        same_email = self._by_email.get(new.email)
        same_id = self._by_id.get(new.external_id or "")
        found, other = (
            (same_email, same_id) if self._match is MatchBy.EMAIL else (same_id, same_email)
        )
        if other is not None and other is not found:
            return EmailTaken() if other is same_email else Invalid({"external_id": ["Is taken."]})
        if found is not None:
            return Wanted(found.id, new)
        if new.email in self._emails or (new.external_id or "") in self._ids:
            return Invalid({self._match.value: ["A line shortly before has the same."]})
        self._emails.add(new.email)
        self._ids |= {new.external_id} if new.external_id else set()
        return new


class UserImportService:
    """Inserts people in batches. Those without a password hash can't log in until a reset.

    Whoever is there already is left alone, or brought up to date; so a file may be imported again.
    """

    def __init__(
        self,
        users: UserRepository,
        transactions: Transactions,
        bulk: BulkUsers,
        rules: UserService,
        publisher: Publisher,
    ) -> None:
        self._users, self._begin, self._bulk, self._rules = users, transactions, bulk, rules
        self._events = publisher

    @allow(Inside())
    async def import_batch(
        self,
        actor: Actor,
        lines: Sequence[Raw],
        *,
        with_roles: bool = False,
        match: MatchBy = MatchBy.EMAIL,
        update: bool = False,
        dry_run: bool = False,
    ) -> Sequence[Outcome]:
        """Take one person a line; a refused line does not hold up the others.

        Roles are ignored unless ``with_roles``: a file from elsewhere makes nobody an admin by
        accident. A refusal is Invalid, EmailTaken, or with ``update`` LastAdmin.
        """
        read = [_read(line, with_roles=with_roles) for line in lines]
        sorted_out = await self._sort_out(read, match)
        if not dry_run:
            await self._insert_all(sorted_out)
            if update:
                for number, wanted in enumerate(sorted_out):
                    if isinstance(wanted, Wanted):
                        sorted_out[number] = await self._bring_up_to_date(actor, wanted)
        found = Found.UPDATED if update else Found.LEFT_ALONE
        return [found if isinstance(one, Wanted) else _outcome(one) for one in sorted_out]

    @allow(Inside())
    async def prepare(self, actor: Actor) -> None:
        """Set the database up for a large import; harmless when it turns out a small one."""
        await self._bulk.prepare()

    @allow(Inside())
    async def finish(self, actor: Actor) -> None:
        """Have the database look at what a large import made of its tables."""
        await self._bulk.analyze()

    async def _sort_out(self, read: Sequence[NewUser | Refusal], match: MatchBy) -> list[Sorted]:
        news = [new for new in read if isinstance(new, NewUser)]
        sorter = Sorter(
            match,
            people=await self._bulk.known(
                [new.email for new in news], [new.external_id for new in news if new.external_id]
            ),
            roles=await self._users.role_names(),
        )
        return [new if isinstance(new, Refusal) else sorter.place(new) for new in read]

    async def _insert_all(self, outcomes: list[Sorted]) -> None:
        news = [new for new in outcomes if isinstance(new, NewUser)]
        try:
            await self._insert(news)
        except EmailTaken:  # somebody registered one of them just now: find out which
            for number, new in enumerate(outcomes):
                if isinstance(new, NewUser):
                    outcomes[number] = await self._alone(new)

    async def _insert(self, news: Sequence[NewUser]) -> None:
        if news:
            async with self._begin():
                people = await self._users.save_all(news)
                # nobody welcomes them: they had an account before they came here
                come = (told(CREATED, person, imported=True) for person in people)
                await self._events.publish(*come)

    async def _alone(self, new: NewUser) -> NewUser | Refusal:
        try:
            await self._insert([new])
        except EmailTaken as refusal:
            return refusal
        return new

    async def _bring_up_to_date(self, actor: Actor, wanted: Wanted) -> Wanted | Refusal:
        """What the file says; a password that is there is kept, and no role is taken."""
        new = wanted.new
        try:
            async with self._begin():
                user = await self._users.get(wanted.id, lock=True)
                user.name, user.email = new.name, new.email
                user.email_verified = new.email_verified
                await self._users.save(user)
                await self._bulk.adopt(user.id, new.external_id, new.password_hash)
                if new.profile:
                    await self._users.save_profile(user, new.profile)
                await self._events.publish(told(UPDATED, user))
            if user.status is not new.status:
                await self._rules.set_status(actor, str(user.id), {"status": new.status.value})
            for role in new.roles:
                await self._rules.grant_role(actor, str(user.id), role)
        except Refusal as refusal:
            return refusal
        return wanted


def _outcome(outcome: NewUser | Refusal) -> Outcome:
    return None if isinstance(outcome, NewUser) else outcome


def _read(line: Raw, *, with_roles: bool) -> NewUser | Refusal:
    try:
        person = parse(ImportedUser, line)
    except Invalid as refusal:
        return refusal
    new = NewUser(
        name=person.name,
        email=person.email,
        password_hash=person.password_hash,
        status=person.status,
        email_verified=person.email_verified,
        profile=person.profile.changes if person.profile else None,
        roles=(USER,),
        external_id=person.external_id,
        created_at=person.created_at,
    )
    return replace(new, roles=tuple({USER, *person.roles})) if with_roles else new
