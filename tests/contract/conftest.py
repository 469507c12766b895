"""The contract suite: a live service, and everything asked at both doors."""

from tests.support.fixtures import ada, database_url, door, live, people, root, running

__all__ = ["ada", "database_url", "door", "live", "people", "root", "running"]
