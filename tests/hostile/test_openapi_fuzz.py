"""schemathesis tries our own OpenAPI document: no 5xx, and nothing that it does not say."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.support.databases import fresh_database
from tests.support.openapi_fuzz import fuzz
from tests.support.served import served


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_service_does_what_its_document_says(tmp_path: Path) -> None:
    """A few hundred cases; ``make schemathesis`` tries thousands, with another seed each time."""
    with fresh_database("sqlite") as url:
        async with served(url) as service:
            address = f"http://127.0.0.1:{service.http_port}"
            ran = await asyncio.to_thread(fuzz, address, tmp_path, examples=8, seed=5)
            log = service.log
    assert ran.returncode == 0, ran.stdout
    tried = re.search(r"(\d+) generated", ran.stdout)
    assert tried
    assert int(tried[1]) > 500
    assert "arcana.errors" not in log
