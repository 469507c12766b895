"""What /metrics tells, read as Prometheus reads it."""

import asyncio
import time
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The samples of one answer, by name and labels."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._samples: dict[Key, float] = {}
        for family in self.families:
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._samples, f"told twice: {key}"
                self._samples[key] = sample.value

    def __getitem__(self, name: str) -> float:
        return self.of(name)

    def of(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name with at least those labels; 0 when there is none."""
        wanted = set(labels.items())
        return sum(v for (n, has), v in self._samples.items() if n == name and wanted <= has)


async def scrape(port: int) -> Scrape:
    """Raises: AssertionError, when /metrics does not answer well."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape(answer.text)


async def scrape_until(port: int, holds: Callable[[Scrape], bool]) -> Scrape:
    """The first answer of which ``holds`` is true, or the last one after a generous wait."""
    until = time.monotonic() + 20
    while not holds(found := await scrape(port)) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return found
