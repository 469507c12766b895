"""Adapters to the outside world, each small: database, cache, hashing, limits."""
