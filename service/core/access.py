"""Who asks, and who may: actors, and the policy that each service method declares."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from service.core.errors import Forbidden, MissingToken

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

    ``address`` is the caller's network address, as the door knows it, for limits.
    """

    user_id: UUID | None = None
    session_id: UUID | None = None
    roles: frozenset[str] = frozenset()
    address: str = ""
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
class Inside:
    """Only the service itself: the command line, or one service calling another."""

    def admits(self, actor: Actor, arguments: dict[str, Any]) -> bool:
        return actor.system


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Method = Callable[Concatenate[S, Actor, P], R]


def allow(*rules: Rule) -> Callable[[Method[S, P, R]], Method[S, P, R]]:
    """Declare who may call a service method; any one of ``rules`` is enough.

    The policy is asked before anything is parsed or read, so a caller who may not learns nothing
    from the answer: not whether the input was good, nor whether the row exists. It stands on the
    method as ``__policy__``, where the architecture test reads it.

    Raises (from the decorated method):
        MissingToken: nobody signed in and the method is not for anyone.
        Forbidden: somebody did, and may not.
    """

    def declare(method: Method[S, P, R]) -> Method[S, P, R]:
        signature = inspect.signature(method)

        @functools.wraps(method)
        def guarded(self: S, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            arguments = signature.bind(self, actor, *args, **kwargs).arguments
            if not any(rule.admits(actor, arguments) for rule in rules):
                raise Forbidden if actor.is_signed_in else MissingToken
            return method(self, actor, *args, **kwargs)

        guarded.__policy__ = rules  # type: ignore[attr-defined]  # read by the architecture test
        return guarded

    return declare
