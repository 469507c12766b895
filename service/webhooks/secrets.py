"""The secrets of webhooks: kept sealed, opened to sign."""

from datetime import datetime
from uuid import UUID

from service.core.keys import Secrets
from service.keys.encoding import Unfit
from service.keys.sealing import Safe
from service.webhooks.models import Webhook

_KIND = "webhook"


class WebhookSecrets:
    """Seals secrets under keys derived for this use alone, bound to the webhook's id."""

    def __init__(self, secrets: Secrets) -> None:
        self._safe = Safe(secrets, _KIND)

    def sealed(self, webhook_id: UUID, secret: bytes) -> str:
        return self._safe.seal(str(webhook_id), _KIND, secret)

    def opens(self, webhook: Webhook) -> bool:
        """Whether a configured secret opens that of ``webhook``."""
        try:
            self._open(webhook, webhook.sealed)
        except Unfit:
            return False
        return True

    def signing(self, webhook: Webhook, now: datetime) -> list[bytes]:
        """What signs what is sent now, the new secret first while there are two.

        Raises:
            Unfit: no configured secret opens them.
        """
        found = [self._open(webhook, webhook.sealed)]
        until = webhook.previous_until
        if webhook.sealed_previous and until and until > now:
            found.append(self._open(webhook, webhook.sealed_previous))
        return found

    def completed(self, webhook: Webhook) -> dict[str, str]:
        """The columns that lack a seal of a configured secret, with it."""
        found = {}
        for column in ("sealed", "sealed_previous"):
            sealed = getattr(webhook, column)
            if sealed and (more := self._safe.completed(str(webhook.id), _KIND, sealed)):
                found[column] = more
        return found

    def _open(self, webhook: Webhook, sealed: str) -> bytes:
        return self._safe.open(str(webhook.id), _KIND, sealed)
