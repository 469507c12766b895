"""Named queries over webhooks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import F

from service.core.clock import Clock, utc_now
from service.core.ids import canonical
from service.webhooks.errors import WebhookLimit, WebhookNotFound
from service.webhooks.models import Webhook, WebhookStatus

MOST = 50
"""Webhooks there may be, give or take those that are made at the same moment."""


class WebhookRepository:
    """Webhooks by id. Each write raises the row's version."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def get(self, webhook_id: str, *, lock: bool = False) -> Webhook:
        """Raises: WebhookNotFound, also for what is no id."""
        key = canonical(webhook_id)
        rows = Webhook.filter(id=key)
        row = await (rows.select_for_update() if lock else rows).first() if key else None
        if row is None:
            raise WebhookNotFound
        return row

    async def all(self) -> list[Webhook]:
        """Every webhook, oldest first."""
        return await Webhook.all().order_by("id")

    async def add(
        self, webhook_id: UUID, *, url: str, description: str, types: str, sealed: str
    ) -> Webhook:
        """Insert a webhook; call it inside a transaction.

        Raises:
            WebhookLimit: there are ``MOST`` already.
        """
        if await Webhook.all().count() >= MOST:
            raise WebhookLimit
        now = self._clock()
        return await Webhook.create(
            id=webhook_id,
            url=url,
            description=description,
            types=types,
            sealed=sealed,
            created_at=now,
            updated_at=now,
        )

    async def change(self, webhook: Webhook, changes: Mapping[str, Any]) -> Webhook:
        """Change the given columns of a locked row, and give it back as it is then."""
        now = self._clock()
        rows = Webhook.filter(id=webhook.id)
        await rows.update(**changes, updated_at=now, version=F("version") + 1)
        return await rows.get()

    async def delete(self, webhook: Webhook) -> None:
        await webhook.delete()

    async def versions(self) -> dict[UUID, int]:
        """Which webhooks there are, and the version of each."""
        rows = await Webhook.all().values_list("id", "version")
        return {UUID(str(id_)): int(version) for id_, version in rows}

    async def some(self, webhook_ids: list[UUID]) -> list[Webhook]:
        """Those of the given ids that there are."""
        return await Webhook.filter(id__in=webhook_ids)

    async def begin_to_fail(self, webhook_id: UUID) -> datetime:
        """Note the first failure after a success; since when it fails."""
        now = self._clock()
        well = Webhook.filter(id=webhook_id, failing_since__isnull=True)
        await well.update(failing_since=now, version=F("version") + 1)
        return now

    async def recover(self, webhook_id: UUID) -> None:
        """Note the first success after a failure."""
        failing = Webhook.filter(id=webhook_id, failing_since__isnull=False)
        await failing.update(failing_since=None, version=F("version") + 1)

    async def give_up(self, webhook_id: UUID) -> bool:
        """Tell a webhook nothing more until an admin says so; False when it isn't told anyway."""
        now = self._clock()
        told = Webhook.filter(id=webhook_id, status=WebhookStatus.ENABLED)
        return bool(
            await told.update(
                status=WebhookStatus.FAILING, updated_at=now, version=F("version") + 1
            )
        )

    async def complete(self, webhook: Webhook, column: str, sealed: str) -> None:
        """Put a seal with more secrets in the place of the one that ``webhook`` shows."""
        unchanged = Webhook.filter(**{"id": webhook.id, column: getattr(webhook, column)})
        await unchanged.update(**{column: sealed})
