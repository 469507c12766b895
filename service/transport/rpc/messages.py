"""Between messages and the raw input of services."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from typing import Any, TypeVar

from betterproto import Message
from betterproto.grpc.grpclib_server import ServiceBase
from grpclib.server import Stream

from service.core.errors import Invalid

T = TypeVar("T")


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


class Handlers(ServiceBase):
    """What handler classes have in common: a stream of answers ends as soon as its caller leaves.

    It stands first among the bases, before the one that the compiler made.
    """

    async def _call_rpc_handler_server_stream(
        self, handler: Callable[[Any], AsyncIterator[Any]], stream: Stream[Any, Any], request: Any
    ) -> None:
        async with closing(handler(request)) as answers:
            async for answer in answers:
                await stream.send_message(answer)
