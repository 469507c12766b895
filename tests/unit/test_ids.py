"""Identifiers sort in the order they were made."""

import threading
import time
from uuid import UUID

import pytest

from service.core.ids import canonical, new_id


def test_ids_made_later_are_larger() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_stay_ordered_and_distinct_when_the_clock_steps_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    later = [new_id() for _ in range(5000)]
    assert [first, *later] == sorted({first, *later})


def test_ids_made_by_several_threads_are_distinct() -> None:
    made: list[UUID] = []
    threads = [
        threading.Thread(target=lambda: made.extend([new_id() for _ in range(500)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert abs((made.int >> 80) - before) < 5000


def test_only_the_canonical_form_is_an_id() -> None:
    made = new_id()
    text = str(made)
    assert canonical(text) == made
    for other in (
        text.upper(),
        text.replace("-", ""),
        f"{{{text}}}",
        f"urn:uuid:{text}",
        f" {text}",
        f"{text}\n",
        text[:-1],
        "",
        "me",
        "nonexistent-id",
        text.replace(text[0], "٣"),
    ):
        assert canonical(other) is None, other
