"""Asks for health over and over until its input ends; then prints how long each answer took.

A process of its own, so that it waits for the server alone and not for whoever attacks it.
"""

import json
import sys
import threading
import time
from typing import Any

import grpc
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

CHECK = "/grpc.health.v1.Health/Check"
_CODEC: dict[str, Any] = {
    "request_serializer": HealthCheckRequest.SerializeToString,
    "response_deserializer": HealthCheckResponse.FromString,
}


def main(port: str) -> None:
    over = threading.Event()
    threading.Thread(target=wait_for_end, args=(over,), daemon=True).start()
    waits: list[float] = []
    failed = 0
    while not over.is_set() or not waits:
        began = time.perf_counter()
        failed += not is_serving(port)
        waits.append(time.perf_counter() - began)
        over.wait(0.02)
    json.dump({"waits": waits, "failed": failed}, sys.stdout)


def wait_for_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def is_serving(port: str) -> bool:
    """By a new connection each time, as probes do."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        try:
            check = channel.unary_unary(CHECK, **_CODEC)
            answer = check(HealthCheckRequest(), timeout=10)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


if __name__ == "__main__":
    main(sys.argv[1])
