"""Hostile input: a live service, on each database."""

from tests.support.fixtures import ada, database_url, door, live, people, root, running

__all__ = ["ada", "database_url", "door", "live", "people", "root", "running"]
