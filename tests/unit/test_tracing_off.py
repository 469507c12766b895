"""Without the extra nothing of it is asked for."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import service.server, service.worker
from service.infra.telemetry.tracing import is_installed, tracer_of
print(is_installed(), tracer_of(None, None), tracer_of(False, "http://127.0.0.1:4318"))
"""


def test_the_service_starts_without_opentelemetry() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.split() == ["False", "None", "None"], ran.stderr
