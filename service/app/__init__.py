"""The composition root: the one package that knows every other, and builds it all."""

from service.app.doors import GRACE, create_app, tls_files
from service.app.notices import BrokenTemplate, templates_of
from service.app.outside import Outside
from service.app.relaying import Background
from service.app.services import (
    Services,
    Wiring,
    access_tokens_without_database,
    build,
    services_alone,
)

__all__ = [
    "GRACE",
    "Background",
    "BrokenTemplate",
    "Outside",
    "Services",
    "Wiring",
    "access_tokens_without_database",
    "build",
    "create_app",
    "services_alone",
    "templates_of",
    "tls_files",
]
