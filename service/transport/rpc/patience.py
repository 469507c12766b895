"""How long a call may take."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from grpclib.const import Handler

from service.transport.rpc.arrival import arrival
from service.transport.rpc.faults import DeadlineExceeded, Fault, StreamTooOld


@dataclass(frozen=True, slots=True)
class Patience:
    """The deadline of calls with one answer whose caller named none, and the latest it may name.

    Streams may go on for long, and have an ``age`` instead.
    """

    timeout: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=2)
    age: timedelta = timedelta(hours=1)

    def until(self, handler: Handler) -> float:
        """When the call of the running task, which begins now, is over; in the loop's time."""
        given = arrival().deadline
        if any(handler.cardinality):
            most = self.age
        else:
            most = self.timeout if given is None else self.longest
        ours = asyncio.get_running_loop().time() + most.total_seconds()
        return ours if given is None else min(given, ours)

    def over(self, handler: Handler) -> Fault:
        """What the caller is told when that time has come."""
        given, now = arrival().deadline, asyncio.get_running_loop().time()
        theirs = given is not None and given <= now
        return DeadlineExceeded() if theirs or not any(handler.cardinality) else StreamTooOld()
