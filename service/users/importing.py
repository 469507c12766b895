"""Bringing people in from another system."""

from collections.abc import Sequence
from dataclasses import replace

from service.core.access import USER, Actor, Inside, allow
from service.core.errors import Invalid, Refusal
from service.core.parsing import Raw, parse
from service.core.ports import Transactions
from service.users.errors import EmailTaken
from service.users.repository import NewUser, UserRepository
from service.users.schemas import ImportedUser

Outcome = Refusal | None
"""What became of one line: None when it was imported."""


class UserImportService:
    """Inserts people in batches. Those without a password hash can't log in until a reset."""

    def __init__(self, users: UserRepository, transactions: Transactions) -> None:
        self._users, self._begin = users, transactions

    @allow(Inside())
    async def import_batch(
        self, actor: Actor, lines: Sequence[Raw], *, with_roles: bool = False
    ) -> Sequence[Outcome]:
        """Insert one person a line; a refused line does not hold up the others.

        Roles are ignored unless ``with_roles``: a file from elsewhere makes nobody an admin by
        accident. An outcome is Invalid, EmailTaken, or None.
        """
        read = await self._refuse_taken([_read(line, with_roles=with_roles) for line in lines])
        try:
            await self._insert([new for new in read if isinstance(new, NewUser)])
        except EmailTaken:  # somebody registered one of them just now: find out which
            return [await self._alone(new) for new in read]
        return [None if isinstance(new, NewUser) else new for new in read]

    async def _refuse_taken(self, read: Sequence[NewUser | Refusal]) -> list[NewUser | Refusal]:
        seen = await self._users.taken_among(n.email for n in read if isinstance(n, NewUser))
        known = await self._users.role_names()
        checked: list[NewUser | Refusal] = []
        for new in read:
            if isinstance(new, NewUser) and new.email in seen:
                checked.append(EmailTaken())
            elif isinstance(new, NewUser) and not known.issuperset(new.roles):
                checked.append(Invalid({"roles": ["There is no such role; make it first."]}))
            else:
                checked.append(new)
                seen |= {new.email} if isinstance(new, NewUser) else set()
        return checked

    async def _insert(self, news: Sequence[NewUser]) -> None:
        if news:
            async with self._begin():
                await self._users.save_all(news)

    async def _alone(self, new: NewUser | Refusal) -> Outcome:
        if isinstance(new, Refusal):
            return new
        try:
            await self._insert([new])
        except EmailTaken as refusal:
            return refusal
        return None


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
    )
    return replace(new, roles=tuple({USER, *person.roles})) if with_roles else new
