"""Watches: streams of what becomes of users, from a place that the watcher names."""
