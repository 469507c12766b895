"""Webhooks as the relay sees them: one sink for each that is enabled."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from service.core.clock import Clock, utc_now
from service.core.events import SCHEDULE, Sink, SinkRefused, Told
from service.core.ports import HookAnswer, HookFailed, Transactions
from service.events.replays import Replays
from service.events.repository import EventRepository
from service.keys.encoding import Unfit
from service.webhooks.messages import Postman
from service.webhooks.models import SINK_PREFIX, Webhook, WebhookStatus
from service.webhooks.repository import WebhookRepository
from service.webhooks.secrets import WebhookSecrets

PATIENCE = timedelta(days=5)
"""How long a webhook may take nothing before it is told nothing more."""
GONE = 410
BUSY = (429, 503)

log = logging.getLogger("arcana.webhooks")


def wanted(types: Sequence[str], type_: str) -> bool:
    """Whether a type is among ``types``, of which ``user.*`` stands for all that begin so."""
    return not types or any(
        type_.startswith(each[:-1]) if each.endswith(".*") else type_ == each for each in types
    )


class WebhookSink:
    """``core.events.Sink`` of one webhook, as it was in one version of its row."""

    at_once = 4
    schedule = SCHEDULE

    def __init__(
        self,
        webhook: Webhook,
        postman: Postman,
        rows: WebhookRepository,
        replays: Replays,
        transactions: Transactions,
        clock: Clock,
    ) -> None:
        self._webhook, self._types = webhook, webhook.types.split()
        self._postman, self._rows, self._replays = postman, rows, replays
        self._begin, self._clock = transactions, clock
        self._failing_since: datetime | None = webhook.failing_since
        self._given_up: str | None = None

    @property
    def name(self) -> str:
        return self._webhook.sink

    def wants(self, told: Told) -> bool:
        return wanted(self._types, told.type)

    async def take(self, told: Told) -> None:
        """Send it, and note when a run of failures begins and ends.

        Raises:
            SinkRefused: the receiver did not take it. It is tried again after all of these.
        """
        if self._given_up is not None:  # the relay has not looked since
            raise SinkRefused(self._given_up)
        reason, after, is_gone = await self._sent(told)
        if reason is None:
            if self._failing_since is not None:
                self._failing_since = None
                await self._rows.recover(self._webhook.id)
            return
        await self._failed(reason, is_gone=is_gone)
        raise SinkRefused(reason, after=after)

    async def _sent(self, told: Told) -> tuple[str | None, timedelta | None, bool]:
        """Why it was not taken, how long to wait, and whether the address is gone for good."""
        try:
            answer = await self._postman.send(self._webhook, told, self._clock())
        except HookFailed as failed:
            return failed.reason, None, False
        except Unfit:
            return "no configured secret opens the webhook's own: rotate it", None, False
        reason = refusal(answer)
        after = answer.retry_after if answer.status in BUSY else None
        return reason, after, answer.status == GONE

    async def _failed(self, reason: str, *, is_gone: bool) -> None:
        """Note it, and give the webhook up when it has been too long or is gone."""
        if self._failing_since is None:
            self._failing_since = await self._rows.begin_to_fail(self._webhook.id)
        if not is_gone and self._clock() - self._failing_since < PATIENCE:
            return
        async with self._begin():
            if await self._rows.give_up(self._webhook.id):
                await self._replays.note_error(self.name, reason)
                log.error("a webhook is told no more: %s", reason, extra={"sink": self.name})
        self._given_up = reason


def refusal(answer: HookAnswer) -> str | None:
    """Why an answer means that nothing was taken; None when it was."""
    if answer.is_taken:
        return None
    if answer.status == GONE:
        return "status 410: gone"
    if 300 <= answer.status < 400:
        return f"status {answer.status}: redirects are not followed"
    return f"status {answer.status}"


class WebhookSinks:
    """``core.events.Sinks`` of all that are enabled.

    Asked every second, it reads the rows of those that changed. It is the relay's alone, so what
    one process must do for all is done here: seals are completed, and what deleted webhooks left
    behind is swept away once nobody tells them anything.
    """

    def __init__(
        self,
        rows: WebhookRepository,
        events: EventRepository,
        replays: Replays,
        postman: Postman,
        secrets: WebhookSecrets,
        transactions: Transactions,
        clock: Clock = utc_now,
    ) -> None:
        self._rows, self._events, self._replays = rows, events, replays
        self._postman, self._secrets = postman, secrets
        self._begin, self._clock = transactions, clock
        self._versions: dict[UUID, int] = {}
        self._sinks: dict[UUID, WebhookSink] = {}
        self._is_swept = False

    async def all(self) -> Sequence[Sink]:
        """The sinks of now; those that have not changed are the ones given before."""
        if not self._is_swept:
            await self._sweep()
        versions = await self._rows.versions()
        changed = [id_ for id_, version in versions.items() if self._versions.get(id_) != version]
        gone = self._versions.keys() - versions.keys()
        for id_ in (*changed, *gone):
            self._versions.pop(id_, None)
            self._sinks.pop(id_, None)
        for webhook in await self._rows.some(changed) if changed else []:
            await self._complete(webhook)
            self._versions[webhook.id] = webhook.version
            if webhook.status is WebhookStatus.ENABLED:
                self._sinks[webhook.id] = self._sink(webhook)
        if gone:  # their couriers leave now; next time nobody brings anything back
            self._is_swept = False
        return list(self._sinks.values())

    def _sink(self, webhook: Webhook) -> WebhookSink:
        return WebhookSink(
            webhook, self._postman, self._rows, self._replays, self._begin, self._clock
        )

    async def _complete(self, webhook: Webhook) -> None:
        for column, sealed in self._secrets.completed(webhook).items():
            await self._rows.complete(webhook, column, sealed)
            setattr(webhook, column, sealed)

    async def _sweep(self) -> None:
        """Forget sinks without a webhook. Names are read first: whoever is made since has both."""
        names = await self._replays.sinks(SINK_PREFIX)
        known = {f"{SINK_PREFIX}{id_}" for id_ in await self._rows.versions()}
        for name in names:
            if name not in known:
                await self._events.forget_sink(name)
        self._is_swept = True
