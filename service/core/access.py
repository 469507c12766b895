"""Who asks, and who may: actors, and the policy that each service method declares."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from service.core.errors import Forbidden, InsufficientScope, MissingToken, Refusal
from service.core.tracing import traced

ADMIN, USER, SERVICE = "admin", "user", "service"
BUILT_IN_ROLES = {
    ADMIN: "May do everything.",
    USER: "Every registered person.",
    SERVICE: "A machine client; may introspect tokens.",
}
ROLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a service method; without ``user_id`` nobody has signed in.

    ``address`` is the caller's network address, as the door knows it, for limits; ``agent`` is what
    its program calls itself. ``scopes`` bound what an API key may do; None bounds nothing.
    """

    user_id: UUID | None = None
    session_id: UUID | None = None
    roles: frozenset[str] = frozenset()
    address: str = ""
    agent: str = ""
    scopes: frozenset[str] | None = None
    system: bool = False

    @property
    def is_signed_in(self) -> bool:
        return self.user_id is not None or self.system

    def has_role(self, name: str) -> bool:
        return self.system or name in self.roles


SYSTEM = Actor(system=True)
"""The service itself: the command line, and one service calling another."""


class Rule(Protocol):
    """One way to be allowed in."""

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool: ...


@dataclass(frozen=True, slots=True)
class Anyone:
    """Signed in or not."""

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whoever presents a good access token."""

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return actor.is_signed_in


@dataclass(frozen=True, slots=True)
class Role:
    """Whoever holds the role."""

    name: str

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return actor.has_role(self.name)


@dataclass(frozen=True, slots=True)
class Self:
    """The user whose id the named argument is."""

    argument: str

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return actor.user_id is not None and str(actor.user_id) == str(arguments[self.argument])


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever the row belongs to. The row alone tells, so whoever is signed in may come this far.

    Invariant: a method that declares this shows nothing of the row before it has called ``owned``.
    """

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return actor.is_signed_in


@dataclass(frozen=True, slots=True)
class Inside:
    """Only the service itself: the command line, or one service calling another."""

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return actor.system


class Ownable(Protocol):
    """A row that belongs to a user, or to nobody any longer."""

    @property
    def user_id(self) -> UUID | None: ...


Row = TypeVar("Row", bound=Ownable)


def owned(actor: Actor, row: Row | None, missing: type[Refusal]) -> Row:
    """``row``, for whoever it belongs to and for admins.

    To everybody else a row that is not there is as forbidden as one of somebody else's, so nobody
    finds out which ids are taken.

    Raises:
        Forbidden: the caller is neither.
        missing: an admin asked, and there is no such row.
    """
    if actor.has_role(ADMIN):
        if row is None:
            raise missing
        return row
    if row is None or row.user_id is None or row.user_id != actor.user_id:
        raise Forbidden
    return row


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Method = Callable[Concatenate[S, Actor, P], R]


UNSAID = "unsaid"
"""No key holds this scope, so a method that names none is closed to keys."""


def allow(*rules: Rule, scope: str | None = UNSAID) -> Callable[[Method[S, P, R]], Method[S, P, R]]:
    """Declare who may call a service method; any one of ``rules`` is enough.

    An API key must hold ``scope`` besides; None closes the method to keys. What is for anyone
    needs none. The policy is asked before anything is parsed or read, so a caller who may not
    learns nothing from the answer: not whether the input was good, nor whether the row exists. It
    stands on the method as ``__policy__`` and ``__scope__``, where the architecture test reads it.

    Raises (from the decorated method):
        InsufficientScope: an API key was shown that does not reach as far, whoever its owner is.
        MissingToken: nobody signed in and the method is not for anyone.
        Forbidden: somebody did, and may not.
    """
    is_public = Anyone() in rules

    def declare(method: Method[S, P, R]) -> Method[S, P, R]:
        signature, name = inspect.signature(method), method.__qualname__

        @functools.wraps(method)
        def guarded(self: S, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            arguments = signature.bind(self, actor, *args, **kwargs).arguments
            if actor.scopes is not None and scope not in actor.scopes and not is_public:
                raise InsufficientScope(scope)
            if not any(rule.admits(actor, arguments) for rule in rules):
                raise Forbidden if actor.is_signed_in else MissingToken
            return traced(name, method(self, actor, *args, **kwargs))

        guarded.__policy__ = rules  # type: ignore[attr-defined]  # read by the architecture test
        guarded.__scope__ = None if is_public else scope  # type: ignore[attr-defined]  # likewise
        return guarded

    return declare
