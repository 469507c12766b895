"""What notifications are rendered by and sent with, as the settings say."""

import logging
import ssl
from email.headerregistry import Address

from config.mail import Sender
from config.settings import Settings
from service.core.clock import Clock
from service.infra.mail import MailFolder, Server, SmtpPost
from service.notifications.channels import Inbox, Mail, Post
from service.notifications.rendering import BrokenTemplate, Templates
from service.notifications.repository import NotificationRepository
from service.notifications.sinks import NoticeSink

NAME = "Arcana"
NOBODY = Sender(NAME, "no-reply@arcana.invalid")
"""Whom mail in a folder is from, where nothing else is said."""

log = logging.getLogger("arcana.mail")


def templates_of(settings: Settings) -> Templates:
    """All templates, tried once.

    Raises:
        BrokenTemplate: one of MAIL_TEMPLATES can't be used.
    """
    service = (settings.mail_from or NOBODY).name or NAME
    return Templates(settings.mail_templates, service=service, url=_url(settings))


def inbox_sink(notifications: NotificationRepository, templates: Templates) -> NoticeSink:
    """Who writes into inboxes."""
    return NoticeSink(Inbox(notifications, templates), notifications)


def mail_sink(
    settings: Settings, notifications: NotificationRepository, templates: Templates, clock: Clock
) -> NoticeSink | None:
    """Who sends mail; None, and a line in the log, where nobody does."""
    sender = settings.mail_from or NOBODY
    post = _post(settings, sender)
    if post is None:
        log.info("no mail is sent: SMTP_URL is not set")
        return None
    address = Address(sender.name, addr_spec=sender.address)
    return NoticeSink(Mail(post, templates, address, clock), notifications)


def _post(settings: Settings, sender: Sender) -> Post | None:
    if to := settings.smtp_url:
        context = ssl.create_default_context()
        server = Server(to.host, to.port, to.tls, to.user, to.password, context)
        return SmtpPost(server, sender.address)
    return MailFolder(settings.mail_folder) if settings.mail_folder else None


def _url(settings: Settings) -> str:
    """Where people reach the service; what only this machine reaches where nothing is said."""
    if settings.public_url:
        return settings.public_url
    host = settings.http_host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


__all__ = ["BrokenTemplate", "inbox_sink", "mail_sink", "templates_of"]
