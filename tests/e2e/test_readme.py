"""The program on the front page runs as it is pasted."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import fresh_database
from tests.support.served import PASSWORD, ROOT, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ADMIN = "admin@example.com"


def pasted(port: int) -> str:
    (program,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL
    )
    assert "50051" in program
    return str(program).replace("50051", str(port))


async def test_the_program_of_the_readme_lists_the_users(tmp_path: Path) -> None:
    with fresh_database("sqlite") as url:
        async with served(url, ADMIN_EMAIL=ADMIN) as running:
            (tmp_path / "pasted.py").write_text(pasted(running.rpc_port))
            ran = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "pasted.py"],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT / "protos")},
                input=f"{PASSWORD}\n",
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                start_new_session=True,  # without a terminal it asks stdin
            )
    assert (ran.returncode, ran.stdout.split()[-1:]) == (0, [ADMIN]), ran.stderr
