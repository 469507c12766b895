"""What a route says about itself, beside its handler, for the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar

from pydantic import BaseModel

from service.core.access import Anyone, Rule
from service.core.errors import Refusal
from service.core.parsing import Command
from service.core.views import VersionedView

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """The facts of one operation.

    ``policy`` is the service method's own, so the document can't promise another; the refusals
    that follow from it, from its parameters, and from there being a body or a query, need no
    mention.
    """

    id: str
    summary: str
    method: Callable[..., Any] | None
    policy: tuple[Rule, ...]
    status: int
    view: type[BaseModel] | None
    body: type[Command] | None
    form: bool
    query: type[Command] | None
    sparse: bool
    basic: bool
    refusals: tuple[type[Refusal], ...]

    @property
    def scope(self) -> str | None:
        """What an API key must hold; None when no key will do."""
        return getattr(self.method, "__scope__", None)

    @property
    def is_versioned(self) -> bool:
        """Whether the answer shows a version of a row, and so has an ETag."""
        return self.view is not None and issubclass(self.view, VersionedView)

    @property
    def is_conditional(self) -> bool:
        """Whether the service method looks at If-Match."""
        return self._takes("if_match")

    @property
    def is_idempotent_by_key(self) -> bool:
        """Whether the service method looks at Idempotency-Key."""
        return self._takes("idempotency_key")

    def _takes(self, parameter: str) -> bool:
        return self.method is not None and parameter in signature(self.method).parameters


def operation(
    name: str,
    summary: str,
    method: Callable[..., Any] | None = None,
    *,
    policy: tuple[Rule, ...] = (Anyone(),),
    status: int = 200,
    view: type[BaseModel] | None = None,
    body: type[Command] | None = None,
    form: bool = False,
    query: type[Command] | None = None,
    sparse: bool = False,
    basic: bool = False,
    refusals: tuple[type[Refusal], ...] = (),
) -> Callable[[Handler], Handler]:
    """Say what a handler offers; ``method`` is the service method that it calls.

    ``form`` means that the body may come as a form too, ``sparse`` that the view leaves out what
    is None, ``basic`` that the caller may show itself by HTTP Basic. Without ``view`` the answer
    is empty.
    """
    rules = policy if method is None else method.__policy__  # type: ignore[attr-defined]  # by allow
    facts = Operation(
        name, summary, method, rules, status, view, body, form, query, sparse, basic, refusals
    )

    def declare(handler: Handler) -> Handler:
        handler.__operation__ = facts  # type: ignore[attr-defined]  # read by operation_of
        return handler

    return declare


def operation_of(handler: object) -> Operation | None:
    """What was declared of ``handler``, if anything."""
    return getattr(handler, "__operation__", None)
