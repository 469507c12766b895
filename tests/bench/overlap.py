"""What an old and a new process on one port lose: SO_REUSEPORT beside one shared socket.

``python -m tests.bench.overlap ROUNDS``. A listener of a few lines is replaced again and again
while clients connect, ask and close: the successor listens first, then the old one stops accepting,
answers those whom it has accepted, and leaves. Printed is how many were refused or reset.
"""

import asyncio
import signal
import socket
import sys
from collections import Counter

CLIENTS = 50
ROUND_SECONDS = 1.0
LISTENER = """
import asyncio, signal, socket, sys, uvloop
busy = 0
async def answer(reader, writer):
    global busy
    busy += 1
    await reader.readline()
    writer.write(b"ok\\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    busy -= 1
async def main(port, shared):
    if shared:
        listening = socket.socket(fileno=int(shared))
    else:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(("127.0.0.1", int(port)))
        listening.listen(1024)
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    server = await asyncio.start_server(answer, sock=listening)
    print("ready", flush=True)
    await told.wait()
    server.close()
    await asyncio.sleep(0.3)
    while busy:
        await asyncio.sleep(0.01)
uvloop.run(main(*sys.argv[1:]))
"""


async def start(port: int, shared: socket.socket | None) -> asyncio.subprocess.Process:
    fds = [shared.fileno()] if shared else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LISTENER, str(port), *(map(str, fds) if fds else [""])),
        pass_fds=fds,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def ask(port: int, seen: Counter[str]) -> None:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello\n")
            answer = await reader.readline()
            seen["answered" if answer == b"ok\n" else "closed without an answer"] += 1
            writer.close()
        except OSError as error:
            seen[type(error).__name__] += 1


async def measure(rounds: int, *, share: bool) -> Counter[str]:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        if share:
            held.listen(1024)
        port = held.getsockname()[1]
        shared = held if share else None
        current = await start(port, shared)
        seen: Counter[str] = Counter()
        asking = [asyncio.create_task(ask(port, seen)) for _ in range(CLIENTS)]
        for _ in range(rounds):
            await asyncio.sleep(ROUND_SECONDS)
            successor = await start(port, shared)
            current.send_signal(signal.SIGTERM)
            await current.wait()
            current = successor
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        current.kill()
        await current.wait()
        return seen


async def main(rounds: int) -> None:
    for name, share in (("SO_REUSEPORT", False), ("one socket, shared", True)):
        print(f"{name:<22}{rounds} handovers: {dict(await measure(rounds, share=share))}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 20))
