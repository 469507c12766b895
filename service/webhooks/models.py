"""The table of webhooks."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from service.core.clock import utc_now
from service.core.ids import new_id


class WebhookStatus(StrEnum):
    """Whether a webhook is told of events."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    """By an admin."""
    FAILING = "failing"
    """By us, after it had taken nothing for days."""


SINK_PREFIX = "webhook:"


class Webhook(Model):
    """An address that is told of events, each signed with the webhook's own secret.

    ``sealed`` is that secret, encrypted under a key derived from the configured one; until
    ``previous_until`` what is sent is signed with ``sealed_previous``, too. ``types`` are the
    wanted types of events parted by spaces; blank for all. It has failed without a break since
    ``failing_since``. ``version`` rises in the UPDATE of every change that clients see, also of
    those that the relay makes.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    url = fields.CharField(max_length=2048)
    description = fields.CharField(max_length=255, default="")
    types = fields.CharField(max_length=1024, default="")
    status = fields.CharEnumField(WebhookStatus, max_length=16, default=WebhookStatus.ENABLED)
    sealed = fields.TextField()
    sealed_previous = fields.TextField(null=True)
    previous_until = fields.DatetimeField(null=True)
    failing_since = fields.DatetimeField(null=True)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(default=utc_now)
    updated_at = fields.DatetimeField(default=utc_now)

    class Meta:
        table = "webhooks"

    @property
    def sink(self) -> str:
        """The name under which the relay keeps how far it was told."""
        return f"{SINK_PREFIX}{self.id}"

    def __repr__(self) -> str:
        return f"<Webhook {self.id}>"
