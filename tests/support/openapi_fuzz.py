"""schemathesis against a service that runs: our own document, held against what it answers."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPERATIONS = 58
"""How many our document has; more only mean a few more examples."""


def fuzz(url: str, folder: Path, *, examples: int, seed: int) -> subprocess.CompletedProcess[str]:
    """All checks, with ``examples`` of each phase for every operation; all it says is on stdout."""
    command = [sys.executable, "-m", "schemathesis.cli"]
    command += ["--config-file", str(Path(__file__).with_suffix(".toml"))]
    command += ["run", f"{url}/docs/openapi.json"]
    command += ["--checks", "all", "--max-examples", str(examples), "--seed", str(seed)]
    command += ["--request-timeout", "30", "--continue-on-failure", "--no-color"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.support.openapi_auth", "OPENAPI_URL": url}
    path = f"{ROOT}{os.pathsep}{ROOT / 'protos'}"
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | hooks | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
