"""What receivers of webhooks are sent: a CloudEvent, signed."""

from datetime import datetime
from typing import Any

import orjson

from service.core.events import CONTENT_TYPE, Told, cloud_event
from service.core.ports import HookAnswer, HookSender
from service.webhooks.models import Webhook
from service.webhooks.secrets import WebhookSecrets
from service.webhooks.signing import signed_headers

TEST_TYPE = "webhook.test"


def message(told: Told, source: str) -> dict[str, Any]:
    """An event as both standards want it.

    Standard Webhooks looks for ``type``, ``timestamp`` and ``data``. CloudEvents has the first and
    the last; the second is an extension attribute, that says what ``time`` says.
    """
    written = cloud_event(told, source)
    return {**written, "timestamp": written["time"]}


class Postman:
    """Signs events and sends them; ``source`` is who they come from."""

    def __init__(self, sender: HookSender, secrets: WebhookSecrets, source: str) -> None:
        self._sender, self._secrets, self._source = sender, secrets, source

    async def send(self, webhook: Webhook, told: Told, now: datetime) -> HookAnswer:
        """Send an event to a webhook. The event's id names the message, however often it is sent.

        Raises:
            HookFailed: there was no answer.
            Unfit: no configured secret opens the webhook's own.
        """
        body = orjson.dumps(message(told, self._source))
        secrets = self._secrets.signing(webhook, now)
        headers = signed_headers(secrets, str(told.id), now, body)
        return await self._sender.send(webhook.url, {"content-type": CONTENT_TYPE, **headers}, body)
