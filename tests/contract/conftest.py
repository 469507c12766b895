"""The contract suite: a live service, and everything asked at both doors."""

from tests.support.fixtures import database_url, door, live, people, running

__all__ = ["database_url", "door", "live", "people", "running"]
