"""A supervisor of scripted workers: COUNT GRACE ORDERS."""

import sys
from pathlib import Path

from config import logging as logs
from service.supervisor import Supervisor

if __name__ == "__main__":
    logs.configure("text", "info", stream=sys.stdout)
    count, grace, orders = sys.argv[1:]
    worker = [sys.executable, str(Path(__file__).with_name("scripted_worker.py")), orders]
    sys.exit(Supervisor(worker, [], int(count), grace=float(grace)).run())
