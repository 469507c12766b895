"""make schemathesis: what our OpenAPI document says, held against what the service does.

``EXAMPLES DATABASE…`` are its arguments, EXAMPLES in all; beside them schemathesis tries each
boundary of each parameter once, and chains of calls.
"""

import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.support.databases import Backend, available, fresh_database
from tests.support.openapi_fuzz import OPERATIONS, fuzz
from tests.support.served import served

EXAMPLES = 5000


async def against(backend: Backend, examples: int, seed: int) -> int:
    """The exit code of schemathesis, whose words are printed, and of our log the bugs."""
    with fresh_database(backend) as url, tempfile.TemporaryDirectory() as folder:
        async with served(url) as service:
            began = time.monotonic()
            address = f"http://127.0.0.1:{service.http_port}"
            each = -(-examples // OPERATIONS)
            ran = await asyncio.to_thread(fuzz, address, Path(folder), examples=each, seed=seed)
            bugs = [line for line in service.log.splitlines() if '"arcana.errors"' in line]
    print(ran.stdout, *bugs, sep="\n")
    print(f"{backend}: exit code {ran.returncode}, {time.monotonic() - began:.0f} s, seed {seed}\n")
    return ran.returncode


def main(arguments: list[str]) -> int:
    examples = int(arguments[0]) if arguments else EXAMPLES
    wanted: list[Backend] = ["sqlite", "postgres"]
    chosen = [backend for backend in wanted if backend in (arguments[1:] or wanted)]
    for backend in chosen:
        if absence := available(backend):
            print(absence)
            return 1
    seed = secrets.randbelow(10**6)
    return max(asyncio.run(against(backend, examples, seed)) for backend in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
