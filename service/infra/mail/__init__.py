"""Mail on its way out: by SMTP, or into a folder."""

from service.infra.mail.folder import MailFolder
from service.infra.mail.smtp import Server, SmtpPost

__all__ = ["MailFolder", "Server", "SmtpPost"]
