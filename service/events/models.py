"""The tables of the outbox."""

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from service.core.clock import utc_now


class StoredEvent(Model):
    """One event, inserted in the transaction of its cause.

    Ids rise in the order of inserts, not of commits. ``position`` is given by the relay, once, to
    what it finds committed: the order in which everybody is told. ``user_id`` points to nothing:
    the row outlives its user. ``data`` is JSON.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    uuid = fields.UUIDField()
    type = fields.CharField(max_length=64)
    subject = fields.CharField(max_length=128)
    user_id = fields.UUIDField(null=True)
    at = fields.DatetimeField(default=utc_now)
    data = fields.TextField()
    position = fields.BigIntField(null=True)

    class Meta:
        table = "events"
        indexes = [
            Index(fields=("position",), name="ix_events_position"),
            Index(fields=("at",), name="ix_events_at"),
        ]

    def __repr__(self) -> str:
        return f"<StoredEvent {self.id} {self.type}>"


class SinkProgress(Model):
    """How far a sink has been told: all up to ``position`` but what stands in ``deliveries``.

    ``failures`` counts those in a row; until ``resting_until`` the sink is left alone.
    """

    name = fields.CharField(max_length=64, primary_key=True)
    position = fields.BigIntField()
    failures = fields.IntField(default=0)
    resting_until = fields.DatetimeField(null=True)
    error = fields.CharField(max_length=255, null=True)
    updated_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "sinks"

    def __repr__(self) -> str:
        return f"<SinkProgress {self.name} {self.position}>"


class DeliveryState(StrEnum):
    """What becomes of an event that its sink did not take."""

    WAITING = "waiting"
    """Tried again at ``due_at``: the first of its lane."""
    BEHIND = "behind"
    """Waits for an earlier one of its lane."""
    DEAD = "dead"
    """Given up, until somebody asks for another try."""


class Delivery(Model):
    """An event that one sink has yet to be told, or never will."""

    id = fields.BigIntField(primary_key=True, generated=True)
    sink = fields.CharField(max_length=64)
    position = fields.BigIntField()
    lane = fields.CharField(max_length=36)
    state = fields.CharEnumField(DeliveryState, max_length=16)
    attempts = fields.IntField(default=0)
    due_at = fields.DatetimeField(default=utc_now)
    error = fields.CharField(max_length=255, null=True)
    updated_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "deliveries"
        unique_together = (("sink", "position"),)
        indexes = [
            Index(fields=("sink", "state", "due_at"), name="ix_deliveries_due"),
            Index(fields=("sink", "lane", "position"), name="ix_deliveries_lane"),
        ]

    def __repr__(self) -> str:
        return f"<Delivery {self.sink} {self.position} {self.state}>"
