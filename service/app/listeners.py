"""Whoever is told of events, and what telling them takes."""

from functools import cached_property

from config.settings import Settings
from service.app.notices import inbox_sink, mail_sink, templates_of
from service.app.outside import Outside, secrets_of, source_of
from service.app.sinks import AllSinks
from service.events.replays import Replays
from service.events.repository import EventRepository
from service.notifications.rendering import Templates
from service.notifications.repository import NotificationRepository
from service.notifications.sinks import NoticeSink
from service.sync.client import ClientTls, DirectoryClient
from service.sync.repository import SyncRepository
from service.sync.sink import DirectorySink, Pushed
from service.webhooks.messages import Postman
from service.webhooks.repository import WebhookRepository
from service.webhooks.secrets import WebhookSecrets
from service.webhooks.sinks import WebhookSinks


class Listeners:
    """Every sink: a property each, made once, when first asked for; ``sinks`` is all of them."""

    def __init__(self, settings: Settings, outside: Outside, events: EventRepository) -> None:
        self._settings, self._outside, self._events = settings, outside, events
        self._begin, self._clock = outside.database.transaction, outside.clock

    @cached_property
    def sinks(self) -> AllSinks:
        """Whoever is told of events: those by name, ``None`` if off, and those that come and go.

        Raises:
            BrokenTemplate.
        """
        return AllSinks(
            fixed=(self._outside.stream, self.inbox_sink, self.mail_sink, *self.sync_sinks),
            changing=(self.webhook_sinks,),
        )

    @cached_property
    def notices(self) -> NotificationRepository:
        return NotificationRepository(self._clock)

    @cached_property
    def templates(self) -> Templates:
        """Raises: BrokenTemplate."""
        return templates_of(self._settings)

    @cached_property
    def inbox_sink(self) -> NoticeSink:
        """Raises: BrokenTemplate."""
        return inbox_sink(self.notices, self.templates)

    @cached_property
    def mail_sink(self) -> NoticeSink | None:
        """None where nobody sends mail. Raises: BrokenTemplate."""
        return mail_sink(self._settings, self.notices, self.templates, self._clock)

    @cached_property
    def webhook_sinks(self) -> WebhookSinks:
        """For the one relay of all; nobody else asks it anything."""
        return WebhookSinks(
            WebhookRepository(self._clock),
            self._events,
            Replays(self._events, self._clock),
            self.postman,
            self.webhook_secrets,
            self._begin,
            self._clock,
        )

    @cached_property
    def postman(self) -> Postman:
        return Postman(self._outside.hooks, self.webhook_secrets, source_of(self._settings))

    @cached_property
    def webhook_secrets(self) -> WebhookSecrets:
        return WebhookSecrets(secrets_of(self._settings))

    @cached_property
    def sync_rows(self) -> SyncRepository:
        return SyncRepository()

    @cached_property
    def sync_sinks(self) -> tuple[DirectorySink, ...]:
        """A sink for each directory; the relay's process has them."""
        targets, pushed = self._settings.sync_targets, Pushed()
        files = (self._settings.sync_tls_ca, self._settings.sync_tls_cert)
        tls = ClientTls(*files, self._settings.sync_tls_key)
        names = [target.sink for target in targets]
        return tuple(
            DirectorySink(one, DirectoryClient(one, tls), self.sync_rows, pushed, names)
            for one in targets
        )
