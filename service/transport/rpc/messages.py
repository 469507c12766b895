"""Between messages and the raw input of services."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from betterproto import Message
from betterproto.grpc.grpclib_server import ServiceBase
from grpclib.server import Stream

from service.core.errors import Invalid, Refusal

T = TypeVar("T")
Handler = TypeVar("Handler", bound=Callable[..., Any])


def present(message: Message, *, but: tuple[str, ...] = ()) -> dict[str, object]:
    """The fields of ``message`` that are there, besides those named in ``but``.

    An ``optional`` field that is absent is left out; any other is always there, so that the
    service can refuse an empty one.
    """
    names = [field.name for field in fields(message) if field.name not in but]  # type: ignore[arg-type]  # each is a dataclass
    values = {name: getattr(message, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def cleared(given: Mapping[str, object]) -> dict[str, object]:
    """``given`` with None for each empty text: at this door a present empty string clears."""
    return {name: None if value == "" else value for name, value in given.items()}


@contextmanager
def calling(**ours: str) -> Iterator[None]:
    """Name fields in a refusal as the message does: ``calling(q="query")``.

    Raises:
        Invalid: the block did, of fields by the service's names.
    """
    try:
        yield
    except Invalid as refusal:
        renamed = {ours.get(name, name): texts for name, texts in refusal.fields.items()}
        raise Invalid(renamed, refusal.text) from None


@asynccontextmanager
async def closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """``items``, ended at the end of the block: a generator left alone holds its resources."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


@dataclass(frozen=True, slots=True)
class Hurry:
    """How long the caller of a stream may leave an answer untaken, and what it is told then."""

    seconds: float
    refusal: type[Refusal]

    async def send(self, stream: Stream[Any, Any], answer: Message) -> None:
        """Raises: the refusal."""
        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                await stream.send_message(answer)
        except TimeoutError:
            raise (self.refusal if limit.expired() else TimeoutError) from None


def hurried(seconds: float, refusal: type[Refusal]) -> Callable[[Handler], Handler]:
    """Have the callers of a handler that streams its answers take each of them in time."""

    def mark(handler: Handler) -> Handler:
        handler.hurry = Hurry(seconds, refusal)  # type: ignore[attr-defined]  # read below
        return handler

    return mark


class Handlers(ServiceBase):
    """What handler classes have in common: a stream of answers ends as soon as its caller leaves.

    It stands first among the bases, before the one that the compiler made.
    """

    async def _call_rpc_handler_server_stream(
        self, handler: Callable[[Any], AsyncIterator[Any]], stream: Stream[Any, Any], request: Any
    ) -> None:
        hurry: Hurry | None = getattr(handler, "hurry", None)
        async with closing(handler(request)) as answers:
            async for answer in answers:
                await (hurry.send(stream, answer) if hurry else stream.send_message(answer))
