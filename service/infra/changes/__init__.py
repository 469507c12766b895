"""The change feed: how every worker learns within a second what any of them wrote."""

from service.infra.changes.feed import ChangeFeed
from service.infra.changes.rows import Change

__all__ = ["Change", "ChangeFeed"]
