"""make fuzz-rpc: conversations with the gRPC door that no client has, for SECONDS, from SEED on."""

import asyncio
import logging
import random
import sys
import time
from typing import Any

from arcana_protos.common import FieldError as Note

from tests.support.peer import until
from tests.support.probe import Served, serving
from tests.support.rpc_fuzz import Outcome, converse

AT_ONCE = 16


class _Findings(logging.Handler):
    """What the log must not hold."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()} {vars(record).get('stack', '')}")


async def main(seconds: float, seed: int) -> int:
    """The number of findings."""
    findings = _Findings()
    logging.getLogger().addHandler(findings)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, c: findings.lines.append(f"unhandled: {c}"))
    outcome, first, until_ = Outcome(), seed, time.monotonic() + seconds
    async with serving() as served:
        while time.monotonic() < until_ and not findings.lines:
            await _some(served, range(seed, seed + AT_ONCE), outcome, findings.lines)
            seed += AT_ONCE
        await until(lambda: served.server._guard.running == 0)
    print(f"seeds {first} to {seed - 1}: {outcome}")
    for line in findings.lines:
        print(f"    {line}")
    return len(findings.lines)


async def _some(served: Served, seeds: range, outcome: Outcome, findings: list[str]) -> None:
    port = served.server.port
    ended: list[Any] = await asyncio.gather(
        *(converse(port, seed, outcome) for seed in seeds), return_exceptions=True
    )
    findings += [f"{type(one).__name__}: {one}" for one in ended if one is not None]
    answer = await served.one()(Note(text="fine"), timeout=10)
    if answer.text != "fine":
        findings.append("others are not served")


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    given = [int(word) for word in sys.argv[1:]]
    length, start = (given + [60, random.randrange(2**31)][len(given) :])[:2]
    sys.exit(1 if asyncio.run(main(length, start)) else 0)
