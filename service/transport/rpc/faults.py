"""Calls that fail before or beside any service."""

from typing import ClassVar

from grpclib.const import Status


class Fault(Exception):
    """A failure of the call itself, which only this door knows; ``code`` as refusals have it."""

    status: ClassVar[Status]
    code: ClassVar[str]
    message: ClassVar[str]


class BadHeader(Fault):
    """A deadline, a name or a value that cannot be read, or a header that HTTP/2 does not have."""

    status, code = Status.INVALID_ARGUMENT, "invalid_request"
    message = (
        "A header is malformed: grpc-timeout, a name, a pseudo header, one that only HTTP/1.1 has, "
        "or a value that is not ASCII or base64, or has spaces around it."
    )


class UnknownMethod(Fault):
    status, code, message = Status.UNIMPLEMENTED, "unimplemented", "No such method."


class UnknownService(Fault):
    """Health was asked of a service that is not at this door."""

    status, code, message = Status.NOT_FOUND, "service_not_found", "No such service."


class NotOneMessage(Fault):
    """The method takes just one message, and the call had none or more (gRPC, statuscodes.md)."""

    status, code = Status.UNIMPLEMENTED, "unimplemented"
    message = "The method takes one message, then the end of the stream."


class Malformed(Fault):
    """A message that is cut short or not of its type, or whose bytes are not as they were said."""

    status, code = Status.INTERNAL, "malformed_message"
    message = "The request message is malformed."


class Compressed(Fault):
    """A message is compressed, in an encoding that the call named."""

    status, code = Status.UNIMPLEMENTED, "compressed"
    message = "Compressed messages are not supported. Send them with the identity encoding."


class TooLarge(Fault):
    status, code = Status.RESOURCE_EXHAUSTED, "too_large"
    message = "The request is larger than the limit."


class HeadersTooLarge(Fault):
    status, code = Status.RESOURCE_EXHAUSTED, "too_large"
    message = "The headers are larger than the limit."


class Stalled(Fault):
    """The caller took nothing of what it was sent."""

    status, code = Status.UNAVAILABLE, "stalled"
    message = "The answer was not taken in time."


class StreamTooOld(Fault):
    status, code = Status.UNAVAILABLE, "stream_too_old"
    message = "The stream ran as long as one may. Open it again."


class DeadlineExceeded(Fault):
    status, code = Status.DEADLINE_EXCEEDED, "deadline_exceeded"
    message = "Deadline exceeded."
