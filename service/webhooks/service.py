"""The rules about webhooks."""

import time
from typing import Any

from service.core.access import ADMIN, Actor, Role, allow
from service.core.clock import Clock, utc_now
from service.core.destinations import Destinations
from service.core.errors import Invalid
from service.core.events import Told
from service.core.idempotency import refuse_key
from service.core.ids import canonical, new_id
from service.core.parsing import Raw, parse
from service.core.ports import HookFailed, Limiter, Transactions
from service.core.preconditions import Precondition
from service.core.rates import HOOK_TESTS
from service.core.scopes import WEBHOOKS_READ, WEBHOOKS_WRITE
from service.events.replays import Replays
from service.events.repository import EventRepository
from service.keys.encoding import Unfit
from service.webhooks.messages import TEST_TYPE, Postman
from service.webhooks.models import Webhook, WebhookStatus
from service.webhooks.repository import WebhookRepository
from service.webhooks.schemas import (
    CreateWebhook,
    DeliveryList,
    ListDeliveries,
    NewWebhookView,
    ReplayView,
    ReplayWebhook,
    RotateWebhookSecret,
    UpdateWebhook,
    WebhookList,
    WebhookTestView,
    WebhookView,
)
from service.webhooks.secrets import WebhookSecrets
from service.webhooks.signing import new_secret, shown
from service.webhooks.sinks import refusal, wanted

REPLAYED_AT_ONCE = 5000
"""Events that one replay looks at; the answer says where the next one begins."""


class WebhookService:
    """The rules about webhooks. ``actor`` is who asks; every method states who may.

    No key makes webhooks or rotates their secrets: whoever holds a secret can make receivers
    believe anything.
    """

    def __init__(
        self,
        webhooks: WebhookRepository,
        events: EventRepository,
        replays: Replays,
        postman: Postman,
        secrets: WebhookSecrets,
        destinations: Destinations,
        transactions: Transactions,
        limiter: Limiter,
        clock: Clock = utc_now,
    ) -> None:
        self._webhooks, self._events, self._replays = webhooks, events, replays
        self._postman, self._secrets, self._destinations = postman, secrets, destinations
        self._begin, self._limiter, self._clock = transactions, limiter, clock

    @allow(Role(ADMIN), scope=None)
    async def create(self, actor: Actor, raw: Raw, repeat_key: str | None = None) -> NewWebhookView:
        """Have an address told of what happens from now on; this answer alone shows the secret.

        So no answer is kept for whoever asks twice, and ``repeat_key``, an Idempotency-Key, is
        refused.

        Raises:
            Invalid, WebhookLimit.
        """
        refuse_key(repeat_key)
        command = parse(CreateWebhook, raw)
        self._check(command.url)
        id_, secret = new_id(), new_secret()
        async with self._begin():
            row = await self._webhooks.add(
                id_,
                url=command.url,
                description=command.description,
                types=" ".join(command.types),
                sealed=self._secrets.sealed(id_, secret),
            )
            await self._events.progress(row.sink)
        return NewWebhookView.of(row, secret=shown(secret))

    @allow(Role(ADMIN), scope=WEBHOOKS_READ)
    async def get(self, actor: Actor, webhook_id: str) -> WebhookView:
        """Raises: WebhookNotFound."""
        return await self._view(await self._webhooks.get(webhook_id))

    @allow(Role(ADMIN), scope=WEBHOOKS_READ)
    async def list(self, actor: Actor) -> WebhookList:
        """Every webhook, oldest first, without its secret."""
        rows = await self._webhooks.all()
        return WebhookList.of(rows, await self._replays.errors(row.sink for row in rows))

    @allow(Role(ADMIN), scope=WEBHOOKS_WRITE)
    async def update(
        self, actor: Actor, webhook_id: str, raw: Raw, if_match: str | None = None
    ) -> WebhookView:
        """Change a webhook. One that is enabled again goes on where it was left.

        Raises:
            Invalid, WebhookNotFound, EtagMismatch.
        """
        command, expected = parse(UpdateWebhook, raw), Precondition.read(if_match)
        changes: dict[str, Any] = command.changes
        if "url" in changes:
            self._check(command.url)
        if "types" in changes:
            changes["types"] = " ".join(command.types)
        if "status" in changes:
            changes["status"] = WebhookStatus(command.status)
        async with self._begin():
            row = await self._webhooks.get(webhook_id, lock=True)
            expected.check(row.version)
            if changes.get("status", row.status) != row.status:
                changes["failing_since"] = None
                await self._events.hurry(row.sink)  # what waits need not wait any longer
            row = await self._webhooks.change(row, changes)
        return await self._view(row)

    @allow(Role(ADMIN), scope=WEBHOOKS_WRITE)
    async def delete(self, actor: Actor, webhook_id: str, if_match: str | None = None) -> None:
        """Delete a webhook, and forget what it was not told.

        Raises:
            Invalid, WebhookNotFound, EtagMismatch.
        """
        expected = Precondition.read(if_match)
        async with self._begin():
            row = await self._webhooks.get(webhook_id, lock=True)
            expected.check(row.version)
            await self._webhooks.delete(row)
            await self._events.forget_sink(row.sink)

    @allow(Role(ADMIN), scope=None)
    async def rotate(
        self, actor: Actor, webhook_id: str, raw: Raw, repeat_key: str | None = None
    ) -> NewWebhookView:
        """Give a webhook a new secret, which this answer alone shows; the old one signs on a while.

        A secret that can't be opened any more is simply replaced.

        Raises:
            Invalid, WebhookNotFound.
        """
        refuse_key(repeat_key)
        command, secret = parse(RotateWebhookSecret, raw), new_secret()
        async with self._begin():
            row = await self._webhooks.get(webhook_id, lock=True)
            stays = command.overlap_hours > 0 and self._secrets.opens(row)
            changes = {
                "sealed": self._secrets.sealed(row.id, secret),
                "sealed_previous": row.sealed if stays else None,
                "previous_until": self._clock() + command.overlap if stays else None,
            }
            row = await self._webhooks.change(row, changes)
        errors = await self._replays.errors([row.sink])
        return NewWebhookView.of(row, errors.get(row.sink), secret=shown(secret))

    @allow(Role(ADMIN), scope=WEBHOOKS_WRITE)
    async def test(self, actor: Actor, webhook_id: str) -> WebhookTestView:
        """Send a signed test event at once, whatever the webhook's status, and say how it went.

        Raises:
            WebhookNotFound, Limited.
        """
        row = await self._webhooks.get(webhook_id)
        await HOOK_TESTS.hit(self._limiter, str(row.id))
        now, began, status = self._clock(), time.monotonic(), None
        told = Told(0, new_id(), TEST_TYPE, f"webhooks/{row.id}", None, now, "{}")
        error: str | None
        try:
            answer = await self._postman.send(row, told, now)
            status, error = answer.status, refusal(answer)
        except HookFailed as failed:
            error = failed.reason
        except Unfit:
            error = "no configured secret opens the webhook's own: rotate it"
        return WebhookTestView(
            event_id=str(told.id),
            taken=error is None,
            status=status,
            duration_ms=round(1000 * (time.monotonic() - began)),
            error=error,
        )

    @allow(Role(ADMIN), scope=WEBHOOKS_READ)
    async def deliveries(self, actor: Actor, webhook_id: str, raw: Raw) -> DeliveryList:
        """What a webhook has yet to take, or never will.

        Raises:
            Invalid, WebhookNotFound.
        """
        command = parse(ListDeliveries, raw)
        row = await self._webhooks.get(webhook_id)
        found = await self._replays.undelivered(row.sink, command.after, command.size + 1)
        return DeliveryList.of(found, command.size)

    @allow(Role(ADMIN), scope=WEBHOOKS_WRITE)
    async def replay(self, actor: Actor, webhook_id: str, raw: Raw) -> ReplayView:
        """Have a webhook told again what it was told or given up on, in order by user.

        Raises:
            Invalid, WebhookNotFound.
        """
        command = parse(ReplayWebhook, raw)
        first = await self._first_of(command)
        async with self._begin():
            row = await self._webhooks.get(webhook_id, lock=True)
            if command.is_of_the_dead:
                replayed = await self._events.retry(row.sink)
                return ReplayView(replayed=replayed, next_position=None)
            return await self._replay_from(row, first, command)

    async def _replay_from(self, row: Webhook, first: int, command: ReplayWebhook) -> ReplayView:
        size, types = REPLAYED_AT_ONCE, row.types.split()
        found = await self._replays.told_between(row.sink, first, command.since, size + 1)
        chosen = [told for told in found[:size] if wanted(types, told.type)]
        replayed = await self._replays.tell_again(row.sink, chosen)
        more = found[size].position if len(found) > size else None
        return ReplayView(replayed=replayed, next_position=more)

    async def _first_of(self, command: ReplayWebhook) -> int:
        """Raises: Invalid, when the event to begin with is not there."""
        first = command.from_position or 0
        if command.from_event is None:
            return first
        id_ = canonical(command.from_event)
        position = await self._replays.position_of(id_) if id_ else None
        if position is None:
            text = "There is no such event, or it is more than a week old: give since instead."
            raise Invalid({"from_event": [text]})
        return max(first, position)

    def _check(self, url: str) -> None:
        """Raises: Invalid, when nothing may be sent there."""
        try:
            self._destinations.check(url)
        except ValueError as fault:
            raise Invalid({"url": [str(fault)]}) from None

    async def _view(self, row: Webhook) -> WebhookView:
        errors = await self._replays.errors([row.sink])
        return WebhookView.of(row, errors.get(row.sink))
